"""From a photo's key to a decoded photo, or to a rejection record. Every uploaded photo ends as one of the two.

Reads them by `PhotoReader`, or takes what others have read. Knows nothing of the order of photos or of the video.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import TypeVar

from timelapse_runtime.runtime.clock import Clock
from timelapse_runtime.runtime.state.contract import Store
from timelapse_runtime.runtime.state.errors import AccessDenied, ObjectNotFound
from timelapse_runtime.timelapse.catalog import Catalog
from timelapse_runtime.timelapse.config import Config
from timelapse_runtime.timelapse.errors import MISSING, FrameRejected
from timelapse_runtime.timelapse.model.capture_time import taken_epoch_ms
from timelapse_runtime.timelapse.model.source_frame import Role, SourceFrame
from timelapse_runtime.timelapse.photo_reader import (
    Ahead,
    FetchedPhoto,
    PhotoReader,
    PhotoRun,
    Prefetch,
    ReadElsewhere,
    ReadPhoto,
)
from timelapse_runtime.timelapse.rejection_records import RejectionRecords
from timelapse_runtime.timelapse.stream_log import StreamLog
from timelapse_runtime.timelapse.video.codec import Codec
from timelapse_runtime.timelapse.video.decode import DecodedPhoto

FORBIDDEN = "forbidden"
_OTHERS_TRIED = 4

_Item = TypeVar("_Item")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Photo:
    """A decoded photo as its file has it, not yet fitted to the video. `picture` is None for a rejected photo in whose
    place the frame before it is to be repeated."""

    source: SourceFrame
    picture: DecodedPhoto | None


def with_next(items: Iterable[_Item]) -> Iterator[tuple[_Item, _Item | None]]:
    """Each item with the one after it."""
    rest = iter(items)
    item = next(rest, None)
    while item is not None:
        next_item = next(rest, None)
        yield item, next_item
        item = next_item


class Ingest:
    """Reads one stream's photos. `prefix` is what their keys begin with in the frames bucket; `executor` must have one
    worker, or none of its own. If others read the photos too, `elsewhere` has what they made of them."""

    def __init__(
        self,
        name: str,
        config: Config,
        frames: Store,
        prefix: str,
        catalog: Catalog,
        records: RejectionRecords,
        clock: Clock,
        codec: Codec,
        executor: Executor,
        elsewhere: ReadElsewhere | None = None,
    ) -> None:
        self._frames, self._prefix = frames, prefix
        self._records, self._catalog, self._clock, self._zone = records, catalog, clock, config.timezone
        self._reader = PhotoReader(config, frames, prefix, codec)
        self._executor, self._elsewhere = executor, elsewhere
        self._decoding = Ahead(self._reader.decode, executor)
        self._last_read = ""
        self._log = StreamLog(_log, name)

    @property
    def newest_uploaded_epoch_ms(self) -> int:
        """Of the photos that were read here, usable or not."""
        return self._reader.newest_uploaded_epoch_ms

    def prefetch(self, photos: Iterable[SourceFrame] = ()) -> PhotoRun:
        """For one run of photos, to be passed to `read`. `photos` are those of a long run, in order, as far as they are
        known; they may be lazy."""
        if self._elsewhere is not None:
            return self._elsewhere.begin(self._reader, photos)
        return Prefetch(self._reader.read, self._executor)

    def read(self, photo: SourceFrame, prefetch: PhotoRun, next_key: str | None) -> Photo | None:
        """The photo at the key of `photo`, or None if it was rejected: its record is then stored.

        The photo at `next_key` is read meanwhile. Raises StorageError if the cause is S3, not the photo.
        """
        try:
            found = self.read_ahead(photo, prefetch, next_key)
        except FrameRejected as rejection:
            self._records.add(photo.key, None, rejection)
            return None
        if isinstance(found.picture, FrameRejected):
            self._records.add(photo.key, found.info.etag, found.picture)
            return None
        return self.photo(SourceFrame(photo.key, found.info.last_modified_epoch_ms), found.picture)

    def fetch(self, key: str, version_id: str | None = None) -> FetchedPhoto:
        """Read the photo at `key`, or that version of it, and do not decode it.

        Raises FrameRejected if it is gone or may not be read, and StorageError if the cause is S3, not the photo.
        """

        if version_id is not None:
            # A version that is gone, or that the role may not read: the newest one tells what has become of it.
            with contextlib.suppress(ObjectNotFound, AccessDenied):
                return self._reader.fetch(key, version_id)
        return self._found(key, lambda: self._reader.fetch(key))

    def read_ahead(self, photo: SourceFrame, prefetch: PhotoRun, next_key: str | None) -> ReadPhoto:
        """The photo at the key of `photo`, decoded; the one at `next_key` is read meanwhile. Raises as `fetch` does."""
        return self._found(photo.key, lambda: prefetch.get(photo, next_key))

    def decode(self, fetched: FetchedPhoto, *, skips: bool = True) -> ReadPhoto:
        """Decode what `fetch` has read: see PhotoReader."""
        return self._reader.decode(fetched, skips=skips)

    def decode_in_turn(self, fetched: FetchedPhoto, following: FetchedPhoto | None) -> ReadPhoto:
        """As `decode`; `following`, which probably is the next one, is decoded meanwhile."""
        return self._decoding.get(fetched, following)

    def photo(self, source: SourceFrame, picture: DecodedPhoto | None) -> Photo:
        """The photo with the time at which it was taken, if it tells it (`model/capture_time.py`)."""
        times = picture.times if picture is not None else ()
        taken = taken_epoch_ms(times, source.key, source.uploaded_epoch_ms, self._zone)
        return Photo(replace(source, taken_epoch_ms=taken), picture)

    def told_by_key(self, source: SourceFrame, *, takes_days: bool = False) -> int | None:
        """When the photo was taken, in milliseconds since 1970, if its key tells day and time; with `takes_days`, a day
        is enough."""
        return taken_epoch_ms((), source.key, source.uploaded_epoch_ms, self._zone, takes_days=takes_days)

    def read_late(self, key: str) -> Photo | None:
        """The photo at `key`, to be appended late, or None if it still cannot be used. Writes no record."""
        try:
            found = self._found(key, lambda: self._reader.read(key))
            if isinstance(found.picture, FrameRejected):
                raise found.picture
        except FrameRejected as rejection:
            fields = {"frame": self._prefix + key, "reason": rejection.reason}
            self._log.info("frame is still rejected", extra=fields)
            return None
        return self.photo(SourceFrame(key, found.info.last_modified_epoch_ms, Role.OUT_OF_ORDER), found.picture)

    def repeated(self, key: str) -> Photo:
        """In place of the rejected photo at `key`: the frame before it is to be repeated."""
        return self.photo(SourceFrame(key, self._clock.now_epoch_ms(), Role.STAND_IN), None)

    def _found(self, key: str, get: Callable[[], _Item]) -> _Item:
        try:
            found = get()
        except ObjectNotFound as error:
            raise FrameRejected(MISSING, "the object was gone when it was to be read") from error
        except AccessDenied as error:
            if not self._may_read_others(key):
                raise  # the role or the credentials are wrong, not the photo
            raise FrameRejected(FORBIDDEN, f"this photo alone may not be read: {error}") from error
        self._last_read = key
        return found

    def _may_read_others(self, key: str) -> bool:
        """Whether one of a few photos near `key` can be read right now. Raises StorageError."""
        listed = itertools.chain(self._catalog.listed_after(key), self._catalog.listed_after())
        others = itertools.chain((self._last_read,), (other for other, _ in listed))
        for other in itertools.islice((other for other in others if other not in ("", key)), _OTHERS_TRIED):
            with contextlib.suppress(AccessDenied, ObjectNotFound):
                # Not HEAD: that would not need the key of an encrypted object.
                self._frames.get_range(self._prefix + other, 0, 1)
                return True
        return False
