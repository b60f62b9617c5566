"""Which streams there are, and what only credentials can tell of one: its reels and its photos."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from timelapse_runtime.runtime.state.contract import Store
from timelapse_runtime.runtime.state.errors import ObjectNotFound
from timelapse_runtime.timelapse.model.checkpoint import Checkpoint
from timelapse_runtime.timelapse.model.keys import StreamKeys, reel_number
from timelapse_runtime.timelapse.model.location import Location, parse_location
from timelapse_runtime.timelapse.stored_checkpoint import read_checkpoint


@dataclass(frozen=True, slots=True)
class Photo:
    """Where a photo is."""

    store: Store
    key: str


class Streams:
    """The streams below `place`, or the only one, if `place` is a stream's folder. Each method raises StorageError.

    `photos` gives the store of a bucket of photos.
    """

    def __init__(self, video: Store, place: Location, photos: Callable[[str], Store]) -> None:
        self.video, self._place, self._photos = video, place, photos
        self.is_one = self._has_video(place.prefix)

    @property
    def own_name(self) -> str:
        """What the place itself is called."""
        return self._place.prefix.rstrip("/").rpartition("/")[2] or self._place.bucket

    def names(self) -> list[str]:
        """The streams that have a checkpoint. A LIST for 1,000 folders, and a HEAD for each folder."""
        if self.is_one:
            return [self.own_name]
        folders = self.video.list_folders(self._place.prefix)
        return [folder[len(self._place.prefix) : -1] for folder in folders if self._has_video(folder)]

    def keys(self, name: str) -> StreamKeys | None:
        """Where the objects of a stream are; None if no stream can have this name."""
        if self.is_one:
            return StreamKeys(self._place.prefix) if name == self.own_name else None
        return StreamKeys(f"{self._place.prefix}{name}/") if name and "/" not in name else None

    def details(self, name: str) -> dict[str, Any]:
        """What the page shows of a stream beyond the objects that it can read by itself. Raises CheckpointCorrupt.

        `reels` are the names of its reels, oldest first. `photos` is where the keys of photos belong.
        """
        keys = self.keys(name)
        if keys is None:
            return {}
        try:
            photos: str | None = self._checkpoint(keys).source
        except ObjectNotFound:
            photos = None
        reels = [folder[len(keys.reels) : -1] for folder in self.video.list_folders(keys.reels)]
        reels.sort(key=reel_number)
        return {"reels": reels, "photos": photos}

    def photo(self, name: str, key: str) -> Photo | None:
        """The photo of a stream with this key, which is relative to the stream's prefix."""
        keys = self.keys(name)
        if keys is None or not key:
            return None
        source = parse_location(self._checkpoint(keys).source)
        return Photo(self._photos(source.bucket), source.prefix + key)

    def _has_video(self, folder: str) -> bool:
        try:
            self.video.head(StreamKeys(folder).checkpoint)
        except ObjectNotFound:
            return False
        return True

    def _checkpoint(self, keys: StreamKeys) -> Checkpoint:
        return read_checkpoint(self.video, keys).checkpoint


def streams_json(names: Sequence[str], *, is_served: bool) -> bytes:
    """`streams.json`. `is_served`: details and photos are to be had beside it."""
    return json.dumps({"streams": list(names), "is_served": is_served}).encode()
