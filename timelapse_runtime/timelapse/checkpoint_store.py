"""The stream's truth in S3: reads it, commits to it, and brings what is derived from it up to date.

Order, and what a crash leaves behind: init segment and segments (orphans, which no checkpoint names) → checkpoint
(from here on it has happened) → playlists, `video.mp4` (behind, until the next flush or sweep) → removal of
replaced segments (orphans again, which the sweep removes).
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

from timelapse_runtime.timelapse.commit_plan import CommitPlan, Put, init_put, playlist_puts, segment_key
from timelapse_runtime.timelapse.derived import Publisher, SegmentBodies
from timelapse_runtime.timelapse.errors import (
    CheckpointCorrupt,
    Fenced,
    ObjectNotFound,
    PreconditionFailed,
    StorageError,
    StorageUnavailable,
)
from timelapse_runtime.timelapse.model.checkpoint import Checkpoint, Reel, reel_from_value, reel_to_json
from timelapse_runtime.timelapse.model.frame_tracker import Coverage
from timelapse_runtime.timelapse.model.keys import StreamKeys, reel_name, reel_number
from timelapse_runtime.timelapse.playlist_writer import PlaylistWriter
from timelapse_runtime.timelapse.storage.contract import Store

_log = logging.getLogger(__name__)

_DERIVED = ("index.m3u8", "reel.json", "video.mp4")
"""In a reel's folder, written after a commit."""


@dataclass(frozen=True, slots=True)
class PreparedCommit:
    """A commit with the init segment that it needs first, when it begins a reel. `ends_reel`: no more frames."""

    plan: CommitPlan
    coverage: Coverage
    init: Put | None
    ends_reel: bool

    def puts(self) -> tuple[Put, ...]:
        """All of it, in order."""
        before = (self.init,) if self.init else ()
        return (*before, *self.plan.segments, self.plan.commit, *self.plan.derived)


