"""A fault at every request, pairs of faults, environments that meet: nothing is lost, nothing is there twice.

An even sample of the points that `scripts/crashtest` runs whole; docs/crash-points.md has the table.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from tests.recovery.crashtest import Share, parts

STEPS = {
    "small, real pictures": 13,
    "small, all pairs": 291,
    "all scenarios, drawn pairs": 397,
    "147 meetings": 21,
    "arrival: 147 meetings": 39,
    "arrival: environments take turns": 21,
    "arrival: pace changes": 21,
    "owners: 294 meetings": 37,
    "ranges: 30 meetings": 67,
    "parts: 5 meetings": 31,
    "removal: 6 meetings": 29,
    "segments removed": 41,
    "arrival: told in part": 41,
    "arrival: bulk upload in parts": 61,
    "arrival: ranges ahead": 41,
    "arrival: ranges by functions": 41,
    "arrival: ranges behind others": 41,
    "arrival: a camera rests": 41,
    "by capture times": 61,
    "settings change": 61,
    "arrival: settings change in turns": 97,
    "rendered and removed": 211,
    "arrival: rendered and removed": 211,
    "adopted": 23,
    "arrival: adopted": 23,
    "adopting: 34 meetings": 37,
    "arrival: random lives": 97,
    "5 close meetings": 29,
}
"""None has a factor in common with the number of faults, 10: every fault comes at requests all over."""
STEP = 13


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    logging.disable(logging.CRITICAL)  # thousands of warnings, each of them due
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("part", parts())
def test_nothing_is_lost_and_nothing_is_there_twice(part: str) -> None:
    _, points, failures = Share(part, number=0, of=1, step=STEPS.get(part, STEP)).run()
    assert (points.total() > 0, failures) == (True, [])
