"""SIGTERM as it is seen from inside, without a signal."""

from __future__ import annotations

import pytest

from timelapse_runtime.runtime.clock import ManualClock
from timelapse_runtime.runtime.function import Deadline
from timelapse_runtime.runtime.termination import MARGIN_MS, Terminated, Termination

NOW = 1_790_000_000_000


def test_exception_is_raised_for_the_first_signal_only() -> None:
    termination = Termination(ManualClock(NOW))
    with pytest.raises(Terminated):
        termination._handle(15, None)
    termination._handle(15, None)


def test_deadline_counts_from_the_arrival() -> None:
    clock = ManualClock(NOW)
    termination = Termination(clock)
    with pytest.raises(Terminated):
        termination._handle(15, None)
    clock.advance(100)
    assert termination.deadline == Deadline(NOW + 300 - MARGIN_MS)
    termination.budget_ms = 500
    assert termination.deadline == Deadline(NOW + 500 - MARGIN_MS)


def test_check_raises_only_after_a_signal() -> None:
    termination = Termination(ManualClock(NOW))
    termination.check()
    with pytest.raises(Terminated):
        termination._handle(15, None)
    with pytest.raises(Terminated):
        termination.check()


def test_no_handler_between_the_loop_and_the_function_can_keep_it_by_catching_exception() -> None:
    assert not issubclass(Terminated, Exception)
