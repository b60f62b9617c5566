"""Copies of the commit protocol with one bug each. The enumeration has to catch every one of them, or it proves
nothing: a check of the end alone would not see half of these.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from tests.recovery.fake_media import FakeFilters
from tests.recovery.races import ADOPT_MEETINGS, CLOSE_MEETINGS, MEETINGS, OWNER_MEETINGS
from tests.recovery.scenarios import SCENARIOS, SMALL, Scenario, run_scenario, singles
from timelapse_runtime.adopt import adoption
from timelapse_runtime.adopt.adoption import Adoption
from timelapse_runtime.runtime.state.checkpoint import StoredCheckpoint
from timelapse_runtime.runtime.state.errors import Fenced, PreconditionFailed, StorageUnavailable
from timelapse_runtime.runtime.state.put import Put
from timelapse_runtime.timelapse import (
    Timelapse,
    arrangement,
    checkpoint_store,
    commit_plan,
    editions,
    known_settings,
    segment_removal,
    video_file,
    waiting_photos,
)
from timelapse_runtime.timelapse.arrival_intake import ArrivalIntake
from timelapse_runtime.timelapse.checkpoint_store import CheckpointStore
from timelapse_runtime.timelapse.commit_plan import CommitPlan
from timelapse_runtime.timelapse.config import Config
from timelapse_runtime.timelapse.derived import Derived, PlaylistWriter
from timelapse_runtime.timelapse.editions import Editions
from timelapse_runtime.timelapse.frozen_photos import FrozenPhotos
from timelapse_runtime.timelapse.intake import PhotoHint
from timelapse_runtime.timelapse.known_settings import KnownSettings
from timelapse_runtime.timelapse.model import checkpoint, lease, playlist, segment_versions, source_frame
from timelapse_runtime.timelapse.model.arrival_tracker import ArrivalTracker
from timelapse_runtime.timelapse.model.backlog_order import is_backlog
from timelapse_runtime.timelapse.model.checkpoint import Checkpoint, Reel
from timelapse_runtime.timelapse.model.frame_tracker import Coverage, FrameState, FrameTracker, Place
from timelapse_runtime.timelapse.model.keys import segment_name
from timelapse_runtime.timelapse.model.photo_order import natural_order
from timelapse_runtime.timelapse.model.reel_clock import ClockState, ReelClock
from timelapse_runtime.timelapse.model.source_frame import SourceFrame
from timelapse_runtime.timelapse.model.stored_editions import StoredEditions
from timelapse_runtime.timelapse.name_intake import NameIntake
from timelapse_runtime.timelapse.photo_reader import FetchedPhoto, PhotoRun
from timelapse_runtime.timelapse.ranges import range_reader
from timelapse_runtime.timelapse.ranges.encoded_range import Look
from timelapse_runtime.timelapse.ranges.pictures import PictureElsewhere
from timelapse_runtime.timelapse.ranges.range_codec import JoiningEncoder
from timelapse_runtime.timelapse.reconcile import Reconciler
from timelapse_runtime.timelapse.reel_pictures import ReelPictures
from timelapse_runtime.timelapse.reel_writer import ReelWriter
from timelapse_runtime.timelapse.rejection_records import RejectionRecords
from timelapse_runtime.timelapse.remaking import Remaking
from timelapse_runtime.timelapse.segment_removal import SegmentRemoval
from timelapse_runtime.timelapse.stream import Stream
from timelapse_runtime.timelapse.sweep_pauses import SweepPauses
from timelapse_runtime.timelapse.video import boxes
from timelapse_runtime.timelapse.video.encode import EncodedFrame, EncoderSettings
from timelapse_runtime.timelapse.video.sample_table import SampleTable
from timelapse_runtime.timelapse.waiting_frames import WaitingFrames
from timelapse_runtime.timelapse.writer import VideoWriter

# The product's own functions, as they are before a bug takes their place.
_plan_commit, _compare_and_swap = commit_plan.plan_commit, CheckpointStore.compare_and_swap
_orphaned_parts = CheckpointStore.orphaned_parts
_before_commit, _finish = Derived.before_commit, Derived._finish
_announce = ArrivalIntake._announce
_claim, _checkpoint_put, _lease_of_other = CheckpointStore.claim, commit_plan.checkpoint_put, lease.lease_of_other
_discard_uncommitted, _begin_filters = VideoWriter.discard_uncommitted, VideoWriter._begin_filters
_store_adopted, _commit_adopted = Adoption._store_reel, Adoption._commit
_show_edition = Editions.show
_load_picture, _commit_waiting, _find_dead = ReelPictures._loaded, WaitingFrames.committed, StoredEditions.dead
_read_settings = KnownSettings.read
_clock_state = ReelClock.state
_add_fragment, _hand_over = ReelWriter._add_fragment, SegmentRemoval._hand_over
_coverage, _sweep, _append_announced = FrameTracker.coverage, Stream.sweep, NameIntake._append_announced


def _no_if_match(*args: Any, **kwargs: Any) -> CommitPlan:
    plan = _plan_commit(*args, **kwargs)
    return replace(plan, commit=replace(plan.commit, condition=None))


def _filters_kept(self: VideoWriter, last: Reel | None, highest: str = "") -> None:
    kept = self._filters
    _discard_uncommitted(self, last, highest)
    self._filters = kept


def _begin_filters_unless_kept(self: VideoWriter, settings: EncoderSettings, reel: Reel | None) -> None:
    if self._filters is None or reel is None:
        _begin_filters(self, settings, reel)


def _newest_filter_state_added(self: ReelWriter, frames: Sequence[EncodedFrame]) -> None:
    self._filter_states = dict.fromkeys(self._filter_states, self._filter_states[max(self._filter_states)])
    _add_fragment(self, frames)


def _newest_clock_state(self: ReelClock, number: int, *, delay: int) -> ClockState:
    del number
    return _clock_state(self, max(self._times), delay=delay)


def _checkpoint_before_segments(self: CheckpointStore, plan: CommitPlan) -> Coverage:
    coverage = _compare_and_swap(self, replace(plan, segments=()))
    for put in plan.segments:
        put.send(self._store)
    return coverage


def _checkpoint_before_its_part(self: CheckpointStore, plan: CommitPlan) -> Coverage:
    coverage = _compare_and_swap(self, replace(plan, ahead_part=None))
    if plan.ahead_part is not None:
        plan.ahead_part.send(self._store)
    return coverage


def _parts_removed_before_the_commit(self: CheckpointStore, plan: CommitPlan) -> Coverage:
    self._remove_parts(self.checkpoint, plan.checkpoint)
    return _compare_and_swap(self, plan)


def _orphaned_parts_removed_at_once(self: CheckpointStore) -> list[str]:
    if found := _orphaned_parts(self):
        self._store.delete(found)
    return []


def _watermark_past_the_unlisted(self: FrameTracker, frame_count: int) -> Coverage:
    coverage = _coverage(self, frame_count)
    return (
        replace(coverage, watermark=coverage.committed_ahead[-1], committed_ahead=())
        if coverage.committed_ahead
        else coverage
    )


def _ahead_not_written(self: FrameTracker, frame_count: int) -> Coverage:
    return replace(_coverage(self, frame_count), committed_ahead=())


def _watermark_past_the_pending(self: FrameTracker, frame_count: int) -> Coverage:
    coverage = _coverage(self, frame_count)
    pending = [frame.key for frame in self._frames if frame.state is FrameState.PENDING]
    return replace(coverage, watermark=max([coverage.watermark, *pending]), committed_ahead=())


def _name_without_attempt(first: int, count: int, _attempt: str) -> str:
    return segment_name(first, count, "000000000000")


def _segments_overwritten(*args: Any, **kwargs: Any) -> CommitPlan:
    plan = _plan_commit(*args, **kwargs)
    return replace(plan, segments=tuple(replace(put, condition=None) for put in plan.segments))


@contextmanager
def _segment_names_reused() -> Iterator[None]:
    with (
        patch.object(commit_plan, "segment_name", _name_without_attempt),
        patch.object(playlist, "segment_name", _name_without_attempt),
        _plans(_segments_overwritten),
    ):
        yield


def _own_412_taken_for_a_conflict(self: CheckpointStore, checkpoint: Checkpoint, put: Put) -> None:
    try:
        self._stored._etag = put.send(self._store)
        self._checkpoint = checkpoint
    except (PreconditionFailed, StorageUnavailable) as error:
        # ... and so its segments are removed as orphans.
        if (reel := checkpoint.reel) is not None and reel.segments:
            added = [one for one in reel.segments if one.attempt == reel.segments[-1].attempt]
            self._store.delete([commit_plan.segment_key(self._keys, reel, one) for one in added])
        raise Fenced("another instance committed first") from error


def _any_412_taken_for_success(self: StoredCheckpoint, put: Put) -> None:
    try:
        self._etag = put.send(self._store)
    except (PreconditionFailed, StorageUnavailable):
        stored = self._read()
        assert stored is not None
        self._etag = stored.info.etag


def _lost_answer_taken_for_failure(self: StoredCheckpoint, put: Put) -> None:
    """The attempt's id is not compared: the next commit builds on whatever is stored under another ETag."""
    try:
        self._etag = put.send(self._store)
    except StorageUnavailable:
        stored = self._read()
        self._etag = stored.info.etag if self._etag and stored else self._etag
        raise


