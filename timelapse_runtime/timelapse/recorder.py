"""From photos in order to commits: the reorder window, the encoder, and the steps of a commit.

Owns the reorder window (decoded photos that wait for others to overtake them) and the video writer. It keeps the steps
of a commit in order, and tells each part its result: cut → checkpoint → tracker → writer → derived objects. Knows
nothing of events, listings or late photos.
"""

from __future__ import annotations

import bisect
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

from timelapse_runtime.runtime.clock import Clock
from timelapse_runtime.runtime.state.errors import Fenced, ObjectNotFound
from timelapse_runtime.timelapse.catalog import Catalog
from timelapse_runtime.timelapse.checkpoint_store import CheckpointStore
from timelapse_runtime.timelapse.commit_plan import CommitPlan
from timelapse_runtime.timelapse.config import Config
from timelapse_runtime.timelapse.day_pictures import DayPictures
from timelapse_runtime.timelapse.derived import Derived
from timelapse_runtime.timelapse.errors import EncoderTooSlow, SegmentCorrupt
from timelapse_runtime.timelapse.ingest import Photo
from timelapse_runtime.timelapse.left_out_notes import LeftOutNotes
from timelapse_runtime.timelapse.model.checkpoint import Reel, Segment
from timelapse_runtime.timelapse.model.frame_tracker import FrameTracker
from timelapse_runtime.timelapse.model.keys import key_order
from timelapse_runtime.timelapse.model.source_frame import Role, SourceFrame
from timelapse_runtime.timelapse.model.video_size import Size
from timelapse_runtime.timelapse.stream_log import StreamLog
from timelapse_runtime.timelapse.time_left import TimeLeft
from timelapse_runtime.timelapse.video.codec import Codec
from timelapse_runtime.timelapse.writer import Cut, VideoWriter

_log = logging.getLogger(__name__)

_PICTURES_MS = 1_000
"""What the pictures of the day need at a shutdown, at least. Without an extension there are 300 ms in Lambda; the next
instance decodes what they lack."""


@dataclass(slots=True)
class Counts:
    """What happened in a stream since it was opened here."""

    appended: int = 0
    duplicates: int = 0
    rejected: int = 0
    overwritten: int = 0
    late: int = 0
    flushes: int = 0
    bytes_written: int = 0


