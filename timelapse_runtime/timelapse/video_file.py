"""`video.mp4`, kept up to date by appending to it on S3's side.

The file is a head with the sample tables of all frames (`video/sample_table.py`) and the fragments in order, as they
are. The fragments that were published are a prefix of those that are committed, so only the ones after it have to be
sent, and a new head. Small files are written whole. Above two times the multipart minimum the fragments that are
stored are copied on S3's side; only the first part, as long as the minimum, is read back and sent with the new head,
because no part may be shorter. From the minimum on, that happens once a segment has closed and the video has grown by
GROWTH: so the bytes copied per byte of video stay bounded (1 / GROWTH + 1), and the requests per frame with them.

The tables of what is stored are in the stored head. The first publish of an instance reads them from there. A file
without such a head (as earlier versions wrote them), or with a damaged one, is written again from the segments.

Publishing follows the commit and is derived from it: a crash leaves the file behind, never wrong, and the next publish
brings it up to date. Two instances that publish are kept apart by If-Match on the file itself. The file of a closed
reel is final, and says so in its metadata: players and caches may keep it for ever.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from timelapse_runtime.runtime.state.contract import (
    PART_COPY_MAXIMUM_BYTES,
    BytesPart,
    Condition,
    CopyPart,
    IfAbsent,
    IfMatch,
    ObjectInfo,
    Part,
    Store,
)
from timelapse_runtime.runtime.state.errors import ObjectNotFound
from timelapse_runtime.timelapse.commit_plan import IMMUTABLE, NO_CACHE, VIDEO_TYPE, segment_key
from timelapse_runtime.timelapse.errors import SegmentCorrupt
from timelapse_runtime.timelapse.model.checkpoint import Reel
from timelapse_runtime.timelapse.model.keys import StreamKeys
from timelapse_runtime.timelapse.video.sample_table import SampleTable

_log = logging.getLogger(__name__)

GROWTH = 0.2
_IN_MEMORY_BYTES = 32 * 1024**2
"""New fragments up to here are read once; more are read twice, for the head and for the parts behind it."""
CachedSegments = Mapping[tuple[int, int], bytes]
"""The bytes of the segments that are in memory, by first frame and frame count."""


@dataclass
class _Stored:
    """The file as it is stored; `info` is None if there is none, `table` if it has to be made anew.

    `media_size_bytes` is the size of its fragments, of which `small_media` has the bytes while they are few.
    """

    info: ObjectInfo | None = None
    table: SampleTable | None = field(default_factory=SampleTable)
    media_size_bytes: int = 0
    small_media: bytes | None = b""

    @property
    def head_size_bytes(self) -> int:
        return self.info.size_bytes - self.media_size_bytes if self.info else 0

    @property
    def is_final(self) -> bool:
        return self.info is not None and _FINAL in self.info.metadata


class VideoFile:
    """Keeps one reel's `video.mp4`; remembers what is stored there."""

    def __init__(self, store: Store, keys: StreamKeys, reel_path: str) -> None:
        self.reel_path = reel_path
        self._store, self._keys, self._key = store, keys, keys.video(reel_path)
        self._known: _Stored | None = None
        self._init_segment = b""
        self._minimum_part_bytes = store.minimum_part_bytes
        # 8 MiB where the minimum is S3's 5 MiB: few requests, and little memory for a part.
        self._part_bytes = store.minimum_part_bytes * 8 // 5

    @property
    def head_size_bytes(self) -> int:
        """Where the fragments begin in the file that `publish` wrote, or found up to date."""
        assert self._known is not None
        return self._known.head_size_bytes

    def publish(self, reel: Reel, cached: CachedSegments, *, force: bool = False) -> bool:
        """Bring the file up to `reel`, which must be committed, if that is due or `force`d.

        The answer is whether it was written. PreconditionFailed means that another instance published: what this
        one knew is forgotten, and the next call looks again.
        """
        stored = self._known = self._known or self._learn(reel)
        size_bytes, stored_bytes = reel.media_size_bytes, stored.media_size_bytes
        if stored_bytes > size_bytes and not reel.is_closed:
            return False  # an instance that committed later has published already
        has_grown = size_bytes >= stored_bytes * (1 + GROWTH) and reel.closed_media_size_bytes > stored_bytes
        is_due = force or size_bytes < self._minimum_part_bytes or has_grown
        is_same = stored_bytes == size_bytes and stored.info is not None and stored.table is not None
        if not is_due or (is_same and (stored.is_final or not reel.is_closed)):
            return False
        self._known = None  # until the write has gone well
        if stored.table is None or stored_bytes > size_bytes:
            stored = _Stored(stored.info)
        self._known = self._write(reel, cached, stored)
        return True

    # ---- what is stored

    def _learn(self, reel: Reel) -> _Stored:
        try:
            info = self._store.head(self._key)
        except ObjectNotFound:
            return _Stored()
        is_small = info.size_bytes < self._minimum_part_bytes
        head_bytes = int(info.metadata.get(_HEAD, reel.init_size_bytes))
        media_bytes = info.size_bytes - head_bytes
        found = self._store.get_range(self._key, 0, info.size_bytes if is_small else head_bytes, etag=info.etag)
        try:
            table = SampleTable.from_head(found.body[:head_bytes])
            if table.media_size_bytes != media_bytes:
                raise SegmentCorrupt(f"{self._key}: the head is that of {table.media_size_bytes} bytes")
        except SegmentCorrupt as error:
            _log.warning("%s has no good head; it is made anew", self._key, exc_info=error)
            return _Stored(info, None, media_bytes, None)
        return _Stored(info, table, media_bytes, found.body[head_bytes:] if is_small else None)

    # ---- writing

    def _write(self, reel: Reel, cached: CachedSegments, stored: _Stored) -> _Stored:
        """The file as it is now. `stored` is a prefix of it."""
        table, kept_bytes, size_bytes = stored.table, stored.media_size_bytes, reel.media_size_bytes
        assert table is not None
        new: Iterable[bytes] = self._read(reel, cached, kept_bytes)
        if size_bytes - kept_bytes <= _IN_MEMORY_BYTES:
            new = list(new)
        for fragments in new:
            table.append(fragments)
        if not isinstance(new, list):
            new = self._read(reel, cached, kept_bytes)
        self._init_segment = self._init_segment or self._store.get(self._keys.init(reel.path)).body
        head = table.head(self._init_segment)
        metadata = {"frames": str(reel.frame_count), "reel": reel.name, _HEAD: str(len(head))}
        metadata |= {_FINAL: "true"} if reel.is_closed else {}
        condition: Condition = IfMatch(stored.info.etag) if stored.info else IfAbsent()
        cache_control = IMMUTABLE if reel.is_closed else NO_CACHE
        small_media: bytes | None = None
        if size_bytes < 2 * self._minimum_part_bytes:
            small_media = b"".join((self._stored_media(stored, kept_bytes), *new))
            etag = self._store.put(
                self._key,
                head + small_media,
                condition=condition,
                content_type=VIDEO_TYPE,
                cache_control=cache_control,
                metadata=metadata,
            )
        else:
            etag = self._store.put_multipart(
                self._key,
                self._parts(head, stored, new),
                condition=condition,
                content_type=VIDEO_TYPE,
                cache_control=cache_control,
                metadata=metadata,
            )
        info = ObjectInfo(self._key, etag, len(head) + size_bytes, 0, metadata)
        return _Stored(info, table, size_bytes, small_media if size_bytes < self._minimum_part_bytes else None)

    def _parts(self, head: bytes, stored: _Stored, new: Iterable[bytes]) -> Iterator[Part]:
        """The parts of the file: the head with the first of the stored media, the rest of them as a copy, what is
        new."""
        minimum, kept_bytes = self._minimum_part_bytes, stored.media_size_bytes
        is_copied = kept_bytes >= 2 * minimum
        gathered = bytearray(head)
        gathered += self._stored_media(stored, minimum if is_copied else kept_bytes)
        if is_copied and stored.info is not None:
            yield BytesPart(bytes(gathered))
            gathered.clear()
            start, end = stored.head_size_bytes + minimum, stored.info.size_bytes
            pieces = -(-(end - start) // PART_COPY_MAXIMUM_BYTES)
            for piece in range(pieces):
                bounds = (start + (end - start) * number // pieces for number in (piece, piece + 1))
                yield CopyPart(self._key, stored.info.etag, *bounds)
        for fragments in new:
            gathered += fragments
            if len(gathered) >= self._part_bytes:
                yield BytesPart(bytes(gathered))
                gathered.clear()
        if gathered:
            yield BytesPart(bytes(gathered))

    def _stored_media(self, stored: _Stored, size_bytes: int) -> bytes:
        """The first bytes of the media that are stored."""
        if stored.small_media is not None or stored.info is None or not size_bytes:
            return (stored.small_media or b"")[:size_bytes]
        start = stored.head_size_bytes
        return self._store.get_range(self._key, start, start + size_bytes, etag=stored.info.etag).body

    def _read(self, reel: Reel, cached: CachedSegments, offset: int) -> Iterator[bytes]:
        """The committed media from `offset` on, from memory or from the stored segments. The offset lies between two
        fragments."""
        start = 0
        for segment in reel.segments:
            skip = max(0, offset - start)
            start += segment.size_bytes
            if skip < segment.size_bytes:
                body = cached.get((segment.first, segment.count))
                if body is None:
                    body = self._store.get(segment_key(self._keys, reel, segment)).body
                yield body[skip:]


_HEAD, _FINAL = "head-size-bytes", "is-final"
"""Names of user metadata."""