def _orphans_deleted_before_the_commit(self: Stream, time_left: Any, **how: bool) -> None:
    left = self._reconciler.leftovers(self.checkpoint, self._clock.now_epoch_ms(), all_reels=how["all_reels"])
    self._derived.remove(left.orphans)
    _sweep(self, time_left, **how)


def _replaced_deleted_before_the_commit(self: CheckpointStore, plan: CommitPlan) -> Coverage:
    before, after = self.last_reel, plan.checkpoint.reel
    if before is not None and after is not None and before.name == after.name:
        replaced = set(before.segments) - set(after.segments)
        self._store.delete([commit_plan.segment_key(self._keys, before, one) for one in replaced])
    return _compare_and_swap(self, plan)


def _taken_again_after_discarding(
    self: NameIntake, key: str, next_key: str | None, prefetch: PhotoRun, time_left: Any
) -> None:
    if self._tracker.place(key) is Place.OVERTAKEN:
        self._discard_uncommitted("as it was before the enumeration found it")
        self.catch_up(time_left)
        if self._tracker.place(key) is not Place.TRACKED:
            self._take(SourceFrame(key, 0), next_key, prefetch)
        return
    _append_announced(self, key, next_key, prefetch, time_left)


def _ranges_before_video(self: Derived, reel: Any, cached: Any) -> None:
    if not self.is_finished(reel):
        ranges = playlist.ranges_playlist(reel, reel.init_size_bytes)
        self._playlists.write([commit_plan.playlist_put(self._keys.ranges(reel.name), ranges)])
    _finish(self, reel, cached)


