"""The next photo is read while this one is decoded and encoded: with S3's first byte after some 15 ms, catching up
would else spend a quarter of its time waiting.

One photo ahead, in a thread of its own; all the rest stays in the main thread. A read ahead has no effect but its
bytes, and one that fails is forgotten: the photo is read again in its turn, where errors, retries and the deadline are
dealt with.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias, TypeVar

from timelapse_runtime.storage.contract import StoredObject

_Item = TypeVar("_Item")
Read: TypeAlias = Callable[[], StoredObject]
Begin: TypeAlias = Callable[[Read], Callable[[], StoredObject | None]]
"""Begins a read; what it gives waits for the end: the photo, or None where the read failed."""


def in_thread(read: Read) -> Callable[[], StoredObject | None]:
    """The read in a thread, which does not keep the process alive."""
    found: list[StoredObject] = []

    def run() -> None:
        try:
            found.append(read())
        except Exception:  # noqa: BLE001 - whatever it is, it is met again in the photo's turn
            return

    thread = threading.Thread(target=run, name="read-ahead", daemon=True)
    thread.start()

    def wait() -> StoredObject | None:
        thread.join()
        return found[0] if found else None

    return wait


class ReadAhead:
    """Reads photos by key, in order."""

    def __init__(self, get: Callable[[str], StoredObject], begin: Begin) -> None:
        self._get, self._begin = get, begin
        self._ahead: tuple[str, Callable[[], StoredObject | None]] | None = None

    def get(self, key: str, following: str | None) -> StoredObject:
        """The photo at `key`; that at `following` is begun to be read. Raises as `get` does."""
        ahead, self._ahead = self._ahead, None
        found = ahead[1]() if ahead is not None and ahead[0] == key else None
        if found is None:
            found = self._get(key)
        if following is not None:
            self._ahead = following, self._begin(lambda: self._get(following))
        return found

    def forget(self) -> None:
        """What was read ahead is of no use any more: by its turn it may be something else."""
        self._ahead = None


def with_following(items: Iterable[_Item]) -> Iterator[tuple[_Item, _Item | None]]:
    """Each item with the one after it."""
    rest = iter(items)
    item = next(rest, None)
    while item is not None:
        following = next(rest, None)
        yield item, following
        item = following
