"""One camera's film, open in memory: append, flush, sweep, and what to leave behind at a shutdown.

Invariants, whatever call fails and wherever it is cut off:
- the checkpoint in S3 is the truth; what is here is a cache of it plus work that is not committed yet;
- a frame enters the encoder in key order, and once; one that turns up below an encoded but uncommitted frame
  makes the uncommitted work be dropped and done again in order (`_rewind`);
- the watermark of a commit never passes a frame that no listing has shown (`state/ledger.py`).
So an instance may be killed at any point, and dropping this object is always right: another one opened on the
same stream finds every photo after the checkpoint in S3.

Order of a flush: listing → frames that it shows and nobody announced → segments → checkpoint (the commit) → what
is derived.
"""

from __future__ import annotations

import bisect
import logging
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from timelapse_runtime.runtime.clock import Clock
from timelapse_runtime.runtime.function import Deadline
from timelapse_runtime.timelapse.catalog import is_in_film, last_key_before, photos_after
from timelapse_runtime.timelapse.checkpoint_store import Committer, PreparedCommit
from timelapse_runtime.timelapse.commit_plan import init_put, plan_commit, segment_key
from timelapse_runtime.timelapse.config import Config
from timelapse_runtime.timelapse.errors import DeadlineTooClose, FrameRejected, ObjectNotFound, SegmentCorrupt
from timelapse_runtime.timelapse.ingest import Intake, Photo
from timelapse_runtime.timelapse.model.checkpoint import Reel, key_order
from timelapse_runtime.timelapse.model.frame_tracker import FrameTracker, Place
from timelapse_runtime.timelapse.model.keys import StreamKeys
from timelapse_runtime.timelapse.read_ahead import Begin, in_thread, with_following
from timelapse_runtime.timelapse.reconcile import Recount
from timelapse_runtime.timelapse.storage.contract import Store
from timelapse_runtime.timelapse.tail import Tail
from timelapse_runtime.timelapse.video.boxes import Role, SourceFrame
from timelapse_runtime.timelapse.writer import FilmWriter

_log = logging.getLogger(__name__)

_RESERVE_MS = 2_000
"""Catching up stops when less is left of the invocation: a flush takes some hundred milliseconds."""


@dataclass(slots=True)
class Counts:
    """What happened in this stream since it was opened here."""

    appended: int = 0
    duplicates: int = 0
    rejected: int = 0
    flushes: int = 0


class _ParametersChanged(Exception):
    """The encoder's parameter sets are not those of the reel: a new reel is needed. Never leaves this module."""


