"""The brightest that any frame has at each place ("lighten"): trails of stars, or of lamps, over dark ground."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy
from av.video.reformatter import VideoReformatter

from timelapse_runtime.timelapse.model.video_size import Size
from timelapse_runtime.timelapse.video.day_picture import (
    MAXIMUM_WAITING,
    Reducer,
    UnreadableDayPicture,
    frames_in,
    pixels_of,
)
from timelapse_runtime.timelapse.video.day_picture_file import read_png, write_png
from timelapse_runtime.timelapse.video.fit import Picture

if TYPE_CHECKING:
    from timelapse_runtime.timelapse.video.day_picture import Pixels


def lighter(first: Pixels, second: Pixels) -> Pixels:
    """The lighter one of each two samples, in the place of `first`."""
    return numpy.maximum(first, second, out=first)


class Lighten:
    """See DayPictureKind. A sample is a small picture."""

    maximum_waiting = MAXIMUM_WAITING

    def __init__(self, size: Size) -> None:
        # In two steps, each of which libswscale has a fast path for: 0.6 ms of 1080p, and 1.6 in one (November 2026).
        self._reducer, self._converter = Reducer(size), VideoReformatter()

    def sample(self, picture: Picture, number: int) -> Pixels:
        """See DayPictureKind."""
        del number
        return pixels_of(self._converter.reformat(self._reducer.reduced(picture), format="rgb24", threads=1))

    def joined(self, first: Pixels, second: Pixels) -> Pixels:
        """See DayPictureKind."""
        return lighter(first, second)

    def canvas(self, stored: bytes | None = None) -> LightenCanvas:
        """See DayPictureKind."""
        canvas = LightenCanvas(self._reducer.size)
        if stored is not None:
            canvas.read(stored)
        return canvas


class LightenCanvas:
    """See DayCanvas."""

    def __init__(self, size: Size) -> None:
        self.frame_count = 0
        self._pixels: Pixels = numpy.zeros((size[1], size[0], 3), numpy.uint8)

    def add(self, sample: Pixels, count: int) -> None:
        """See DayCanvas."""
        lighter(self._pixels, sample)
        self.frame_count += count

    def to_bytes(self) -> bytes:
        """See DayCanvas."""
        return write_png(self._pixels, {"frames": self.frame_count})

    def read(self, png: bytes) -> None:
        """Become the one that was stored. Raises UnreadableDayPicture."""
        pixels, state = read_png(png)
        frame_count = frames_in(state)
        if pixels.shape != self._pixels.shape:
            raise UnreadableDayPicture(f"it has shape {pixels.shape}; this reel's has {self._pixels.shape}")
        self._pixels[:] = pixels
        self.frame_count = frame_count
