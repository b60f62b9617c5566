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
