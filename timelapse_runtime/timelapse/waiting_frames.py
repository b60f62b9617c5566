"""What a picture of the day needs of frames that are not in it yet: samples of runs of frames, in order.

First they are *uncommitted*, by the encoder's numbers, and may still be discarded. From their commit on they are
*ready*, by their numbers in the reel; if frames before them are missing, they wait for these. Knows nothing of pictures
or of storage.

Bounded: of many runs, neighbours are joined. Such a run becomes ready when the last of its frames is committed. What
is beyond the kind's `maximum_waiting` is decoded from the video later.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from timelapse_runtime.timelapse.video.day_picture import DayCanvas, DayPictureKind, Sample

_MAXIMUM_RUNS = 8
"""Of each sort. A sample may be a picture of 1.5 MB."""


@dataclass(frozen=True, slots=True)
class _Run:
    first: int
    count: int
    sample: Sample

    @property
    def end(self) -> int:
        return self.first + self.count


class WaitingFrames:
    """Of one picture of this kind."""

    def __init__(self, kind: DayPictureKind) -> None:
        self._kind = kind
        self._uncommitted: list[_Run] = []
        self._ready: list[_Run] = []

    def add(self, number: int, sample: Sample) -> None:
        """The frame `number` was encoded. Numbers rise."""
        self._uncommitted.append(_Run(number, 1, sample))
        self._bound(self._uncommitted)

    def committed(self, number: int, frame_count: int) -> None:
        """The frames below `number` were committed, the last of them as the last of the reel's `frame_count`."""
        offset = number - frame_count
        while self._uncommitted and self._uncommitted[0].end <= number:
            run = self._uncommitted.pop(0)
            self._ready.append(replace(run, first=run.first - offset))
        self._bound(self._ready)

    def held_below(self, number: int) -> int:
        """How many frames below this number wait, in a run whose last frames are not committed yet."""
        return max(0, number - self._uncommitted[0].first) if self._uncommitted else 0

    @property
    def first_ready(self) -> int | None:
        """The first ready frame."""
        return self._ready[0].first if self._ready else None

    def discard_uncommitted(self) -> None:
        """These frames will not be in the video, or will be encoded again."""
        self._uncommitted.clear()

    def discard(self) -> None:
        """The reel has ended."""
        self._uncommitted.clear()
        self._ready.clear()

    def move_to(self, canvas: DayCanvas) -> None:
        """Add to the picture what follows the frames that are in it. A run of which it has a part already is
        dropped."""
        while self._ready and self._ready[0].first <= canvas.frame_count:
            run = self._ready.pop(0)
            if run.first == canvas.frame_count:
                canvas.add(run.sample, run.count)

    def _bound(self, runs: list[_Run]) -> None:
        while len(runs) > _MAXIMUM_RUNS:
            pairs = [place for place in range(len(runs) - 1) if runs[place].end == runs[place + 1].first]
            if not pairs:  # frames between them were never here
                runs.pop(0)
                continue
            place = min(pairs, key=lambda one: runs[one].count + runs[one + 1].count)
            first, second = runs[place : place + 2]
            sample = self._kind.joined(first.sample, second.sample)
            runs[place : place + 2] = [_Run(first.first, first.count + second.count, sample)]
        while sum(run.count for run in runs) > self._kind.maximum_waiting:
            runs.pop(0)