def _empty_playlist(_reel: Any) -> bytes:
    return b"#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:6\n#EXT-X-MEDIA-SEQUENCE:0\n"


def _index_before_it_has_a_segment(reel: Any) -> bytes:
    return playlist.index_playlist(reel) or _empty_playlist(reel)


def _empty_playlists() -> AbstractContextManager[Any]:
    return patch.object(commit_plan, "index_playlist", _index_before_it_has_a_segment)


class _ForgetfulTable(SampleTable):
    """Does not add what is new to the tables that were stored."""

    def append(self, fragments: bytes) -> None:
        if self.frame_count:
            self.media_size_bytes += len(fragments)
        else:
            super().append(fragments)


def _playlists_without_condition(self: PlaylistWriter, put: Put) -> None:
    put.send(self._store)


def _manifest_left_out(self: Derived, last: Any, plan: CommitPlan) -> None:
    """The next reel is committed before the closed one is finished."""
    self._finished = last
    _before_commit(self, last, plan)


def _key_alone(key: str, _etag: str) -> str:
    return f"- {key}"


def _all_kept_done(self: ArrivalIntake) -> list[str]:
    return list(self._kept.positions())


def _wait_untracked(self: ArrivalIntake, waiting: Any) -> None:
    self._waiting.add(waiting)
    self._seen.add(waiting.source)


def _limits_past_the_backlog(self: ArrivalTracker, order: Sequence[SourceFrame]) -> list[str]:
    return [max([*self.beyond(), *(source.position for source in order), ""])] * (len(order) + 1)


def _unread_whatever_its_name(self: ArrivalIntake, _key: str, etag: str | None) -> bool:
    return self._share.reads_late and bool(etag)


def _removed_before_the_manifest_says_so(self: SegmentRemoval, reel: Reel, manifest: Any, time_left: Any) -> None:
    self._store.delete([info.key for info in self._store.list_after(self._keys.segments(reel.name))])
    _hand_over(self, reel, manifest, time_left)


