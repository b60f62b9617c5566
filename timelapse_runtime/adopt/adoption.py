"""From a prepared video to a stream: objects first, then the checkpoint by compare-and-swap, then what is derived.

The stream must have no frame. Until the commit nothing names the objects: a crash leaves orphans, which a sweep of the
stream removes, or the same command when it is repeated. Photos may arrive meanwhile. If the function commits the first
of them before this does, the video is not adopted; if it has them in memory only, its commit is refused, and it appends
them after the adopted frames.

A sweep may remove the objects before they are committed, as orphans. It commits before it removes them, so this commit
is refused then, and all is stored again under other names. For that the checkpoint is read before anything is stored.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import replace

from timelapse_runtime.adopt.errors import CannotAdopt
from timelapse_runtime.adopt.prepared import PreparedVideo
from timelapse_runtime.runtime.clock import Clock
from timelapse_runtime.runtime.state.contract import IfAbsent, Store
from timelapse_runtime.runtime.state.errors import Fenced
from timelapse_runtime.runtime.state.put import Put
from timelapse_runtime.timelapse.checkpoint_store import CheckpointStore
from timelapse_runtime.timelapse.commit_plan import IMMUTABLE, SEGMENT_TYPE, segment_key
from timelapse_runtime.timelapse.derived import Derived
from timelapse_runtime.timelapse.model.checkpoint import ARRIVAL_ORDER, Checkpoint, Reel
from timelapse_runtime.timelapse.model.frame_tracker import Coverage
from timelapse_runtime.timelapse.model.keys import StreamKeys
from timelapse_runtime.timelapse.model.source_frame import adopted_frame
from timelapse_runtime.timelapse.stored_reels import read_segment, reels_from
from timelapse_runtime.timelapse.verify_report import counted
from timelapse_runtime.timelapse.video.boxes import read_sources
from timelapse_runtime.timelapse.writer import ReelStart

_TRIES = 3


class Adoption:
    """Adopts a video as the beginning of the stream `name`, whose photos are at `source` in this `order`. `settings`
    are the stream's own."""

    def __init__(
        self,
        name: str,
        store: Store,
        keys: StreamKeys,
        clock: Clock,
        *,
        source: str,
        order: str,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self._store, self._keys, self._order = store, keys, order
        self._checkpoints = CheckpointStore(name, store, keys, source, order)
        self._checkpoints.write_with(lease_ms=0, settings=settings or {})
        self._derived = Derived(name, store, keys, self._checkpoints.is_current, clock)

    def require_possible(self, file_name: str) -> None:
        """See whether the stream is empty, or what an earlier run made of a file of this name. Raises CannotAdopt,
        StorageError, CheckpointCorrupt, SegmentCorrupt."""
        checkpoint = self._checkpoints.load()
        reel = checkpoint.reel if checkpoint else None
        if checkpoint is not None and reel is not None and reel.segments and checkpoint.frame_count == reel.frame_count:
            first = read_sources(read_segment(self._store, self._keys, reel, 0))[0]
            if first.key == adopted_frame(file_name, 0, 0).key:
                return
        self._require_empty(checkpoint)

    def _require_empty(self, checkpoint: Checkpoint | None) -> None:
        place = f"s3://{self._store.bucket}/{self._keys.folder}"
        if checkpoint is not None and checkpoint.frame_count:
            raise CannotAdopt(
                f"{place} has {counted(checkpoint.frame_count, 'frame')} already, and an adopted video can only be the "
                "beginning: name a stream that has none yet"
            )
        if checkpoint is not None and checkpoint.order != self._order:
            raise CannotAdopt(f"{place} is in the order '{checkpoint.order}': set TIMELAPSE_ORDER to that")
        if checkpoint is None:
            stored = {info.key for info in self._store.list_after(self._keys.folder)}
            if stored & {self._keys.newest_video, self._keys.live, self._keys.latest}:
                raise CannotAdopt(
                    f"{place} was a stream and has lost its checkpoint: `timelapse verify` says more. "
                    "Name another stream, or remove what is there"
                )

    def run(self, prepared: PreparedVideo, date: str) -> Reel:
        """Store the video, and return its reel, which has the day `date`. It may be repeated after a crash.

        Raises CannotAdopt if the stream has frames, StorageError.
        """
        for _ in range(_TRIES):
            known = self._checkpoints.load()
            if known is not None and known.reel is not None and _is_this(known, prepared):
                self._derive(prepared)  # a run before this one was interrupted behind its commit
                return known.reel
            self._require_empty(known)
            reel = self._store_reel(prepared, date)
            try:
                self._commit(reel)
            except Fenced:
                if self._is_in_stream(reel):  # the answer was lost, and another environment has committed since
                    return reel
            else:
                self._derive(prepared)
                return reel
        raise CannotAdopt("other environments change the stream's checkpoint again and again: try again later")

    @property
    def is_finished(self) -> bool:
        """Whether the video's derived objects are known to be final. If not, a sweep makes them."""
        reel = self._checkpoints.last_reel
        return reel is not None and self._derived.is_finished(reel)

    def _store_reel(self, prepared: PreparedVideo, date: str) -> Reel:
        """Store the init segment and the segments of the reel, which nothing names yet."""
        assert prepared.init_segment is not None
        assert prepared.settings is not None
        checkpoint = self._checkpoints.checkpoint
        after = checkpoint.watermark if checkpoint is not None and self._order == ARRIVAL_ORDER else ""
        start = ReelStart(date, prepared.settings, prepared.init_segment, self._order, after)
        reel = start.reel_after(self._checkpoints.last_reel)
        reel = self._checkpoints.create_reel(reel, prepared.init_segment.body)
        attempt = secrets.token_hex(6)
        segments = tuple(replace(one, attempt=attempt, last_key=after) for one in prepared.segments)
        reel = replace(reel, segments=segments, is_closed=True)
        for segment in reel.segments:
            body = prepared[segment.first, segment.count]
            Put(segment_key(self._keys, reel, segment), body, IfAbsent(), SEGMENT_TYPE, IMMUTABLE).send(self._store)
        return reel

    def _commit(self, reel: Reel) -> None:
        """Raises Fenced, StorageError."""
        old = self._checkpoints.checkpoint
        covered = (old.watermark, old.ahead, old.scan_after) if old is not None else ("", (), "")
        coverage = Coverage(covered[0], covered[1], 0, reel.frame_count, covered[2])
        plan = self._checkpoints.prepare(
            reel, (), coverage=coverage, last_is_open=False, derive_playlists=True, ends_lease=True
        )
        self._derived.before_commit(self._checkpoints.last_reel, plan)
        self._checkpoints.compare_and_swap(plan)
        self._derived.after_commit(plan)

    def _derive(self, prepared: PreparedVideo) -> None:
        self._derived.update(self._checkpoints.checkpoint, prepared, latest=prepared.latest or None, force=True)

    def _is_in_stream(self, reel: Reel) -> bool:
        """Whether the stored checkpoint, or a reel before it, is this reel. Raises StorageError, CheckpointCorrupt."""
        self._checkpoints.load()
        reels = reels_from(self._store, self._keys, self._checkpoints.last_reel)
        return next((found == reel for found in reels if found.name == reel.name), False)


def _is_this(checkpoint: Checkpoint, prepared: PreparedVideo) -> bool:
    """Whether the stream is this video and nothing else."""
    reel = checkpoint.reel
    if reel is None or prepared.init_segment is None or checkpoint.frame_count != reel.frame_count:
        return False
    stored = [(one.first, one.count, one.crc32) for one in reel.segments]
    wanted = [(one.first, one.count, one.crc32) for one in prepared.segments]
    return bool(stored) and reel.init_sha256 == prepared.init_segment.sha256 and stored == wanted
