"""Which frames of a stream: those of named reels, of all reels, or of a range of capture times.

A frame's time is that at which its photo was taken (`SourceFrame.captured_epoch_ms`), by the camera's clock. The
checkpoint tells the time of each segment's first frame. Where a range begins or ends, the segment is read, and each of
its frames counts for itself; a segment between, whose neighbours are in the range too, is taken whole. So a frame whose
time is far off stays where it is, and a clock that is set back needs no case of its own.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, tzinfo

from timelapse_runtime.export.errors import CannotExport
from timelapse_runtime.export.stream_reader import StreamReader
from timelapse_runtime.timelapse.errors import SegmentCorrupt
from timelapse_runtime.timelapse.model.checkpoint import Checkpoint, Reel, Segment
from timelapse_runtime.timelapse.video.boxes import read_provenance

_SLACK_MS = 60_000
"""How far photos may be out of the order of their times: their order is that of uploads."""


@dataclass(frozen=True, slots=True)
class TimeRange:
    """From `start` (included) to `end` (excluded), milliseconds since 1970; None: no limit."""

    start_epoch_ms: int | None = None
    end_epoch_ms: int | None = None

    def has(self, epoch_ms: int) -> bool:
        """Whether a time is in the range."""
        is_after = self.start_epoch_ms is None or epoch_ms >= self.start_epoch_ms
        return is_after and (self.end_epoch_ms is None or epoch_ms < self.end_epoch_ms)

    def is_cut_by(self, low_epoch_ms: int, high_epoch_ms: int) -> bool:
        """Whether the range begins or ends between two times, or so near to them that the order may differ."""
        limits = (limit for limit in (self.start_epoch_ms, self.end_epoch_ms) if limit is not None)
        return any(low_epoch_ms - _SLACK_MS <= limit <= high_epoch_ms + _SLACK_MS for limit in limits)


@dataclass(frozen=True, slots=True)
class Piece:
    """Selected frames of one segment: the one at `position` of the reel. `offsets` count from the segment's first
    frame, in ascending order; `days` has the day of each, or of the first of them for all."""

    reel: Reel
    position: int
    offsets: Sequence[int]
    days: Sequence[date]

    @property
    def segment(self) -> Segment:
        """The segment that the frames are in."""
        return self.reel.segments[self.position]

    @property
    def is_whole(self) -> bool:
        """Whether all of the segment is selected."""
        return len(self.offsets) == self.segment.count

    def day(self, index: int) -> date:
        """The day of the frame `offsets[index]`."""
        return self.days[index] if len(self.days) > 1 else self.days[0]


def frame_count(pieces: Sequence[Piece]) -> int:
    """How many frames are selected."""
    return sum(len(piece.offsets) for piece in pieces)


def shown_ticks(pieces: Sequence[Piece]) -> int:
    """About how long the selected frames are shown, in ticks: those of a segment that is not whole count as if they
    were even."""
    return sum(piece.segment.ticks * len(piece.offsets) // piece.segment.count for piece in pieces)


def keyframes(pieces: Sequence[Piece]) -> list[Piece]:
    """The first selected frame of each segment."""
    return [replace(piece, offsets=piece.offsets[:1], days=piece.days[:1]) for piece in pieces]


def thinned(pieces: Sequence[Piece], every: int) -> list[Piece]:
    """Every so-manieth frame, from the first on.

    If no more than one frame of each segment is left, it is the segment's first, if that is selected: a keyframe can be
    read without the rest.
    """
    found, number = [], 0
    is_sparse = every >= max(piece.segment.count for piece in pieces)
    for piece in pieces:
        kept = [index for index in range(len(piece.offsets)) if (number + index) % every == 0]
        number += len(piece.offsets)
        if kept and is_sparse:
            kept = [0]
        if kept:
            days = piece.days if len(piece.days) == 1 else [piece.days[index] for index in kept]
            found.append(replace(piece, offsets=[piece.offsets[index] for index in kept], days=days))
    return found


class Selector:
    """Selects frames of the stream that `reader` reads. `zone` is the time zone of days. Raises StorageError."""

    def __init__(self, reader: StreamReader, checkpoint: Checkpoint, zone: tzinfo) -> None:
        self._reader, self._checkpoint, self._zone = reader, checkpoint, zone
        newest = checkpoint.reel
        if newest is not None and newest.segments:
            reader.keep(newest, len(newest.segments) - 1)

    def reels(self, names: Sequence[str] = (), *, everything: bool = False) -> list[Piece]:
        """All frames of the reels with these names, or of all reels, or else of the newest one. Raises
        CannotExport."""
        found = self._reader.reels(self._checkpoint)
        if names:
            known = list(found)
            if unknown := set(names).difference(reel.name for reel in known):
                listed = ", ".join(reel.name for reel in known[:10])
                raise CannotExport(f"there is no reel {min(unknown)} in {self._reader.place}; there are {listed}")
            chosen = [reel for reel in known if reel.name in names]
        else:
            chosen = list(found if everything else itertools.islice(found, 1))
        pieces = self._pieces(chosen[::-1], TimeRange())
        if not pieces:
            raise CannotExport(f"there is no frame in {self._reader.place} yet")
        return pieces

    def times(self, wanted: TimeRange) -> list[Piece]:
        """The frames in a range of times, of all reels. Raises CannotExport."""
        chosen = []
        for reel in self._reader.reels(self._checkpoint):
            chosen.append(reel)
            began, start = reel.segments[0].captured_epoch_ms, wanted.start_epoch_ms
            if began and start is not None and began < start - _SLACK_MS:
                break  # the reels before it are older
        pieces = self._pieces(chosen[::-1], wanted)
        if not pieces:
            raise CannotExport(f"no frame in {self._reader.place} was taken in that time: {self._extent(chosen)}")
        return pieces

    def newest_epoch_ms(self) -> int:
        """When the photo of the newest frame was taken. Raises CannotExport."""
        for reel in self._reader.reels(self._checkpoint):
            return self._frame_times(reel, len(reel.segments) - 1)[-1]
        raise CannotExport(f"there is no frame in {self._reader.place} yet")

    def _pieces(self, reels: Sequence[Reel], wanted: TimeRange) -> list[Piece]:
        """Of reels in order."""
        found = []
        segments = [(reel, position) for reel in reels for position in range(len(reel.segments))]
        for index, (reel, position) in enumerate(segments):
            following = segments[index + 1] if index + 1 < len(segments) else None
            if piece := self._piece(reel, position, following, wanted):
                found.append(piece)
        return found

    def _piece(self, reel: Reel, position: int, following: tuple[Reel, int] | None, wanted: TimeRange) -> Piece | None:
        segment = reel.segments[position]
        began = segment.captured_epoch_ms
        ended = following[0].segments[following[1]].captured_epoch_ms if following else None
        has_limits = wanted != TimeRange()
        is_cut = has_limits and (not began or not ended or ended < began or wanted.is_cut_by(began, ended))
        if not is_cut and not (began and wanted.has(began)) and has_limits:
            return None
        day, next_day = self._day(began, reel), self._day(ended, reel) if ended else None
        if not is_cut and following is not None and (not began or next_day is None or next_day <= day):
            return Piece(reel, position, range(segment.count), (day,))
        times = self._frame_times(reel, position)
        offsets = [offset for offset, time in enumerate(times) if wanted.has(time)] if is_cut else range(segment.count)
        return Piece(reel, position, offsets, [self._day(times[one], reel) for one in offsets]) if offsets else None

    def _day(self, epoch_ms: int, reel: Reel) -> date:
        """The reel's own if the segment is from before times were written."""
        return datetime.fromtimestamp(epoch_ms / 1000, self._zone).date() if epoch_ms else date.fromisoformat(reel.date)

    def _frame_times(self, reel: Reel, position: int) -> list[int]:
        """When the photo of each frame of a segment was taken. Raises SegmentCorrupt."""
        parts = read_provenance(self._reader.segment(reel, position))
        times = [frame.captured_epoch_ms for part in parts for frame in part.frames]
        if len(times) != reel.segments[position].count:
            raise SegmentCorrupt(
                f"segment {position} of reel {reel.name} names {len(times)} photos; `timelapse verify` says more"
            )
        return times

    def _extent(self, reels: Sequence[Reel]) -> str:
        times = [one.captured_epoch_ms for reel in reels for one in reel.segments if one.captured_epoch_ms]
        if not times:
            return "the times of its frames are not known"
        low, high = (datetime.fromtimestamp(time / 1000, self._zone) for time in (min(times), self.newest_epoch_ms()))
        return f"there are frames from {low:%Y-%m-%d %H:%M:%S %Z} to {high:%Y-%m-%d %H:%M:%S %Z}"


def chapters(pieces: Sequence[Piece]) -> Iterator[tuple[int, date]]:
    """The days of a selection: the number, in the selection, of the first frame of each, and the day. A day begins with
    the first frame of a later day than all before."""
    number, newest = 0, date.min
    for piece in pieces:
        for index in range(len(piece.offsets)) if len(piece.days) > 1 else (0,):
            if piece.day(index) > newest:
                newest = piece.day(index)
                yield number + index, newest
        number += len(piece.offsets)
