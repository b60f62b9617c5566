"""Editions of a closed reel: takes another one into the place of the one that is shown, and removes what is replaced.

A closed reel's entry (`Reel`) is in the checkpoint until the next reel begins, and in its manifest from then on. This
object changes it there, by compare-and-swap, in two steps:

1. `begin` writes into the entry which edition is in the making. Its objects get a folder of their own, in the reel's.
   Another edition that was in the making can no longer be shown.
2. `show` makes it the reel's: **one conditional PUT** of the entry. It fails if another edition was begun meanwhile.

What follows from the entry comes after that (`finish`), and what it replaced is removed last. A crash before `show`
leaves objects that nobody reads; a crash after it leaves playlists behind that name objects which are still there.
Whoever calls `finish` again continues. The number of frames that the checkpoint counts does not change: an entry says
how many of them it lacks.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from timelapse_runtime.runtime.clock import Clock
from timelapse_runtime.runtime.state.contract import IfMatch, Store
from timelapse_runtime.runtime.state.errors import Fenced, ObjectNotFound, PreconditionFailed, StorageUnavailable
from timelapse_runtime.timelapse.checkpoint_store import CheckpointStore
from timelapse_runtime.timelapse.derived import Derived
from timelapse_runtime.timelapse.errors import EditionLost
from timelapse_runtime.timelapse.model.checkpoint import Checkpoint, Reel
from timelapse_runtime.timelapse.model.keys import StreamKeys, next_edition
from timelapse_runtime.timelapse.model.playlist import index_playlist, live_playlist, main_playlist, video_playlist
from timelapse_runtime.timelapse.model.stored_editions import StoredEditions
from timelapse_runtime.timelapse.stored_reels import (
    parse_manifest,
    put_manifest,
    read_manifest,
    reels_from,
    stored_pictures,
)
from timelapse_runtime.timelapse.week import write_week

_TRIES = 6
"""A function that commits each second may come between two requests several times in a row."""


class Editions:
    """Of one stream's closed reels. Every method raises StorageError, CheckpointCorrupt; those that write may raise
    EditionLost, or Fenced if another process is in the way again and again."""

    def __init__(self, name: str, store: Store, keys: StreamKeys, checkpoints: CheckpointStore, clock: Clock) -> None:
        self._name, self._store, self._keys, self._clock = name, store, keys, clock
        self._checkpoints = checkpoints

    def reels(self) -> Iterator[Reel]:
        """All reels as they are now, newest first."""
        return reels_from(self._store, self._keys, self._load().reel)

    def find(self, name: str) -> Reel:
        """The reel as it is now."""
        reel = self._load().reel
        return reel if reel is not None and reel.name == name else read_manifest(self._store, self._keys, name)

    def begin(self, name: str) -> Reel:
        """The reel's entry, after a new edition was begun: `last_edition`."""
        unique = secrets.token_hex(6)
        return self._change(name, lambda reel: replace(reel, last_edition=next_edition(reel.last_edition, unique)))

    def show(self, made: Reel) -> Reel:
        """Make `made`, all of whose objects are stored, the reel's entry, and return that. Raises EditionLost."""

        def shown(reel: Reel) -> Reel:
            if reel.last_edition != made.edition:
                raise EditionLost(f"reel {reel.name}: another process has begun to make it again; nothing was changed")
            # In `live.m3u8` they are other segments than those before.
            first_sequence = reel.first_sequence + len(reel.segments)
            return replace(made, first_sequence=first_sequence, discontinuity=reel.discontinuity + 1)

        return self._change(made.name, shown)

    def fence(self) -> None:
        """Let every environment load the stream again before its next commit."""
        for tries_left in reversed(range(_TRIES)):
            self._load()
            try:
                self._checkpoints.fence()
            except Fenced:
                if not tries_left:
                    raise
            else:
                return

    def finish(self, name: str, *, latest: bytes | None = None, at_once: bool = False) -> list[str]:
        """Bring what follows from the reel's entry up to it; return the keys of what it replaced.

        Of them nothing is named by a playlist any more if `at_once`; otherwise `live.m3u8` may still show the end of
        the replaced edition. `latest` is the newest frame of the reel as a JPEG.
        """
        checkpoint = self._load()
        if at_once:
            checkpoint = self._off_live(name)
        pictures = partial(stored_pictures, self._store, self._keys)
        derived = Derived(self._name, self._store, self._keys, self._checkpoints.is_current, self._clock, pictures)
        reel = checkpoint.reel
        assert reel is not None
        if reel.name == name:
            derived.update(checkpoint, {}, latest=latest, force=False)
            if not derived.is_finished(reel):
                raise Fenced(f"reel {name}: its playlists are behind; run the command again")
        else:
            # A process may have ended between the commit that closed the newest reel and its playlists.
            is_unfinished = reel.is_closed and not reel.video_etag
            derived.update(checkpoint, {}, latest=None, force=False, playlists_only=not is_unfinished)
            reel = read_manifest(self._store, self._keys, name)
            self._finish_earlier(reel, checkpoint)
        if derived.playlists_are_behind:
            raise Fenced(f"stream {self._name}: its playlists are behind; run the command again")
        if at_once:
            self._store.delete([key for key, body in self._playlists(checkpoint, reel) if body is None])
        return self.replaced(reel)

    def replaced(self, reel: Reel) -> list[str]:
        """The keys of the objects of the reel's other editions, but for one that may be in the making."""
        return StoredEditions(self._keys, reel, self._store.list_after(self._keys.reel(reel.name))).dead()

    def _finish_earlier(self, reel: Reel, checkpoint: Checkpoint) -> None:
        """Of a reel that is not the checkpoint's."""
        if not reel.video_etag:  # otherwise its index.m3u8 is another one (`segment_removal.py`)
            entry = Derived(self._name, self._store, self._keys, lambda: self.find(reel.name) == reel, self._clock)
            entry.finish(reel)
        reels = reels_from(self._store, self._keys, checkpoint.reel)
        newest = next((one for one in reels if one.is_closed), None)
        if newest is not None:
            write_week(self._store, self._keys, newest, lambda: True)

    def _off_live(self, name: str) -> Checkpoint:
        """The checkpoint, after a commit that takes another edition of the reel than the shown one from `live.m3u8`."""
        shown = self.find(name).edition
        for tries_left in reversed(range(_TRIES)):
            checkpoint = self._load()
            if all(part.name != name or part.edition == shown for part in checkpoint.tail):
                break
            try:
                return self._checkpoints.drop_tail(name)
            except Fenced:
                if not tries_left:
                    raise
        return checkpoint

    def _playlists(self, checkpoint: Checkpoint, reel: Reel) -> Iterator[tuple[str, bytes | None]]:
        """Those that are not there while they have no segment."""
        yield self._keys.index(reel.name), index_playlist(reel)
        yield self._keys.live, live_playlist(checkpoint)
        if checkpoint.reel is not None:
            yield self._keys.newest_video, video_playlist(checkpoint.reel)
            yield self._keys.main, main_playlist(checkpoint.reel)

    def _load(self) -> Checkpoint:
        checkpoint = self._checkpoints.load()
        if checkpoint is None:
            raise ObjectNotFound("GetObject", self._store.bucket, self._keys.checkpoint, "there is no checkpoint")
        return checkpoint

    def _change(self, name: str, change: Callable[[Reel], Reel]) -> Reel:
        """Replace the reel's entry by `change` of it, wherever it is, and return the new one."""
        for tries_left in reversed(range(_TRIES)):
            reel = self._load().reel
            if reel is not None and reel.name == name:
                if not reel.is_closed:
                    raise EditionLost(f"reel {name} is open: close it first")
                try:
                    self._checkpoints.replace_reel(changed := change(reel))
                except Fenced:
                    if not tries_left:
                        raise
                else:
                    return changed
                continue
            stored = self._store.get(self._keys.manifest(name))
            changed = change(parse_manifest(stored))
            try:
                put_manifest(self._store, self._keys, changed, IfMatch(stored.info.etag))
            except (PreconditionFailed, StorageUnavailable):
                if read_manifest(self._store, self._keys, name) == changed:
                    return changed
                if not tries_left:
                    raise
            else:
                return changed
        raise AssertionError
