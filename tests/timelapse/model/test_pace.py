"""Pace: what the upload times say of a camera, and when its encoder changes."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timelapse_runtime.timelapse.model.pace import Pace, pace_of

SLOW_MS = 5_000


def with_steps(seconds: Iterable[float]) -> Pace:
    return pace_of(accumulate((round(1_000 * step) for step in seconds), initial=1_000), slow_ms=SLOW_MS)


def test_one_photo_tells_nothing() -> None:
    pace = with_steps([])
    assert (pace.step_ms, pace.is_slow) == (0, False)
    assert not pace.needs_low_delay(has_low_delay=False)
    assert pace.needs_low_delay(has_low_delay=True)


def test_the_step_is_the_usual_one_of_the_last_photos() -> None:
    assert with_steps([600, 1, 1, 1]).step_ms == 1_000
    assert with_steps([1] * 50 + [60] * 8).step_ms == 60_000


@pytest.mark.parametrize(("steps", "is_needed"), [([60] * 7, False), ([60] * 8, True), ([1, 600] * 8 + [1, 1], False)])
def test_an_encoder_that_looks_ahead_goes_when_the_camera_is_slow_for_a_while(
    steps: list[float], is_needed: bool
) -> None:
    assert with_steps(steps).needs_low_delay(has_low_delay=False) is is_needed


@pytest.mark.parametrize(
    ("steps", "is_needed"),
    [
        ([1] * 107, True),
        ([60] * 50 + [1] * 107, True),
        ([1] * 108, False),
        ([3] * 200, True),
        ([1] * 120 + [60] * 8, True),
    ],
)
def test_low_delay_goes_when_the_camera_is_fast_for_long(steps: list[float], is_needed: bool) -> None:
    assert with_steps(steps).needs_low_delay(has_low_delay=True) is is_needed


def test_photos_that_are_not_newer_tell_nothing() -> None:
    pace = with_steps([60] * 8)
    for time in (0, 1_000, 481_000):
        pace.add(time)
    assert pace.step_ms == 60_000


@given(st.floats(0.05, 3_600), st.integers(8, 300))
def test_at_an_even_pace_the_kind_of_encoder_never_changes_back(step: float, count: int) -> None:
    pace = with_steps([step] * count)
    low_delay = pace.needs_low_delay(has_low_delay=False)
    assert pace.needs_low_delay(has_low_delay=low_delay) is low_delay
