"""Pictures of a whole reel, which grow frame by frame: what they are made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, cast

from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter

from timelapse_runtime.timelapse.model.video_size import Size, even_size
from timelapse_runtime.timelapse.video.fit import Picture

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

    Pixels: TypeAlias = NDArray[numpy.uint8]
    """Of shape (height, width, 3): red, green and blue, full range."""

MAXIMUM_SIDE = 960
"""In samples, where a picture is smaller than its video."""
MAXIMUM_WAITING = 2_000
"""Frames, of a kind whose joined samples take little: one may be a column for each frame."""
Sample: TypeAlias = Any
"""What a picture needs of one frame, or of a run of them: for its `DayCanvas` alone."""


class UnreadableDayPicture(Exception):
    """What is stored is not a picture that these functions wrote, or is damaged."""


class DayCanvas(Protocol):
    """One picture of one reel, as far as it has come. `frame_count`: the reel's first frames, which are in it."""

    frame_count: int

    def add(self, sample: Sample, count: int) -> None:
        """Add the next `count` frames."""
        ...

    def to_bytes(self) -> bytes:
        """As stored. There is at least one frame. Raises EncoderFailed."""
        ...


class DayPictureKind(Protocol):
    """Makes the parts of one kind of picture, for a reel of one size. Keeps its scaler open. Of `maximum_waiting`
    frames at most, samples may be in memory until they are committed, and as many of committed frames."""

    maximum_waiting: int

    def sample(self, picture: Picture, number: int) -> Sample | None:
        """Of the frame with this number in its reel, without a reference to it; None if nobody has its pixels here."""
        ...

    def joined(self, first: Sample, second: Sample) -> Sample:
        """Of the frames of both, which follow each other. The two are used up."""
        ...

    def canvas(self, stored: bytes | None = None) -> DayCanvas:
        """One without frames, or the one that was stored. Raises UnreadableDayPicture."""
        ...


class Reducer:
    """Makes small pictures (`yuv420p`, of `size`) of those of a video of one size: the longer side has MAXIMUM_SIDE
    samples at most."""

    def __init__(self, size: Size) -> None:
        scale = min(1.0, MAXIMUM_SIDE / max(size))
        width, height = even_size(round(size[0] * scale), round(size[1] * scale))
        self.size: Size = max(2, width), max(2, height)
        self._scaler = VideoReformatter()

    def reduced(self, picture: Picture) -> VideoFrame:
        """The same picture if it is of that size."""
        width, height = self.size
        return self._scaler.reformat(
            picture, width=width, height=height, format="yuv420p", interpolation=Interpolation.AREA, threads=1
        )


def frames_in(state: Mapping[str, Any]) -> int:
    """How many frames a stored picture says are in it, at least one. Raises UnreadableDayPicture."""
    frame_count = state.get("frames")
    if type(frame_count) is not int or frame_count < 1:
        raise UnreadableDayPicture(f"it does not say how many frames are in it, but {frame_count!r}")
    return frame_count


def pixels_of(picture: VideoFrame) -> Pixels:
    """Those of a picture; where it is `rgb24`, they may be its own memory."""
    return cast("Pixels", picture.to_ndarray(format="rgb24"))
