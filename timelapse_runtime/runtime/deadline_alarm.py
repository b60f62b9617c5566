"""An alarm shortly before an invocation's deadline: an exception in the main thread, wherever that waits.

Lambda kills a process that works past its time-out, and with it everything in memory. A call to S3 that hangs, or
tries again too patiently, would bring that about; no set of time-outs bounds a whole invocation, and an alarm does.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from timelapse_runtime.runtime.clock import Clock
from timelapse_runtime.runtime.function import Deadline

MARGIN_MS = 1_000
"""Left for dropping what was under way, a log line and the error's report; a tenth of what is left if that is less."""
_LONGEST_SECONDS = 1e6
"""No timer is set for longer: deadlines may be as far away as one likes."""
_AGAIN_SECONDS = 0.25
"""Rings until somebody leaves `ring_before`: what cleans up may hang as well."""


class OutOfTime(BaseException):
    """The alarm rang. No `Exception`: a function's SDK would take it for a connection's error and try again."""


@contextmanager
def ring_before(deadline: Deadline, clock: Clock) -> Iterator[None]:
    """Raise OutOfTime inside the block, shortly before `deadline`. In the main thread only; elsewhere nothing rings."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    is_armed = True

    def ring(_number: int, _frame: FrameType | None) -> None:
        if is_armed:
            raise OutOfTime

    remaining_ms = deadline.remaining_ms(clock.now_epoch_ms())
    seconds = (remaining_ms - min(MARGIN_MS, remaining_ms // 10)) / 1000
    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, min(max(seconds, 0.001), _LONGEST_SECONDS), _AGAIN_SECONDS)
    try:
        yield
    finally:
        is_armed = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
