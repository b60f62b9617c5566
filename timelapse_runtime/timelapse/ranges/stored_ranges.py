"""Ranges of photos as objects in S3: how a plan, the functions that encode it, and the one that joins it meet.

Below the stream's folder, for each plan:

    backfill/<plan>/photos            the photos in order, a line of JSON each: key, upload time, ETag
    backfill/<plan>/<start>-<end>     an encoded range: that of the photos in these bytes of `photos`

Nothing else names these objects, and the video does not depend on them: what is missing or damaged is read and encoded
by the function that joins. The next plan of the stream removes those of the ones before.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from timelapse_runtime.runtime.state.contract import Store
from timelapse_runtime.runtime.state.errors import ObjectNotFound
from timelapse_runtime.timelapse.model.keys import StreamKeys
from timelapse_runtime.timelapse.model.source_frame import SourceFrame
from timelapse_runtime.timelapse.photo_reader import PhotoReader, PhotoRun
from timelapse_runtime.timelapse.ranges.encoded_range import EncodedRange
from timelapse_runtime.timelapse.ranges.range_reader import RangeRun

_log = logging.getLogger(__name__)

_PHOTOS = "photos"


class StoredPlan:
    """One plan of a stream, in the store of its video. Each method raises StorageError."""

    def __init__(self, store: Store, keys: StreamKeys, plan: str) -> None:
        self._store, self._folder = store, keys.backfill(plan)

    def write(self, ranges: Iterable[Sequence[SourceFrame]]) -> list[str]:
        """Store the photos of these ranges, and return the ranges' names, in order."""
        body, names = bytearray(), []
        for photos in ranges:
            start = len(body)
            for photo in photos:
                body += json.dumps([photo.key, photo.uploaded_epoch_ms, photo.etag]).encode() + b"\n"
            names.append(f"{start}-{len(body)}")
        self._store.put(self._folder + _PHOTOS, bytes(body), content_type="application/jsonl")
        return names

    def photos(self, name: str) -> list[SourceFrame]:
        """Those of one range."""
        start, end = _span(name)
        return list(_sources(self._store.get_range(self._folder + _PHOTOS, start, end).body))

    def write_range(self, name: str, encoded: EncodedRange) -> None:
        """Store a range. Written twice, either of the two is right."""
        self._store.put(self._folder + name, encoded.to_bytes())

    def read_range(self, name: str) -> EncodedRange:
        """The range; an empty one if it is not there, or damaged."""
        try:
            return EncodedRange.from_bytes(self._store.get(self._folder + name).body)
        except (ObjectNotFound, ValueError) as error:
            _log.warning("a range was not encoded elsewhere: it is encoded here", extra={"range": name}, exc_info=error)
            return EncodedRange()

    def names_by_key(self) -> dict[str, str]:
        """The name of each photo's range. Empty if there is no such plan."""
        listed = self._store.list_after(self._folder)
        names = [info.key.removeprefix(self._folder) for info in listed]
        spans = sorted(map(_span, (name for name in names if name != _PHOTOS)))
        if _PHOTOS not in names:
            return {}
        body = self._store.get(self._folder + _PHOTOS).body
        return {photo.key: f"{start}-{end}" for start, end in spans for photo in _sources(body[start:end])}

    def remove(self) -> None:
        """Remove all of it."""
        remove_objects(self._store, self._folder)


def remove_objects(store: Store, folder: str, *, but: str = "\0") -> None:
    """Remove what is below a folder, except below `but`. Raises StorageError."""
    keys = [info.key for info in store.list_after(folder) if not info.key.startswith(but)]
    if keys:
        store.delete(keys)


def _span(name: str) -> tuple[int, int]:
    start, _, end = name.partition("-")
    return int(start), int(end)


def _sources(lines: bytes) -> Iterator[SourceFrame]:
    for line in lines.splitlines():
        key, uploaded_epoch_ms, etag = json.loads(line)
        yield SourceFrame(key, uploaded_epoch_ms, etag=etag)


@dataclass(slots=True)
class _StoredRanges:
    """See Ranges. A range that is no longer needed is forgotten."""

    plan: StoredPlan
    names: Mapping[str, str]

    def with_photo(self, key: str) -> EncodedRange | None:
        """See Ranges."""
        name = self.names.get(key)
        return None if name is None else self.plan.read_range(name)


@dataclass(slots=True)
class StoredElsewhere:
    """The ranges of `plan`, for the photos of its stream: see ReadElsewhere. `on_photo`: see RangeRun."""

    plan: StoredPlan
    on_photo: Callable[[str], None] = lambda _key: None
    _names: Mapping[str, str] | None = field(default=None)

    def begin(self, reader: PhotoReader, photos: Iterable[SourceFrame]) -> PhotoRun:
        """See ReadElsewhere. The plan is read when the first photo is asked for."""
        del photos
        if self._names is None:
            self._names = self.plan.names_by_key()
        return RangeRun(_StoredRanges(self.plan, self._names), reader, self.on_photo)
