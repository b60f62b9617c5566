"""SIGTERM, seen from inside without a signal; and the alarm, which interrupts what waits, repeats, and then stops."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress

import pytest

from timelapse_runtime.runtime.clock import ManualClock, SystemClock
from timelapse_runtime.runtime.function import Deadline
from timelapse_runtime.runtime.interrupts import (
    SHUTDOWN_MARGIN_MS,
    DeadlineReached,
    SigtermReceived,
    Termination,
    deadline_alarm,
)

CLOCK = SystemClock()
pytestmark = pytest.mark.timeout(60, method="thread")  # the other method waits for the same signal


def in_ms(milliseconds: int) -> Deadline:
    return Deadline(CLOCK.now_epoch_ms() + milliseconds)


def wait_forever() -> None:
    threading.Event().wait()


def test_it_interrupts_what_waits_before_the_deadline() -> None:
    deadline = in_ms(2_000)
    with pytest.raises(DeadlineReached), deadline_alarm(deadline, CLOCK):
        wait_forever()
    assert CLOCK.now_epoch_ms() < deadline.epoch_ms


def test_it_interrupts_at_once_when_the_deadline_has_passed() -> None:
    with pytest.raises(DeadlineReached), deadline_alarm(in_ms(-5), CLOCK):
        wait_forever()


def test_it_interrupts_what_cleans_up_as_well() -> None:
    with deadline_alarm(in_ms(10), CLOCK):
        for _ in range(3):
            with pytest.raises(DeadlineReached):
                wait_forever()


def test_no_one_takes_it_for_an_error_of_the_connection() -> None:
    assert not issubclass(DeadlineReached, Exception)


def test_afterwards_nothing_rings_and_the_handler_is_who_it_was() -> None:
    before = signal.getsignal(signal.SIGALRM)
    with deadline_alarm(in_ms(100_000), CLOCK):
        assert signal.getitimer(signal.ITIMER_REAL)[0] > 90
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert signal.getsignal(signal.SIGALRM) is before


def test_in_another_thread_nothing_rings() -> None:
    def work() -> tuple[float, float]:
        with deadline_alarm(in_ms(10), CLOCK):
            return signal.getitimer(signal.ITIMER_REAL)

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(work).result() == (0.0, 0.0)


NOW = 1_790_000_000_000


@pytest.fixture
def listening() -> Iterator[Termination]:
    """As after `listen`, but without its thread."""
    before = signal.getsignal(signal.SIGTERM)
    termination = Termination(ManualClock(NOW))
    termination._wakeup_descriptor = os.open("/dev/null", os.O_WRONLY | os.O_NONBLOCK)
    yield termination
    signal.signal(signal.SIGTERM, before)
    signal.set_wakeup_fd(-1)
    with suppress(OSError):
        os.close(termination._wakeup_descriptor)


def test_exception_is_raised_for_the_first_signal_only() -> None:
    termination = Termination(ManualClock(NOW))
    with pytest.raises(SigtermReceived):
        termination._handle(15, None)
    termination._handle(15, None)


def test_deadline_counts_from_the_arrival() -> None:
    clock = ManualClock(NOW)
    termination = Termination(clock)
    with pytest.raises(SigtermReceived):
        termination._handle(15, None)
    clock.advance(100)
    assert termination.deadline == Deadline(NOW + 300 - SHUTDOWN_MARGIN_MS)
    termination.budget_ms = 500
    assert termination.deadline == Deadline(NOW + 500 - SHUTDOWN_MARGIN_MS)


def test_check_raises_only_after_a_signal() -> None:
    termination = Termination(ManualClock(NOW))
    termination.check()
    with pytest.raises(SigtermReceived):
        termination._handle(15, None)
    with pytest.raises(SigtermReceived):
        termination.check()


def test_no_handler_between_the_loop_and_the_function_can_keep_it_by_catching_exception() -> None:
    assert not issubclass(SigtermReceived, Exception)


def test_handler_of_the_functions_own_is_called_once_and_before_the_exception(
    listening: Termination, caplog: pytest.LogCaptureFixture
) -> None:
    called = list[int]()

    def own(number: int, _frame: object) -> None:
        called.append(number)
        sys.exit(3)  # as in AWS's example of a graceful shutdown

    signal.signal(signal.SIGTERM, own)
    listening.check()
    for expected in (pytest.raises(SigtermReceived), nullcontext()):
        with expected:
            signal.raise_signal(signal.SIGTERM)
    assert called == [signal.SIGTERM]
    assert "own handler of SIGTERM ended" in caplog.text


def test_handler_that_python_has_called_is_not_called_again(listening: Termination) -> None:
    called = list[int]()
    signal.signal(signal.SIGTERM, lambda number, _frame: called.append(number))
    signal.raise_signal(signal.SIGTERM)
    listening.arrival_epoch_ms()  # as the watchdog notes it
    with pytest.raises(SigtermReceived):
        listening.check()
    signal.raise_signal(signal.SIGTERM)
    assert called == [signal.SIGTERM]


@pytest.mark.parametrize("handler", [signal.SIG_IGN, signal.SIG_DFL])
def test_ignoring_sigterm_does_not_last(listening: Termination, handler: signal.Handlers) -> None:
    signal.signal(signal.SIGTERM, handler)
    listening.check()
    with pytest.raises(SigtermReceived):
        signal.raise_signal(signal.SIGTERM)


def test_wakeup_descriptor_that_was_closed_is_given_up(listening: Termination) -> None:
    listening.check()
    os.close(listening._wakeup_descriptor)
    listening.check()
    assert signal.set_wakeup_fd(-1) == -1
