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
    ("mutation", "seed"),
    [
        ("no If-Match on the checkpoint", 1),
        ("watermark past frames that wait", 1),
        ("412 taken for success", 1),
        ("playlists without condition", 1),
        ("closed reel not finished", 1),
    ],
)
def test_a_seeded_bug_shows_in_a_random_life(mutation: str, seed: int) -> None:
    """With a seed whose lives notice it soon: others take more of them."""
    with MUTATIONS[mutation]():
        (failure,) = run_machine(EXAMPLES, seed=seed)
    assert "state.begin(" in failure
