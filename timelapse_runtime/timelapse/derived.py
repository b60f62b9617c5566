"""What is derived from the checkpoint: playlists, `video.mp4`, `latest.jpg`, a closed reel's manifest.

Owns what this instance knows of these objects as they are stored. Everything here can be made again from the checkpoint
and the segments: a crash leaves a derived object behind, never wrong, and the next flush or sweep brings it up to date.
So `after_commit` and `update` never fail; they log a warning and try again next time. Only `before_commit` raises: a
closed reel's manifest must be stored before a checkpoint that no longer holds that reel.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

from timelapse_runtime.runtime.clock import Clock
from timelapse_runtime.runtime.state.contract import Condition, IfAbsent, IfMatch, Store
from timelapse_runtime.runtime.state.errors import ObjectNotFound, PreconditionFailed, StorageError
from timelapse_runtime.runtime.state.put import Put
from timelapse_runtime.timelapse.commit_plan import (
    NO_CACHE,
    CommitPlan,
    playlist_put,
    playlist_puts,
    reel_object_keys,
)
from timelapse_runtime.timelapse.errors import CheckpointCorrupt, SegmentCorrupt
from timelapse_runtime.timelapse.model.checkpoint import Checkpoint, Reel
from timelapse_runtime.timelapse.model.keys import StreamKeys
from timelapse_runtime.timelapse.model.playlist import index_playlist, ranges_playlist
from timelapse_runtime.timelapse.model.segment_versions import SegmentVersions
from timelapse_runtime.timelapse.stored_reels import pictures_metadata, write_manifest
from timelapse_runtime.timelapse.stream_log import StreamLog
from timelapse_runtime.timelapse.video_file import CachedSegments, VideoFile
from timelapse_runtime.timelapse.week import write_week

_log = logging.getLogger(__name__)

_TRIES = 3
_NO_SEGMENTS: CachedSegments = {}
StoredPictures: TypeAlias = Callable[[Reel], Sequence[str]]
"""Which pictures of the day a reel has (`DayPictures.stored_kinds`)."""


class Derived:
    """One stream's derived objects. `is_current` asks S3 whether the checkpoint is still the one known here."""

    def __init__(
        self,
        name: str,
        store: Store,
        keys: StreamKeys,
        is_current: Callable[[], bool],
        clock: Clock,
        stored_pictures: StoredPictures = lambda _reel: (),
    ) -> None:
        self._store, self._keys, self._is_current, self._clock = store, keys, is_current, clock
        self._stored_pictures = stored_pictures
        self._told_pictures: tuple[str, Sequence[str]] = "", ()
        """What `video.m3u8` says: of which reel, by its path, which pictures are stored."""
        self._playlists = PlaylistWriter(store, is_current)
        self._video_file: VideoFile | None = None
        self._finished: Reel | None = None
        self._written_latest: bytes | None = None
        self._playlists_are_behind = True  # what an earlier instance left behind is not known
        self._log = StreamLog(_log, name)

    @property
    def playlists_are_behind(self) -> bool:
        """Whether a playlist may not show the checkpoint yet."""
        return self._playlists_are_behind

    def is_finished(self, reel: Reel) -> bool:
        """Whether a closed reel's derived objects are known to be final."""
        return self._finished == reel

    def before_commit(self, last: Reel | None, plan: CommitPlan) -> None:
        """Finish the closed reel `last` if the planned checkpoint no longer holds it. Raises StorageError."""
        if last is not None and last.is_closed and plan.checkpoint.reel != last:
            self._finish(last, _NO_SEGMENTS)

    def after_commit(self, plan: CommitPlan) -> None:
        """Write the plan's playlists. If they were behind, the plan has all of them."""
        reel = plan.checkpoint.reel
        self._write_playlists(plan.derived, reel, () if reel is None else self._stored_pictures(reel))

    def update(
        self,
        checkpoint: Checkpoint | None,
        cached: CachedSegments,
        *,
        latest: bytes | None,
        force: bool,
        playlists_only: bool = False,
    ) -> None:
        """Bring everything up to the committed `checkpoint`; with `playlists_only`, nothing but its playlists.

        A flush with `playlists_only` sends no more than the commit and the playlists that it changed: one PUT if no
        segment closed. All else catches up with the next call without it; a closed reel is finished before the next
        reel's first commit in any case. `video.mp4` is written if that is due, or if `force`d. `latest` is the newest
        frame as a JPEG.
        """
        if checkpoint is None or checkpoint.reel is None:
            return
        reel = checkpoint.reel
        kinds = self._stored_pictures(reel)
        if self._playlists_are_behind:
            self._write_playlists(playlist_puts(self._keys, checkpoint), reel, kinds)
        elif self._told_pictures != (reel.path, kinds):
            video = [put for put in playlist_puts(self._keys, checkpoint) if put.key == self._keys.newest_video]
            self._write_playlists(video, reel, kinds)
        if playlists_only:
            return
        if reel.is_closed:
            self._try("closed reel", lambda: self._finish(reel, cached))
        else:
            self._try("video.mp4", lambda: self._video_file_of(reel).publish(reel, cached, force=force))
        if latest is not None and latest != self._written_latest:
            put = Put(self._keys.latest, latest, None, "image/jpeg", NO_CACHE)
            self._written_latest = latest if self._try("latest.jpg", lambda: put.send(self._store)) else None

    def finish(self, reel: Reel) -> None:
        """Make the derived objects of a closed reel those of its edition. It is not the checkpoint's. Raises
        StorageError."""
        self._finish(reel, _NO_SEGMENTS, is_newest=False)

    def with_known_conditions(self, plan: CommitPlan, *, is_first_reel: bool) -> CommitPlan:
        """The plan as it may be sent later, by another process: only the playlists whose condition is known. Before the
        stream's first reel there are none."""
        reel = plan.checkpoint.reel
        told = self._told_pictures[1] if reel is not None and reel.path == self._told_pictures[0] else ()
        puts = self._with_pictures(plan.derived, told)
        derived = self._playlists.with_known_conditions(puts, is_first_reel=is_first_reel)
        return replace(plan, derived=derived)

    def remove(self, keys: Sequence[str]) -> None:
        """Remove objects that nothing names. Raises StorageError."""
        if keys:
            self._store.delete(keys)

    def _write_playlists(self, puts: Sequence[Put], reel: Reel | None, kinds: Sequence[str]) -> None:
        """`kinds` are the pictures of the day that `reel`, the newest one, has."""
        told = self._with_pictures(puts, kinds)
        self._playlists_are_behind = not self._try("playlists", lambda: self._playlists.write(told))
        if reel is not None and any(put.key == self._keys.newest_video for put in puts):
            self._told_pictures = reel.path, kinds

    def _with_pictures(self, puts: Sequence[Put], kinds: Sequence[str]) -> tuple[Put, ...]:
        """`video.m3u8` says which pictures of the day there are."""
        metadata = pictures_metadata(kinds)
        return tuple(replace(put, metadata=metadata) if put.key == self._keys.newest_video else put for put in puts)

    def _finish(self, reel: Reel, cached: CachedSegments, *, is_newest: bool = True) -> None:
        """Make a closed reel's derived objects final. Raises StorageError; may be repeated."""
        if self.is_finished(reel):
            return
        write_manifest(self._store, self._keys, reel)
        index = index_playlist(reel)
        if index is not None:
            self._playlists.write([playlist_put(self._keys.index(reel.name), index)])
        try:
            video_file = self._video_file_of(reel)
            video_file.publish(reel, cached, force=True)
            # Its ranges lie in the final video.mp4, and so it comes after that.
            ranges = ranges_playlist(reel, video_file.head_size_bytes)
            self._playlists.write([playlist_put(self._keys.ranges(reel.name), ranges)])
            if is_newest:
                self._try("week.m3u8", lambda: self._write_week(reel))
        except (ObjectNotFound, SegmentCorrupt) as error:
            # No later attempt would find more, and the next reel has to begin.
            what = "a closed reel's segment is gone or damaged; its video.mp4 stays as it is"
            self._log.error(what, extra={"reel": reel.name}, exc_info=error)
        # The reel is closed: whatever was prepared for it can no longer be committed.
        versions = SegmentVersions(reel, self._store.list_after(self._keys.segments(reel.path)))
        named = reel_object_keys(self._keys, reel)
        if not self._playlists_are_behind:  # or one of them may still name these; then a sweep removes them
            self.remove([*versions.strays(named), *versions.replaced(named, self._clock.now_epoch_ms())])
        self._playlists.forget([self._keys.index(reel.name), self._keys.ranges(reel.name)])
        self._finished = reel

    def _write_week(self, reel: Reel) -> None:
        if reel.segments or reel.edition:
            write_week(self._store, self._keys, reel, self._is_current)

    def _video_file_of(self, reel: Reel) -> VideoFile:
        if self._video_file is None or self._video_file.reel_path != reel.path:
            self._video_file = VideoFile(self._store, self._keys, reel.path)
        return self._video_file

    def _try(self, object_name: str, action: Callable[[], object]) -> bool:
        try:
            action()
        except (StorageError, SegmentCorrupt, CheckpointCorrupt) as error:
            self._log.warning("could not write %s; the next flush will retry", object_name, exc_info=error)
            return False
        return True