def _by_name_alone(photos: Iterable[SourceFrame], _before: Sequence[SourceFrame] = ()) -> list[SourceFrame]:
    return sorted(photos, key=lambda photo: natural_order(photo.key))


def _content_as_announced(self: ArrivalIntake, hint: PhotoHint) -> SourceFrame | None:
    fetch = self._ingest.fetch

    def fetch_as_announced(key: str, version_id: str | None = None) -> FetchedPhoto:
        fetched = fetch(key, version_id)
        return replace(fetched, info=replace(fetched.info, etag=hint.etag or fetched.info.etag))

    with patch.object(self._ingest, "fetch", fetch_as_announced):
        return _announce(self, hint)


def _coverage_as_it_is(_self: Stream, checkpoint: Any) -> Coverage:
    if checkpoint is None:
        return Coverage("", (), 0, 0)
    return Coverage(checkpoint.watermark, checkpoint.ahead, 0, 0, checkpoint.scan_after)


def _picture_begun_again(self: ReelPictures, name: str, kind: Any) -> Any:
    """What is in the stored picture is not known: its frames are added again."""
    stored = _load_picture(self, name, kind)
    stored.canvas.frame_count = 0
    return stored


def _dead_but_pictures(self: StoredEditions) -> list[str]:
    return [key for key in _find_dead(self) if not key.endswith(".png")]


def _all_ready(self: WaitingFrames, number: int, frame_count: int) -> None:
    """Frames count for a picture once they are encoded."""
    _commit_waiting(self, number, frame_count)
    _commit_waiting(self, number + 100, frame_count + 100)


def _plans(replacement: Callable[..., CommitPlan]) -> AbstractContextManager[Any]:
    return patch.object(checkpoint_store, "plan_commit", replacement)


def _store(method: str, replacement: Callable[..., Any]) -> AbstractContextManager[Any]:
    return patch.object(CheckpointStore, method, replacement)


def _tracker(coverage: Callable[[FrameTracker, int], Coverage]) -> AbstractContextManager[Any]:
    return patch.object(FrameTracker, "coverage", coverage)


def _own_lease_believed(*args: Any, **kwargs: Any) -> CommitPlan:
    """An owner commits over whatever is stored, as long as it holds a lease."""
    plan, base = _plan_commit(*args, **kwargs), args[1]
    is_held = base is not None and base[0].owner == kwargs["owner"] and base[0].lease_ms > 0
    return replace(plan, commit=replace(plan.commit, condition=None)) if is_held else plan


def _claim_without_condition(self: CheckpointStore) -> Checkpoint:
    def put(*args: Any) -> Put:
        return replace(_checkpoint_put(*args), condition=None)

    with patch.object(checkpoint_store, "checkpoint_put", put):
        return _claim(self)


def _lease_that_never_ends(checkpoint: Checkpoint, own: str, **times: int) -> lease.Lease | None:
    is_held = checkpoint.lease_ms > 0
    return _lease_of_other(replace(checkpoint, lease_ms=10**12) if is_held else checkpoint, own, **times)


def _ended_lease_believed(checkpoint: Checkpoint, own: str, **times: int) -> lease.Lease | None:
    return _lease_of_other(replace(checkpoint, lease_ms=checkpoint.lease_ms or 75_000), own, **times)


def _continues_the_range(self: JoiningEncoder, picture: PictureElsewhere) -> bool:
    return picture.encoded is self._pictures[0].encoded


def _replaced_before_shown(self: Editions, made: Reel) -> Reel:
    old = self.find(made.name)
    self._store.delete([commit_plan.segment_key(self._keys, old, segment) for segment in old.segments])
    return _show_edition(self, made)


def _shown_with_the_old_numbers(self: Editions, made: Reel) -> Reel:
    def shown(reel: Reel) -> Reel:
        return replace(made, first_sequence=reel.first_sequence, discontinuity=reel.discontinuity)

    return self._change(made.name, shown)


def _removed_under_a_player(self: StoredEditions, _now_epoch_ms: int) -> list[str]:
    return self.dead()


def _the_same_edition(last: str, _unique: str) -> str:
    return last or "r0001-000000000000"


