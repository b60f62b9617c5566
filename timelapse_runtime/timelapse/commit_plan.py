"""A commit as a value: what to put, in which order, under which conditions.

Segments first (each under a name of its own, so an attempt that fails leaves an orphan and nothing else), then
the checkpoint by compare-and-swap, which is the commit, then what is derived from it. The same plan is sent by a
flush, or written down at shutdown for the extension to send.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from timelapse_runtime.timelapse.model.checkpoint import Checkpoint, Reel, Segment, checksum
from timelapse_runtime.timelapse.model.frame_tracker import Coverage
from timelapse_runtime.timelapse.model.keys import StreamKeys, segment_name
from timelapse_runtime.timelapse.model.playlist import CONTENT_TYPE as PLAYLIST_TYPE
from timelapse_runtime.timelapse.model.playlist import index_playlist, live_playlist
from timelapse_runtime.timelapse.storage.contract import Condition, IfAbsent, IfMatch

SEGMENT_TYPE = "video/iso.segment"
VIDEO_TYPE = "video/mp4"
NEVER_CHANGES = "public, max-age=31536000, immutable"
ALWAYS_ASK = "no-cache"


@dataclass(frozen=True, slots=True)
class Put:
    """One conditional PUT."""

    key: str
    body: bytes
    condition: Condition
    content_type: str
    cache_control: str


@dataclass(frozen=True, slots=True)
class DraftSegment:
    """A segment as it stands in memory: all its frames so far."""

    first: int
    count: int
    body: bytes
    last_key: str
    out_of_order: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CommitPlan:
    """`segments`, then `commit`, then `derived`, each in order. `replaced` may be deleted after the commit."""

    checkpoint: Checkpoint
    segments: tuple[Put, ...]
    commit: Put
    derived: tuple[Put, ...]
    replaced: tuple[str, ...]


def plan_commit(
    keys: StreamKeys,
    base: tuple[Checkpoint, str] | None,
    reel: Reel | None,
    drafts: Sequence[DraftSegment],
    *,
    source: str,
    last_is_open: bool,
    coverage: Coverage,
    attempt: str,
    derive_playlists: bool,
) -> CommitPlan:
    """Plan the commit that follows `base` (the stored checkpoint and its ETag, or None for the first one).

    `reel` is the open reel as `base` has it, a new one without segments, or None: then no frame is added, and the
    checkpoint keeps the closed reel that it has. `drafts` are the segments that changed, in order; the first may take
    the place of the reel's open one. `last_is_open` says whether the last segment may still grow.
    `derive_playlists` asks for the playlists even when no segment closed.
    """
    assert reel is not None or not drafts
    old, old_etag = base or (None, None)
    old_reel = old.reel if old else None
    replaced: list[str] = []
    new_reel = old_reel
    if reel is not None:
        kept = list(reel.segments)
        if drafts and kept and drafts[0].first == kept[-1].first:
            replaced.append(segment_key(keys, reel, kept.pop()))
        added = [
            Segment(d.first, d.count, attempt, len(d.body), checksum(d.body), d.last_key, d.out_of_order)
            for d in drafts
        ]
        new_reel = replace(reel, segments=(*kept, *added), last_is_open=last_is_open)
    goes_on = old_reel is not None and new_reel is not None and old_reel.name == new_reel.name
    frames_before = old_reel.frame_count if old_reel and goes_on else 0
    checkpoint = Checkpoint(
        source=source,
        generation=old.generation + 1 if old else 1,
        commit=attempt,
        watermark=coverage.watermark,
        ahead=coverage.committed_ahead,
        frame_count=(old.frame_count if old else 0) + (new_reel.frame_count if new_reel else 0) - frames_before,
        rejected_count=(old.rejected_count if old else 0) + coverage.rejected_count,
        reel=new_reel,
    )
    condition: Condition = IfAbsent() if old_etag is None else IfMatch(old_etag)
    commit = Put(keys.checkpoint, checkpoint.to_json(), condition, "application/json", ALWAYS_ASK)
    segments: tuple[Put, ...] = ()
    derived: tuple[Put, ...] = ()
    if new_reel is not None:
        segments = tuple(_segment_put(keys, new_reel, draft, attempt) for draft in drafts)
        # A closed reel's playlist points into video.mp4, and has to wait until that is published.
        if not new_reel.is_closed and (derive_playlists or _closed(new_reel) != _closed(old_reel)):
            derived = playlist_puts(keys, new_reel)
    return CommitPlan(checkpoint, segments, commit, derived, tuple(replaced))


def playlist_puts(keys: StreamKeys, reel: Reel) -> tuple[Put, ...]:
    """Both playlists of `reel`, the current one."""
    return (
        Put(keys.index(reel.name), index_playlist(reel), None, PLAYLIST_TYPE, ALWAYS_ASK),
        Put(keys.live, live_playlist(reel), None, PLAYLIST_TYPE, ALWAYS_ASK),
    )


def init_put(keys: StreamKeys, reel: Reel, init_segment: bytes) -> Put:
    """The reel's init segment, written once, before the first commit that names the reel."""
    assert hashlib.sha256(init_segment).hexdigest() == reel.init_sha256
    return Put(keys.init(reel.name), init_segment, IfAbsent(), VIDEO_TYPE, NEVER_CHANGES)


def segment_key(keys: StreamKeys, reel: Reel, segment: Segment) -> str:
    """Where a committed segment lies."""
    return keys.segments(reel.name) + segment_name(segment.first, segment.count, segment.attempt)


def _segment_put(keys: StreamKeys, reel: Reel, draft: DraftSegment, attempt: str) -> Put:
    key = keys.segments(reel.name) + segment_name(draft.first, draft.count, attempt)
    return Put(key, draft.body, IfAbsent(), SEGMENT_TYPE, NEVER_CHANGES)


def _closed(reel: Reel | None) -> tuple[str, int] | None:
    return None if reel is None else (reel.name, len(reel.closed_segments))
