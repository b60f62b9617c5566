"""Photos to pictures in memory: JPEG and PNG, as their files have them.

Keeps one decoder per file type open: opening one per photo costs a third more.
"""

from __future__ import annotations

from dataclasses import dataclass

import av
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from timelapse_runtime.timelapse.errors import FrameRejected
from timelapse_runtime.timelapse.video.exif import UPRIGHT, orientation

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
