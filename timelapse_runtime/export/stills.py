"""All frames of a selection in one picture: a keogram, which shows how a day went, or the trails that stars leave.

A keogram has a column for each frame, the middle one of its picture, from the left to the right. For trails, each
sample is the brightest that any frame has at its place ("lighten"), so the ground must be dark. The function keeps such
pictures of each reel up to date while frames pass, too (`timelapse/day_pictures.py`): what is done with a frame is the
same.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable

import numpy
from av.video.frame import VideoFrame
from PIL import Image

from timelapse_runtime.timelapse.model.keys import KEOGRAM
from timelapse_runtime.timelapse.model.video_size import Size
from timelapse_runtime.timelapse.video.day_picture import pixels_of
from timelapse_runtime.timelapse.video.keogram import middle_column
from timelapse_runtime.timelapse.video.lighten import lighter

TRAILS = "trails"
STILLS = (KEOGRAM, TRAILS)
USUAL_COLUMNS = 1920


def draw_still(still: str, frames: Iterable[VideoFrame], size: Size) -> Image.Image:
    """The picture of `frames`, of which there is at least one, in `yuv420p` and of one size; `size` is its own."""
    drawn = _keogram(frames) if still == KEOGRAM else _trails(frames)
    return drawn if drawn.size == size else drawn.resize(size, Image.Resampling.LANCZOS)


def _keogram(frames: Iterable[VideoFrame]) -> Image.Image:
    return Image.fromarray(numpy.stack([middle_column(frame) for frame in frames], axis=1))


def _trails(frames: Iterable[VideoFrame]) -> Image.Image:
    return Image.fromarray(functools.reduce(lighter, map(pixels_of, frames)))
