"""A commit as a value: what to put, in which order, under which conditions. Planning is pure.

The init segment first if the commit begins a reel, then the segments (each under a name of its own, so an attempt that
fails leaves an orphan and nothing else), then what is too long for the checkpoint, under a name of its own as well,
then the checkpoint by compare-and-swap, which is the commit, then what is derived from it. A flush sends the plan; a
shutdown leaves the same plan in the outbox.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from timelapse_runtime.runtime.state.checkpoint import replacement
from timelapse_runtime.runtime.state.contract import IfAbsent
from timelapse_runtime.runtime.state.put import Put
from timelapse_runtime.timelapse.model.ahead_parts import ahead_parts
from timelapse_runtime.timelapse.model.checkpoint import AheadPart, Checkpoint, Reel, Segment
from timelapse_runtime.timelapse.model.frame_tracker import Coverage
from timelapse_runtime.timelapse.model.keys import DAY_PICTURES, StreamKeys, segment_name
from timelapse_runtime.timelapse.model.playlist import CONTENT_TYPE as PLAYLIST_TYPE
from timelapse_runtime.timelapse.model.playlist import (
    index_playlist,
    live_playlist,
    main_playlist,
    tail_before,
    video_playlist,
)
from timelapse_runtime.timelapse.video.init_segment import init_sha256

SEGMENT_TYPE = "video/iso.segment"
VIDEO_TYPE = "video/mp4"
JSON_TYPE = "application/json"
IMMUTABLE = "public, max-age=31536000, immutable"
NO_CACHE = "no-cache"


@dataclass(frozen=True, slots=True)
class SegmentData:
    """A segment with its bytes. The `attempt` of a segment that is not committed yet is empty."""

    segment: Segment
    body: bytes


@dataclass(frozen=True, slots=True)
class CommitPlan:
    """`init` if any, `segments`, `ahead_part` if any, then `commit`, then `derived`, each in order.

    `coverage` is what `checkpoint` claims of the frames. `ends_reel`: no frame is added to the reel afterwards.
    """

    checkpoint: Checkpoint
    coverage: Coverage
    init: Put | None
    segments: tuple[Put, ...]
    commit: Put
    derived: tuple[Put, ...]
    ends_reel: bool
    ahead_part: Put | None = None

    def puts(self) -> tuple[Put, ...]:
        """All of it, in order."""
        puts = self.init, *self.segments, self.ahead_part, self.commit, *self.derived
        return tuple(put for put in puts if put is not None)


def plan_commit(
    keys: StreamKeys,
    base: tuple[Checkpoint, str] | None,
    reel: Reel | None,
    changed: Sequence[SegmentData],
    *,
    source: str,
    order: str,
    init: Put | None,
    last_is_open: bool,
    coverage: Coverage,
    attempt: str,
    derive_playlists: bool,
    owner: str = "",
    lease_ms: int = 0,
    settings: Mapping[str, str] | None = None,
) -> CommitPlan:
    """Plan the commit that follows `base` (the stored checkpoint and its ETag, or None for the first one).

    `reel` is the open reel as `base` has it (marked closed if this commit ends it), a new one without segments, or
    None: then no frame is added, and the checkpoint keeps the closed reel that it has. `init` is its init segment if
    that is to be written with the commit. `changed` are the segments that are new or longer, in order; the first may
    replace the reel's open one. `last_is_open` says whether the last segment may still grow. `derive_playlists` asks
    for all playlists, and not just for those that this commit changes. `order` is the stream's; `owner` is who commits,
    and holds the stream for `lease_ms`; `settings` are the stream's own.
    """
    assert reel is not None or not changed
    old = base[0] if base else None
    old_reel = old.reel if old else None
    added = [SegmentData(replace(data.segment, attempt=attempt), data.body) for data in changed]
    new_reel = old_reel if reel is None else _extended(reel, added, last_is_open=last_is_open)
    is_same_reel = old_reel is not None and new_reel is not None and old_reel.name == new_reel.name
    frames_before = old_reel.frame_count if old_reel and is_same_reel else 0
    checkpoint = Checkpoint(
        source=source,
        generation=old.generation + 1 if old else 1,
        commit=attempt,
        watermark=coverage.watermark,
        ahead=coverage.committed_ahead,
        frame_count=(old.frame_count if old else 0) + (new_reel.frame_count if new_reel else 0) - frames_before,
        rejected_count=(old.rejected_count if old else 0) + coverage.rejected_count,
        reel=new_reel,
        order=order,
        scan_after=coverage.scan_after,
        tail=tail_before(new_reel, old),
        owner=owner,
        lease_ms=lease_ms,
        settings=settings or {},
        ahead_parts=ahead_parts(coverage.committed_ahead, coverage.watermark, old.ahead_parts if old else (), attempt),
    )
    commit = checkpoint_put(keys, checkpoint, base)
    segments = tuple(_segment_put(keys, new_reel, data) for data in added) if new_reel is not None else ()
    derived = playlist_puts(keys, checkpoint, before=None if derive_playlists else old)
    ends_reel = reel is not None and reel.is_closed
    new_parts = [part for part in checkpoint.ahead_parts if part.attempt == attempt]
    ahead_part = _part_put(keys, new_parts[0]) if new_parts else None
    return CommitPlan(checkpoint, coverage, init, segments, commit, derived, ends_reel, ahead_part)


def _extended(reel: Reel, added: Sequence[SegmentData], *, last_is_open: bool) -> Reel:
    """The reel with `added`, of which the first may take the place of the last segment."""
    kept = reel.segments
    if added and kept and added[0].segment.first == kept[-1].first:
        kept = kept[:-1]
    return replace(reel, segments=(*kept, *(data.segment for data in added)), last_is_open=last_is_open)


def playlist_puts(keys: StreamKeys, checkpoint: Checkpoint, *, before: Checkpoint | None = None) -> tuple[Put, ...]:
    """The playlists that follow from `checkpoint` alone, as far as they are not those of the checkpoint `before`.

    The first is the one that shows the newest frames. One without a segment is left out.
    """
    reel, old = checkpoint.reel, before.reel if before else None
    if reel is None:
        return ()
    bodies: list[tuple[str, bytes | None]] = []
    if old is None or (old.name, old.segments, old.left_out) != (reel.name, reel.segments, reel.left_out):
        bodies.append((keys.newest_video, video_playlist(reel)))
    main = main_playlist(reel)
    if old is None or main != main_playlist(old):  # also if the last segment is closed as it is
        bodies.append((keys.main, main))
    if old is None or _closed_part(old) != _closed_part(reel):
        bodies.append((keys.index(reel.name), index_playlist(reel)))
    if before is None or old is None or _live_part(before, old) != _live_part(checkpoint, reel):
        bodies.append((keys.live, live_playlist(checkpoint)))
    return tuple(playlist_put(key, body) for key, body in bodies if body is not None)


def playlist_put(key: str, body: bytes) -> Put:
    """A playlist is never cached: it is small, and its next version may come at any time."""
    return Put(key, body, None, PLAYLIST_TYPE, NO_CACHE)


def checkpoint_put(keys: StreamKeys, checkpoint: Checkpoint, base: tuple[Checkpoint, str] | None) -> Put:
    """The checkpoint that follows `base`, in its place and no other's."""
    put = Put(keys.checkpoint, checkpoint.to_json(), None, JSON_TYPE, NO_CACHE)
    return replacement(put, base[1] if base else None, attempt=checkpoint.commit)


