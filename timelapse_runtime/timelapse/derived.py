"""Publishing: `video.mp4` is brought up to date by adding to it on the server's side.

The file is append-only: init segment, then all fragments in order. So whatever was published is a prefix of what
is committed now, and only the bytes after it have to be sent. Small files are written whole; above the multipart
minimum the existing object is copied on S3's side, when a segment has closed and the video has grown by GROWTH, so
that the bytes copied per byte of video stay bounded (about 1 / GROWTH + 1), and the requests per frame with them.

Publishing comes after the commit and is derived from it: a crash leaves the file behind, never wrong, and the
next publish mends it. Two publishers are kept apart by If-Match on the file itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from timelapse_runtime.timelapse.commit_plan import ALWAYS_ASK, VIDEO_TYPE, segment_key
from timelapse_runtime.timelapse.errors import ObjectNotFound
from timelapse_runtime.timelapse.model.checkpoint import Reel
from timelapse_runtime.timelapse.model.keys import StreamKeys
from timelapse_runtime.timelapse.storage.contract import (
    MULTIPART_MINIMUM_BYTES,
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

GROWTH = 0.1
_PART_BYTES = 8 * 1024**2

SegmentBodies = Callable[[int, int], bytes | None]
"""A segment's bytes by first frame and count, if they are in memory."""


class Publisher:
    """Keeps one reel's `video.mp4`; remembers what is stored there, and its bytes while they are few."""

    def __init__(self, store: Store, keys: StreamKeys, reel_name: str) -> None:
        self.reel_name = reel_name
        self._store, self._keys = store, keys
        self._stored: ObjectInfo | None = None
        self._small_body = b""
        self._is_known = False

    def publish(self, reel: Reel, bodies: SegmentBodies, *, force: bool = False) -> bool:
        """Bring the file up to `reel`, which must be committed, if that is due or `force`d.

        The answer is whether it was written. PreconditionFailed means that another publisher was here: what this
        one knew is forgotten, and the next call looks again.
        """
        self._learn(reel)
        size_bytes, stored_bytes = reel.size_bytes, self._stored.size_bytes if self._stored else 0
        if stored_bytes > size_bytes and not reel.is_closed:
            return False  # somebody who committed later published already
        has_grown = size_bytes >= stored_bytes * (1 + GROWTH) and reel.closed_size_bytes > stored_bytes
        is_due = force or size_bytes < MULTIPART_MINIMUM_BYTES or has_grown
        if stored_bytes == size_bytes or not is_due:
            return False
        self._is_known = False  # until the write has gone well
        if size_bytes < MULTIPART_MINIMUM_BYTES:
            self._put_whole(reel, bodies)
        else:
            self._put_multipart(reel, bodies)
        return True

    def _learn(self, reel: Reel) -> None:
        if self._is_known:
            return
        key = self._keys.video(reel.name)
        self._small_body = b""
        try:
            self._stored = self._store.head(key)
            if self._stored.size_bytes < MULTIPART_MINIMUM_BYTES:
                found = self._store.get(key)
                self._stored, self._small_body = found.info, found.body
        except ObjectNotFound:
            self._stored = None
        self._is_known = True

    def _put_whole(self, reel: Reel, bodies: SegmentBodies) -> None:
        keep = self._small_body if len(self._small_body) <= reel.size_bytes else b""
        body = keep + b"".join(self._read(reel, bodies, len(keep)))
        key, metadata = self._keys.video(reel.name), _metadata(reel)
        etag = self._store.put(
            key,
            body,
            condition=self._condition(),
            content_type=VIDEO_TYPE,
            cache_control=ALWAYS_ASK,
            metadata=metadata,
        )
        self._stored, self._small_body = ObjectInfo(key, etag, len(body), 0, metadata), body
        self._is_known = True

    def _put_multipart(self, reel: Reel, bodies: SegmentBodies) -> None:
        key, metadata = self._keys.video(reel.name), _metadata(reel)
        etag = self._store.put_multipart(
            key,
            self._parts(reel, bodies),
            condition=self._condition(),
            content_type=VIDEO_TYPE,
            cache_control=ALWAYS_ASK,
            metadata=metadata,
        )
        self._stored, self._small_body = ObjectInfo(key, etag, reel.size_bytes, 0, metadata), b""
        self._is_known = True

    def _condition(self) -> Condition:
        return IfMatch(self._stored.etag) if self._stored else IfAbsent()

    def _parts(self, reel: Reel, bodies: SegmentBodies) -> Iterator[Part]:
        stored, offset = self._stored, 0
        if stored and MULTIPART_MINIMUM_BYTES <= stored.size_bytes <= reel.size_bytes:
            pieces = -(-stored.size_bytes // PART_COPY_MAXIMUM_BYTES)
            for piece in range(pieces):
                end = stored.size_bytes * (piece + 1) // pieces
                yield CopyPart(stored.key, stored.etag, offset, end)
                offset = end
        gathered = bytearray()
        for chunk in self._read(reel, bodies, offset):
            gathered += chunk
            if len(gathered) >= _PART_BYTES:
                yield BytesPart(bytes(gathered))
                gathered.clear()
        if gathered:
            yield BytesPart(bytes(gathered))

    def _read(self, reel: Reel, bodies: SegmentBodies, offset: int) -> Iterator[bytes]:
        """The file's bytes from `offset` on, from memory or from the stored segments."""
        if offset < reel.init_size_bytes:
            yield self._store.get(self._keys.init(reel.name)).body[offset:]
        start = reel.init_size_bytes
        for segment in reel.segments:
            skip = max(0, offset - start)
            start += segment.size_bytes
            if skip < segment.size_bytes:
                body = bodies(segment.first, segment.count)
                if body is None:
                    body = self._store.get(segment_key(self._keys, reel, segment)).body
                yield body[skip:]


def _metadata(reel: Reel) -> dict[str, str]:
    return {"frames": str(reel.frame_count), "reel": reel.name}
