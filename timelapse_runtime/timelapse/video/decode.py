"""Photos to video pictures: decode, scale, convert to limited-range 4:2:0. Never through RGB for a JPEG.

Owns one decoder per file type and one scaler, all kept open: PyAV makes a new scaler context per
`VideoFrame.reformat()`, and opening a decoder per photo costs a third more. Knows nothing of streams or storage.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

import av
from av.filter import Graph
from av.video.codeccontext import VideoCodecContext
from av.video.format import VideoFormat
from av.video.frame import VideoFrame
from av.video.reformatter import Colorspace, Interpolation, VideoReformatter

from timelapse_runtime.timelapse.errors import FrameRejected
from timelapse_runtime.timelapse.video.exif import UPRIGHT, orientation
from timelapse_runtime.timelapse.video.jpeg import JpegEncoder

_RANGE_LIMITED, _RANGE_FULL = 1, 2
Picture: TypeAlias = VideoFrame
"""A picture of the film; the name by which those above `media` know it."""
_TURNS: Mapping[int, tuple[tuple[str, str], ...]] = {
    1: (),
    2: (("hflip", ""),),
    3: (("hflip", ""), ("vflip", "")),
    4: (("vflip", ""),),
    5: (("transpose", "cclock_flip"),),
    6: (("transpose", "clock"),),
    7: (("transpose", "clock_flip"),),
    8: (("transpose", "cclock"),),
}
"""The filters that stand a photo upright, by EXIF orientation."""
_FULL_RANGE_420 = "yuvj420p"
SMALLEST_SIDE = 16
"""Below one macroblock there is nothing to encode."""

_DECODERS = {"jpeg": "mjpeg", "png": "png"}
_SIGNATURES = (
    (b"\xff\xd8\xff", 0, "jpeg"),
    (b"\x89PNG\r\n\x1a\n", 0, "png"),
    (b"GIF8", 0, "GIF"),
    (b"WEBP", 8, "WebP"),
    (b"ftyphei", 4, "HEIC"),
    (b"ftypmif1", 4, "HEIF"),
    (b"ftypavif", 4, "AVIF"),
    (b"II*\x00", 0, "TIFF or a camera's raw file"),
    (b"MM\x00*", 0, "TIFF or a camera's raw file"),
    (b"BM", 0, "BMP"),
    (b"%PDF", 0, "PDF"),
)


def _file_type(body: bytes) -> str:
    for signature, offset, name in _SIGNATURES:
        if body[offset : offset + len(signature)] == signature:
            return name
    return "no known picture format"


def _is_whole_jpeg(body: bytes) -> bool:
    """Whether a JPEG has picture data and, after it, its end marker (ITU-T T.81, B.1.1: SOS, EOI).

    libav takes a file that was cut off at a restart marker, or between a progressive file's scans, for a whole one,
    and one without picture data too. The headers are walked over, as an EXIF thumbnail in them has such markers.
    """
    position = 2
    while position + 4 <= len(body) and body[position] == 0xFF and body[position + 1] != 0xDA:
        is_fill = body[position + 1] == 0xFF
        position += 1 if is_fill else 2 + int.from_bytes(body[position + 2 : position + 4], "big")
    start = body.find(b"\xff\xda", position)
    return start != -1 and body.rfind(b"\xff\xd9") > start


def even_size(width: int, height: int) -> tuple[int, int]:
    """The largest size that 4:2:0 video can have within this one."""
    return width // 2 * 2, height // 2 * 2


@dataclass(frozen=True, slots=True)
class DecodedPhoto:
    """A photo as its file has it (any chroma format and range), and how it has to be turned to stand upright.

    `orientation` as EXIF has it, 1 to 8. `width` and `height` are those of the photo upright.
    """

    frame: VideoFrame
    orientation: int = UPRIGHT

    @property
    def width(self) -> int:
        """In pixels, upright."""
        return self.frame.height if self.is_on_its_side else self.frame.width

    @property
    def height(self) -> int:
        """In pixels, upright."""
        return self.frame.width if self.is_on_its_side else self.frame.height

    @property
    def is_on_its_side(self) -> bool:
        """Whether rows have to become columns."""
        return self.orientation >= 5


class PhotoDecoder:
    """Decodes JPEG and PNG bodies.

    `maximum_pixels` is checked by libav against the header, before any picture memory is taken.
    """

    def __init__(self, *, maximum_pixels: int) -> None:
        self._maximum_pixels = maximum_pixels
        self._contexts: dict[str, VideoCodecContext] = {}

    def decode(self, body: bytes) -> DecodedPhoto:
        """The photo as its file has it. Raises FrameRejected.

        Reasons: `empty`, `unsupported-type`, `undecodable` (damaged, truncated, or above `maximum_pixels`),
        `too-small`.
        """
        if not body:
            raise FrameRejected("empty", "the object has no bytes")
        file_type = _file_type(body)
        if file_type not in _DECODERS:
            raise FrameRejected("unsupported-type", f"JPEG and PNG can be read; this is {file_type}")
        try:
            packet = av.Packet(body)
            packet.is_keyframe = True  # else libav's PNG decoder adds a photo to the one before it, as MPNG does
            frames = self._context(file_type).decode(packet)
        except (av.FFmpegError, ValueError) as error:
            self._contexts.pop(file_type, None)  # what a decoder keeps after an error is not known
            raise FrameRejected("undecodable", f"{file_type}: {error}") from error
        if len(frames) != 1 or frames[0].is_corrupt:
            self._contexts.pop(file_type, None)
            raise FrameRejected("undecodable", f"{file_type}: no whole picture in {len(body)} bytes")
        if file_type == "jpeg" and not _is_whole_jpeg(body):
            raise FrameRejected("undecodable", f"jpeg: no end marker after the picture in {len(body)} bytes")
        frame = frames[0]
        if min(frame.width, frame.height) < SMALLEST_SIDE:
            detail = f"{frame.width}x{frame.height}; each side needs {SMALLEST_SIDE} pixels"
            raise FrameRejected("too-small", detail)
        return DecodedPhoto(frame, orientation(body) if file_type == "jpeg" else UPRIGHT)

    def _context(self, file_type: str) -> VideoCodecContext:
        context = self._contexts.get(file_type)
        if context is None:
            created = av.CodecContext.create(_DECODERS[file_type], "r")
            assert isinstance(created, VideoCodecContext)
            context = created
            # Without `explode` libav reports success on a truncated JPEG and fills the rest with grey.
            context.options = {"err_detect": "explode", "max_pixels": str(self._maximum_pixels)}
            context.thread_count = 1
            self._contexts[file_type] = context
        return context


class PictureFitter:
    """Turns decoded photos into pictures of one film: its size, `yuv420p`, limited range, BT.601 matrix.

    A photo of another shape keeps its shape and gets black bars: one odd photo neither ends the film nor is bent. It
    is turned upright once it is small.
    """

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self._reformatter = VideoReformatter()
        self._range: Graph | None = None
        self._range_key = (0, 0)
        self._canvas: Graph | None = None
        self._canvas_key = (0, 0, 0)

    def fit(self, photo: DecodedPhoto) -> VideoFrame:
        """A new picture; `photo` is not changed."""
        frame = photo.frame
        if frame.format.name == "monob":
            frame = self._reformatter.reformat(frame, format="gray")  # of one bit, swscale leaves the range as it is
        inner = self._inner_size(photo.width, photo.height)
        width, height = inner[::-1] if photo.is_on_its_side else inner
        if frame.format.name == _FULL_RANGE_420 and (frame.width, frame.height) == (width, height):
            picture = self._to_limited_range(frame)
        else:
            picture = self._scaled(frame, width, height)
        if photo.orientation == UPRIGHT and inner == (self.width, self.height):
            return picture
        return self._on_canvas(picture, photo.orientation)

    def _scaled(self, frame: VideoFrame, width: int, height: int) -> VideoFrame:
        is_full = frame.color_range != _RANGE_LIMITED
        is_rgb_or_gray = frame.format.is_rgb or len(frame.format.components) < 3
        picture = self._reformatter.reformat(
            frame,
            width=width,
            height=height,
            format="yuv420p",
            src_colorspace=Colorspace.ITU601,
            dst_colorspace=Colorspace.ITU601,
            src_color_range=_RANGE_FULL if is_full else _RANGE_LIMITED,
            dst_color_range=_RANGE_LIMITED if is_rgb_or_gray or not is_full else _RANGE_FULL,
            interpolation=Interpolation.BILINEAR,
            threads=1,
        )
        return self._to_limited_range(picture) if is_full and not is_rgb_or_gray else picture

    def _to_limited_range(self, picture: VideoFrame) -> VideoFrame:
        """A full-range 4:2:0 picture in limited range.

        By a filter of its own: libswscale 9 maps 0 to 16 and 255 to 240 in chroma as well, which moves grey by 0.44 of
        a level (measured, November 2026; JFIF's grey is 128), and takes twice the time.
        """
        key = picture.width, picture.height
        if self._range is None or key != self._range_key:
            self._range, self._range_key = _open_range(*key), key
        picture.pts = 0
        self._range.push(picture)
        limited = self._range.pull()
        assert isinstance(limited, VideoFrame)
        return limited

    def _inner_size(self, width: int, height: int) -> tuple[int, int]:
        if even_size(width, height) == (self.width, self.height):
            return self.width, self.height
        scale = min(self.width / width, self.height / height)
        inner_width, inner_height = even_size(round(width * scale), round(height * scale))
        # A difference of a line or two is the rounding of an equal shape, not a shape of its own.
        if self.width - inner_width <= 2 and self.height - inner_height <= 2:
            return self.width, self.height
        return max(2, inner_width), max(2, inner_height)

    def _on_canvas(self, picture: VideoFrame, orientation: int) -> VideoFrame:
        """The picture turned upright, in the middle, with bars where it is smaller than the film."""
        key = picture.width, picture.height, orientation
        if self._canvas is None or key != self._canvas_key:
            self._canvas, self._canvas_key = self._open_canvas(*key), key
        picture.pts = 0
        self._canvas.push(picture)
        turned = self._canvas.pull()
        assert isinstance(turned, VideoFrame)
        turned.color_range, turned.colorspace = picture.color_range, picture.colorspace
        return turned

    def _open_canvas(self, width: int, height: int, orientation: int) -> Graph:
        # FFmpeg filters documentation, 'transpose', 'pad' (read November 2026). Even places: chroma stays with luma.
        pad = f"{self.width}:{self.height}:trunc((ow-iw)/4)*2:trunc((oh-ih)/4)*2:black"
        graph = Graph()
        graph.threads = 1
        source = graph.add_buffer(width=width, height=height, format=VideoFormat("yuv420p"), time_base=Fraction(1, 25))
        steps = [graph.add(name, argument) for name, argument in (*_TURNS[orientation], ("pad", pad))]
        graph.link_nodes(source, *steps, graph.add("buffersink")).configure()
        return graph


def _open_range(width: int, height: int) -> Graph:
    # FFmpeg filters documentation, 'colorspace' (read November 2026): one matrix on both sides leaves the range to do.
    graph = Graph()
    graph.threads = 1
    source = graph.add_buffer(width=width, height=height, format=VideoFormat("yuv420p"), time_base=Fraction(1, 25))
    matrix = "all=bt601-6-625:iall=bt601-6-625:irange=pc:range=tv:format=yuv420p"
    graph.link_nodes(source, graph.add("colorspace", matrix), graph.add("buffersink")).configure()
    return graph


_THUMBNAIL_QSCALE = 2


class ThumbnailEncoder:
    """Small JPEGs for `latest.jpg`."""

    def __init__(self, *, maximum_width: int = 640) -> None:
        self._maximum_width = maximum_width
        self._reformatter = VideoReformatter()
        self._encoder: JpegEncoder | None = None
        self._size = (0, 0)

    def encode(self, picture: VideoFrame) -> bytes:
        """One JPEG of `picture`, scaled down to `maximum_width` when it is wider."""
        width = min(self._maximum_width, picture.width)
        size = even_size(width, max(2, round(picture.height * width / picture.width)))
        if self._encoder is None or size != self._size:
            self._encoder, self._size = JpegEncoder(*size, qscale=_THUMBNAIL_QSCALE), size
        small = self._reformatter.reformat(
            picture,
            width=size[0],
            height=size[1],
            format="yuvj420p",
            src_color_range=_RANGE_LIMITED,
            dst_color_range=_RANGE_FULL,
            threads=1,
        )
        return self._encoder.encode(small)
