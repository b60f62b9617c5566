"""One camera's video, open in memory: append, flush, sweep, and what to leave behind at a shutdown.

This module is the order of work only. What is known belongs to the parts: the frames to the tracker, the encoder and
the commits to the recorder, the order of the photos to the intake, the checkpoint to its store, the derived objects to
`Derived`.

Invariants, whichever call fails and wherever it is interrupted:
- the checkpoint in S3 is the truth; what is here is a cache of it plus work that is not committed yet;
- a photo enters the encoder once, in the order that the intake decides;
- the watermark of a commit never passes a frame that no listing has shown.
So an instance may be killed at any point, and dropping this object is always right: another one opened on the same
stream finds every photo after the checkpoint in S3.

Order of a flush: listing → frames that it shows and no event announced → segments → checkpoint (the commit) → derived
objects.
"""

from __future__ import annotations

import itertools
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import replace

from timelapse_runtime.runtime.clock import Clock
from timelapse_runtime.runtime.state.contract import Store
from timelapse_runtime.runtime.state.errors import ObjectNotFound
from timelapse_runtime.timelapse.arrival_intake import ArrivalIntake
from timelapse_runtime.timelapse.catalog import Catalog
from timelapse_runtime.timelapse.checkpoint_store import CheckpointStore
from timelapse_runtime.timelapse.commit_plan import CommitPlan
from timelapse_runtime.timelapse.config import Config
from timelapse_runtime.timelapse.day_pictures import DayPictures
from timelapse_runtime.timelapse.derived import Derived
from timelapse_runtime.timelapse.errors import FrameRejected, SegmentCorrupt
from timelapse_runtime.timelapse.ingest import Ingest
from timelapse_runtime.timelapse.intake import Intake, PhotoHint
from timelapse_runtime.timelapse.kept_photos import KeptPhotos
from timelapse_runtime.timelapse.left_out_notes import LeftOutNotes
from timelapse_runtime.timelapse.metrics import StreamState
from timelapse_runtime.timelapse.model.arrival_tracker import ArrivalTracker
from timelapse_runtime.timelapse.model.checkpoint import ARRIVAL_ORDER, Checkpoint, Reel
from timelapse_runtime.timelapse.model.frame_tracker import Coverage, FrameTracker
from timelapse_runtime.timelapse.model.keys import StreamKeys, key_order
from timelapse_runtime.timelapse.model.lease import lease_duration_ms
from timelapse_runtime.timelapse.model.order_change import in_other_order
from timelapse_runtime.timelapse.model.photo_filter import FOLDER
from timelapse_runtime.timelapse.model.source_frame import SourceFrame, photo_at, photo_of
from timelapse_runtime.timelapse.model.video_size import Size
from timelapse_runtime.timelapse.name_intake import NameIntake
from timelapse_runtime.timelapse.photo_reader import ReadElsewhere
from timelapse_runtime.timelapse.reconcile import Leftovers, Reconciler
from timelapse_runtime.timelapse.recorder import Counts, Recorder
from timelapse_runtime.timelapse.rejection_records import RejectionRecords
from timelapse_runtime.timelapse.segment_removal import SegmentRemoval
from timelapse_runtime.timelapse.stream_log import StreamLog
from timelapse_runtime.timelapse.time_left import TimeLeft
from timelapse_runtime.timelapse.video.codec import Codec

_log = logging.getLogger(__name__)

_LEFTOVERS_EVERY_MS = 3_600_000


