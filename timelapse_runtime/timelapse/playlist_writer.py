"""Playlists as they are stored: an older one never takes the place of a newer one.

An instance that stood still between its commit and its playlists may find that others went on meanwhile: written
without a condition, its playlist would shrink again before a player's eyes, or open a closed reel for good (nobody
looks at that one's playlist any more). So each is written over the ETag that this instance wrote, or saw *before* it
saw that the checkpoint is still its own: whoever commits later writes his playlists later, and changes the ETag.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from timelapse_runtime.timelapse.commit_plan import Put
from timelapse_runtime.timelapse.errors import ObjectNotFound, PreconditionFailed
from timelapse_runtime.timelapse.storage.contract import Condition, IfAbsent, IfMatch, Store

_TRIES = 3


class PlaylistWriter:
    """Writes one stream's playlists. `is_current` asks S3 whether the checkpoint is still the one that they show."""

    def __init__(self, store: Store, is_current: Callable[[], bool]) -> None:
        self._store, self._is_current = store, is_current
        self._conditions: dict[str, Condition] = {}

    def write(self, puts: Sequence[Put]) -> None:
        """Write what is not overtaken. Raises StorageError."""
        for put in puts:
            self._write(put)

    def guarded(self, puts: Sequence[Put], *, is_first_commit: bool) -> tuple[Put, ...]:
        """The same writes for somebody else to send, without a request: those whose condition is known."""
        known: dict[str, Condition] = {put.key: IfAbsent() for put in puts} if is_first_commit else self._conditions
        return tuple(replace(put, condition=known[put.key]) for put in puts if put.key in known)

    def _write(self, put: Put) -> None:
        for left in reversed(range(_TRIES)):
            condition = self._conditions.pop(put.key, None) or self._look(put.key)
            if condition is None:
                return  # another instance is ahead, and writes a newer one
            try:
                etag = self._store.put(
                    put.key,
                    put.body,
                    condition=condition,
                    content_type=put.content_type,
                    cache_control=put.cache_control,
                )
            except PreconditionFailed:  # somebody was here, or it is the success of an attempt whose answer was lost
                if not left:
                    raise
            else:
                self._conditions[put.key] = IfMatch(etag)
                return

    def _look(self, key: str) -> Condition:
        """What to write over, or None when another instance is ahead."""
        try:
            seen: Condition = IfMatch(self._store.head(key).etag)
        except ObjectNotFound:
            seen = IfAbsent()
        return seen if self._is_current() else None
