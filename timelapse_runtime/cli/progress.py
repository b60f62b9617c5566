"""A progress bar on stderr: frames, frames per second, time left."""

from __future__ import annotations

import sys
import time
from typing import Self

_WIDTH = 30
_REDRAW_SECONDS = 0.1


class Progress:
    """Counts to `total`. Redraws on a terminal, else prints one line at the end; prints nothing if `quiet`."""

    def __init__(self, total: int, *, quiet: bool = False) -> None:
        self._total, self._done, self._quiet = total, 0, quiet
        self._is_terminal = sys.stderr.isatty()
        self._began = self._drawn = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if not self._quiet:
            self._draw("\n")

    def step(self) -> None:
        """Count one frame."""
        self._done += 1
        now = time.monotonic()
        if self._is_terminal and not self._quiet and now - self._drawn >= _REDRAW_SECONDS:
            self._drawn = now
            self._draw("")

    def _draw(self, end: str) -> None:
        elapsed = max(1e-6, time.monotonic() - self._began)
        rate = self._done / elapsed
        left = (self._total - self._done) / rate if rate else 0.0
        bar = "#" * (self._done * _WIDTH // max(1, self._total))
        start = "\r" if self._is_terminal else ""
        text = f"[{bar:<{_WIDTH}}] {self._done}/{self._total} frames, {rate:.1f} per second, {left:.0f} s left"
        print(f"{start}{text:<79}", end=end, file=sys.stderr, flush=True)
