"""Reads reels as they are stored: a closed reel's manifest, and segments, wherever their bytes are. Owns nothing."""

from __future__ import annotations

import json

from timelapse_runtime.timelapse.commit_plan import segment_key
from timelapse_runtime.timelapse.errors import CheckpointCorrupt, ObjectNotFound
from timelapse_runtime.timelapse.model.checkpoint import Reel, reel_from_value
from timelapse_runtime.timelapse.model.keys import StreamKeys
from timelapse_runtime.timelapse.storage.contract import Store


def read_manifest(store: Store, keys: StreamKeys, reel_name: str) -> Reel:
    """A closed reel. Raises StorageError, CheckpointCorrupt."""
    return parse_manifest(keys, reel_name, store.get(keys.manifest(reel_name)).body)


def parse_manifest(keys: StreamKeys, reel_name: str, body: bytes) -> Reel:
    """A closed reel's manifest, as it was read. Raises CheckpointCorrupt."""
    try:
        return reel_from_value(json.loads(body))
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointCorrupt(f"{keys.manifest(reel_name)} cannot be read: {error!r}") from error


def read_segment(store: Store, keys: StreamKeys, reel: Reel, position: int, size_bytes: int | None = None) -> bytes:
    """The segment at `position`, or its first bytes. Raises StorageError.

    The segments of a closed reel may have been removed: then they are read from its `video.mp4`.
    """
    if reel.video_etag:
        return read_from_video(store, keys, reel, position, size_bytes)
    segment = reel.segments[position]
    key = segment_key(keys, reel, segment)
    try:
        if size_bytes is None or size_bytes >= segment.size_bytes:
            return store.get(key).body
        return store.get_range(key, 0, size_bytes).body
    except ObjectNotFound:
        if not reel.is_closed:
            raise
    return read_from_video(store, keys, reel, position, size_bytes)


def read_from_video(store: Store, keys: StreamKeys, reel: Reel, position: int, size_bytes: int | None = None) -> bytes:
    """The same from a closed reel's `video.mp4`, which ends with the bytes of all segments. Raises StorageError."""
    segment, video = reel.segments[position], store.head(keys.video(reel.name))
    to_the_end = sum(later.size_bytes for later in reel.segments[position:])
    start = max(0, video.size_bytes - to_the_end)
    wanted = segment.size_bytes if size_bytes is None else min(size_bytes, segment.size_bytes)
    return store.get_range(video.key, start, start + wanted, etag=video.etag).body
