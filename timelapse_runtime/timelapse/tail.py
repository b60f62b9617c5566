"""The tail: the last decoded frames of the film with their statistics, for filters that look back."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from timelapse_runtime.timelapse.video.decode import Picture
from timelapse_runtime.timelapse.video.luma import LumaSampler


@dataclass(frozen=True, slots=True)
class TailFrame:
    """A frame of the film: its number in the reel, its picture, and its luma's mean and standard deviation."""

    number: int
    picture: Picture
    luma_mean: float
    luma_deviation: float


class Tail:
    """At most `length` frames; the oldest one leaves first."""

    def __init__(self, length: int) -> None:
        self._frames: deque[TailFrame] = deque(maxlen=length)
        self._sampler = LumaSampler()

    def append(self, number: int, picture: Picture) -> None:
        """Add the film's newest frame; the picture must not be changed afterwards."""
        self._frames.append(TailFrame(number, picture, *self._sampler.measure(picture)))

    def clear(self) -> None:
        """The film does not go on from these frames."""
        self._frames.clear()

    def frames(self) -> tuple[TailFrame, ...]:
        """Oldest first."""
        return tuple(self._frames)
