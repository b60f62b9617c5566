"""Progress on stderr: how many are done, how many a second, the time left.

On a terminal, one line that is drawn again; elsewhere a line every ten seconds and one at the end.
"""

from __future__ import annotations

import shutil
import sys
import threading
import time
from typing import Self

from timelapse_runtime.timelapse.verify_report import duration

_BAR_WIDTH = 20
_NARROW = 70
"""Columns below which there is no room for the bar."""
_REDRAW_SECONDS, _LINE_SECONDS = 0.1, 10.0


class Progress:
    """Counts to `total`, of which `done` were done before; prints nothing if `quiet`. May be called from threads."""

    def __init__(self, total: int, *, done: int = 0, unit: str = "frames", quiet: bool = False) -> None:
        self._total, self._done, self._done_before, self._unit, self._quiet = total, done, done, unit, quiet
        self._is_terminal = sys.stderr.isatty()
        self._began = self._drawn = time.monotonic()
        self._note, self._lock = "", threading.RLock()  # a signal handler may say something while a step is drawn

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if not self._quiet:
            self._draw("\n")

    def step(self, count: int = 1) -> None:
        """Count one, or so many."""
        with self._lock:
            self._done += count
            now = time.monotonic()
            if not self._quiet and now - self._drawn >= (_REDRAW_SECONDS if self._is_terminal else _LINE_SECONDS):
                self._drawn = now
                self._draw("" if self._is_terminal else "\n")

    def note(self, text: str) -> None:
        """What is at the end of the line from now on."""
        self._note = text

    def say(self, text: str) -> None:
        """Print a line of its own."""
        if not self._quiet:
            with self._lock:
                print(f"\r{text:<{_columns()}}" if self._is_terminal else text, file=sys.stderr, flush=True)

    def _draw(self, end: str) -> None:
        elapsed = max(1e-6, time.monotonic() - self._began)
        rate = (self._done - self._done_before) / elapsed
        left = duration(round((self._total - self._done) / rate)) if rate else "?"
        text = f"{self._done}/{self._total} {self._unit}, {rate:.1f}/s, {left} left"
        text += f", {self._note}" if self._note else ""
        if not self._is_terminal:
            print(text, end=end, file=sys.stderr, flush=True)
            return
        width = _columns()
        if width >= _NARROW:
            text = f"[{'#' * min(_BAR_WIDTH, self._done * _BAR_WIDTH // max(1, self._total)):<{_BAR_WIDTH}}] {text}"
        print(f"\r{text[:width]:<{width}}", end=end, file=sys.stderr, flush=True)


def _columns() -> int:
    """One less than the terminal has: a full line would wrap."""
    return max(20, shutil.get_terminal_size().columns - 1)
