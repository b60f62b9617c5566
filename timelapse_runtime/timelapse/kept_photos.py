"""Copies of photos that S3 does not keep for us: those of a camera that writes each photo over the one before.

Everything else relies on the photos in S3: what memory loses is read again. A photo under a key that is written again
and again may be gone by then. So a copy is written before its event is acknowledged, and removed when the video has
the photo: one PUT for each photo, of such a camera alone.

A copy is named by the photo's position. A crash leaves copies behind, of photos that are not in the video yet (the next
environment takes them) or that are (it removes them).
"""

from __future__ import annotations

from collections.abc import Collection

from timelapse_runtime.runtime.state.contract import ObjectInfo, Store
from timelapse_runtime.runtime.state.errors import ObjectNotFound
from timelapse_runtime.timelapse.errors import MISSING, FrameRejected
from timelapse_runtime.timelapse.model.keys import StreamKeys
from timelapse_runtime.timelapse.model.source_frame import photo_at
from timelapse_runtime.timelapse.photo_reader import FetchedPhoto


class KeptPhotos:
    """The copies of one stream, in its folder. Each method raises StorageError."""

    def __init__(self, store: Store, keys: StreamKeys) -> None:
        self._store, self._keys = store, keys
        self._listed: set[str] | None = None

    def keep(self, position: str, body: bytes) -> None:
        """Write a copy. It may be repeated."""
        self._store.put(self._keys.kept_photo(position), body)
        self.positions().add(position)

    def positions(self) -> set[str]:
        """Of all copies; they are listed once. An object of another name is none."""
        if self._listed is None:
            keys = (info.key[len(self._keys.kept) :] for info in self._store.list_after(self._keys.kept))
            self._listed = {position for position in keys if _is_position(position)}
        return self._listed

    def fetch(self, position: str) -> FetchedPhoto:
        """Read a copy as the photo that it was. Raises FrameRejected if somebody has removed it."""
        photo = photo_at(position)
        try:
            body = self._store.get(self._keys.kept_photo(position)).body
        except ObjectNotFound as error:
            raise FrameRejected(MISSING, "its copy was gone when it was to be read") from error
        return FetchedPhoto(ObjectInfo(photo.key, f'"{photo.etag}"', len(body), photo.uploaded_epoch_ms), body)

    def remove(self, positions: Collection[str]) -> None:
        """Remove copies; those that are not there are no error."""
        keys = [self._keys.kept_photo(position) for position in positions]
        if keys:
            self._store.delete(keys)
            self.positions().difference_update(positions)


def _is_position(name: str) -> bool:
    try:
        photo_at(name)
    except ValueError:
        return False
    return True
