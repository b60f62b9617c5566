"""All frames of a selection in one picture: a keogram, which shows how a day went, or the trails that stars leave.

A keogram has a column for each frame, the middle one of its picture, from the left to the right. For trails, each
sample is the brightest that any frame has at its place ("lighten"), so the ground must be dark.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy
from av.video.frame import VideoFrame
from numpy.typing import NDArray
from PIL import Image

from timelapse_runtime.timelapse.model.video_size import Size
from timelapse_runtime.timelapse.video.planes import planes_of

KEOGRAM, TRAILS = "keogram", "trails"
STILLS = (KEOGRAM, TRAILS)
USUAL_COLUMNS = 1920
_RANGE_LIMITED, _MATRIX_BT601 = 1, 5


def draw_still(still: str, frames: Iterable[VideoFrame], size: Size) -> Image.Image:
    """The picture of `frames`, of which there is at least one, in `yuv420p` and of one size; `size` is its own."""
    drawn = _keogram(frames) if still == KEOGRAM else _trails(frames)
    return drawn if drawn.size == size else drawn.resize(size, Image.Resampling.LANCZOS)


def _keogram(frames: Iterable[VideoFrame]) -> Image.Image:
    # Each chroma sample of a column is for two rows, and the column has no neighbour to share it with: 4:4:4.
    columns = [numpy.stack([*_middle(frame)]) for frame in frames]
    picture = VideoFrame.from_ndarray(numpy.stack(columns, axis=2), format="yuv444p")
    picture.color_range, picture.colorspace = _RANGE_LIMITED, _MATRIX_BT601
    return Image.fromarray(picture.to_ndarray(format="rgb24"))


def _middle(frame: VideoFrame) -> Iterator[NDArray[numpy.uint8]]:
    """The middle column of each plane, as high as the frame; a copy."""
    planes = planes_of(frame)
    yield planes.y[:, frame.width // 2].copy()
    for plane in (planes.u, planes.v):
        yield plane[:, plane.shape[1] // 2].repeat(2)[: frame.height]


def _trails(frames: Iterable[VideoFrame]) -> Image.Image:
    brightest = None
    for frame in frames:
        picture = frame.to_ndarray(format="rgb24")
        brightest = picture if brightest is None else numpy.maximum(brightest, picture, out=brightest)
    assert brightest is not None
    return Image.fromarray(brightest)
