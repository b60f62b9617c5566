"""Reads the output of a process, line by line, until the process has ended.

End of file is not the criterion: a grandchild that left the process group may keep the pipe open forever.
"""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Callable
from contextlib import suppress


class OutputReader:
    """A pipe and a thread that reads it. `write_end` is for stdout and stderr of a process, `on_line` for its lines."""

    def __init__(self, name: str, on_line: Callable[[str], None]) -> None:
        self._on_line = on_line
        self._read_end, self.write_end = os.pipe()
        self._stop_read_end, self._stop_write_end = os.pipe()
        os.set_blocking(self._read_end, False)
        self._thread = threading.Thread(target=self._run, name=f"output-{name}")
        self._thread.start()

    def close(self) -> None:
        """Read what is left in the pipe and end the thread. Call it when the process was reaped."""
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
