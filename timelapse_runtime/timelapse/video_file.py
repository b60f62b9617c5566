"""`video.mp4`, kept up to date by appending to it on S3's side.

The file is append-only: the init segment, then all fragments in order. So whatever was published is a prefix of what is
committed now, and only the bytes after it have to be sent. Small files are written whole; above the multipart minimum
the existing object is copied on S3's side, once a segment has closed and the video has grown by GROWTH, so that the
bytes copied per byte of video stay bounded (about 1 / GROWTH + 1), and the requests per frame with them.

Publishing follows the commit and is derived from it: a crash leaves the file behind, never wrong, and the next publish
brings it up to date. Two instances that publish are kept apart by If-Match on the file itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from timelapse_runtime.timelapse.commit_plan import NO_CACHE, VIDEO_TYPE, segment_key
from timelapse_runtime.timelapse.errors import ObjectNotFound
from timelapse_runtime.timelapse.model.checkpoint import Reel
from timelapse_runtime.timelapse.model.keys import StreamKeys
from timelapse_runtime.timelapse.storage.contract import (
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
CachedSegments = Mapping[tuple[int, int], bytes]
"""The bytes of the segments that are in memory, by first frame and frame count."""


class VideoFile:
    """Keeps one reel's `video.mp4`; remembers what is stored there, and its bytes while they are few."""

    def __init__(self, store: Store, keys: StreamKeys, reel_name: str) -> None:
        self.reel_name = reel_name
        self._store, self._keys = store, keys
        self._stored: ObjectInfo | None = None
        self._small_body = b""
        self._is_known = False
        self._minimum_part_bytes = store.minimum_part_bytes
        # 8 MiB where the minimum is S3's 5 MiB: few requests, and little memory for a part.
        self._part_bytes = store.minimum_part_bytes * 8 // 5

    def publish(self, reel: Reel, cached: CachedSegments, *, force: bool = False) -> bool:
        """Bring the file up to `reel`, which must be committed, if that is due or `force`d.

        The answer is whether it was written. PreconditionFailed means that another instance published: what this
        one knew is forgotten, and the next call looks again.
        """
        self._learn(reel)
        size_bytes, stored_bytes = reel.size_bytes, self._stored.size_bytes if self._stored else 0
        if stored_bytes > size_bytes and not reel.is_closed:
            return False  # an instance that committed later has published already
        has_grown = size_bytes >= stored_bytes * (1 + GROWTH) and reel.closed_size_bytes > stored_bytes
        is_due = force or size_bytes < self._minimum_part_bytes or has_grown
        if stored_bytes == size_bytes or not is_due:
            return False
        self._is_known = False  # until the write has gone well
        if size_bytes < self._minimum_part_bytes:
            self._put_whole(reel, cached)
        else:
            self._put_multipart(reel, cached)
        return True

    def _learn(self, reel: Reel) -> None:
        if self._is_known:
            return
        key = self._keys.video(reel.name)
        self._small_body = b""
        try:
            self._stored = self._store.head(key)
            if self._stored.size_bytes < self._minimum_part_bytes:
                found = self._store.get(key)
                self._stored, self._small_body = found.info, found.body
        except ObjectNotFound:
            self._stored = None
        self._is_known = True

    def _put_whole(self, reel: Reel, cached: CachedSegments) -> None:
        keep = self._small_body if len(self._small_body) <= reel.size_bytes else b""
        body = keep + b"".join(self._read(reel, cached, len(keep)))
        key, metadata = self._keys.video(reel.name), _metadata(reel)
        etag = self._store.put(
            key,
            body,
            condition=self._condition(),
            content_type=VIDEO_TYPE,
            cache_control=NO_CACHE,
            metadata=metadata,
        )
        self._stored, self._small_body = ObjectInfo(key, etag, len(body), 0, metadata), body
        self._is_known = True

    def _put_multipart(self, reel: Reel, cached: CachedSegments) -> None:
        key, metadata = self._keys.video(reel.name), _metadata(reel)
        etag = self._store.put_multipart(
            key,
            self._parts(reel, cached),
            condition=self._condition(),
            content_type=VIDEO_TYPE,
            cache_control=NO_CACHE,
            metadata=metadata,
        )
        self._stored, self._small_body = ObjectInfo(key, etag, reel.size_bytes, 0, metadata), b""
        self._is_known = True

    def _condition(self) -> Condition:
        return IfMatch(self._stored.etag) if self._stored else IfAbsent()

    def _parts(self, reel: Reel, cached: CachedSegments) -> Iterator[Part]:
        stored, offset = self._stored, 0
        if stored and self._minimum_part_bytes <= stored.size_bytes <= reel.size_bytes:
            pieces = -(-stored.size_bytes // PART_COPY_MAXIMUM_BYTES)
            for piece in range(pieces):
                end = stored.size_bytes * (piece + 1) // pieces
                yield CopyPart(stored.key, stored.etag, offset, end)
                offset = end
        gathered = bytearray()
        for chunk in self._read(reel, cached, offset):
            gathered += chunk
            if len(gathered) >= self._part_bytes:
                yield BytesPart(bytes(gathered))
                gathered.clear()
        if gathered:
            yield BytesPart(bytes(gathered))

    def _read(self, reel: Reel, cached: CachedSegments, offset: int) -> Iterator[bytes]:
        """The file's bytes from `offset` on, from memory or from the stored segments."""
        if offset < reel.init_size_bytes:
            yield self._store.get(self._keys.init(reel.name)).body[offset:]
        start = reel.init_size_bytes
        for segment in reel.segments:
            skip = max(0, offset - start)
            start += segment.size_bytes
            if skip < segment.size_bytes:
                body = cached.get((segment.first, segment.count))
                if body is None:
                    body = self._store.get(segment_key(self._keys, reel, segment)).body
                yield body[skip:]


def _metadata(reel: Reel) -> dict[str, str]:
    return {"frames": str(reel.frame_count), "reel": reel.name}
