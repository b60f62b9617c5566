"""Photos to pictures in memory: JPEG and PNG, as their files have them.

One decoder stays open, for ordinary JPEGs: opening one per photo costs a tenth more. It gets all tables with each
photo, so that it carries nothing over. Every other photo has a decoder of its own.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

import av
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from timelapse_runtime.timelapse.errors import FrameRejected
from timelapse_runtime.timelapse.video.exif import UPRIGHT, orientation
from timelapse_runtime.timelapse.video.jpeg_markers import read_jpeg

SMALLEST_SIDE = 16
"""Below one macroblock there is nothing to encode."""

_DECODERS = {"JPEG": "mjpeg", "PNG": "png"}
_SIGNATURES = (
    (b"\xff\xd8\xff", 0, "JPEG"),
    (b"\x89PNG\r\n\x1a\n", 0, "PNG"),
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
    def size_bytes(self) -> int:
        """Of its planes in memory."""
        return sum(plane.buffer_size for plane in self.frame.planes)

    @property
    def is_on_its_side(self) -> bool:
        """Whether rows have to become columns."""
        return self.orientation >= 5


def _claimed_size(file_type: str, data: bytes) -> tuple[int, int]:
    """Width and height in the header of a photo, read without memory for its picture; 0 and 0 if there is none."""
    if file_type == "PNG":  # its first chunk is IHDR (PNG, 3rd edition, 11.2.1); libav would allocate the picture
        return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    context = av.CodecContext.create(_DECODERS[file_type], "r")
    assert isinstance(context, VideoCodecContext)
    context.thread_count, context.skip_frame = 1, "ALL"
    with contextlib.suppress(av.FFmpegError, ValueError):
        context.decode(av.Packet(data))
    return context.width, context.height


class PhotoDecoder:
    """Decodes JPEG and PNG bodies.

    `maximum_pixels` is checked by libav against the header, before any picture memory is taken.
    """

    def __init__(self, *, maximum_pixels: int) -> None:
        self._maximum_pixels = maximum_pixels
        self._jpeg = self._context("mjpeg")

    def decode(self, body: bytes) -> DecodedPhoto:
        """The photo as its file has it. Raises FrameRejected.

        Reasons: `empty`, `unsupported-type`, `undecodable` (damaged or truncated), `too-large` (above
        `maximum_pixels`), `too-small`.
        """
        if not body:
            raise FrameRejected("empty", "the object has no bytes")
        file_type = _file_type(body)
        if file_type == "JPEG":
            return self._decode_jpeg(body)
        if file_type not in _DECODERS:
            raise FrameRejected("unsupported-type", f"JPEG and PNG can be read; this is {file_type}")
        return DecodedPhoto(self._picture(file_type, body, self._context(_DECODERS[file_type])))

    def _decode_jpeg(self, body: bytes) -> DecodedPhoto:
        jpeg = read_jpeg(body)
        if jpeg.is_ordinary:
            try:
                frame = self._picture("JPEG", jpeg.packet, self._jpeg)
            except FrameRejected:
                self._jpeg = self._context("mjpeg")  # what a decoder keeps after an error is not known
                raise
        else:
            frame = self._picture("JPEG", jpeg.packet, self._context("mjpeg"))
        return DecodedPhoto(frame, orientation(jpeg.metadata))

    def _picture(self, file_type: str, data: bytes, context: VideoCodecContext) -> VideoFrame:
        """The one picture that a decoder makes of a photo's bytes."""
        packet = av.Packet(data)
        packet.is_keyframe = True  # else libav's PNG decoder adds a photo to the one before it, as MPNG does
        try:
            frames = context.decode(packet)
        except (av.FFmpegError, ValueError) as error:
            width, height = _claimed_size(file_type, data)
            if -(-width // 64) * 64 * height > self._maximum_pixels:  # libav counts whole steps of 64 columns
                limit = f"TIMELAPSE_MAXIMUM_PIXELS and the function's memory allow {self._maximum_pixels} pixels"
                raise FrameRejected("too-large", f"{file_type}: {width}x{height}; {limit}") from error
            raise FrameRejected("undecodable", f"{file_type}: damaged or cut short ({error})") from error
        if len(frames) != 1 or frames[0].is_corrupt:
            raise FrameRejected("undecodable", f"{file_type}: no whole picture in {len(data)} bytes")
        frame = frames[0]
        if min(frame.width, frame.height) < SMALLEST_SIDE:
            detail = f"{frame.width}x{frame.height}; each side needs {SMALLEST_SIDE} pixels"
            raise FrameRejected("too-small", detail)
        return frame

    def _context(self, codec: str) -> VideoCodecContext:
        context = av.CodecContext.create(codec, "r")
        assert isinstance(context, VideoCodecContext)
        # Without `explode` libav reports success on a truncated JPEG and fills the rest with grey.
        context.options = {"err_detect": "explode", "max_pixels": str(self._maximum_pixels)}
        context.thread_count = 1
        return context
