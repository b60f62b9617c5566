"""Copies of the commit protocol with one bug each. The enumeration has to notice every one of them, or it proves
nothing: a check of the end alone would not see half of these.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from tests.recovery.races import MEETINGS
from tests.recovery.scenarios import SCENARIOS, SMALL, Scenario, run, singles
from timelapse_runtime.timelapse import commit_plan as commit
from timelapse_runtime.timelapse import stream
from timelapse_runtime.timelapse.checkpoint_store import Committer
from timelapse_runtime.timelapse.commit_plan import CommitPlan, Put
from timelapse_runtime.timelapse.errors import Fenced, PreconditionFailed, StorageUnavailable
from timelapse_runtime.timelapse.model import playlist
from timelapse_runtime.timelapse.model.frame_tracker import Coverage, FrameState, FrameTracker, Place
from timelapse_runtime.timelapse.model.keys import segment_name
from timelapse_runtime.timelapse.playlist_writer import PlaylistWriter
from timelapse_runtime.timelapse.reconcile import Recount
from timelapse_runtime.timelapse.stream import Stream

# The product's own functions, as they are before a bug takes their place.
_plan_commit, _swap, _commit, _finish = commit.plan_commit, Committer._swap, Committer.commit, Committer.finish
_coverage, _sweep, _hinted = FrameTracker.coverage, Stream.sweep, Stream._append_hinted


def _no_if_match(*args: Any, **kwargs: Any) -> CommitPlan:
    plan = _plan_commit(*args, **kwargs)
    return replace(plan, commit=replace(plan.commit, condition=None))


def _checkpoint_before_segments(self: Committer, plan: CommitPlan) -> None:
    last = self.last_reel
    if last is not None and last.is_closed and plan.checkpoint.reel != last:
        self.finish(last)
    self.base = (plan.checkpoint, self._swap(plan))
    for put in (*plan.segments, *plan.derived):
        self._send(put)
    self.delete(list(plan.replaced))


def _watermark_past_the_unlisted(self: FrameTracker, frame_count: int) -> Coverage:
    coverage = _coverage(self, frame_count)
    return (
        replace(coverage, watermark=coverage.committed_ahead[-1], committed_ahead=())
        if coverage.committed_ahead
        else coverage
    )


def _ahead_not_written(self: FrameTracker, frame_count: int) -> Coverage:
    return replace(_coverage(self, frame_count), committed_ahead=())


def _watermark_past_the_held(self: FrameTracker, frame_count: int) -> Coverage:
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
        patch.object(commit, "segment_name", _name_without_attempt),
        patch.object(playlist, "segment_name", _name_without_attempt),
        _plans(_segments_overwritten),
    ):
        yield


def _own_412_taken_for_a_conflict(self: Committer, plan: CommitPlan) -> str:
    try:
        return self._send(plan.commit)
    except (PreconditionFailed, StorageUnavailable) as error:
        # ... and so its segments are removed, as nobody's.
        self.delete([put.key for put in plan.segments])
        raise Fenced("another instance committed first") from error


def _any_412_taken_for_success(self: Committer, plan: CommitPlan) -> str:
    try:
        return self._send(plan.commit)
    except (PreconditionFailed, StorageUnavailable):
        stored = self._read()
        assert stored is not None
        return stored[1]


def _lost_answer_taken_for_failure(self: Committer, plan: CommitPlan) -> str:
    """The attempt's id is not asked for: whatever is stored under another ETag is built upon."""
    try:
        return self._send(plan.commit)
    except StorageUnavailable:
        stored = self._read()
        self.base = (self.base[0], stored[1]) if self.base and stored else self.base
        raise


def _orphans_deleted_before_the_commit(self: Stream, deadline: Any, **how: bool) -> None:
    self._committer.delete(self._committer.orphans(all_reels=how["all_reels"]))
    _sweep(self, deadline, **how)


def _replaced_deleted_before_the_commit(self: Committer, plan: CommitPlan) -> None:
    self.delete(list(plan.replaced))
    _commit(self, plan)


