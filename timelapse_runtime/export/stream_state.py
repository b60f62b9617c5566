"""The state of a stream, from few requests: its video by the checkpoint, what waits by a listing from where the
checkpoint says, rejected photos by their records.

Nothing here is proved: `timelapse verify` reads and compares everything.
"""

from __future__ import annotations

import contextlib
import itertools
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from timelapse_runtime.export.stream_reader import StreamReader
from timelapse_runtime.runtime.state.contract import ObjectInfo, Store
from timelapse_runtime.runtime.state.errors import AccessDenied, ObjectNotFound
from timelapse_runtime.timelapse.catalog import Catalog
from timelapse_runtime.timelapse.errors import SegmentCorrupt
from timelapse_runtime.timelapse.known_settings import StoredSettings, stored_settings
from timelapse_runtime.timelapse.model.checkpoint import NAME_ORDER, Checkpoint, Reel
from timelapse_runtime.timelapse.model.location import Location, parse_location
from timelapse_runtime.timelapse.model.photo_filter import PhotoFilter
from timelapse_runtime.timelapse.model.source_frame import SourceFrame, photo_of
from timelapse_runtime.timelapse.rejection_records import Rejection
from timelapse_runtime.timelapse.video.boxes import read_sources

NEWEST_REELS, NEWEST_RECORDS = 10, 100
"""How many reels and rejection records are read unless all are asked for."""
LISTED_OBJECTS = 20_000
"""How many of the photos' objects are listed at most, unless all are asked for: 20 requests."""
_THREADS = 4
"""As many as the client has connections."""


@dataclass(slots=True)
class Photos:
    """What a listing of the photos showed. `denied` is why there is none. It began after the key `after`; it
    `is_complete` unless it ended before the last key. Keys are relative to the stream's prefix."""

    after: str = ""
    listed_count: int = 0
    is_complete: bool = True
    waiting_count: int = 0
    oldest_waiting_epoch_ms: int | None = None
    newest: SourceFrame | None = None
    ignored: Counter[str] = field(default_factory=Counter)
    denied: AccessDenied | None = None


@dataclass(slots=True)
class Rejected:
    """The rejection records: their number, and the reasons of those that were read, the newest."""

    count: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    @property
    def unread_count(self) -> int:
        """Records whose reason is not known."""
        return self.count - self.reasons.total()


@dataclass(frozen=True, slots=True)
class StreamState:
    """One stream. `reels` are the newest, newest first. `last_frame` is the photo behind the video's last frame (or the
    frame of an adopted file), None if its segment cannot be read. `looked_epoch_ms` is when all this held."""

    place: str
    checkpoint: Checkpoint
    committed_epoch_ms: int
    reels: Sequence[Reel]
    last_frame: SourceFrame | None
    photos: Photos
    rejected: Rejected
    settings: StoredSettings
    looked_epoch_ms: int

    @property
    def newest_photo(self) -> SourceFrame | None:
        """The photo that was uploaded last, as far as it is known."""
        known = [photo for photo in (self.photos.newest, self.last_frame) if photo is not None and photo.is_photo]
        return max(known, key=lambda photo: photo.uploaded_epoch_ms, default=None)

    @property
    def lag_ms(self) -> int | None:
        """How much later than the photo of the last frame the newest photo was uploaded; None if there is none of
        the two, or the frame was adopted."""
        if self.newest_photo is None or self.last_frame is None or not self.last_frame.is_photo:
            return None
        return self.newest_photo.uploaded_epoch_ms - self.last_frame.uploaded_epoch_ms


