"""The rule by which frames are shown as their photos were taken."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from timelapse_runtime.timelapse.model.frame_times import BEFORE_A_REEL, TICKS_PER_FRAME, Pacing
from timelapse_runtime.timelapse.model.source_frame import Role, SourceFrame

FPS, HOLD_FRAMES = 30, 60
RULE = Pacing(speed=60, fps=FPS, hold=HOLD_FRAMES * TICKS_PER_FRAME)
MS_PER_FRAME = 2_000
"""The world's time for a frame's time of the video."""


def steps(captured: Iterable[float | tuple[float, Role]], rule: Pacing = RULE) -> list[float]:
    """For how long each frame but the last is shown, in frames' times; captured in the world's time for a frame."""
    time, shown = BEFORE_A_REEL, []
    for one in captured:
        moment, role = one if isinstance(one, tuple) else (one, Role.IN_ORDER)
        time = rule.after(time, SourceFrame("1.jpg", round(1_790_000_000_000 + moment * MS_PER_FRAME), role))
        shown.append(time.shown)
    assert shown[0] == 0
    return [(after - before) / TICKS_PER_FRAME for before, after in itertools.pairwise(shown)]


def test_a_frame_is_shown_until_the_next_photo_was_taken() -> None:
    assert steps([0, 1, 3, 3 + 1.5, 10]) == [1, 2, 1.5, 5.5]


def test_a_gap_holds_the_last_frame_up_to_the_limit() -> None:
    assert steps([0, 2, 90_000, 90_002]) == [2, HOLD_FRAMES, 2]


def test_photos_that_come_too_fast_are_all_shown_and_the_next_gap_makes_up_for_it() -> None:
    assert steps([0, 0.5, 1, 1.5, 6, 8]) == [1, 1, 1, 3, 2]


def test_photos_that_are_early_and_late_by_turns_do_not_add_up() -> None:
    shown = steps(number + 0.4 * (number % 2) for number in range(1001))
    assert abs(sum(shown) - 1000) <= 0.5


def test_a_long_burst_is_made_up_for_by_one_hold_at_most() -> None:
    burst = [number / 100 for number in range(500)]
    assert steps([*burst, 1_000, 2_000])[-2:] == [HOLD_FRAMES, HOLD_FRAMES]
    assert steps([*burst, 5 + HOLD_FRAMES, 1_000])[-2:] == [1, HOLD_FRAMES]


def test_a_clock_that_is_set_back_takes_one_frames_time() -> None:
    assert steps([100, 102, 2, 4, 6]) == [2, 1, 1, 2]


def test_repeated_and_late_frames_do_not_move_the_time() -> None:
    assert steps([0, (5_000, Role.STAND_IN), 4, (1, Role.OUT_OF_ORDER), 8]) == [1, 3, 1, 3]


def test_a_reel_may_begin_with_a_repeated_frame() -> None:
    assert steps([(0, Role.STAND_IN), 50, 53])[1] == 3


def test_a_speed_below_the_cameras_gives_each_photo_its_frame() -> None:
    assert set(steps(range(0, 10_000, 100), Pacing(10**6, FPS, TICKS_PER_FRAME))) == {1.0}


@given(st.lists(st.integers(0, 10**7), min_size=2, max_size=60), st.integers(1, 10**6))
def test_times_rise_within_the_bounds_and_are_those_of_the_world_between(waits: list[int], speed: int) -> None:
    rule = Pacing(speed, FPS, 6 * TICKS_PER_FRAME)
    times, captured = [BEFORE_A_REEL], 1_790_000_000_000
    for wait in waits:
        captured += wait
        times.append(rule.after(times[-1], SourceFrame("1.jpg", captured)))
    for before, after in itertools.pairwise(times):
        assert TICKS_PER_FRAME <= after.shown - before.shown <= rule.hold
        assert 0 <= after.lag <= rule.hold
    ticks = (captured - waits[-1] - 1_790_000_000_000 - waits[0]) * FPS * TICKS_PER_FRAME // (1000 * speed)
    if all(TICKS_PER_FRAME < wait * FPS * TICKS_PER_FRAME / (1000 * speed) < rule.hold - 1 for wait in waits[1:-1]):
        assert abs(times[-2].shown - times[1].shown - ticks) <= 1
