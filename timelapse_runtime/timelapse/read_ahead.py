"""The next photo is read and decoded while this one is encoded: S3's first byte comes after some 15 ms, and x264's
threads leave a part of two processors idle.

One photo ahead, in a thread of its own; all the rest stays in the main thread. A read ahead has no effect but what it
gives, and one that fails is forgotten: the photo is read again in its turn, where errors, retries and the deadline are
dealt with.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, Protocol, TypeVar

_Item = TypeVar("_Item")
_Read = TypeVar("_Read")


class Begin(Protocol):
    """Begins a read; what it gives waits for the end: what was read, or None where that failed."""

    def __call__(self, read: Callable[[], _Read], /) -> Callable[[], _Read | None]:
        """See the class."""


def in_thread(read: Callable[[], _Read]) -> Callable[[], _Read | None]:
    """The read in a thread, which does not keep the process alive."""
    found: list[_Read] = []

    def run() -> None:
        try:
            found.append(read())
        except Exception:  # noqa: BLE001 - whatever it is, it is met again in the photo's turn
            return

    thread = threading.Thread(target=run, name="read-ahead", daemon=True)
    thread.start()

    def wait() -> _Read | None:
        thread.join()
        return found[0] if found else None

    return wait


class ReadAhead(Generic[_Read]):
    """Reads photos by key, in order. `read` may run in two threads at once, where a read ahead was forgotten."""

    def __init__(self, read: Callable[[str], _Read], begin: Begin) -> None:
        self._read, self._begin = read, begin
        self._ahead: tuple[str, Callable[[], _Read | None]] | None = None

    def get(self, key: str, following: str | None) -> _Read:
        """The photo at `key`; that at `following` is begun to be read. Raises as `read` does."""
        ahead, self._ahead = self._ahead, None
        found = ahead[1]() if ahead is not None and ahead[0] == key else None
        if found is None:
            found = self._read(key)
        if following is not None:
            self._ahead = following, self._begin(lambda: self._read(following))
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