class Recorder:
    """Records one stream. It tells `tracker` what becomes of the frames, and counts what it does in `counts`."""

    def __init__(
        self,
        name: str,
        config: Config,
        codec: Codec,
        catalog: Catalog,
        tracker: FrameTracker,
        checkpoints: CheckpointStore,
        derived: Derived,
        counts: Counts,
        clock: Clock,
        left_out: LeftOutNotes,
        pictures: DayPictures,
        *,
        low_delay: bool = False,
    ) -> None:
        self._left_out = left_out
        self._reorder_window, self._order = config.reorder_window, config.order
        self._catalog = catalog
        self._tracker, self._checkpoints, self._derived, self._counts = tracker, checkpoints, derived, counts
        self._pictures = pictures
        self._writer = VideoWriter(name, config, codec, low_delay=low_delay, pictures=pictures)
        self._clock, self._flush_after_ms = clock, config.flush_after_seconds * 1_000
        self._waiting_since_ms: int | None = None
        self._uncommitted: list[tuple[int, int]] = []
        """The frames that are not committed yet, by number and upload time."""
        self._window: list[Photo] = []
        self._log = StreamLog(_log, name)

    @property
    def newest_uploaded_epoch_ms(self) -> int:
        """When the photo of the newest frame was uploaded; 0 if there is none."""
        return self._writer.newest_uploaded_epoch_ms

    @property
    def oldest_waiting_epoch_ms(self) -> int:
        """When the oldest photo was uploaded that is encoded and not committed; 0 if there is none."""
        return min((uploaded for _, uploaded in self._uncommitted), default=0)

    @property
    def video_size(self) -> Size | None:
        """That of the reel that is being written here."""
        return self._writer.video_size

    def discard_uncommitted(self) -> None:
        """The video ends with the checkpoint again."""
        self._tracker.discard_uncommitted()
        last = self._checkpoints.last_reel
        is_same_order = last is not None and last.order == self._order
        self._writer.discard_uncommitted(last, last.highest_key if last and is_same_order else self._tracker.watermark)
        self._pictures.discard_uncommitted(last)
        self._left_out.next_frame = last.frame_count if last and not last.is_closed else 0
        self._window, self._waiting_since_ms, self._uncommitted = [], None, []

    def resume(self, reel: Reel) -> Sequence[SourceFrame]:
        """Continue after the last segment of the open `reel`, and return the photos in it, in order.

        Raises StorageError, SegmentCorrupt.
        """
        return self._writer.resume(reel, *self._catalog.read_last_segment(reel))

    def end_reel(self, reel: Reel, segments: Sequence[Segment]) -> None:
        """End the open `reel` with these of its segments, of which none is new. Raises StorageError, Fenced."""
        self._send(self._plan(Cut(), replace(reel, segments=tuple(segments), is_closed=True)))
        self._end_reel()

    def restate(self) -> None:
        """Commit what the tracker says, in the configured order, and end the open reel. Raises StorageError, Fenced."""
        reel = self._checkpoints.open_reel
        self._send(self._plan(Cut(), replace(reel, is_closed=True) if reel else None, force=True))
        self._end_reel()

    # ---- encode

    def append(self, photo: Photo) -> None:
        """Put the photo into the reorder window, in key order, and encode what leaves it.

        Raises EncoderFailed, and StorageError or Fenced if a reel ends.
        """
        bisect.insort(self._window, photo, key=lambda pending: key_order(pending.source.key))
        self._tracker.pending(photo.source.key)
        while len(self._window) > self._reorder_window:
            self._encode_oldest()

    def begins_reel(self, source: SourceFrame) -> bool:
        """Whether the photo would be the first frame of a reel."""
        is_none_open = self._checkpoints.open_reel is None and not self._writer.is_writing
        return is_none_open or self._needs_new_reel(source)

    def must_commit_before(self, source: SourceFrame) -> bool:
        """Whether the photo begins a reel or an encoder."""
        return self._writer.is_drained or self._needs_new_reel(source) or self._is_unfit

    @property
    def is_commit_due(self) -> bool:
        """Whether this photo, and not the next one, is nearest to the time that a frame may wait; or whether it begins
        a reel of a slow camera."""
        if self._waiting_since_ms is None:
            return False
        waiting_ms = self._clock.now_epoch_ms() - self._waiting_since_ms
        is_first = self._checkpoints.open_reel is None and not self._writer.looks_ahead
        return is_first or waiting_ms + self._writer.step_ms // 2 > self._flush_after_ms

    @property
    def holds_frames(self) -> bool:
        """Whether there are frames that only a drain commits now."""
        return bool(self._window) or self._writer.holds_frames

    @property
    def _is_unfit(self) -> bool:
        return self._writer.is_too_slow and self._checkpoints.open_reel is None

    def require_fitting_encoder(self, *, is_idle: bool = False) -> None:
        """Raises EncoderTooSlow if none of the reel is committed, and its encoder looks ahead too far for the camera's
        pace, or holds all frames of a stream that `is_idle`."""
        is_waiting = is_idle and self._checkpoints.open_reel is None and self._writer.looks_ahead and self.holds_frames
        if self._is_unfit or is_waiting:
            raise EncoderTooSlow("the camera is slow: its frames would stay inside an encoder that looks ahead")

    def _needs_new_reel(self, source: SourceFrame) -> bool:
        """Whether the open reel must end before the photo."""
        return self._checkpoints.is_reel_full or self._writer.needs_new_reel(source, self._checkpoints.open_reel)

    def _encode_oldest(self) -> None:
        self.encode(self._window[0])
        self._window.pop(0)

    def encode(self, photo: Photo) -> None:
        """Encode one frame, past the window, in a new reel or with a new encoder if needed. Raises as `append` does."""
        source = photo.source
        self.require_fitting_encoder()
        if self._writer.lacks_newest:
            self._resume_again()
        picture = photo.picture or self._writer.repeated_picture(self._checkpoints.open_reel)
        if picture is None:  # there is no frame to repeat
            self._tracker.rejected(source.position)
            return
        if self._needs_new_reel(source):
            self.commit(drain=True, close=True)
        elif self._writer.is_drained:
            self._commit()
        number = self._writer.append(source, picture, self._checkpoints.open_reel)
        if source.role is Role.OUT_OF_ORDER:
            self._tracker.late_encoded(source.position, number)
        else:
            self._tracker.encoded(source.position, number, is_repeated=source.role is Role.STAND_IN)
        self._left_out.next_frame = self._writer.frame_count or 0
        self._counts.appended += 1
        self._uncommitted.append((number, source.uploaded_epoch_ms))
        if self._waiting_since_ms is None:
            self._waiting_since_ms = self._clock.now_epoch_ms()

    def _resume_again(self) -> None:
        """Frames were discarded. If the last segment is not there, or not right, the stream is opened again."""
        reel = self._checkpoints.open_reel
        assert reel is not None
        try:
            self.resume(reel)
        except (ObjectNotFound, SegmentCorrupt) as error:
            raise Fenced(f"reel {reel.name}: its last segment is gone, or damaged") from error

    # ---- commit

    def flush(self, *, drain: bool = False, close: bool = False, force: bool = False) -> None:
        """As `commit`; a drain empties the reorder window first, and ends the lease: nothing is in memory then that
        another environment would have to do again."""
        while (drain or close) and self._window:
            self._encode_oldest()
        self.commit(drain=drain or close, close=close, force=force, ends_lease=drain or close)

    def commit_early(self) -> None:
        """As `commit`, but of the derived objects only the playlists: the requests for each photo of a slow camera are
        not to be many."""
        self._commit()
        self._pictures.write()
        self._derived.update(self._checkpoints.checkpoint, {}, latest=None, force=False, playlists_only=True)

    def commit(
        self, *, drain: bool = False, close: bool = False, force: bool = False, ends_lease: bool = False
    ) -> None:
        """Commit what the encoder has completed, and bring the derived objects up to it.

        With `drain`, all frames in the encoder, which ends the segment; with `close`, the reel ends as well. `force`
        commits even if nothing changed. Raises StorageError, Fenced, EncoderFailed.
        """
        self._commit(drain=drain, close=close, force=force, ends_lease=ends_lease)
        self._tracker.flushed()
        cached, latest = self._writer.release_segments(), self._writer.thumbnail()
        self._pictures.write()
        self._derived.update(self._checkpoints.checkpoint, cached, latest=latest, force=drain or close)

    def _commit(
        self, *, drain: bool = False, close: bool = False, force: bool = False, ends_lease: bool = False
    ) -> None:
        cut, reel = self._writer.cut(drain=drain), self._checkpoints.open_reel
        if reel is not None and not cut.fits(reel):
            self._log.warning("the encoder's parameter sets changed: a new reel begins", extra={"reel": reel.name})
            self._send(self._plan(Cut(), replace(reel, is_closed=True)))
            reel = None
        if reel is None and cut.start is not None and cut.segments:
            reel = cut.start.reel_after(self._checkpoints.last_reel)
            reel = self._checkpoints.create_reel(reel, cut.start.init_segment.body)
        reel = replace(reel, is_closed=True) if reel and close else reel
        self._send(self._plan(cut, reel, force=force, ends_lease=ends_lease))
        if close:
            self._end_reel()

    def _end_reel(self) -> None:
        self._writer.end_reel()
        self._pictures.end_reel()
        self._left_out.next_frame = 0

    def _plan(
        self,
        cut: Cut,
        reel: Reel | None,
        *,
        force: bool = False,
        init_segment: bytes | None = None,
        ends_lease: bool = False,
    ) -> CommitPlan | None:
        """The commit that adds `cut` to `reel`, or None if it would say nothing new. Marked closed, the reel ends."""
        coverage = self._tracker.coverage(cut.frame_count)
        last_is_open = reel is not None and cut.has_open_segment and not reel.is_closed
        is_ending = reel is not None and (reel.is_closed or (reel.last_is_open and not last_is_open))
        if not (cut.segments or is_ending or force or not self._tracker.is_committed(coverage)):
            return None
        return self._checkpoints.prepare(
            self._left_out.planned(reel),
            cut.segments,
            coverage=coverage,
            last_is_open=last_is_open,
            init_segment=init_segment,
            derive_playlists=self._derived.playlists_are_behind,
            ends_lease=ends_lease,
        )

    def _send(self, plan: CommitPlan | None) -> None:
        """Commit. Raises StorageError, Fenced."""
        if plan is None:
            return
        self._derived.before_commit(self._checkpoints.last_reel, plan)
        coverage = self._checkpoints.compare_and_swap(plan)
        self._left_out.committed()
        self._tracker.committed(coverage)
        self._writer.committed(coverage.frame_count)
        self._pictures.committed(coverage.frame_count, plan.checkpoint.reel)
        self._counts.flushes += 1
        self._counts.bytes_written += sum(len(put.body) for put in plan.puts())
        self._uncommitted = [one for one in self._uncommitted if one[0] >= coverage.frame_count]
        self._waiting_since_ms = None
        self._derived.after_commit(plan)

    # ---- shutdown

    def prepare_shutdown(self, time_left: TimeLeft, *, drain: bool) -> CommitPlan | None:
        """The commit that saves what is complete, without any request; with `drain`, what there is time for is made
        complete first. None if there is nothing to save, or no safe way.

        Send it by `commit_shutdown`, or leave it to another process (`as_outbox_job`). Frames that are not in it are
        found by the next open.
        """
        last, reel = self._checkpoints.last_reel, self._checkpoints.open_reel
        begins_reel = last is not None and last.is_closed and (self._writer.is_writing or bool(self._window))
        if last is not None and begins_reel and not self._derived.is_finished(last):
            return None
        while drain and self._window and time_left.is_enough:
            if self.must_commit_before(self._window[0].source):
                break
            self._encode_oldest()
        cut = self._writer.cut(drain=drain and self._writer.holds_frames, time_left=time_left)
        init_segment = None
        if not cut.fits(reel):
            return None
        if reel is None and cut.start is not None and cut.segments:
            reel, init_segment = cut.start.reel_after(last), cut.start.init_segment.body
        return self._plan(cut, reel, init_segment=init_segment, ends_lease=True)

    def as_outbox_job(self, plan: CommitPlan) -> CommitPlan:
        """The plan as another process may send it, later."""
        return self._derived.with_known_conditions(plan, is_first_reel=self._checkpoints.last_reel is None)

    def commit_shutdown(self, plan: CommitPlan, time_left: TimeLeft) -> None:
        """Send the plan from here. Raises StorageError, Fenced."""
        self._send(plan)
        if time_left.ms >= _PICTURES_MS:
            self._pictures.write(at_once=True)