class StateReader:
    """Looks at streams. `photos` gives the store of a bucket of photos; `include` tells photos from other objects,
    where a stream has no such setting of its own."""

    def __init__(
        self,
        video: Store,
        photos: Callable[[str], Store],
        *,
        include: PhotoFilter,
        now_epoch_ms: int,
        is_complete: bool = False,
    ) -> None:
        self._video, self._photos, self._include, self._now_epoch_ms = video, photos, include, now_epoch_ms
        self._is_complete = is_complete

    def look(self, folder: str, *, is_brief: bool = False) -> StreamState:
        """The stream in `folder`. Raises ObjectNotFound if there is no checkpoint, CheckpointCorrupt, StorageError.

        If it `is_brief`, only the checkpoint is read, and the photos beyond it are listed.
        """
        reader = StreamReader(self._video, folder)
        checkpoint, committed_epoch_ms = reader.checkpoint()
        settings = stored_settings(self._video, reader.keys)
        include = settings.value("include", self._include)
        limit = 1 if is_brief else None if self._is_complete else NEWEST_REELS
        reels = list(itertools.islice(reader.reels(checkpoint), limit))
        return StreamState(
            place=reader.place,
            checkpoint=checkpoint,
            committed_epoch_ms=committed_epoch_ms,
            reels=reels,
            last_frame=None if is_brief else _last_frame(reader, reels),
            photos=self._look_at_photos(reader, checkpoint, include),
            rejected=Rejected(checkpoint.rejected_count) if is_brief else self._look_at_records(reader),
            settings=settings,
            looked_epoch_ms=self._now_epoch_ms,
        )

    def streams(self, folder: str) -> list[StreamState]:
        """The streams right below `folder`, briefly."""
        found = []
        for inner in self._video.list_folders(folder):
            with contextlib.suppress(ObjectNotFound):
                found.append(self.look(inner, is_brief=True))
        return found

    def _look_at_photos(self, reader: StreamReader, checkpoint: Checkpoint, include: PhotoFilter) -> Photos:
        place = parse_location(checkpoint.source)
        after = checkpoint.watermark if checkpoint.order == NAME_ORDER else checkpoint.scan_after
        found = Photos("" if self._is_complete else after)
        try:
            store = self._photos(place.bucket)
            catalog = Catalog(store, self._video, reader.keys, place.prefix, include, checkpoint.order)
            self._list(store, place, catalog, checkpoint, include, found)
        except AccessDenied as error:
            found.denied = error
        return found

    def _list(
        self,
        store: Store,
        place: Location,
        catalog: Catalog,
        checkpoint: Checkpoint,
        include: PhotoFilter,
        found: Photos,
    ) -> None:
        for info in store.list_after(place.prefix, place.prefix + found.after if found.after else ""):
            if found.listed_count == LISTED_OBJECTS and not self._is_complete:
                found.is_complete = False
                return
            found.listed_count += 1
            key = info.key.removeprefix(place.prefix)
            if (reason := include.why_ignored(key)) is not None:
                found.ignored[reason] += 1
                continue
            position = catalog.position_of(key, info)
            if found.newest is None or info.last_modified_epoch_ms >= found.newest.uploaded_epoch_ms:
                found.newest = photo_of(key, info)
            if not checkpoint.covers(position):
                found.waiting_count += 1
                oldest = found.oldest_waiting_epoch_ms
                if oldest is None or info.last_modified_epoch_ms < oldest:
                    found.oldest_waiting_epoch_ms = info.last_modified_epoch_ms

    def _look_at_records(self, reader: StreamReader) -> Rejected:
        listed = sorted(reader.store.list_after(reader.keys.rejections), key=_modified, reverse=True)
        with ThreadPoolExecutor(_THREADS) as pool:
            newest = listed if self._is_complete else listed[:NEWEST_RECORDS]
            reasons = pool.map(lambda info: _reason(reader, info.key), newest)
            return Rejected(len(listed), Counter(reasons))


def _modified(info: ObjectInfo) -> int:
    return info.last_modified_epoch_ms


def _reason(reader: StreamReader, key: str) -> str:
    """What a record says; a retry may remove it meanwhile."""
    try:
        return Rejection.from_json(reader.store.get(key).body, "").reason
    except (ObjectNotFound, ValueError):
        return "unknown"


def _last_frame(reader: StreamReader, reels: Sequence[Reel]) -> SourceFrame | None:
    """The photo behind the video's last frame. A damaged segment is for `verify` to report."""
    if not reels:
        return None
    try:
        frames = read_sources(reader.segment(reels[0], len(reels[0].segments) - 1))
    except (ObjectNotFound, SegmentCorrupt):
        return None
    return frames[-1] if frames else None