@contextmanager
def _adopted_before_its_objects() -> Iterator[None]:
    waiting = list[tuple[Put, Any]]()

    class Later(Put):
        def send(self, store: Any) -> str:
            waiting.append((self, store))
            return ""

    def commit(self: Adoption, reel: Reel) -> None:
        _commit_adopted(self, reel)
        while waiting:
            put, store = waiting.pop(0)
            Put.send(put, store)

    with patch.object(adoption, "Put", Later), patch.object(Adoption, "_commit", commit):
        yield


def _adopted_objects_stored_once(self: Adoption, *what: Any) -> Reel:
    """A sweep may have removed them as orphans."""
    known: Reel | None = self.__dict__.get("known")
    if known is None:
        known = self.__dict__["known"] = _store_adopted(self, *what)
    return known


def _settings_believed(self: KnownSettings, name: str, checkpoint: Checkpoint | None = None) -> Config:
    return self.recent(name) or _read_settings(self, name, checkpoint)


def _settings_changed_in_place(self: Timelapse, name: str, _time_left: Any) -> None:
    """The encoder that is open goes on with the new settings."""
    stream = self._streams.outdated(name)
    if stream is None or (config := self._streams.settings.recent(name)) is None:
        return
    writer = stream._recorder._writer
    stream.config = writer._config = config
    if (reel_writer := writer._reel_writer) is not None:
        encoder: Any = reel_writer._encoder
        encoder._settings = replace(encoder._settings, crf=config.crf)


