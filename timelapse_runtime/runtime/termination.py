"""SIGTERM: an exception in the main thread, wherever that is, and a watchdog that ends the process in time.

Python runs a signal's handler between two instructions of the main thread; inside a long C call (an encoder) it
has to wait. Therefore the moment of arrival is taken by the watchdog, a thread woken through the interpreter's
wake-up descriptor: what is left for `flush` and `close` counts from there, and the end comes at the deadline
even when the main thread never returns.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType

from timelapse_runtime.runtime.clock import Clock
from timelapse_runtime.runtime.function import Deadline

BUDGET_WITH_EXTERNAL_EXTENSION_MS = 300
BUDGET_WITH_INTERNAL_EXTENSION_MS = 500
"""From SIGTERM to SIGKILL (Lambda developer guide, 'Shutdown phase'; the emulator gives 600 to either)."""
MARGIN_MS = 20
"""Left for the last log lines and the process's exit."""
WAKE_PAUSE_SECONDS = 0.01
"""Between two attempts to wake the main thread: the first may come just before it falls asleep in a system call."""


class Terminated(BaseException):
    """SIGTERM arrived. Raised once, in the main thread; nothing between there and the loop may keep it."""


class Termination:
    """What is known of SIGTERM; `listen` makes it come here. `leave` ends the process at once."""

    def __init__(self, clock: Clock, leave: Callable[[int], object] = os._exit) -> None:
        self._clock = clock
        self._leave = leave
        self._arrived_epoch_ms: int | None = None
        self._raised = False
        self._main_thread = threading.main_thread().ident or 0
        self.budget_ms = BUDGET_WITH_EXTERNAL_EXTENSION_MS

    def listen(self) -> None:
        """Take SIGTERM from now on. Once per process, in its main thread."""
        read_end, write_end = os.pipe()
        os.set_blocking(write_end, False)
        signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
        threading.Thread(target=self._watch, args=(read_end,), name="termination", daemon=True).start()
        signal.signal(signal.SIGTERM, self._handle)

    @property
    def deadline(self) -> Deadline:
        """When the process ends by force. Only once SIGTERM has arrived."""
        return Deadline(self._arrival() + self.budget_ms - MARGIN_MS)

    def check(self) -> None:
        """Raise Terminated if SIGTERM arrived: for the case that something has swallowed the exception."""
        if self._arrived_epoch_ms is not None:
            self._raised = True
            raise Terminated

    def _arrival(self) -> int:
        if self._arrived_epoch_ms is None:
            self._arrived_epoch_ms = self._clock.now_epoch_ms()
        return self._arrived_epoch_ms

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        self._arrival()
        if not self._raised:
            self._raised = True
            raise Terminated

    def _watch(self, read_end: int) -> None:
        while signal.SIGTERM not in os.read(read_end, 64):
            pass
        # The kernel hands a process's signal to any of its threads, and often not to the main one right after a thaw
        # (in most shutdowns after SIGSTOP and SIGCONT, when it was measured): that one would sleep on in `next`.
        while not self._raised and self.deadline.remaining_ms(self._clock.now_epoch_ms()) > 0:
            signal.pthread_kill(self._main_thread, signal.SIGTERM)
            time.sleep(WAKE_PAUSE_SECONDS)
        remaining_ms = self.deadline.remaining_ms(self._clock.now_epoch_ms())
        time.sleep(remaining_ms / 1000)
        # Not sys.stderr: the main thread may hold its lock.
        os.write(2, b"Not done by the shutdown deadline: the process ends as it is\n")
        self._leave(0)
