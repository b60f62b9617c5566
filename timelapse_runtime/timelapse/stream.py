"""One camera's video, open in memory: append, flush, sweep, and what to leave behind at a shutdown.

This module is the order of work only. What is known belongs to the parts: the frames to the tracker, the encoder and
the commits to the recorder, the checkpoint to its store, the derived objects to `Derived`.

Invariants, whichever call fails and wherever it is interrupted:
- the checkpoint in S3 is the truth; what is here is a cache of it plus work that is not committed yet;
- a frame enters the encoder in key order, and once; if one turns up below an encoded but uncommitted frame, the
  uncommitted work is discarded and done again in order (`_discard_uncommitted`);
- the watermark of a commit never passes a frame that no listing has shown.
So an instance may be killed at any point, and dropping this object is always right: another one opened on the same
stream finds every photo after the checkpoint in S3.

Order of a flush: listing → frames that it shows and no event announced → segments → checkpoint (the commit) → derived
objects.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from concurrent.futures import Executor

from timelapse_runtime.runtime.clock import Clock
from timelapse_runtime.timelapse.catalog import Catalog
from timelapse_runtime.timelapse.checkpoint_store import CheckpointStore
from timelapse_runtime.timelapse.commit_plan import CommitPlan
from timelapse_runtime.timelapse.config import Config
from timelapse_runtime.timelapse.derived import Derived
from timelapse_runtime.timelapse.errors import DeadlineTooClose, FrameRejected, ObjectNotFound, SegmentCorrupt
from timelapse_runtime.timelapse.ingest import Ingest, Prefetch, with_next
from timelapse_runtime.timelapse.model.checkpoint import Checkpoint, Reel, key_order
from timelapse_runtime.timelapse.model.frame_tracker import FrameTracker, Place
from timelapse_runtime.timelapse.model.keys import StreamKeys
from timelapse_runtime.timelapse.model.video_size import Size
from timelapse_runtime.timelapse.reconcile import Reconciler
from timelapse_runtime.timelapse.recorder import Counts, Recorder
from timelapse_runtime.timelapse.storage.contract import Store
from timelapse_runtime.timelapse.stream_log import StreamLog
from timelapse_runtime.timelapse.time_left import TimeLeft
from timelapse_runtime.timelapse.video.codec import Codec

_log = logging.getLogger(__name__)


class Stream:
    """See the module. `prefix` is what the photos' keys begin with in the frames bucket."""

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
    ) -> None:
        self.name = name
        self.counts = Counts()
        self._config, self._clock = config, clock
        keys = StreamKeys(f"{config.video.prefix}{name}/")
        self._catalog = Catalog(frames, video, keys, prefix, config.include)
        self._checkpoints = CheckpointStore(name, video, keys, self._catalog.source)
        self._derived = Derived(name, video, keys, self._checkpoints.is_current)
        self._reconciler = Reconciler(name, video, keys, self._catalog)
        self._ingest = Ingest(name, config, frames, video, keys, prefix, self._catalog, clock, codec, executor)
        self._tracker = FrameTracker()
        self._recorder = Recorder(name, config, codec, self._tracker, self._checkpoints, self._derived, self.counts)
        self._is_caught_up = False
        self._log = StreamLog(_log, name)

    @property
    def checkpoint(self) -> Checkpoint | None:
        """The checkpoint as this instance knows it; None before the first commit."""
        return self._checkpoints.checkpoint

    @property
    def frames_in_video(self) -> int:
        """The number of committed frames."""
        return self.checkpoint.frame_count if self.checkpoint else 0

    @property
    def video_size(self) -> Size | None:
        """That of the newest reel; None if there is none yet."""
        reel = self._checkpoints.last_reel
        return self._recorder.video_size or ((reel.width, reel.height) if reel else None)

    # ---- open

    def open(self) -> None:
        """Read the checkpoint, and prove that the last segment decodes to what it claims.

        Raises StorageError, CheckpointCorrupt.
        """
        while True:
            checkpoint = self._checkpoints.load()
            self._tracker.resume(*((checkpoint.watermark, checkpoint.ahead) if checkpoint else ("", ())))
            self._recorder.discard_uncommitted()
            reel = self._checkpoints.open_reel
            if reel is None or not reel.segments:
                return
            try:
                self._recorder.resume(reel, *self._catalog.read_last_segment(reel))
            except (ObjectNotFound, SegmentCorrupt) as error:
                if self._checkpoints.is_current():
                    self._give_up_last_segment(reel, error)
                    return
                # else another instance flushed meanwhile, and removed the segment that it replaced
            else:
                return

    def _give_up_last_segment(self, reel: Reel, error: Exception) -> None:
        """Record the photos of a lost segment as rejected, and end the reel before it."""
        last, kept = reel.segments[-1], reel.segments[:-1]
        segment = self._catalog.segment_key(reel, last)
        fields = {"segment": segment, "first": last.first, "count": last.count}
        self._log.error("stored segment is damaged: its reel ends before it", extra=fields, exc_info=error)
        before = kept[-1].last_key if kept else self._catalog.last_key_before(reel)
        rejection = FrameRejected("segment-damaged", f"{segment}: {error}")
        for key, info in self._catalog.photos_after(before):
            if key_order(key) > key_order(last.last_key):
                break
            self._ingest.reject(key, info.etag, rejection)
            self.counts.rejected += 1
        self._recorder.end_reel(reel, kept)

    # ---- append

    def append(self, keys: Iterable[str], time_left: TimeLeft, *, relist: bool) -> None:
        """Take the photos `keys` (relative to the prefix) into the video; with `relist`, those of a listing too.

        They are in the encoder when this returns, and in S3 after some later flush. Raises StorageError, Fenced,
        EncoderFailed, and DeadlineTooClose if there was more to catch up with than time.
        """
        announced = [key for key in sorted(set(keys), key=key_order) if not self._is_duplicate(key)]
        if relist or not self._is_caught_up:
            self._catch_up(time_left)
        prefetch = self._ingest.prefetch()
        for key, next_key in with_next(announced):
            self._append_announced(key, next_key, prefetch, time_left)
        self._append_late(time_left)
        if self._tracker.since_flush >= self._config.flush_every:
            self.flush(time_left)

    def _is_duplicate(self, key: str) -> bool:
        is_known = self._tracker.is_known(key)
        self.counts.duplicates += is_known
        return is_known

    def _append_announced(self, key: str, next_key: str | None, prefetch: Prefetch, time_left: TimeLeft) -> None:
        if self._tracker.place(key) is Place.OVERTAKEN:
            self._discard_uncommitted(f"{key} arrived after frames that follow it")
            self._catch_up(time_left)
        if self._tracker.is_known(key):
            return  # catching up has found it, and may have committed it
        if self._tracker.place(key) is Place.LATE:
            self._settle_late(key)
        else:
            self._take(key, next_key, prefetch)

    def _catch_up(self, time_left: TimeLeft) -> None:
        """Take every photo that a listing shows after the watermark, in order, flushing on the way."""
        while not self._take_listed(time_left):
            self._discard_uncommitted("a listing shows a photo before some that are encoded")
        self._is_caught_up = True

    def _take_listed(self, time_left: TimeLeft) -> bool:
        """One listing. False: a photo lies below one that is encoded, and what is not committed must be redone."""
        self._tracker.listing_begins()
        prefetch = self._ingest.prefetch()
        photos = self._catalog.photos_after(self._tracker.watermark)
        for position, (key, next_key) in enumerate(with_next(key for key, _ in photos)):
            if position and not time_left.is_enough:
                done = f"caught up to {self._tracker.last_encoded_key}; the next invocation continues from there"
                raise DeadlineTooClose(f"stream {self.name}: {done}")
            if key_order(key) <= key_order(self._tracker.watermark):
                continue  # committed since the listing began
            place = self._tracker.place(key)
            if place is Place.OVERTAKEN:
                return False
            if place is Place.LATE:
                self._settle_late(key)
                self._tracker.rejected(key)
            elif place is Place.NEXT:
                self._take(key, next_key, prefetch)
            self._tracker.listed_to(key)
            if place is Place.NEXT and self._tracker.since_flush >= self._config.flush_every:
                self._recorder.commit()
        return True

    def _take(self, key: str, next_key: str | None, prefetch: Prefetch) -> None:
        """Read the photo of the next frame in order, and put it into the reorder window. `next_key` mostly follows."""
        is_next_wanted = next_key is not None and not self._tracker.is_known(next_key)
        photo = self._ingest.read(key, prefetch, next_key if is_next_wanted else None)
        if photo is None:
            self.counts.rejected += 1
            if self._config.rejected == "skip":
                self._tracker.rejected(key)
                return
            photo = self._ingest.repeated(key)
        self._recorder.append(photo)

    # ---- late and rejected photos

    def _settle_late(self, key: str) -> None:
        """Count the late photo as a duplicate if the video has it, else write its record."""
        if self._catalog.is_in_video(self._checkpoints.last_reel, key):
            self.counts.duplicates += 1
        else:
            self._ingest.reject(key, None, FrameRejected("late", "frames that follow it are in the video already"))
            self.counts.rejected += 1
            self._tracker.late(key)
        self._tracker.remember([key])

    def _append_late(self, time_left: TimeLeft) -> None:
        """By policy, append late photos at the video's end. Their records stay until that is committed: a crash in
        between leaves them rejected, until they are retried."""
        late = self._tracker.take_late()
        if late and self._config.late == "append":
            self._append_rejected(late, time_left)

    def retry_rejected(self, time_left: TimeLeft, *, reason: str | None) -> None:
        """Try the rejected photos (of one reason, or all) again; those that can be used now go to the video's end.

        Also removes the records of photos that are in the video: a crash may have left them. Raises as `append` does.
        """
        rejections = self._ingest.rejections()
        # A photo that was fixed after its rejection may still come in order: then it must be seen in the video below.
        self.flush(time_left, drain=True)
        in_video, again = [], []
        for key, why in rejections:
            if self._catalog.is_in_video(self._checkpoints.last_reel, key, as_itself=True):
                in_video.append(key)
            elif reason in (None, why):
                again.append(key)
        self._ingest.forget_rejections(in_video)
        self._append_rejected(again, time_left)

    def _append_rejected(self, keys: list[str], time_left: TimeLeft) -> None:
        settled_to = key_order(self._tracker.committed_key)  # above this one, frames still come in order
        self._catch_up(time_left)  # if it finds an overtaken photo, it discards the frames that are appended now
        for key in [key for key in keys if key_order(key) <= settled_to]:
            photo = None if key in self._tracker.late_in_encoder else self._ingest.read_late(key)
            if photo is not None:
                self._recorder.encode(photo)
        if self._tracker.late_in_encoder:
            self.flush(time_left, drain=True)
        # Only what a commit holds: a record is the last that is known of a photo.
        self._ingest.forget_rejections(self._tracker.take_committed_late())

    # ---- flush and sweep

    def flush(self, time_left: TimeLeft, *, drain: bool = False, close: bool = False, force: bool = False) -> None:
        """Commit what is complete; with `drain`, all frames, which ends the segment; with `close`, the reel as well.

        `force` commits even if nothing changed. Raises as `append` does.
        """
        self._catch_up(time_left)
        self._recorder.flush(drain=drain, close=close, force=force)

    def sweep(self, time_left: TimeLeft, *, drain: bool, close: bool, all_reels: bool) -> None:
        """Finish what is unfinished: photos that no event announced, frames that wait in the encoder of an idle
        stream, derived objects that are behind, objects that no checkpoint names. Raises as `append` does."""
        orphans = self._reconciler.orphans(self.checkpoint, all_reels=all_reels)
        self._catch_up(time_left)
        for key in self._reconciler.unaccounted(self.checkpoint, time_left, all_reels=all_reels):
            self._settle_late(key)
        self._append_late(time_left)
        is_idle = self._clock.now_epoch_ms() - self._recorder.newest_epoch_ms >= self._config.flush_after_seconds * 1000
        # The instance that wrote an orphan can still commit it, until this commit fences it.
        self.flush(time_left, drain=drain or is_idle, close=close, force=bool(orphans))
        self._derived.remove(orphans)

    # ---- shutdown

    def prepare_shutdown(self, time_left: TimeLeft, *, drain: bool) -> CommitPlan | None:
        """See Recorder."""
        return self._recorder.prepare_shutdown(time_left, drain=drain)

    def as_outbox_job(self, plan: CommitPlan) -> CommitPlan:
        """See Recorder."""
        return self._recorder.as_outbox_job(plan)

    def commit_shutdown(self, plan: CommitPlan) -> None:
        """See Recorder."""
        self._recorder.commit_shutdown(plan)

    # ---- memory

    def _discard_uncommitted(self, reason: str) -> None:
        """Catching up takes the discarded frames again, in order."""
        self._log.info("discarding uncommitted frames; they will be encoded again in order", extra={"reason": reason})
        self._recorder.discard_uncommitted()
        self._is_caught_up = False