MUTATIONS: Mapping[str, Callable[[], AbstractContextManager[Any]]] = {
    "no If-Match on the checkpoint": lambda: _plans(_no_if_match),
    "checkpoint before segments": lambda: _store("compare_and_swap", _checkpoint_before_segments),
    "checkpoint before its part": lambda: _store("compare_and_swap", _checkpoint_before_its_part),
    "part removed before the commit": lambda: _store("compare_and_swap", _parts_removed_before_the_commit),
    "orphaned part removed before the commit": lambda: _store("orphaned_parts", _orphaned_parts_removed_at_once),
    "part not read": lambda: patch.object(checkpoint, "_whole_ahead", lambda own, *_: own),
    "watermark past an unlisted frame": lambda: _tracker(_watermark_past_the_unlisted),
    "watermark past frames that wait": lambda: _tracker(_watermark_past_the_pending),
    "ahead not written": lambda: _tracker(_ahead_not_written),
    "segment names used again": _segment_names_reused,
    "own 412 taken for a conflict": lambda: _store("_swap", _own_412_taken_for_a_conflict),
    "412 taken for success": lambda: patch.object(StoredCheckpoint, "send", _any_412_taken_for_success),
    "unclear commit built upon": lambda: patch.object(StoredCheckpoint, "send", _lost_answer_taken_for_failure),
    "orphans deleted before the commit": lambda: patch.object(Stream, "sweep", _orphans_deleted_before_the_commit),
    "old segment deleted before the commit": lambda: _store("compare_and_swap", _replaced_deleted_before_the_commit),
    "frame taken again after discarding": lambda: patch.object(
        NameIntake, "_append_announced", _taken_again_after_discarding
    ),
    "replaced segment deleted under a viewer": lambda: patch.object(segment_versions, "REPLACED_KEPT_SECONDS", 0),
    "ranges before video on close": lambda: patch.object(Derived, "_finish", _ranges_before_video),
    "live playlist begins again with a reel": lambda: patch.object(commit_plan, "tail_before", lambda *_: ()),
    "empty playlists": _empty_playlists,
    "head of the video before": lambda: patch.object(video_file, "SampleTable", _ForgetfulTable),
    "playlists without condition": lambda: patch.object(PlaylistWriter, "_write", _playlists_without_condition),
    "closed reel not finished": lambda: patch.object(Derived, "before_commit", _manifest_left_out),
    "identity by key alone": lambda: patch.object(source_frame, "photo_identity", _key_alone),
    "listing does not move back": lambda: patch.object(
        ArrivalIntake, "_is_below_listings", property(lambda _self: False, lambda _self, _value: None), create=True
    ),
    "copies not kept": lambda: patch.object(ArrivalIntake, "_as_durable", lambda _self, waiting: waiting),
    "copies removed before the commit": lambda: patch.object(ArrivalIntake, "_kept_done", _all_kept_done),
    "watermark past photos that wait": lambda: patch.object(ArrivalIntake, "_wait", _wait_untracked),
    "watermark past a backlog": lambda: patch.object(ArrivalTracker, "limits", _limits_past_the_backlog),
    "covered taken for known": lambda: patch.object(ArrivalIntake, "_is_settled", lambda _self, _source: True),
    "record of other content taken for this one": lambda: patch.object(
        RejectionRecords, "names", lambda self, key, _etag: self.has(key)
    ),
    "rest of a bulk upload in the order of uploads": lambda: patch.object(
        arrangement, "is_backlog", lambda photos, _before: is_backlog(photos, ())
    ),
    "segments removed before the manifest says so": lambda: patch.object(
        SegmentRemoval, "_hand_over", _removed_before_the_manifest_says_so
    ),
    "segments removed under a player": lambda: patch.object(segment_removal, "VIEWED_SECONDS", 0),
    "unread whatever its name": lambda: patch.object(ArrivalIntake, "_may_wait_unread", _unread_whatever_its_name),
    "order of names alone": lambda: patch.object(waiting_photos, "arrange", _by_name_alone),
    "content taken for the announced one": lambda: patch.object(ArrivalIntake, "_announce", _content_as_announced),
    "checkpoint of the other order taken as it is": lambda: patch.object(Stream, "_coverage_of", _coverage_as_it_is),
    "a lease believed over a newer generation": lambda: _plans(_own_lease_believed),
    "a non-owner that commits": lambda: _store("claim", _claim_without_condition),
    "an owner that never expires": lambda: patch.object(checkpoint_store, "lease_of_other", _lease_that_never_ends),
    "left to an owner that is gone": lambda: patch.object(checkpoint_store, "lease_of_other", _ended_lease_believed),
    "filters that forget at a restart": lambda: patch.object(FakeFilters, "resume", lambda *_: None),
    "filters kept when frames are discarded": lambda: patch.multiple(
        VideoWriter, discard_uncommitted=_filters_kept, _begin_filters=_begin_filters_unless_kept
    ),
    "filters remember what is still in the encoder": lambda: patch.object(
        ReelWriter, "_add_fragment", _newest_filter_state_added
    ),
    "times of frames that begin again at a restart": lambda: patch.object(boxes, "checked_state", lambda _: None),
    "times of frames that are still in the encoder": lambda: patch.object(ReelClock, "state", _newest_clock_state),
    "segments too long in time": lambda: patch.object(ReelClock, "needs_keyframe", lambda *_: False),
    "a range that is older than its photo": lambda: patch.object(range_reader, "is_as_listed", lambda *_: True),
    "a range of other settings": lambda: patch.object(Look, "identity", property(lambda _self: ())),
    "packets of a group that lacks a photo": lambda: patch.object(JoiningEncoder, "_continues", _continues_the_range),
    "a pause that outlives a photo": lambda: patch.object(SweepPauses, "end", lambda *_: None),
    "replaced before the edition is shown": lambda: patch.object(Editions, "show", _replaced_before_shown),
    "an edition with the sequence numbers of the one before": lambda: patch.object(
        Editions, "show", _shown_with_the_old_numbers
    ),
    "an edition removed under a player": lambda: patch.object(StoredEditions, "replaced", _removed_under_a_player),
    "an edition in the place of the one before": lambda: patch.object(editions, "next_edition", _the_same_edition),
    "removed without a record": lambda: patch.object(Remaking, "_record", lambda *_: None),
    "adopted before its objects": _adopted_before_its_objects,
    "adopted objects stored once": lambda: patch.object(Adoption, "_store_reel", _adopted_objects_stored_once),
    "adopted behind photos": lambda: patch.object(Adoption, "_require_empty", lambda *_: None),
    "a hanging camera that is not known after a restart": lambda: patch.object(
        FrozenPhotos, "resume", lambda *_, **__: None
    ),
    "settings believed from memory after a take-over": lambda: patch.object(KnownSettings, "read", _settings_believed),
    "settings that are never read again": lambda: patch.object(known_settings, "READ_EVERY_MS", 10**12),
    "settings changed within a segment": lambda: patch.object(Timelapse, "_apply_settings", _settings_changed_in_place),
    "damaged settings taken for none": lambda: patch.object(
        KnownSettings, "_committed", lambda self, _checkpoint: self._config
    ),
    "frames added again to a picture": lambda: patch.object(ReelPictures, "_loaded", _picture_begun_again),
    "a picture of frames that are not committed": lambda: patch.object(WaitingFrames, "committed", _all_ready),
    "a removed photo in a picture": lambda: patch.object(StoredEditions, "dead", _dead_but_pictures),
    "sweep that does not reconcile": lambda: patch.object(Reconciler, "unaccounted", lambda *_, **__: iter(())),
}
"""By name: the function that seeds the bug."""
SHOWN_IN: Mapping[str, str] = {
    "closed reel not finished": "closes the reel (warm) / closes the reel",
    "checkpoint before its part": "arrival: bulk upload in parts",
    "part removed before the commit": "arrival: bulk upload in parts",
    "orphaned part removed before the commit": "parts: arrival: flushes (warm) / cleans up",
    "part not read": "arrival: bulk upload in parts",
    "times of frames that begin again at a restart": "by capture times",
    "times of frames that are still in the encoder": "by capture times",
    "segments too long in time": "by capture times",
    "settings believed from memory after a take-over": "arrival: settings change in turns",
    "settings that are never read again": "settings change",
    "settings changed within a segment": "settings change",
    "damaged settings taken for none": "settings change",
    "a non-owner that commits": "arrival: flushes (first) / flushes, a lease lasts",
    "an owner that never expires": "arrival: environments take turns",
    "left to an owner that is gone": "arrival: environments take turns",
    "frames added again to a picture": "pictures of the day",
    "a picture of frames that are not committed": "pictures of the day",
    "a removed photo in a picture": "pictures of the day",
    "replaced before the edition is shown": "rendered and removed",
    "an edition with the sequence numbers of the one before": "rendered and removed",
    "an edition removed under a player": "arrival: rendered and removed",
    "an edition in the place of the one before": "rendered and removed",
    "removed without a record": "rendered and removed",
    "adopted objects stored once": "adopts (first) / begins empty",
    "adopted behind photos": "adopts (first) / closes the reel",
    "watermark past a backlog": "arrival: backlog",
    "rest of a bulk upload in the order of uploads": "arrival: bulk upload",
    "copies not kept": "arrival: overwritten keys",
    "copies removed before the commit": "arrival: overwritten keys",
    "segments removed before the manifest says so": "segments removed",
    "segments removed under a player": "segments removed",
    "covered taken for known": "arrival: visible late",
    "unread whatever its name": "arrival: told in part",
    "record of other content taken for this one": "arrival: visible late",
}
"""The scenario whose faults, or the meeting whose pauses, are tried first: others take minutes to notice these bugs, or
never do."""