def init_put(keys: StreamKeys, reel: Reel, init_segment: bytes) -> Put:
    """The reel's init segment, written once, before the first commit that names the reel."""
    assert init_sha256(init_segment) == reel.init_sha256
    return Put(keys.init(reel.path), init_segment, IfAbsent(), VIDEO_TYPE, IMMUTABLE)


def segment_key(keys: StreamKeys, reel: Reel, segment: Segment) -> str:
    """The object key of a committed segment."""
    return keys.segments(reel.path) + segment_name(segment.first, segment.count, segment.attempt)


def reel_object_keys(keys: StreamKeys, reel: Reel) -> set[str]:
    """All objects that belong to a reel, derived ones included."""
    segments = {segment_key(keys, reel, segment) for segment in reel.segments}
    name, path = reel.name, reel.path
    pictures = {keys.picture(path, kind) for kind in DAY_PICTURES}
    fixed = {keys.init(path), keys.index(name), keys.video(path), keys.ranges(name), keys.manifest(name)}
    return fixed | pictures | segments


def _segment_put(keys: StreamKeys, reel: Reel, data: SegmentData) -> Put:
    return Put(segment_key(keys, reel, data.segment), data.body, IfAbsent(), SEGMENT_TYPE, IMMUTABLE)


def _part_put(keys: StreamKeys, part: AheadPart) -> Put:
    return Put(keys.ahead_part(part.attempt), part.to_json(), IfAbsent(), JSON_TYPE, IMMUTABLE)


def _closed_part(reel: Reel) -> tuple[object, ...]:
    return reel.name, reel.closed_segments, reel.is_closed


def _live_part(checkpoint: Checkpoint, reel: Reel) -> tuple[object, ...]:
    return reel.name, reel.closed_segments, checkpoint.tail
