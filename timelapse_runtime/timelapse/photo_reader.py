"""Reads and decodes photos: one at a time, or each while the one before it is encoded.

Owns the photo decoder and the limits of what it is given. Knows nothing of records: what is wrong with a photo is its
FrameRejected, and what is wrong with S3 is raised.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from timelapse_runtime.runtime.state.contract import ObjectInfo, Store
from timelapse_runtime.timelapse.config import Config
from timelapse_runtime.timelapse.errors import FrameRejected
from timelapse_runtime.timelapse.model.capture_time import taken_epoch_ms
from timelapse_runtime.timelapse.model.skip import Look, SkipRules
from timelapse_runtime.timelapse.model.source_frame import SourceFrame
from timelapse_runtime.timelapse.model.sun import sun_elevation_degrees
from timelapse_runtime.timelapse.video.codec import Codec
from timelapse_runtime.timelapse.video.decode import DecodedPhoto

_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class ReadPhoto:
    """What was read, and what the decoder made of it."""

    info: ObjectInfo
    picture: DecodedPhoto | FrameRejected
    look: Look | None = None
    """What was measured of it, if something asks for that."""


@dataclass(frozen=True, slots=True)
class FetchedPhoto:
    """A photo as it was read, not decoded yet. An object that is too large is not read: `body` is empty."""

    info: ObjectInfo
    body: bytes


class PhotoReader:
    """Reads one stream's photos. `prefix` is what their keys begin with in the frames bucket."""

    def __init__(self, config: Config, frames: Store, prefix: str, codec: Codec) -> None:
        self._frames, self._prefix, self._maximum_bytes = frames, prefix, config.maximum_photo_bytes
        self._memory, self._video_size = config.memory, config.size
        self._decoder = codec.photo_decoder(maximum_pixels=config.maximum_pixels, background=config.background)
        self._decoding = threading.Lock()
        self._skip, self._place, self._zone = config.skip, config.place, config.timezone
        self._looks = codec.photo_looks() if config.skip.need_look else None
        self.newest_uploaded_epoch_ms = 0
        """Of the photos that were read here, usable or not."""

    @property
    def rules(self) -> str:
        """What decides which photos are skipped, as a text; empty if none are."""
        rules = self._skip, self._place, self._zone
        return "" if self._skip == SkipRules() else repr(rules)

    def read(self, key: str) -> ReadPhoto:
        """The photo at `key`, decoded. Raises StorageError."""
        return self.decode(self.fetch(key))

    def fetch(self, key: str, version_id: str | None = None) -> FetchedPhoto:
        """The photo at `key`, or that version of it. Raises StorageError."""
        stored = self._frames.get(self._prefix + key, maximum_bytes=self._maximum_bytes, version_id=version_id)
        self.newest_uploaded_epoch_ms = max(self.newest_uploaded_epoch_ms, stored.info.last_modified_epoch_ms)
        return FetchedPhoto(stored.info, stored.body)

    def decode(self, fetched: FetchedPhoto, *, skips: bool = True) -> ReadPhoto:
        """Decode what `fetch` has read. The picture of a photo that cannot be used, or (if it `skips`) that is to be
        left out by what it shows alone, is its FrameRejected."""
        found = self._decode(fetched)
        if isinstance(found.picture, FrameRejected):
            return found
        look = None
        if self._looks is not None:
            with self._decoding:
                look = self._looks.look(found.picture)
        rejection = self._skipped(found.info, found.picture, look) if skips else None
        return ReadPhoto(found.info, rejection or found.picture, look)

    def _skipped(self, info: ObjectInfo, picture: DecodedPhoto, look: Look | None) -> FrameRejected | None:
        if self._place is not None and self._skip.night is not None:
            key, uploaded_epoch_ms = info.key.removeprefix(self._prefix), info.last_modified_epoch_ms
            taken = taken_epoch_ms(picture.times, key, uploaded_epoch_ms, self._zone)
            elevation = sun_elevation_degrees(self._place, uploaded_epoch_ms if taken is None else taken)
            if rejection := self._skip.check_sun(elevation):
                return rejection
        return None if look is None else self._skip.check_look(look)

    def _decode(self, fetched: FetchedPhoto) -> ReadPhoto:
        info, size_bytes = fetched.info, fetched.info.size_bytes
        if size_bytes > self._maximum_bytes:
            detail = f"{size_bytes} bytes; TIMELAPSE_MAXIMUM_PHOTO_BYTES is {self._maximum_bytes}"
            return ReadPhoto(info, FrameRejected("too-large", detail))
        try:
            with self._decoding:
                picture = self._decoder.decode(fetched.body)
        except FrameRejected as rejection:
            # Another one, without the traceback: that would keep the photo in memory.
            return ReadPhoto(info, FrameRejected(rejection.reason, rejection.detail))
        if self._memory.takes_photo(picture.size_bytes, self._video_size):
            return ReadPhoto(info, picture)
        size = f"{picture.width}x{picture.height}, {picture.size_bytes // 1_000_000} MB decoded"
        detail = f"{size}: such photos do not fit into the function's memory of {self._memory.memory_mb} MB"
        return ReadPhoto(info, FrameRejected("too-large", detail))


class PhotoRun(Protocol):
    """The photos of one run, read ahead of their turn. It belongs to the loop over the run and ends with it: when the
    next run comes, a photo may have been overwritten."""

    def get(self, photo: SourceFrame, next_key: str | None) -> ReadPhoto:
        """What is at the photo's key now, or was when `photo` was listed; the one at `next_key` comes next, if it is
        known. Raises StorageError."""
        ...


class ReadElsewhere(Protocol):
    """Others read, decode and encode the photos of one stream ahead of their turn (`ranges/`)."""

    def begin(self, reader: PhotoReader, photos: Iterable[SourceFrame]) -> PhotoRun:
        """A run of `photos`, in order, as far as they are known; they may be lazy. What nobody else has read is read by
        `reader`."""
        ...


class Ahead(Generic[_Item]):
    """Works on the photos of a run, on each in `executor` while the one before it is encoded.

    Which one comes next is a guess: another one is worked on in its turn, and so is one that failed ahead, where the
    caller meets the error. `work` may run in two threads at once, if a guess was wrong.
    """

    def __init__(self, work: Callable[[_Item], ReadPhoto], executor: Executor) -> None:
        self._work, self._executor = work, executor
        self._next: tuple[_Item, Future[ReadPhoto]] | None = None

    def get(self, item: _Item, following: _Item | None) -> ReadPhoto:
        """What becomes of `item`; then `following`, which probably is the next one, is begun."""
        found = self._done(item) or self._work(item)
        if following is not None:
            self._next = following, self._executor.submit(self._work, following)
        return found

    def _done(self, item: _Item) -> ReadPhoto | None:
        if self._next is None:
            return None
        (guessed, future), self._next = self._next, None
        # One that has not begun waits behind that of a run that ended early: working on it here is sooner.
        if future.cancel() or guessed != item:
            return None
        try:
            return future.result()
        except Exception:  # noqa: BLE001  whatever it is, the caller meets it when it is tried again
            return None


class Prefetch:
    """Reads a run of photos, each in `executor` while the one before it is encoded.

    S3's first byte comes after some 15 ms, and x264's threads leave a part of two processors idle. A prefetch has no
    effect but its result.
    """

    def __init__(self, read: Callable[[str], ReadPhoto], executor: Executor) -> None:
        self._ahead = Ahead(read, executor)

    def get(self, photo: SourceFrame, next_key: str | None) -> ReadPhoto:
        """See PhotoRun; then the photo at `next_key` is begun to be read."""
        return self._ahead.get(photo.key, next_key)
