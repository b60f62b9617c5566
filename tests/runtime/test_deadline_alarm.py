"""The alarm before an invocation's deadline: it interrupts what waits, in time, again and again, and goes silent."""

from __future__ import annotations

import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from timelapse_runtime.runtime.clock import SystemClock
from timelapse_runtime.runtime.deadline_alarm import OutOfTime, ring_before
from timelapse_runtime.runtime.function import Deadline

CLOCK = SystemClock()
pytestmark = pytest.mark.timeout(60, method="thread")  # the other method waits for the same signal


def in_ms(milliseconds: int) -> Deadline:
    return Deadline(CLOCK.now_epoch_ms() + milliseconds)


def wait_forever() -> None:
    threading.Event().wait()


def test_it_interrupts_what_waits_before_the_deadline() -> None:
    deadline = in_ms(2_000)
    with pytest.raises(OutOfTime), ring_before(deadline, CLOCK):
        wait_forever()
    assert CLOCK.now_epoch_ms() < deadline.epoch_ms


def test_it_interrupts_at_once_when_the_deadline_has_passed() -> None:
    with pytest.raises(OutOfTime), ring_before(in_ms(-5), CLOCK):
        wait_forever()


def test_it_interrupts_what_cleans_up_as_well() -> None:
    with ring_before(in_ms(10), CLOCK):
        for _ in range(3):
            with pytest.raises(OutOfTime):
                wait_forever()


def test_no_one_takes_it_for_an_error_of_the_connection() -> None:
    assert not issubclass(OutOfTime, Exception)


def test_afterwards_nothing_rings_and_the_handler_is_who_it_was() -> None:
    before = signal.getsignal(signal.SIGALRM)
    with ring_before(in_ms(100_000), CLOCK):
        assert signal.getitimer(signal.ITIMER_REAL)[0] > 90
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert signal.getsignal(signal.SIGALRM) is before


def test_in_another_thread_nothing_rings() -> None:
    def work() -> tuple[float, float]:
        with ring_before(in_ms(10), CLOCK):
            return signal.getitimer(signal.ITIMER_REAL)

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(work).result() == (0.0, 0.0)