def caught_by(mutation: str, *, step: int = 1) -> str | None:
    """The first run of the enumeration (every `step`-th of it) that catches it, or None."""
    with MUTATIONS[mutation]():
        for name, wrong in _runs(step, first=SHOWN_IN.get(mutation)):
            if wrong:
                return f"{name}: {wrong[0].strip().splitlines()[-1]}"
    return None


def _runs(step: int, *, first: str | None) -> Iterator[tuple[str, tuple[str, ...]]]:
    for scenario in (SMALL, *SCENARIOS):
        yield scenario.name, run_scenario(scenario, {}).wrong
    for scenario in SCENARIOS:
        if scenario.name == first:
            yield from _single_faults(scenario, step)
    for named in (one for one in (*MEETINGS, *OWNER_MEETINGS, *ADOPT_MEETINGS) if one.name == first):
        for schedule in named.pauses():
            yield named.name, named.run(schedule)[1]
    for close in CLOSE_MEETINGS:
        for schedule in close.interleavings() if close.name == first else ():
            yield close.name, close.run(schedule)[1]
    yield from _single_faults(SMALL, 1)
    for meeting in MEETINGS:
        for schedule in itertools.islice(meeting.pauses(), 0, None, step):
            yield meeting.name, meeting.run(schedule)[1]
    for scenario in SCENARIOS:
        yield from _single_faults(scenario, step)


def _single_faults(scenario: Scenario, step: int) -> Iterator[tuple[str, tuple[str, ...]]]:
    for faults in itertools.islice(singles(scenario), 0, None, step):
        yield scenario.name, run_scenario(scenario, faults).wrong
