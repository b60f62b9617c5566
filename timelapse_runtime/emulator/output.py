"""Reads what a process prints, line by line, until the process is gone.

Not until end of file: a grandchild that left the process group may hold the pipe's other end for ever.
"""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Callable
from contextlib import suppress


class OutputReader:
    """A pipe whose `write_end` is a process's stdout and stderr, and the thread that hands on its lines."""

    def __init__(self, name: str, on_line: Callable[[str], None]) -> None:
        self._on_line = on_line
        self._read_end, self.write_end = os.pipe()
        self._stop_read_end, self._stop_write_end = os.pipe()
        os.set_blocking(self._read_end, False)
        self._thread = threading.Thread(target=self._run, name=f"output-{name}")
        self._thread.start()

    def close(self) -> None:
        """Hand on what is still in the pipe and end the thread. To be called when the process was reaped."""
        os.close(self.write_end)
        os.close(self._stop_write_end)
        self._thread.join()
        os.close(self._read_end)
        os.close(self._stop_read_end)

    def _run(self) -> None:
        rest, stopping = b"", False
        while not stopping:
            ready, _, _ = select.select([self._read_end, self._stop_read_end], [], [])
            stopping = self._stop_read_end in ready
            *lines, rest = (rest + self._read_available()).split(b"\n")
            for line in lines:
                self._on_line(line.decode("utf-8", "replace"))
        if rest:
            self._on_line(rest.decode("utf-8", "replace"))

    def _read_available(self) -> bytes:
        chunks = []
        with suppress(BlockingIOError):
            while chunk := os.read(self._read_end, 1 << 16):
                chunks.append(chunk)
        return b"".join(chunks)
