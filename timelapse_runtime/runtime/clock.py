"""The wall clock, as a value that is passed in.

Wall clock on purpose: Lambda freezes processes between invocations, and gives its deadlines in Unix milliseconds.
"""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Tells the time."""

    def now_epoch_ms(self) -> int:
        """Unix time in milliseconds."""
        ...


class SystemClock:
    """The machine's clock."""

    def now_epoch_ms(self) -> int:
        """Unix time in milliseconds."""
        return time.time_ns() // 1_000_000


class ManualClock:
    """A clock that stands still until it is moved: for tests."""

    def __init__(self, epoch_ms: int = 1_790_000_000_000) -> None:
        self._epoch_ms = epoch_ms

    def now_epoch_ms(self) -> int:
        """Unix time in milliseconds."""
        return self._epoch_ms

    def advance(self, milliseconds: float) -> None:
        """Move the clock on."""
        self._epoch_ms += round(milliseconds)
