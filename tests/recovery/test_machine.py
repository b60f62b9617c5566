"""Whatever happens to a stream and to its environments, the video is the sorted list of its usable photos."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from tests.recovery.machine import run_machine
from tests.recovery.mutations import MUTATIONS

EXAMPLES = 60
"""For each of the seeds: some five seconds."""


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("seed", range(4))
def test_a_random_life_ends_with_the_sorted_list_of_usable_photos(seed: int) -> None:
    assert run_machine(EXAMPLES, seed) == []


@pytest.mark.parametrize(
    "mutation",
    [
        "no If-Match on the checkpoint",
        "watermark past frames that wait",
        "412 taken for success",
        "playlists without condition",
        "closed reel not finished",
    ],
)
def test_a_seeded_bug_shows_in_a_random_life(mutation: str) -> None:
    with MUTATIONS[mutation]():
        (failure,) = run_machine(EXAMPLES, seed=1)
    assert "state.begin(" in failure