class Committer:
    """Holds the checkpoint as it is known here (`base`, with its ETag), and replaces it."""

    def __init__(self, video: Store, keys: StreamKeys) -> None:
        self.keys = keys
        self.base: tuple[Checkpoint, str] | None = None
        self._video = video
        self._publisher: Publisher | None = None
        self._playlists = PlaylistWriter(video, self.is_current)
        self._finished_reel = ""
        self._derived_are_behind = True  # what an earlier instance left behind is not known

    @property
    def checkpoint(self) -> Checkpoint | None:
        """The checkpoint as this instance knows it."""
        return self.base[0] if self.base else None

    @property
    def last_reel(self) -> Reel | None:
        """The newest reel that is committed, open or closed."""
        return self.base[0].reel if self.base else None

    @property
    def open_reel(self) -> Reel | None:
        """The reel that frames are added to, or None when the next frame begins one."""
        reel = self.last_reel
        return None if reel is None or reel.is_closed else reel

    @property
    def derived_are_behind(self) -> bool:
        """Whether playlists and the like may not show the checkpoint."""
        return self._derived_are_behind

    def load(self) -> Checkpoint | None:
        """Read the checkpoint. Raises StorageError, CheckpointCorrupt."""
        self.base = self._read()
        return self.checkpoint

    def is_current(self) -> bool:
        """Whether S3 still holds the checkpoint that is known here."""
        return self._read() == self.base

    def claim_reel(self, reel: Reel, init_segment: bytes) -> Reel:
        """Write a new reel's init segment. The answer is the reel, under another number if its name was taken by
        an attempt that never committed and had other parameter sets."""
        while True:
            try:
                self._send(init_put(self.keys, reel, init_segment))
            except PreconditionFailed:
                if self._video.get(self.keys.init(reel.name)).body == init_segment:
                    return reel
                number = reel.number + 1
                reel = replace(reel, number=number, name=reel_name(number, reel.date))
            else:
                return reel

    def commit(self, plan: CommitPlan) -> None:
        """Send a plan whose init segment is in place. Raises Fenced when another instance committed.

        After any StorageError nothing has happened, or it is recognised as one's own when it is tried again.
        """
        last = self.last_reel
        if last is not None and last.is_closed and plan.checkpoint.reel != last:
            self.finish(last)  # the next checkpoint will not tell any more what is unfinished of it
        for put in plan.segments:
            self._send(put)
        self.base = (plan.checkpoint, self._swap(plan))
        _log.info("committed", extra={"generation": plan.checkpoint.generation, "watermark": plan.checkpoint.watermark})
        self._try("playlists", lambda: self._playlists.write(plan.derived))
        if plan.replaced:
            self._try("replaced segments", lambda: self._video.delete(plan.replaced))

    def derived(self, *, force: bool, bodies: SegmentBodies, latest: bytes | None) -> None:
        """Bring `latest.jpg`, `video.mp4` and, after a failure, the playlists up to the checkpoint.

        Never fails: what could not be written is renewed next time.
        """
        reel = self.last_reel
        if reel is None:
            return
        was_behind, self._derived_are_behind = self._derived_are_behind, False
        if reel.is_closed:
            self._try("closed reel", lambda: self.finish(reel, bodies))
        else:
            if was_behind:
                self._try("playlists", lambda: self._playlists.write(playlist_puts(self.keys, reel)))
            self._try("video.mp4", lambda: self._publisher_of(reel).publish(reel, bodies, force=force))
        if latest is not None:
            put = Put(self.keys.latest, latest, None, "image/jpeg", "no-cache")
            self._try("latest.jpg", lambda: self._send(put))

    def finish(self, reel: Reel, bodies: SegmentBodies = lambda _first, _count: None) -> None:
        """Make a closed reel's derived objects final. Raises StorageError; done again it does no harm."""
        if self._finished_reel == reel.name:
            return
        self._video.put(self.keys.manifest(reel.name), reel_to_json(reel), content_type="application/json")
        try:
            self._publisher_of(reel).publish(reel, bodies, force=True)
        except ObjectNotFound as error:
            _log.error("an object of a closed reel is gone: its video.mp4 stays as it is", exc_info=error)
        self._playlists.write(playlist_puts(self.keys, reel))
        named = self._named(reel)
        self.delete(
            [info.key for info in self._video.list_after(self.keys.segments(reel.name)) if info.key not in named]
        )
        self._finished_reel = reel.name

    def is_finished(self, reel: Reel) -> bool:
        """Whether a closed reel's derived objects are known to be final."""
        return self._finished_reel == reel.name

    def for_others(self, prepared: PreparedCommit) -> PreparedCommit:
        """The same commit as somebody else may send it, without a request: playlists only under a known condition."""
        derived = self._playlists.guarded(prepared.plan.derived, is_first_commit=self.base is None)
        return replace(prepared, plan=replace(prepared.plan, derived=derived))

    def send_init(self, put: Put) -> None:
        """Write a new reel's init segment, unless it is there already. Raises Fenced if another one is."""
        try:
            self._send(put)
        except PreconditionFailed as error:
            if self._video.get(put.key).body != put.body:
                raise Fenced(f"{put.key}: another instance began this reel with other parameter sets") from error

    def orphans(self, *, all_reels: bool) -> list[str]:
        """Objects that nothing names: of the last two reels (or all), and of reels that were begun and never committed.

        Whoever wrote one may still commit it, until the checkpoint changes: delete them after the next commit. Then
        only an init segment that stands ready under a number yet to come can still be taken up, so those are left. So
        is a reel that was committed and that no checkpoint knows: somebody lost the checkpoint, and may find it again.
        Older reels are looked at only when asked for, for the cost: a reel's listing and manifest each.
        """
        if self.base is None:
            return []
        reel, known = self.last_reel, dict[str, set[str]]()
        last_number = reel.number if reel else 0
        while reel is not None:
            known[reel.name] = self._named(reel)
            if reel.previous is None or not (all_reels or len(known) < 2):
                break
            reel = self.manifest(reel.previous)
        goes_further_back = reel is not None and reel.previous is not None
        folder, first_number = self.keys.reels, reel.number if reel and goes_further_back else 0
        found, committed = list[tuple[str, str]](), set[str]()
        for info in self._video.list_after(folder, folder + min(known) if goes_further_back else ""):
            name, _, rest = info.key[len(folder) :].partition("/")
            number = reel_number(name)
            is_ready = rest == "init.mp4" and number > last_number
            if info.key not in known[name] if name in known else number >= first_number and not is_ready:
                found.append((name, info.key))
            if name not in known and rest in _DERIVED:
                committed.add(name)
        if committed:
            _log.warning("reels that no checkpoint knows are left as they are", extra={"reels": sorted(committed)})
        return [key for name, key in found if name not in committed]

    def _named(self, reel: Reel) -> set[str]:
        keys, name = self.keys, reel.name
        segments = {segment_key(keys, reel, segment) for segment in reel.segments}
        return {keys.init(name), keys.index(name), keys.video(name), keys.manifest(name), *segments}

    def delete(self, keys: list[str]) -> None:
        """Remove objects."""
        if keys:
            self._video.delete(keys)

    def manifest(self, reel_name: str) -> Reel:
        """A closed reel. Raises StorageError, CheckpointCorrupt."""
        return read_manifest(self._video, self.keys, reel_name)

    def _read(self) -> tuple[Checkpoint, str] | None:
        try:
            found = self._video.get(self.keys.checkpoint)
        except ObjectNotFound:
            return None
        return Checkpoint.from_json(found.body), found.info.etag

    def _swap(self, plan: CommitPlan) -> str:
        """The commit. An unclear answer is cleared by reading back: each attempt has an id of its own."""
        try:
            return self._send(plan.commit)
        except (PreconditionFailed, StorageUnavailable) as error:
            stored = self._read()
            if stored is not None and stored[0].commit == plan.checkpoint.commit:
                return stored[1]
            if stored == self.base and isinstance(error, StorageUnavailable):
                raise  # it may still arrive late: then the next attempt meets it and is fenced
            found = f"generation {stored[0].generation}" if stored else "no checkpoint"
            raise Fenced(f"{plan.commit.key}: another instance committed first; found {found}") from error

    def _send(self, put: Put) -> str:
        return self._video.put(
            put.key,
            put.body,
            condition=put.condition,
            content_type=put.content_type,
            cache_control=put.cache_control,
        )

    def _publisher_of(self, reel: Reel) -> Publisher:
        if self._publisher is None or self._publisher.reel_name != reel.name:
            self._publisher = Publisher(self._video, self.keys, reel.name)
        return self._publisher

    def _try(self, what: str, action: Callable[[], object]) -> None:
        try:
            action()
        except StorageError as error:
            self._derived_are_behind = True
            _log.warning("not written, the next flush will: %s", what, exc_info=error)


def read_manifest(video: Store, keys: StreamKeys, name: str) -> Reel:
    """A closed reel's manifest. Raises StorageError, CheckpointCorrupt."""
    body = video.get(keys.manifest(name)).body
    try:
        return reel_from_value(json.loads(body))
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointCorrupt(f"{keys.manifest(name)} cannot be read: {error!r}") from error