class Stream:
    """See the module. `prefix` is what the stream's keys begin with in the frames bucket."""

    def __init__(
        self,
        name: str,
        prefix: str,
        config: Config,
        frames: Store,
        video: Store,
        clock: Clock,
        begin_read: Begin = in_thread,
    ) -> None:
        self.name = name
        self.counts = Counts()
        keys = StreamKeys(f"{config.video.prefix}{name}/")
        self._config, self._frames, self._video, self._clock, self._prefix = config, frames, video, clock, prefix
        self._committer = Committer(video, keys)
        self._intake = Intake(config, frames, video, keys, prefix, clock, begin_read)
        self._recount = Recount(frames, video, keys, prefix)
        self._film = FilmWriter(name, config)
        self._tracker = FrameTracker()
        self._window: list[Photo] = []
        self._is_caught_up = False

    @property
    def tail(self) -> Tail:
        """The film's last decoded frames."""
        return self._film.tail

    @property
    def frames_in_video(self) -> int:
        """Frames that are committed."""
        checkpoint = self._committer.checkpoint
        return checkpoint.frame_count if checkpoint else 0

    # ---- open

    def open(self) -> None:
        """Read the checkpoint, and prove that the last segment decodes to what it claims.

        Raises StorageError, CheckpointCorrupt.
        """
        while True:
            checkpoint = self._committer.load()
            self._tracker = FrameTracker(checkpoint.watermark, checkpoint.ahead) if checkpoint else FrameTracker()
            self._forget_uncommitted()
            reel = self._committer.open_reel
            if reel is None or not reel.segments:
                return
            try:
                self._read_tail(reel)
            except (ObjectNotFound, SegmentCorrupt) as error:
                if self._committer.is_current():
                    self._give_up_last_segment(reel, error)
                    return
                # else another instance flushed meanwhile, and removed the segment that it replaced
            else:
                return

    def _read_tail(self, reel: Reel) -> None:
        body = self._video.get(segment_key(self._committer.keys, reel, reel.segments[-1])).body
        init_segment = self._video.get(self._committer.keys.init(reel.name)).body
        self._tracker.remember(self._film.read_tail(reel, init_segment, body))

    def _give_up_last_segment(self, reel: Reel, error: Exception) -> None:
        """Record the frames of a lost segment as rejected, end the reel before it, go on in a new one."""
        last, kept = reel.segments[-1], reel.segments[:-1]
        segment = segment_key(self._committer.keys, reel, last)
        what = {"stream": self.name, "segment": segment, "first": last.first, "count": last.count}
        _log.error("stored segment is damaged: its reel ends before it, a new one begins", extra=what, exc_info=error)
        before = kept[-1].last_key if kept else last_key_before(self._video, self._committer.keys, reel)
        rejection = FrameRejected("segment-damaged", f"{segment}: {error}")
        for key, info in photos_after(self._frames, self._prefix, before):
            if key_order(key) > key_order(last.last_key):
                break
            self._intake.reject(key, info.etag, rejection)
            self.counts.rejected += 1
        self._commit(replace(reel, segments=kept), close=True)

    # ---- append

    def append(self, keys: Iterable[str], *, relist: bool, deadline: Deadline) -> None:
        """Take the frames `keys` (relative to the prefix) into the film; with `relist`, those of a listing too.

        They are in the encoder when this returns, and in S3 after some later flush. Raises StorageError, Fenced,
        EncoderFailed, and DeadlineTooClose when there was more to catch up with than time.
        """
        news = [key for key in sorted(set(keys), key=key_order) if not self._is_known(key)]
        self._with_new_reel_if_needed(lambda: self._append(news, relist, deadline))

    def _append(self, news: list[str], relist: bool, deadline: Deadline) -> None:
        if relist or not self._is_caught_up:
            self._catch_up(deadline)
        for key, following in with_following(news):
            self._append_hinted(key, following, deadline)
        self._append_late(deadline)
        if self._tracker.since_flush >= self._config.flush_every:
            self._flush(deadline)

    def _with_new_reel_if_needed(self, action: Callable[[], None]) -> None:
        """Run `action`; where the encoder turns out not to fit the reel, end the reel and run it again."""
        self._intake.forget_ahead()
        try:
            action()
        except _ParametersChanged:
            _log.warning("the encoder's parameter sets changed: a new reel begins", extra={"stream": self.name})
            self._rewind("they are encoded for the new reel")
            self._commit(self._committer.open_reel, close=True)
            action()

    def _is_known(self, key: str) -> bool:
        is_known = self._tracker.is_known(key)
        self.counts.duplicates += is_known
        return is_known

    def _append_hinted(self, key: str, following: str | None, deadline: Deadline) -> None:
        if self._tracker.place(key) is Place.OVERTAKEN:
            self._rewind(f"{key} arrived after frames that follow it")
            self._catch_up(deadline)
        if self._tracker.is_known(key):
            return  # catching up has found it, and may have committed it
        if self._tracker.place(key) is Place.LATE:
            self._judge_late(key)
        else:
            self._take(key, following)

    def _judge_late(self, key: str) -> None:
        if is_in_film(self._video, self._committer.keys, self._committer.last_reel, key):
            self.counts.duplicates += 1
        else:
            self._intake.reject(key, None, FrameRejected("late", "frames that follow it are in the film already"))
            self.counts.rejected += 1
            self._tracker.late(key)
        self._tracker.remember([key])

    def _append_late(self, deadline: Deadline) -> None:
        """By policy, put late frames at the film's end. Their records stay until that is committed: a crash in
        between leaves them rejected, until somebody asks to try those again."""
        late = self._tracker.take_late()
        if late and self._config.late == "append":
            self._append_rejected(late, deadline)

    def retry_rejected(self, deadline: Deadline, *, reason: str | None) -> None:
        """Try the rejected frames (of one reason, or all) again; what can be used now goes to the film's end.

        Also removes the records of frames that are in the film: a crash may have left them.
        """
        self._with_new_reel_if_needed(lambda: self._retry_rejected(deadline, reason))

    def _retry_rejected(self, deadline: Deadline, reason: str | None) -> None:
        rejections = self._intake.rejections()
        # A photo that was mended after its rejection may still come in order: then it must be seen in the film below.
        self._flush(deadline, drain=True)
        in_film, again = [], []
        for key, why in rejections:
            if is_in_film(self._video, self._committer.keys, self._committer.last_reel, key, but_stand_ins=True):
                in_film.append(key)
            elif reason in (None, why):
                again.append(key)
        self._intake.forget_rejections(in_film)
        self._append_rejected(again, deadline)

    def _append_rejected(self, keys: list[str], deadline: Deadline) -> None:
        settled_to = key_order(self._tracker.committed_key)  # above this one, frames still come in order
        self._catch_up(deadline)  # what it finds out of order would drop the frames that are appended now
        for key in [key for key in keys if key_order(key) <= settled_to]:
            photo = None if key in self._tracker.late_in_encoder else self._intake.take_again(key)
            if photo is not None:
                self._encode(photo)
        if self._tracker.late_in_encoder:
            self._flush(deadline, drain=True)
        # Only what a commit holds: a record is the last that is known of a frame.
        self._intake.forget_rejections(self._tracker.take_committed_late())

    def _catch_up(self, deadline: Deadline) -> None:
        """Take every frame that a listing shows after the watermark, in order, flushing on the way."""
        while not self._take_listed(deadline):
            self._rewind("a listing shows a frame before some that are encoded")
        self._is_caught_up = True

    def _catch_up_below(self, deadline: Deadline, *, all_reels: bool) -> None:
        """Catch up, with photos below the watermark too."""
        self._catch_up(deadline)
        found = self._recount.unaccounted(
            self._committer.checkpoint, all_reels=all_reels, go_on=lambda: self._has_time(deadline)
        )
        for key in found:
            self._judge_late(key)
        self._append_late(deadline)

    def _take_listed(self, deadline: Deadline) -> bool:
        """One listing. False: a frame lies below one that is encoded, and what is not committed must be redone."""
        self._tracker.listing_begins()
        photos = photos_after(self._frames, self._prefix, self._tracker.watermark)
        for position, (key, following) in enumerate(with_following(key for key, _ in photos)):
            if position and not self._has_time(deadline):
                done = f"caught up to {self._tracker.last_encoded_key}; the next invocation goes on from there"
                raise DeadlineTooClose(f"stream {self.name}: {done}")
            if key_order(key) <= key_order(self._tracker.watermark):
                continue  # committed since the listing began
            place = self._tracker.place(key)
            if place is Place.OVERTAKEN:
                return False
            if place is Place.LATE:
                self._judge_late(key)
                self._tracker.rejected(key)
            elif place is Place.NEXT:
                self._take(key, following)
            self._tracker.listed_to(key)
            if place is Place.NEXT and self._tracker.since_flush >= self._config.flush_every:
                self._commit_and_derive()
        return True

    def _has_time(self, deadline: Deadline) -> bool:
        return deadline.remaining_ms(self._clock.now_epoch_ms()) >= _RESERVE_MS

    def _take(self, key: str, following: str | None) -> None:
        """Take a frame that lies above all that are encoded, and, as a rule, `following` after it."""
        is_next = following is not None and not self._tracker.is_known(following)
        photo = self._intake.take(key, following if is_next else None)
        if photo is None:
            self.counts.rejected += 1
            if self._config.rejected == "skip":
                self._tracker.rejected(key)
                return
            photo = Photo(SourceFrame(key, self._clock.now_epoch_ms(), Role.STAND_IN), None)
        bisect.insort(self._window, photo, key=lambda held: key_order(held.source.key))
        self._tracker.pending(key)
        while len(self._window) > self._config.reorder_window:
            self._encode_oldest()

    def _encode_oldest(self) -> None:
        """Encode the first frame of the window, in a new reel or with a new encoder where that is needed."""
        self._encode(self._window[0])
        self._window.pop(0)

    def _encode(self, photo: Photo) -> None:
        """Encode one frame. One that repeats its neighbour needs one: without, it is only rejected."""
        if photo.picture is None:
            photo = replace(photo, picture=self._film.stand_in(self._committer.open_reel))
        if photo.picture is None:
            self._tracker.rejected(photo.source.key)
            return
        if self._film.needs_new_reel(photo, self._committer.open_reel):
            self._commit_and_derive(drain=True, close=True)
        if self._film.is_drained:
            self._commit(self._committer.open_reel)
            self._film.reel_writer = None
        number = self._film.append(photo, self._committer.open_reel)
        if photo.source.role is Role.OUT_OF_ORDER:
            self._tracker.late_encoded(photo.source.key, number)
        else:
            self._tracker.encoded(photo.source.key, number, is_repeated=photo.source.role is Role.STAND_IN)
        self.counts.appended += 1

    # ---- flush and sweep

    def flush(self, deadline: Deadline, *, drain: bool = False, close: bool = False, force: bool = False) -> None:
        """Commit what is complete; with `drain`, all frames, which ends the segment; with `close`, the reel as well.

        `force` commits even when nothing changed. Raises as `append` does.
        """
        self._with_new_reel_if_needed(lambda: self._flush(deadline, drain=drain, close=close, force=force))

    def _flush(self, deadline: Deadline, *, drain: bool = False, close: bool = False, force: bool = False) -> None:
        self._catch_up(deadline)
        drain = drain or close
        while drain and self._window:
            self._encode_oldest()
        self._commit_and_derive(drain=drain, close=close, force=force)

    def sweep(self, deadline: Deadline, *, drain: bool, close: bool, all_reels: bool) -> None:
        """Finish what is unfinished: frames that no event announced, frames that wait in the encoder of a stream
        that has been still, derived objects that are behind, segments that no checkpoint names."""
        orphans = self._committer.orphans(all_reels=all_reels)
        self._with_new_reel_if_needed(lambda: self._catch_up_below(deadline, all_reels=all_reels))
        is_still = self._clock.now_epoch_ms() - self._film.newest_epoch_ms >= self._config.flush_after_seconds * 1000
        # Whoever wrote an orphan can still commit it, until this commit fences it.
        self.flush(deadline, drain=drain or is_still, close=close, force=bool(orphans))
        self._committer.delete(orphans)

    def _commit_and_derive(self, *, drain: bool = False, close: bool = False, force: bool = False) -> None:
        self._commit(self._committer.open_reel, drain=drain, close=close, force=force)
        self._committer.derived(force=drain or close, bodies=self._film.segment_body, latest=self._film.thumbnail())
        if self._film.reel_writer is not None:
            self._film.reel_writer.forget_closed()

    def _commit(self, reel: Reel | None, *, drain: bool = False, close: bool = False, force: bool = False) -> None:
        prepared = self._prepare(reel, drain=drain, close=close, force=force, claim=True)
        if prepared is not None:
            self._committer.commit(prepared.plan)
            self._settle(prepared)
        self._tracker.flushed()

    def _settle(self, prepared: PreparedCommit) -> None:
        self._tracker.committed(prepared.coverage)
        if self._film.reel_writer is not None:
            self._film.reel_writer.committed()
        if prepared.ends_reel:
            self._film.end_reel()
        self.counts.flushes += 1

    def _prepare(
        self,
        reel: Reel | None,
        *,
        drain: bool = False,
        go_on: Callable[[], bool] = lambda: True,
        close: bool = False,
        force: bool = False,
        claim: bool = False,
    ) -> PreparedCommit | None:
        """The commit of what is complete, or None when it would say nothing new.

        A new reel's init segment is written here when `claim`, else it is part of the answer.
        """
        writer, init = self._film.reel_writer, None
        if writer is not None:
            writer.cut(drain=drain, go_on=go_on)
        drafts = writer.drafts() if writer else []
        if writer is not None and writer.init_segment is not None and drafts:
            if reel is None:
                reel = self._film.new_reel(self._committer.last_reel)
                if claim:
                    reel = self._committer.claim_reel(reel, writer.init_segment)
                else:
                    init = init_put(self._committer.keys, reel, writer.init_segment)
            elif reel.init_sha256 != writer.init_sha256:
                raise _ParametersChanged
        coverage = self._tracker.coverage(writer.cut_number if writer else 0)
        last_is_open = bool(reel and writer and writer.has_open_segment) and not close
        is_closing = reel is not None and (close or (reel.last_is_open and not last_is_open))
        if not (drafts or is_closing or force or not self._tracker.is_committed(coverage)):
            return None
        plan = plan_commit(
            self._committer.keys,
            self._committer.base,
            replace(reel, is_closed=True) if reel and close else reel,
            drafts,
            source=f"s3://{self._frames.bucket}/{self._prefix}",
            last_is_open=last_is_open,
            coverage=coverage,
            attempt=secrets.token_hex(6),
            derive_playlists=self._committer.derived_are_behind,
        )
        return PreparedCommit(plan, coverage, init, ends_reel=close)

    # ---- shutdown

    def prepare_shutdown(self, *, drain: bool, go_on: Callable[[], bool]) -> PreparedCommit | None:
        """The commit that saves what is complete, without any call to S3; with `drain`, what `go_on` leaves time
        for is made complete first. It may be sent by `commit_shutdown`, or by somebody else when this process has
        gone; frames that are not in it are found by the next open."""
        last = self._committer.last_reel
        begins_reel = last is not None and last.is_closed and bool(self._film.reel_writer or self._window)
        if last is not None and begins_reel and not self._committer.is_finished(last):
            return None
        try:
            reel = self._committer.open_reel
            while drain and self._window and go_on() and not self._film.needs_new_reel(self._window[0], reel):
                if self._film.is_drained:
                    break
                self._encode_oldest()
            return self._prepare(reel, drain=drain, go_on=go_on)
        except _ParametersChanged:
            return None

    def for_others(self, prepared: PreparedCommit) -> PreparedCommit:
        """The prepared commit as somebody else may send it, later."""
        return self._committer.for_others(prepared)

    def commit_shutdown(self, prepared: PreparedCommit) -> None:
        """Send it from here. Raises StorageError, Fenced."""
        if prepared.init is not None:
            self._committer.send_init(prepared.init)
        self._committer.commit(prepared.plan)
        self._settle(prepared)

    # ---- memory

    def _rewind(self, reason: str) -> None:
        """Drop the uncommitted frames; catching up takes them again, in order."""
        _log.info("uncommitted frames are taken again", extra={"stream": self.name, "reason": reason})
        self._film.tail.clear()
        self._forget_uncommitted()

    def _forget_uncommitted(self) -> None:
        self._tracker.discard_uncommitted()
        self._film.forget_uncommitted(self._committer.open_reel)
        self._window = []
        self._is_caught_up = False