def _taken_again_after_rewind(self: Stream, key: str, following: str | None, deadline: Any) -> None:
    if self._tracker.place(key) is Place.OVERTAKEN:
        self._rewind("as it was before the enumeration found it")
        self._catch_up(deadline)
        if self._tracker.place(key) is not Place.TRACKED:
            self._take(key, following)
        return
    _hinted(self, key, following, deadline)


def _playlist_before_video(self: Committer, reel: Any, *bodies: Any) -> None:
    if self._finished_reel != reel.name:
        self._playlists.write(commit.playlist_puts(self.keys, reel))
    _finish(self, reel, *bodies)


def _playlists_without_condition(self: PlaylistWriter, put: Put) -> None:
    self._store.put(put.key, put.body, content_type=put.content_type, cache_control=put.cache_control)


def _manifest_left_out(self: Committer, plan: CommitPlan) -> None:
    """The next reel is committed before the closed one is finished."""
    self._finished_reel = self.last_reel.name if self.last_reel else ""
    _commit(self, plan)


def _plans(replacement: Callable[..., CommitPlan]) -> AbstractContextManager[Any]:
    return patch.object(stream, "plan_commit", replacement)


MUTATIONS: Mapping[str, Callable[[], AbstractContextManager[Any]]] = {
    "no If-Match on the checkpoint": lambda: _plans(_no_if_match),
    "checkpoint before segments": lambda: patch.object(Committer, "commit", _checkpoint_before_segments),
    "watermark past an unlisted frame": lambda: patch.object(FrameTracker, "coverage", _watermark_past_the_unlisted),
    "watermark past frames that wait": lambda: patch.object(FrameTracker, "coverage", _watermark_past_the_held),
    "ahead not written": lambda: patch.object(FrameTracker, "coverage", _ahead_not_written),
    "segment names used again": _segment_names_reused,
    "own 412 taken for a conflict": lambda: patch.object(Committer, "_swap", _own_412_taken_for_a_conflict),
    "412 taken for success": lambda: patch.object(Committer, "_swap", _any_412_taken_for_success),
    "unclear commit built upon": lambda: patch.object(Committer, "_swap", _lost_answer_taken_for_failure),
    "orphans deleted before the commit": lambda: patch.object(Stream, "sweep", _orphans_deleted_before_the_commit),
    "old segment deleted before the commit": lambda: patch.object(
        Committer, "commit", _replaced_deleted_before_the_commit
    ),
    "frame taken again after rewind": lambda: patch.object(Stream, "_append_hinted", _taken_again_after_rewind),
    "playlist before video on close": lambda: patch.object(Committer, "finish", _playlist_before_video),
    "playlists without condition": lambda: patch.object(PlaylistWriter, "_write", _playlists_without_condition),
    "closed reel not finished": lambda: patch.object(Committer, "commit", _manifest_left_out),
    "sweep that does not recount": lambda: patch.object(Recount, "unaccounted", lambda *_args, **_kwargs: iter(())),
}
"""By name, what puts the bug in place."""


def caught_by(mutation: str, *, step: int = 1) -> str | None:
    """The first run of the enumeration (every `step`-th of it) that notices, or None."""
    with MUTATIONS[mutation]():
        for name, wrong in _runs(step):
            if wrong:
                return f"{name}: {wrong[0].strip().splitlines()[-1]}"
    return None


def _runs(step: int) -> Iterator[tuple[str, tuple[str, ...]]]:
    for scenario in (SMALL, *SCENARIOS):
        yield scenario.name, run(scenario, {}).wrong
    yield from _single_faults(SMALL, 1)
    for meeting in MEETINGS:
        for schedule in itertools.islice(meeting.pauses(), 0, None, step):
            yield meeting.name, meeting.run(schedule)[1]
    for scenario in SCENARIOS:
        yield from _single_faults(scenario, step)


def _single_faults(scenario: Scenario, step: int) -> Iterator[tuple[str, tuple[str, ...]]]:
    for faults in itertools.islice(singles(scenario), 0, None, step):
        yield scenario.name, run(scenario, faults).wrong
