"""Notices that a function's source has changed.

It compares the files' times and sizes. A library that is told by the kernel (watchfiles) would be a compiled dependency
for what takes 2 ms here for 1,000 files, and the kernel tells nothing of folders that are mounted from another system.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

_LEFT_OUT = {"__pycache__", "node_modules"}


class SourceFiles:
    """The Python files below a folder, without those of hidden folders and of virtual environments.

    Other files are not looked at: a function may write some.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._reported = self._last = self._scan()

    def changed(self) -> list[str]:
        """The paths that differ from those at the last report, once they stay the same from one call to the next.

        An editor may write a file in several steps: a state that is seen once may be half of a change.
        """
        before, self._last = self._last, self._scan()
        if self._last != before or self._last == self._reported:
            return []
        differing = sorted(path for path, _ in self._last.items() ^ self._reported.items())
        self._reported = self._last
        return list(dict.fromkeys(differing))

    def _scan(self) -> dict[str, tuple[int, int]]:
        return dict(_python_files(str(self._folder), ""))


def _python_files(folder: str, prefix: str) -> Iterator[tuple[str, tuple[int, int]]]:
    """Path below the folder, time of the last change in ns and size in bytes."""
    try:
        entries = list(os.scandir(folder))
    except OSError:  # removed since its parent was read, or not readable
        return
    if prefix and any(entry.name == "pyvenv.cfg" for entry in entries):
        return
    for entry in entries:
        if entry.name.startswith(".") or entry.name in _LEFT_OUT:
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _python_files(entry.path, f"{prefix}{entry.name}/")
        elif entry.name.endswith(".py"):
            try:
                state = entry.stat()
            except OSError:
                continue
            yield prefix + entry.name, (state.st_mtime_ns, state.st_size)
