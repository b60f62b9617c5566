"""What S3 knows of one stream: which photos there are, and which frames the committed video holds. Reads only.

Whether a photo is in the video is asked only for one that is late and that memory does not know. The checkpoint knows
each segment's last key, so one segment is read for an answer (and one manifest for each reel further back). The
provenance boxes of the segment name its frames.
"""

from __future__ import annotations

import bisect
import json
from collections.abc import Iterator

from timelapse_runtime.timelapse.commit_plan import segment_key
from timelapse_runtime.timelapse.errors import CheckpointCorrupt, ObjectNotFound
from timelapse_runtime.timelapse.model.checkpoint import Reel, Segment, key_order, reel_from_value
from timelapse_runtime.timelapse.model.keys import StreamKeys
from timelapse_runtime.timelapse.model.photo_filter import DEFAULT_FILTER, PhotoFilter
from timelapse_runtime.timelapse.model.source_frame import Role, SourceFrame
from timelapse_runtime.timelapse.storage.contract import ObjectInfo, Store
from timelapse_runtime.timelapse.video.boxes import read_provenance


class Catalog:
    """Reads one stream's photos and reels. `prefix` is what the photos' keys begin with in the frames bucket; all keys
    of photos here are relative to it. `include` tells the photos among the objects there."""

    def __init__(
        self, frames: Store, video: Store, keys: StreamKeys, prefix: str, include: PhotoFilter = DEFAULT_FILTER
    ) -> None:
        self._frames, self._video, self._keys, self._prefix = frames, video, keys, prefix
        self._include = include

    @property
    def source(self) -> str:
        """Where the photos are, as a URL."""
        return f"s3://{self._frames.bucket}/{self._prefix}"

    def photos_after(self, key: str = "") -> Iterator[tuple[str, ObjectInfo]]:
        """The photos whose key is greater than `key`, in key order. Raises StorageError."""
        for info in self._frames.list_after(self._prefix, self._prefix + key if key else ""):
            if self._include.takes(relative := info.key[len(self._prefix) :]):
                yield relative, info

    def manifest(self, reel_name: str) -> Reel:
        """A closed reel. Raises StorageError, CheckpointCorrupt."""
        key = self._keys.manifest(reel_name)
        body = self._video.get(key).body
        try:
            return reel_from_value(json.loads(body))
        except (ValueError, KeyError, TypeError) as error:
            raise CheckpointCorrupt(f"{key} cannot be read: {error!r}") from error

    def last_key_before(self, reel: Reel) -> str:
        """The last key, in key order, of the reels before this one; empty if there is none."""
        while reel.previous is not None:
            reel = self.manifest(reel.previous)
            if reel.segments and reel.segments[-1].last_key:
                return reel.segments[-1].last_key
        return ""

    def is_in_video(self, reel: Reel | None, frame_key: str, *, as_itself: bool = False) -> bool:
        """Whether a committed segment of `reel`, or of a reel before it, names the photo.

        With `as_itself`, a place in which the frame before it is repeated does not count.
        """
        wanted = key_order(frame_key)
        while reel is not None:
            if any(frame_key in segment.out_of_order for segment in reel.segments):
                return True
            last_keys = [key_order(segment.last_key) for segment in reel.segments]
            position = bisect.bisect_left(last_keys, wanted)
            if position < len(reel.segments):
                frames = self.read_frames(reel, position)
                named = [frame for frame in frames if frame.key == frame_key]
                if any(not (as_itself and frame.role is Role.STAND_IN) for frame in named):
                    return True
                if any(key_order(frame.key) < wanted for frame in frames if frame.role is not Role.OUT_OF_ORDER):
                    return False
            # All frames in key order of the reels before this one lie below this one's. If it begins with late frames,
            # its first segments have no key in order: their last key is empty.
            if position and last_keys[position - 1]:
                return False
            if reel.previous is None:
                return False
            reel = self.manifest(reel.previous)
        return False

    def segment_key(self, reel: Reel, segment: Segment) -> str:
        """The object key of a committed segment."""
        return segment_key(self._keys, reel, segment)

    def read_last_segment(self, reel: Reel) -> tuple[bytes, bytes]:
        """The init segment of the open `reel`, and its last segment. Raises StorageError."""
        body = self._video.get(segment_key(self._keys, reel, reel.segments[-1])).body
        return self._video.get(self._keys.init(reel.name)).body, body

    def read_frames(self, reel: Reel, position: int) -> list[SourceFrame]:
        """The photos that the segment at `position` names. Raises StorageError, SegmentCorrupt."""
        segment = reel.segments[position]
        try:
            body = self._video.get(segment_key(self._keys, reel, segment)).body
        except ObjectNotFound:
            if not reel.is_closed:
                raise
            # The segments of a closed reel may have been removed: its video.mp4 holds the same bytes.
            start = reel.init_size_bytes + sum(earlier.size_bytes for earlier in reel.segments[:position])
            body = self._video.get_range(self._keys.video(reel.name), start, start + segment.size_bytes).body
        return [frame for part in read_provenance(body) for frame in part.frames]
