"""What S3 knows of a stream's photos: which there are, and whether one is in the film.

The latter is asked only for a frame below the watermark that memory does not know. The checkpoint knows each
segment's last key, so one segment is read for an answer (and one manifest for each reel further back). The segment's
provenance boxes name its frames.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterator

from timelapse_runtime.timelapse.checkpoint_store import read_manifest
from timelapse_runtime.timelapse.commit_plan import segment_key
from timelapse_runtime.timelapse.errors import ObjectNotFound
from timelapse_runtime.timelapse.model.checkpoint import Reel, key_order
from timelapse_runtime.timelapse.model.keys import StreamKeys
from timelapse_runtime.timelapse.storage.contract import ObjectInfo, Store
from timelapse_runtime.timelapse.video.boxes import Role, SourceFrame, read_provenance


def photos_after(frames: Store, prefix: str, key: str = "") -> Iterator[tuple[str, ObjectInfo]]:
    """The photos below `prefix` whose key (relative to it) is greater than `key`, in order."""
    for info in frames.list_after(prefix, prefix + key if key else ""):
        if not (info.key.endswith("/") and info.size_bytes == 0):  # a folder made in the console
            yield info.key[len(prefix) :], info


def last_key_before(store: Store, keys: StreamKeys, reel: Reel) -> str:
    """The last key, in order, of the reels before this one."""
    while reel.previous is not None:
        reel = read_manifest(store, keys, reel.previous)
        if reel.segments and reel.segments[-1].last_key:
            return reel.segments[-1].last_key
    return ""


def is_in_film(
    store: Store, keys: StreamKeys, reel: Reel | None, frame_key: str, *, but_stand_ins: bool = False
) -> bool:
    """Whether a committed segment of `reel`, or of a reel before it, holds `frame_key`; with `but_stand_ins`, by a
    picture of its own."""
    wanted = key_order(frame_key)
    while reel is not None:
        if any(frame_key in segment.out_of_order for segment in reel.segments):
            return True
        last_keys = [key_order(segment.last_key) for segment in reel.segments]
        position = bisect.bisect_left(last_keys, wanted)
        if position < len(reel.segments):
            frames = read_frames(store, keys, reel, position)
            named = [frame for frame in frames if frame.key == frame_key]
            if any(not (but_stand_ins and frame.role is Role.STAND_IN) for frame in named):
                return True
            if any(key_order(frame.key) < wanted for frame in frames if frame.role is not Role.OUT_OF_ORDER):
                return False
        # All frames in key order of the reels before this one lie below this one's. Where it begins with frames out
        # of order, its first segments have no key in order: an empty last key.
        if position and last_keys[position - 1]:
            return False
        if reel.previous is None:
            return False
        reel = read_manifest(store, keys, reel.previous)
    return False


def read_frames(store: Store, keys: StreamKeys, reel: Reel, position: int) -> list[SourceFrame]:
    """What a segment names. Raises StorageError, SegmentCorrupt."""
    segment = reel.segments[position]
    try:
        body = store.get(segment_key(keys, reel, segment)).body
    except ObjectNotFound:
        if not reel.is_closed:
            raise
        # A closed reel may live in its video.mp4 alone.
        start = reel.init_size_bytes + sum(earlier.size_bytes for earlier in reel.segments[:position])
        body = store.get_range(keys.video(reel.name), start, start + segment.size_bytes).body
    return [frame for part in read_provenance(body) for frame in part.frames]
