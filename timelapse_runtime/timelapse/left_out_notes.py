"""Notes of what did not become a frame, until a commit puts them into its reel (`model/left_out.py`).

A rejected photo is read again, and noted again, if a crash comes before the commit that covers it. Before a reel's
first commit a photo may be covered by a commit without a reel: a crash loses the note then, and the rejection record
stays. Ignored objects are noted while their stream is open: a crash or a restart may lose such a note.
"""

from __future__ import annotations

from dataclasses import replace

from timelapse_runtime.runtime.clock import Clock
from timelapse_runtime.timelapse.model.checkpoint import Reel
from timelapse_runtime.timelapse.model.left_out import IGNORED, REJECTED, LeftOut, with_notes


class LeftOutNotes:
    """One stream's. `next_frame` is the number that the next frame of the open reel will have."""

    def __init__(self, clock: Clock) -> None:
        self.next_frame = 0
        self._clock = clock
        self._notes: tuple[LeftOut, ...] = ()
        self._in_video: frozenset[str] = frozenset()
        self._planned: tuple[tuple[LeftOut, ...], frozenset[str]] = ((), frozenset())

    def rejected(self, key: str, reason: str) -> None:
        """The photo will not be in the video."""
        self._in_video -= {key}
        self._add(LeftOut(REJECTED, reason, self.next_frame, now := self._clock.now_epoch_ms(), now, key=key))

    def ignored(self, reason: str, count: int) -> None:
        """So many objects are not photos."""
        now_epoch_ms = self._clock.now_epoch_ms()
        self._add(LeftOut(IGNORED, reason, self.next_frame, now_epoch_ms, now_epoch_ms, count))

    def in_video(self, key: str) -> None:
        """A photo under a key that was rejected became a frame."""
        self._in_video |= {key}
        self._notes = with_notes(self._notes, (), self._in_video)

    def planned(self, reel: Reel | None) -> Reel | None:
        """The reel with all notes, as the next commit is to store it. Without a reel they wait."""
        self._planned = ((), frozenset())
        if reel is None or not (self._notes or self._in_video):
            return reel
        self._planned = self._notes, self._in_video
        return replace(reel, left_out=with_notes(reel.left_out, self._notes, self._in_video))

    def committed(self) -> None:
        """What was planned last is stored."""
        notes, keys = self._planned
        self._notes = tuple(note for note in self._notes if note not in notes)
        self._in_video -= keys
        self._planned = ((), frozenset())

    def _add(self, note: LeftOut) -> None:
        self._notes = with_notes(self._notes, (note,), ())