class Stream:
    """See the module. `prefix` is what the photos' keys begin with in the frames bucket. `checkpoints` has loaded the
    checkpoint. `low_delay`: see VideoWriter; `elsewhere`: see Ingest."""

    def __init__(
        self,
        name: str,
        prefix: str,
        config: Config,
        frames: Store,
        video: Store,
        clock: Clock,
        codec: Codec,
        executor: Executor,
        checkpoints: CheckpointStore,
        *,
        low_delay: bool = False,
        elsewhere: ReadElsewhere | None = None,
    ) -> None:
        self.name = name
        self.counts = Counts()
        self.config, self._clock = config, clock
        keys = StreamKeys(f"{config.video.prefix}{name}/")
        self._catalog = Catalog(frames, video, keys, prefix, config.include, config.order)
        self._checkpoints = checkpoints
        checkpoints.write_with(lease_ms=lease_duration_ms(config.flush_after_seconds), settings=config.settings)
        self._left_out = LeftOutNotes(clock)
        self._records = RejectionRecords(name, video, keys, prefix, clock, self._left_out, self._checkpoints.is_current)
        reading = self._catalog, self._records, clock, codec, executor, elsewhere
        self._ingest = Ingest(name, config, frames, prefix, *reading)
        self._reconciler = Reconciler(name, video, keys, self._catalog, self._records, config.order)
        self._tracker = ArrivalTracker() if config.order == ARRIVAL_ORDER else FrameTracker()
        where = codec, video, keys, clock, self._checkpoints.is_current
        self._pictures = DayPictures(name, config.day_pictures, *where)
        self._derived = Derived(name, video, keys, self._checkpoints.is_current, clock, self._pictures.stored_kinds)
        owned = self._catalog, self._tracker, self._checkpoints, self._derived, self.counts
        self._recorder = Recorder(
            name, config, codec, *owned, clock, self._left_out, self._pictures, low_delay=low_delay
        )
        self._kept = KeptPhotos(video, keys)
        self._removal = SegmentRemoval(name, video, keys, clock, config.keep_segments)
        self._intake = self._make_intake()
        self._lost: list[str] = []
        self._looked_for_leftovers_ms = 0
        self._log = StreamLog(_log, name)

    def _make_intake(self) -> Intake:
        parts = self._catalog, self._ingest, self._records, self._recorder, self._checkpoints, self.counts
        if isinstance(self._tracker, ArrivalTracker):
            return ArrivalIntake(self.name, self.config, self._tracker, *parts, self._kept, self._clock)
        return NameIntake(self.name, self.config, self._tracker, *parts)

    @property
    def checkpoint(self) -> Checkpoint | None:
        """The checkpoint as this instance knows it; None before the first commit."""
        return self._checkpoints.checkpoint

    @property
    def frames_in_video(self) -> int:
        """The number of committed frames."""
        return self.checkpoint.frame_count if self.checkpoint else 0

    def take_rejected_reasons(self) -> Counter[str]:
        """How many photos were rejected since the last call, by reason."""
        return self._records.take_written()

    def note_ignored(self, counts_by_reason: Mapping[str, int]) -> None:
        """So many objects below the stream's prefix are not photos: the next commit says it, but of folders."""
        for reason, count in counts_by_reason.items():
            if reason != FOLDER:
                self._left_out.ignored(reason, count)

    @property
    def state(self) -> StreamState:
        """What metrics report of it."""
        newest = max(self._recorder.newest_uploaded_epoch_ms, self._ingest.newest_uploaded_epoch_ms)
        reel = self._checkpoints.last_reel
        if reel is not None and reel.order == ARRIVAL_ORDER and reel.highest_key:
            newest = max(newest, photo_at(reel.highest_key).uploaded_epoch_ms)
        return StreamState(newest, self._recorder.oldest_waiting_epoch_ms, self.frames_in_video)

    @property
    def is_at_rest(self) -> bool:
        """Whether nothing waits for a sweep, as far as this instance knows: no photo has come for as long as a frame
        may wait, all frames are committed, and the derived objects are up to date."""
        idle_ms = self._clock.now_epoch_ms() - self.state.newest_photo_epoch_ms
        is_behind = self._derived.playlists_are_behind or self._pictures.are_behind
        unfinished = self._recorder.holds_frames or is_behind or self._lost
        return idle_ms >= 1_000 * self.config.flush_after_seconds and not (
            unfinished or self._checkpoints.may_have_orphans
        )

    @property
    def video_size(self) -> Size | None:
        """That of the newest reel; None if there is none yet."""
        reel = self._checkpoints.last_reel
        return self._recorder.video_size or ((reel.width, reel.height) if reel else None)

    # ---- open

    def open(self, *, claims: bool = False) -> bool:
        """Prove that the last segment decodes to what the checkpoint claims. `claims`: become the owner before.

        False if another instance has committed since the checkpoint was loaded, and removed the segment: this object is
        of no use then. Raises StorageError, CheckpointCorrupt, Fenced.
        """
        checkpoint = self.checkpoint
        is_same_order = checkpoint is None or checkpoint.order == self.config.order
        if claims and is_same_order:  # another order is stated by a commit of its own, below
            checkpoint = self._checkpoints.claim()
        coverage = self._coverage_of(checkpoint)
        self._tracker.resume(coverage.watermark, coverage.committed_ahead, coverage.scan_after)
        self._recorder.discard_uncommitted()
        reel, sources = self._checkpoints.open_reel, list[SourceFrame]()
        if checkpoint is not None and checkpoint.order != self.config.order:
            self._log.warning("TIMELAPSE_ORDER was changed: a new reel begins", extra={"was": checkpoint.order})
            self._recorder.restate()
            self._intake.resume((), lists_all=True)
            return True
        try:
            if reel is not None and reel.segments:
                sources += self._recorder.resume(reel)
        except (ObjectNotFound, SegmentCorrupt) as error:
            if not self._checkpoints.is_current():
                return False
            assert reel is not None
            self._give_up_last_segment(reel, error)
        self._intake.resume(sources, lists_all=False)
        return True

    def _coverage_of(self, checkpoint: Checkpoint | None) -> Coverage:
        """What the checkpoint covers, in terms of the configured order."""
        if checkpoint is None:
            return Coverage("", (), 0, 0)
        if checkpoint.order == self.config.order:
            return Coverage(checkpoint.watermark, checkpoint.ahead, 0, 0, checkpoint.scan_after)
        listed = (photo_of(key, info) for key, info in self._catalog.listed_after())
        return in_other_order(checkpoint, self._checkpoints.loaded_epoch_ms, listed)

    def _give_up_last_segment(self, reel: Reel, error: Exception) -> None:
        """End the reel before a lost segment. Its photos become frames again, if the order of names does not forbid it:
        then they are rejected."""
        last, kept = reel.segments[-1], reel.segments[:-1]
        segment = self._catalog.segment_key(reel, last)
        fields = {"segment": segment, "first": last.first, "count": last.count}
        self._log.error("stored segment is damaged: its reel ends before it", extra=fields, exc_info=error)
        before = kept[-1].last_key if kept else self._catalog.last_key_before(reel)
        if reel.order == ARRIVAL_ORDER:
            # The photos are still there: they become frames again.
            found = (position for position, _ in self._catalog.photos_after(before))
            in_reach = itertools.takewhile(lambda one: key_order(one) <= key_order(last.last_key), found)
            self._lost = [*last.out_of_order, *in_reach]
            self._recorder.end_reel(reel, kept)
            return
        rejection = FrameRejected("segment-damaged", f"{segment}: {error}")
        for key, info in self._catalog.photos_after(before):
            if key_order(key) > key_order(last.last_key):
                break
            self._records.add(key, info.etag, rejection)
            self.counts.rejected += 1
        self._recorder.end_reel(reel, kept)

    # ---- append

    def append(self, hints: Sequence[PhotoHint], time_left: TimeLeft, *, relist: bool) -> None:
        """Take the photos that `hints` announce into the video; with `relist`, those of a listing too.

        They are in memory when this returns, and in S3 after some later flush. Raises StorageError, Fenced,
        EncoderFailed, and DeadlineTooClose if there was more to catch up with than time.
        """
        hints = [hint for hint in hints if self._is_photo(hint.key)]
        if hints:
            self._checkpoints.claim()  # it may have been opened by a sweep
        self._pictures.begin(time_left)
        self._take_lost(time_left)
        self._intake.append(hints, time_left, relist=relist)
        self._recorder.require_fitting_encoder()
        if self._tracker.since_flush >= self.config.flush_every:
            self.flush(time_left)
        elif self._recorder.is_commit_due:
            self._intake.prepare_early_commit(time_left)
            self._recorder.commit_early()
            self._intake.flushed()

    def _is_photo(self, key: str) -> bool:
        """Whether the stream's own settings take the object for a photo: who routed its event may not know them."""
        reason = self.config.include.why_ignored(key)
        if reason is not None:
            self.note_ignored({reason: 1})
        return reason is None

    def _take_lost(self, time_left: TimeLeft) -> None:
        lost, self._lost = self._lost, []
        if lost:
            self._intake.take_unaccounted(lost, time_left)

    def retry_rejected(self, time_left: TimeLeft, *, reason: str | None) -> None:
        """See Intake."""
        self._intake.retry_rejected(time_left, reason=reason)

    def new_photos(self) -> list[SourceFrame]:
        """See Intake."""
        return self._intake.new_photos()

    # ---- flush and sweep

    def flush(self, time_left: TimeLeft, *, drain: bool = False, close: bool = False, force: bool = False) -> None:
        """Commit what is complete; with `drain`, all frames, which ends the segment; with `close`, the reel as well.

        `force` commits even if nothing changed. Raises as `append` does.
        """
        self._intake.catch_up(time_left)
        self._flush_listed(time_left, drain=drain, close=close, force=force)

    def end_segment(self, time_left: TimeLeft) -> None:
        """Commit all frames that are here, which ends the segment. Photos that nothing announced here are taken before
        only if the order would suffer else: they are to begin the next segment. Raises as `append` does."""
        self._intake.prepare_early_commit(time_left)
        self._flush_listed(time_left, drain=True, close=False, force=False)

    def _flush_listed(self, time_left: TimeLeft, *, drain: bool, close: bool, force: bool) -> None:
        """Flush after a listing."""
        if drain or close:
            self._intake.release(time_left)
        self._recorder.flush(drain=drain, close=close, force=force)
        self._intake.flushed()
        self._pictures.catch_up(time_left)

    def sweep(self, time_left: TimeLeft, *, drain: bool, close: bool, all_reels: bool) -> None:
        """Finish what is unfinished: photos that no event announced, frames that wait in the encoder of an idle
        stream, derived objects that are behind, objects that no checkpoint names. Raises as `append` does."""
        left = self._leftovers(all_reels=all_reels)
        self._intake.catch_up(time_left, holds=not (drain or close))
        unaccounted = self._reconciler.unaccounted(self.checkpoint, time_left, all_reels=all_reels)
        self._take_lost(time_left)
        self._intake.take_unaccounted(unaccounted, time_left)
        idle_ms = self._clock.now_epoch_ms() - self._recorder.newest_uploaded_epoch_ms
        is_idle = idle_ms >= 1_000 * self.config.flush_after_seconds
        if is_idle:
            self._intake.release(time_left)
        self._recorder.require_fitting_encoder(is_idle=is_idle)
        drain = drain or (is_idle and self._recorder.holds_frames)
        # The instance that wrote an orphan can still commit it, until this commit fences it.
        self._flush_listed(time_left, drain=drain, close=close, force=bool(left.orphans))
        if not self._derived.playlists_are_behind:  # or one of them may still name these
            self._derived.remove([*left.orphans, *left.replaced])
            self._checkpoints.may_have_orphans = False
            self._removal.step(self.checkpoint, time_left, all_reels=all_reels)
        self._pictures.catch_up(time_left, None)

    def _leftovers(self, *, all_reels: bool) -> Leftovers:
        """What may be removed. Looked for if there may be orphans, and once an hour for what was replaced."""
        now_epoch_ms = self._clock.now_epoch_ms()
        is_due = now_epoch_ms - self._looked_for_leftovers_ms >= _LEFTOVERS_EVERY_MS
        if not (self._checkpoints.may_have_orphans or all_reels or is_due):
            return Leftovers()
        self._looked_for_leftovers_ms = now_epoch_ms
        parts = self._checkpoints.orphaned_parts() if self._checkpoints.may_have_orphans or all_reels else ()
        left = self._reconciler.leftovers(self.checkpoint, now_epoch_ms, all_reels=all_reels)
        return replace(left, orphans=(*left.orphans, *parts))

    # ---- shutdown

    def prepare_shutdown(self, time_left: TimeLeft, *, drain: bool) -> CommitPlan | None:
        """See Recorder."""
        if drain:
            self._intake.release_at_shutdown(time_left)
        return self._recorder.prepare_shutdown(time_left, drain=drain)

    def as_outbox_job(self, plan: CommitPlan) -> CommitPlan:
        """See Recorder."""
        return self._recorder.as_outbox_job(plan)

    def commit_shutdown(self, plan: CommitPlan, time_left: TimeLeft) -> None:
        """See Recorder."""
        self._recorder.commit_shutdown(plan, time_left)
