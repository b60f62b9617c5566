"""Whether the next listing after a checkpoint shows a photo for sure, as its name tells. Pure.

A listing begins near the photos that are known, and need not reach a name that does not rise (`new_photos.py`). And a
photo that was written over another one may be overwritten itself before a listing. Of such a photo its event is all
that tells, so it is read at once, by the environment that the event reached. Others may wait for the listing, unread.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping

from timelapse_runtime.timelapse.model.checkpoint import ARRIVAL_ORDER, Checkpoint
from timelapse_runtime.timelapse.model.keys import key_order
from timelapse_runtime.timelapse.model.source_frame import photo_at, photo_identity

_SHORT_STREAM = 500
"""Fewer photos than a listing goes through without finding a new one."""
_RISING_KEYS = 6
"""Names of so many photos in a row that rise do so by chance once in 720 times."""


class NextListing:
    """The one after `checkpoint`."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._checkpoint = checkpoint

    def shows(self, key: str, etag: str | None) -> bool:
        """Whether it shows this photo for sure."""
        checkpoint, order = self._checkpoint, key_order(key)
        if checkpoint.order != ARRIVAL_ORDER:
            return all(order > key_order(known) for known in (checkpoint.watermark, *checkpoint.ahead))
        if key in self._newest:
            return etag is not None and photo_identity(key, etag) in self._newest[key]
        if checkpoint.frame_count + checkpoint.rejected_count < _SHORT_STREAM:
            return order > key_order(checkpoint.scan_after)
        return self._highest_rising is not None and order > self._highest_rising

    @functools.cached_property
    def _newest(self) -> Mapping[str, frozenset[str]]:
        """The photos that a checkpoint in arrival order names, by key: their identities."""
        newest: dict[str, frozenset[str]] = {}
        for photo in map(photo_at, sorted(self._checkpoint.ahead, key=key_order)):
            newest[photo.key] = newest.get(photo.key, frozenset()) | {photo.identity}
        return newest

    @functools.cached_property
    def _highest_rising(self) -> bytes | None:
        """The last of their keys as S3 orders them, if there are some and each is above the one before; else None."""
        keys = list(map(key_order, self._newest))
        rises = len(keys) == len(self._checkpoint.ahead) >= _RISING_KEYS
        return keys[-1] if rises and all(before < after for before, after in itertools.pairwise(keys)) else None
