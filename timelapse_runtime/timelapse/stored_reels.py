"""Reads reels as they are stored: a closed reel's manifest, and segments, wherever their bytes are. Owns nothing.

A closed reel's manifest is its truth from the first commit of the next reel on. It changes if the reel is made again
(`editions.py`), and only forward: to a later edition, begun or shown.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence

from timelapse_runtime.runtime.state.contract import Condition, IfAbsent, IfMatch, Store, StoredObject
from timelapse_runtime.runtime.state.errors import ObjectNotFound, PreconditionFailed
from timelapse_runtime.timelapse.commit_plan import JSON_TYPE, segment_key
from timelapse_runtime.timelapse.errors import CheckpointCorrupt
from timelapse_runtime.timelapse.model.checkpoint import Reel, reel_from_value, reel_to_json
from timelapse_runtime.timelapse.model.keys import DAY_PICTURES, StreamKeys, edition_number

_TRIES = 3
PICTURES = "pictures"
"""The name of the metadata that says which pictures of the day a reel has: of its manifest and, of the newest reel, of
`video.m3u8`. Who reads these objects need not ask for pictures that do not exist."""


def read_manifest(store: Store, keys: StreamKeys, reel_name: str) -> Reel:
    """A closed reel. Raises StorageError, CheckpointCorrupt."""
    return parse_manifest(store.get(keys.manifest(reel_name)))


def reels_from(store: Store, keys: StreamKeys, newest: Reel | None) -> Iterator[Reel]:
    """`newest` and the reels before it, newest first; one GET for each but the first, when its turn comes. Raises
    StorageError, CheckpointCorrupt."""
    reel = newest
    while reel is not None:
        yield reel
        reel = None if reel.previous is None else read_manifest(store, keys, reel.previous)


def parse_manifest(stored: StoredObject) -> Reel:
    """The reel that a manifest describes. Raises CheckpointCorrupt."""
    try:
        return reel_from_value(json.loads(stored.body))
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointCorrupt(f"{stored.info.key} cannot be read: {error!r}") from error


def write_manifest(store: Store, keys: StreamKeys, reel: Reel) -> None:
    """Store the manifest of a closed reel, as a checkpoint has it that is about to lose it. A later one stays: whoever
    closed the reel may have been frozen before this. Raises StorageError."""
    key = keys.manifest(reel.name)
    condition: Condition = IfAbsent()
    for tries_left in reversed(range(_TRIES)):
        try:
            put_manifest(store, keys, reel, condition)
        except PreconditionFailed:
            found = _stored_manifest(store, key)
            if found is not None and _is_at_least(found, reel):
                return
            if not tries_left:
                raise
            condition = IfAbsent() if found is None else IfMatch(found.info.etag)
        else:
            return


def put_manifest(store: Store, keys: StreamKeys, reel: Reel, condition: Condition) -> str:
    """Store the manifest, and return its ETag. A HEAD of each picture of the day that there may be. Raises
    StorageError."""
    return store.put(
        keys.manifest(reel.name),
        reel_to_json(reel),
        condition=condition,
        content_type=JSON_TYPE,
        metadata=pictures_metadata(stored_pictures(store, keys, reel)),
    )


def stored_pictures(store: Store, keys: StreamKeys, reel: Reel) -> tuple[str, ...]:
    """Which pictures of the day a reel has: a HEAD of each that there may be. Raises StorageError."""
    found = []
    for kind in DAY_PICTURES:
        with contextlib.suppress(ObjectNotFound):
            store.head(keys.picture(reel.path, kind))
            found.append(kind)
    return tuple(found)


def pictures_metadata(kinds: Sequence[str]) -> Mapping[str, str]:
    """The metadata that names these pictures of the day; none for none."""
    return {PICTURES: " ".join(kinds)} if kinds else {}


def _stored_manifest(store: Store, key: str) -> StoredObject | None:
    try:
        return store.get(key)
    except ObjectNotFound:
        return None


def _is_at_least(stored: StoredObject, reel: Reel) -> bool:
    """Whether the stored manifest is as new as `reel`. One that cannot be read is not."""
    try:
        found = parse_manifest(stored)
    except CheckpointCorrupt:
        return False
    return _editions(found) >= _editions(reel)


def _editions(reel: Reel) -> tuple[int, int]:
    return edition_number(reel.last_edition), edition_number(reel.edition)


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
    segment, video = reel.segments[position], store.head(keys.video(reel.path))
    to_the_end = sum(later.size_bytes for later in reel.segments[position:])
    start = max(0, video.size_bytes - to_the_end)
    wanted = segment.size_bytes if size_bytes is None else min(size_bytes, segment.size_bytes)
    return store.get_range(video.key, start, start + wanted, etag=video.etag).body
