"""Pictures of a whole reel, which grow frame by frame: what they are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, cast

from av.video.frame import VideoFrame

from timelapse_runtime.timelapse.video.fit import Picture

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

    Pixels: TypeAlias = NDArray[numpy.uint8]
    """Of shape (height, width, 3): red, green and blue, full range."""

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

    def to_png(self) -> bytes:
        """As stored: by `write_png`, with its number of frames as `frames`. There is at least one frame."""
        ...


class DayPictureKind(Protocol):
    """Makes the parts of one kind of picture, for a reel of one size. Keeps its scaler open."""

    def sample(self, picture: Picture) -> Sample | None:
        """Of one frame, without a reference to it; None if nobody has its pixels here."""
        ...

    def joined(self, first: Sample, second: Sample) -> Sample:
        """Of the frames of both, which follow each other. The two are used up."""
        ...

    def canvas(self, png: bytes | None = None) -> DayCanvas:
        """One without frames, or the one that was stored. Raises UnreadableDayPicture."""
        ...


def pixels_of(picture: VideoFrame) -> Pixels:
    """Those of a picture; where it is `rgb24`, they may be its own memory."""
    return cast("Pixels", picture.to_ndarray(format="rgb24"))
