"""What an instance knows of the photos that it has seen, in arrival order: to recognise repetitions. Pure.

A photo is a key with its content. What is known is bounded, oldest out first: beyond it a repetition looks new.
"""

from __future__ import annotations

from collections import OrderedDict

from timelapse_runtime.timelapse.model.keys import key_order
from timelapse_runtime.timelapse.model.source_frame import SourceFrame, photo_at


class SeenPhotos:
    """Of so many photos, and of as many keys, `limit`."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._identities: OrderedDict[str, None] = OrderedDict()
        self._newest: OrderedDict[str, str] = OrderedDict()

    def add(self, photo: SourceFrame) -> None:
        """The photo was seen."""
        self.add_identity(photo.identity)
        self._newest[photo.key] = max(self.newest_position(photo.key), photo.position, key=key_order)
        self._newest.move_to_end(photo.key)
        while len(self._newest) > self._limit:
            self._newest.popitem(last=False)

    def add_identity(self, identity: str) -> None:
        """An event named the photo, and it was overwritten before it could be read."""
        self._identities[identity] = None
        self._identities.move_to_end(identity)
        while len(self._identities) > self._limit:
            self._identities.popitem(last=False)

    def has_identity(self, identity: str) -> bool:
        """Whether this content was seen under its key."""
        return identity in self._identities

    def has_key(self, key: str) -> bool:
        """Whether a photo was seen under this key."""
        return key in self._newest

    def newest_position(self, key: str) -> str:
        """Of the photos under this key; empty if none was seen."""
        return self._newest.get(key, "")

    def is_newest(self, key: str, identity: str) -> bool:
        """Whether the newest photo under this key has this identity, or none is known."""
        position = self.newest_position(key)
        return not position or photo_at(position).identity == identity

    def is_repeated(self, photo: SourceFrame) -> bool:
        """Whether the photo's content is known. If its key had other content since, it is a new photo."""
        if not self.has_identity(photo.identity):
            return False
        is_older = key_order(photo.position) <= key_order(self.newest_position(photo.key))
        return is_older or self.is_newest(photo.key, photo.identity)
