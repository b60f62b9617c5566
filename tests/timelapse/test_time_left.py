"""Whether one more step may begin."""

from __future__ import annotations

import pytest

from timelapse_runtime.runtime.clock import ManualClock
from timelapse_runtime.runtime.function import Deadline
from timelapse_runtime.timelapse.time_left import TimeLeft


@pytest.mark.parametrize(
    ("now_ms", "ms", "is_enough"), [(0, 1000, True), (930, 70, True), (931, 69, False), (2000, 0, False)]
)
def test_a_step_may_begin_until_only_less_than_the_reserve_is_left(now_ms: int, ms: int, *, is_enough: bool) -> None:
    time_left = TimeLeft(Deadline(1000), ManualClock(now_ms), reserve_ms=70)
    assert (time_left.ms, time_left.is_enough) == (ms, is_enough)


def test_things_in_a_row_have_equal_shares_and_what_others_leave() -> None:
    clock = ManualClock(0)
    whole = TimeLeft(Deadline(1000), clock, reserve_ms=100)
    assert whole.shared_by(1) == whole
    first = whole.shared_by(3)
    assert first.deadline.epoch_ms == 400
    clock.advance(400)
    assert (first.ms, first.is_enough) == (0, False)
    assert whole.shared_by(2).deadline.epoch_ms == 400 + (600 - 100) // 2 + 100
    clock.advance(600)
    assert whole.shared_by(2).deadline.epoch_ms == 1000