class PlaylistWriter:
    """Writes one stream's playlists, so that an older one never replaces a newer one.

    A frozen instance may wake up between its commit and its playlists, after others have committed. Written without a
    condition, its playlist would become shorter again for a player, or reopen a closed reel's playlist for good. So
    each is written over the ETag that this instance wrote, or saw *before* it saw that the checkpoint is still its own:
    an instance that commits later also writes its playlists later, and changes the ETag.
    """

    def __init__(self, store: Store, is_current: Callable[[], bool]) -> None:
        self._store, self._is_current = store, is_current
        self._conditions: dict[str, Condition] = {}

    def write(self, puts: Sequence[Put]) -> None:
        """Write those that no other instance has overtaken. Raises StorageError."""
        for put in puts:
            self._write(put)

    def forget(self, keys: Sequence[str]) -> None:
        """These are not written again here: a reel's, when it is closed. If one is all the same, it is looked up."""
        for key in keys:
            self._conditions.pop(key, None)

    def with_known_conditions(self, puts: Sequence[Put], *, is_first_reel: bool) -> tuple[Put, ...]:
        """Those that can be sent without a look at S3 first, each with its condition."""
        known: Mapping[str, Condition] = self._conditions
        if is_first_reel:
            known = {put.key: IfAbsent() for put in puts}
        return tuple(replace(put, condition=known[put.key]) for put in puts if put.key in known)

    def _write(self, put: Put) -> None:
        for tries_left in reversed(range(_TRIES)):
            condition = self._conditions.pop(put.key, None) or self._look(put.key)
            if condition is None:
                return  # another instance is ahead, and writes a newer one
            try:
                etag = replace(put, condition=condition).send(self._store)
            except PreconditionFailed:  # another instance wrote it, or this one did and the answer was lost
                if not tries_left:
                    raise
            else:
                self._conditions[put.key] = IfMatch(etag)
                return

    def _look(self, key: str) -> Condition:
        """The condition under which to write, or None if another instance is ahead."""
        try:
            seen: Condition = IfMatch(self._store.head(key).etag)
        except ObjectNotFound:
            seen = IfAbsent()
        return seen if self._is_current() else None
