"""The tail: the last decoded frames of the film with their statistics, for filters that look back."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from timelapse_runtime.media.photo import Picture, plane_array

_SAMPLE_STEP = 4  # every 4th pixel of every 4th row: 0.2 ms instead of 3 at 1080p, and the mean moves by < 0.1


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

    def append(self, number: int, picture: Picture) -> None:
        """Add the film's newest frame; the picture must not be changed afterwards."""
        luma = plane_array(picture, 0)[::_SAMPLE_STEP, ::_SAMPLE_STEP]
        self._frames.append(TailFrame(number, picture, float(np.mean(luma)), float(np.std(luma))))

    def clear(self) -> None:
        """The film does not go on from these frames."""
        self._frames.clear()

    def frames(self) -> tuple[TailFrame, ...]:
        """Oldest first."""
        return tuple(self._frames)
