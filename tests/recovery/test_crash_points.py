"""A fault at every request of every scenario; another environment finishes, and the whole result is checked.

Here an even sample of the points, whole with `scripts/crashtest`; docs/crash-points.md has the table. The media are
`fake_media`, but for one slice.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator

import pytest

from tests.recovery.fake_media import fake_media
from tests.recovery.scenarios import SCENARIOS, SMALL, Scenario, doubles, run, singles

SINGLES_STEP = 5
DOUBLES_STEP = 97
"""Neither has a factor in common with the number of faults, 8: every fault comes at requests all over."""
REAL_STEP = 13


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    logging.disable(logging.ERROR)  # thousands of warnings, each of them due
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("scenario", [*SCENARIOS, SMALL], ids=lambda scenario: scenario.name)
def test_a_fault_at_any_request_loses_nothing_and_doubles_nothing(scenario: Scenario) -> None:
    with fake_media():
        assert run(scenario, {}).wrong == ()
        for faults in itertools.islice(singles(scenario), 0, None, SINGLES_STEP):
            outcome = run(scenario, faults)
            assert (faults, outcome.wrong) == (faults, ())


def test_two_faults_lose_nothing_and_double_nothing() -> None:
    with fake_media():
        for faults in itertools.islice(doubles(SMALL), 0, None, DOUBLES_STEP):
            outcome = run(SMALL, faults)
            assert (faults, outcome.wrong) == (faults, ())


def test_the_real_media_stand_the_same_faults() -> None:
    for faults in itertools.islice(singles(SMALL), 0, None, REAL_STEP):
        outcome = run(SMALL, faults, shows_photos=False)
        assert (faults, outcome.wrong) == (faults, ())
