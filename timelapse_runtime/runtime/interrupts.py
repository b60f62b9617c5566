"""What interrupts a function: SIGTERM, and the alarm before an invocation's deadline. Both are exceptions in the main
thread.

Python runs a signal's handler between two instructions of the main thread; inside a long C call (an encoder) it has to
wait. So a watchdog thread, woken through the interpreter's wake-up descriptor, takes the time at which SIGTERM arrived:
what is left for `flush` and `close` counts from there, and the process ends at the deadline even if the main thread
never returns.

A function may set a SIGTERM handler of its own, and an event loop of its own may take the wake-up descriptor. `check`,
before each invocation, takes both back. At SIGTERM the function's handler is called first, once, as a process under
AWS's runtimes would call it; then come `flush` and `close`, even if it calls `sys.exit`.

A forked child inherits neither: it has Python's default for SIGTERM, and its signals do not reach the parent's
watchdog.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, TypeAlias

from timelapse_runtime.runtime.clock import Clock
from timelapse_runtime.runtime.function import Deadline

BUDGET_WITH_EXTERNAL_EXTENSION_MS = 300
BUDGET_WITH_INTERNAL_EXTENSION_MS = 500
"""From SIGTERM to SIGKILL (Lambda developer guide, 'Shutdown phase'; AWS's emulator allows 600 to either)."""
SHUTDOWN_MARGIN_MS = 20
"""Kept for the last log lines and the process's exit."""
ALARM_MARGIN_MS = 1_000
"""Kept for cleaning up, a log line and the error's report; a tenth of the remaining time if that is less."""

_WAKE_PAUSE_SECONDS = 0.01
"""Between two attempts to wake the main thread: the first may come just before it blocks in a system call."""
_LONGEST_ALARM_SECONDS = 1e6
"""No timer is set for longer than this: a deadline may be arbitrarily far away."""
_ALARM_INTERVAL_SECONDS = 0.25
"""The alarm repeats until the block has ended: cleaning up may hang as well."""


Handler: TypeAlias = Callable[[int, FrameType | None], Any] | int | None
"""Of a signal: what `signal.getsignal` returns."""

logger = logging.getLogger("timelapse_runtime.runtime.interrupts")


class SigtermReceived(BaseException):
    """SIGTERM arrived. Raised once, in the main thread. Nothing between there and the loop may keep it."""


class DeadlineReached(BaseException):
    """The invocation's deadline is near. Not an Exception: an SDK would take it for a connection error and retry."""


class Termination:
    """What is known of SIGTERM. `listen` installs the handler; `leave` ends the process at once.

    Where an exception in the main thread is not enough (`aws_runtime.py`): `begin` is called there instead, with
    whether it is for the first time, and `has_begun` by the watchdog until it returns true.
    """

    def __init__(
        self,
        clock: Clock,
        leave: Callable[[int], object] = os._exit,
        begin: Callable[[bool], None] | None = None,
        has_begun: Callable[[], bool] | None = None,
    ) -> None:
        self._clock = clock
        self._leave = leave
        self._arrived_epoch_ms: int | None = None
        self._raised = False
        self._begin, self._has_begun = begin or _raise_once, has_begun or (lambda: self._raised)
        self._main_thread = threading.main_thread().ident or 0
        self._wakeup_descriptor = -1
        self._handler_of_function: Handler = None
        self._handler_claim, self._is_handled = threading.Lock(), False  # held by who calls it, and never released
        self.budget_ms = BUDGET_WITH_EXTERNAL_EXTENSION_MS

    def listen(self) -> None:
        """Take SIGTERM from now on. Once per process, in its main thread."""
        read_end, write_end = os.pipe()
        os.set_blocking(write_end, False)
        self._wakeup_descriptor = write_end
        self.take_signals()
        threading.Thread(target=self._watch, args=(read_end,), name="termination", daemon=True).start()
        os.register_at_fork(after_in_child=forget_signals)

    @property
    def deadline(self) -> Deadline:
        """When the process is ended by force. Only valid once SIGTERM has arrived."""
        return Deadline(self.arrival_epoch_ms() + self.budget_ms - SHUTDOWN_MARGIN_MS)

    def check(self) -> None:
        """Raise SigtermReceived if SIGTERM has arrived: a function may have swallowed it, or had a handler of its own.

        In the main thread. Takes SIGTERM back from such a handler.
        """
        self.take_signals()
        if self._arrived_epoch_ms is not None:
            self._raised = True
            raise SigtermReceived

    def arrival_epoch_ms(self) -> int:
        """When SIGTERM arrived: now, for whoever sees it first."""
        if self._arrived_epoch_ms is None:
            self._arrived_epoch_ms = self._clock.now_epoch_ms()
        return self._arrived_epoch_ms

    def take_signals(self) -> None:
        """Take SIGTERM and the wake-up descriptor back, in the main thread. Nothing before `listen`."""
        if self._wakeup_descriptor == -1:
            return
        try:
            signal.set_wakeup_fd(self._wakeup_descriptor, warn_on_full_buffer=False)
        except (OSError, ValueError):  # the function has closed it, and it may be another file's by now
            signal.set_wakeup_fd(-1)
        handler = signal.getsignal(signal.SIGTERM)
        if handler != self._handle:
            has_been_called = self._arrived_epoch_ms is not None  # by Python itself, or by `_handle` before
            self._handler_of_function = handler if callable(handler) and not has_been_called else None
            signal.signal(signal.SIGTERM, self._handle)

    def call_handler_of_function(self, frame: FrameType | None = None) -> bool:
        """Call the function's own handler of SIGTERM, once per process. False while another call is still in it."""
        if self._handler_claim.acquire(blocking=False):
            try:
                if callable(self._handler_of_function):
                    self._handler_of_function(signal.SIGTERM, frame)
            except BaseException:
                logger.exception("The function's own handler of SIGTERM ended with")
            finally:
                self._is_handled = True
        return self._is_handled

    def _handle(self, _number: int, frame: FrameType | None) -> None:
        self.arrival_epoch_ms()
        is_first, self._raised = not self._raised, True
        if self.call_handler_of_function(frame):
            self._begin(is_first)

    def _watch(self, read_end: int) -> None:
        while signal.SIGTERM not in os.read(read_end, 64):
            pass
        # The kernel delivers a process's signal to any of its threads, and often not to the main one right after a thaw
        # (in most shutdowns after SIGSTOP and SIGCONT, when it was measured): the main thread would stay in `next`.
        while not self._has_begun() and self.deadline.remaining_ms(self._clock.now_epoch_ms()) > 0:
            if signal.getsignal(signal.SIGTERM) == self._handle:  # not the function's, which would be called each time
                signal.pthread_kill(self._main_thread, signal.SIGTERM)
            time.sleep(_WAKE_PAUSE_SECONDS)
        remaining_ms = self.deadline.remaining_ms(self._clock.now_epoch_ms())
        time.sleep(remaining_ms / 1000)
        # Not sys.stderr: the main thread may hold its lock.
        os.write(2, b"Shutdown deadline reached; exiting now\n")
        self._leave(0)


def _raise_once(is_first: bool) -> None:
    if is_first:
        raise SigtermReceived


def forget_signals() -> None:
    """In a forked child. The wake-up descriptor is the parent's: its SIGTERM would wake the parent's watchdog."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)


@contextmanager
def deadline_alarm(deadline: Deadline, clock: Clock) -> Iterator[None]:
    """Raise DeadlineReached inside the block, shortly before `deadline`. Only in the main thread; elsewhere it does
    nothing.

    Lambda kills a process that works past its time-out, and everything in its memory with it. A call that hangs, or an
    SDK that retries for too long, would cause that. No set of time-outs bounds a whole invocation; this alarm does.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    is_armed = True

    def ring(_number: int, _frame: FrameType | None) -> None:
        if is_armed:
            raise DeadlineReached("interrupted shortly before the invocation's deadline")

    remaining_ms = deadline.remaining_ms(clock.now_epoch_ms())
    seconds = (remaining_ms - min(ALARM_MARGIN_MS, remaining_ms // 10)) / 1000
    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, min(max(seconds, 0.001), _LONGEST_ALARM_SECONDS), _ALARM_INTERVAL_SECONDS)
    try:
        yield
    finally:
        is_armed = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
