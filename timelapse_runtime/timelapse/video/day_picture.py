"""Pictures of a whole reel, which grow frame by frame: what they are made of, and how they are stored.

A stored picture is its own state: a PNG, which loses nothing, with a text chunk that says which frames are in it. So
whoever reads it can go on where it ends. Sums that a picture of eight bits cannot hold are in that text as well.

Source of the format: W3C Portable Network Graphics (third edition, 2025), 5.3, 11.3.3.2 (tEXt).
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, cast

import av
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from timelapse_runtime.timelapse.video.fit import Picture

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

    Pixels: TypeAlias = NDArray[numpy.uint8]
    """Of shape (height, width, 3): red, green and blue, full range."""

Sample: TypeAlias = Any
"""What a picture needs of one frame, or of a run of them: for its `DayCanvas` alone."""
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEADER_BYTES = len(_SIGNATURE) + 25
"""The signature and IHDR, which comes first."""
_KEYWORD = b"timelapse"


class UnreadableDayPicture(Exception):
    """What is stored is not a picture that these functions wrote, or is damaged."""


class DayCanvas(Protocol):
    """One picture of one reel, as far as it has come. `frame_count`: the reel's first frames, which are in it."""

    frame_count: int

    def add(self, sample: Sample, count: int) -> None:
        """Add the next `count` frames."""
        ...

    def to_png(self) -> bytes:
        """As stored. There is at least one frame."""
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


def write_png(pixels: Pixels, state: Mapping[str, Any]) -> bytes:
    """The picture, with `state` (a JSON value, not empty) in its text."""
    height, width = pixels.shape[:2]
    context = VideoCodecContext.create("png", "w")
    context.width, context.height, context.pix_fmt, context.time_base = width, height, "rgb24", Fraction(1, 1)
    context.thread_count = 1
    # Noise hardly compresses: level 1 takes a quarter of the time of level 6, for a tenth more bytes (measured on a
    # photo of 2048x540, November 2026).
    context.options = {"compression_level": "1", "pred": "up"}
    frame = VideoFrame.from_ndarray(pixels, format="rgb24")
    frame.pts = 0
    png = b"".join(bytes(packet) for packet in (*context.encode(frame), *context.encode(None)))
    text = b"tEXt" + _KEYWORD + b"\0" + json.dumps(state).encode()
    chunk = (len(text) - 4).to_bytes(4, "big") + text + zlib.crc32(text).to_bytes(4, "big")
    return png[:_HEADER_BYTES] + chunk + png[_HEADER_BYTES:]


def read_png(png: bytes) -> tuple[Pixels, Mapping[str, Any]]:
    """What `write_png` was given. Raises UnreadableDayPicture: each chunk has a checksum."""
    texts = [data for kind, data in _checked_chunks(png) if kind == b"tEXt" and data.startswith(_KEYWORD + b"\0")]
    try:
        state = json.loads(texts[0].partition(b"\0")[2])
        context = VideoCodecContext.create("png", "r")
        context.thread_count = 1
        frames = [*context.decode(Packet(png)), *context.decode(None)]
        pixels = pixels_of(frames[0])
    except (av.FFmpegError, ValueError, IndexError) as error:
        raise UnreadableDayPicture(f"it cannot be read: {error!r}") from error
    if not isinstance(state, dict):
        raise UnreadableDayPicture(f"its text says {state!r}")
    return pixels, state


def _checked_chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    if not png.startswith(_SIGNATURE):
        raise UnreadableDayPicture("it is no PNG")
    position, kind = len(_SIGNATURE), b""
    while position < len(png):
        length = int.from_bytes(png[position : position + 4], "big")
        end = position + 12 + length
        if zlib.crc32(png[position + 4 : end - 4]).to_bytes(4, "big") != png[end - 4 : end]:
            raise UnreadableDayPicture(f"its chunk at byte {position} is damaged")
        kind = png[position + 4 : position + 8]
        yield kind, png[position + 8 : end - 4]
        position = end
    if kind != b"IEND":
        raise UnreadableDayPicture("it is cut off")
