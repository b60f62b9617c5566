"""Photos to pictures in memory: opaque sRGB, otherwise as their files have them.

libav decodes JPEG, PNG, HEIC and AVIF; Pillow decodes WebP, TIFF, BMP and GIF, and JPEGs that are coded arithmetically.
The type is found from the content. One decoder stays open, for ordinary JPEGs: opening one per photo costs a tenth
more. It gets all tables with each photo, so that it carries nothing over. Every other photo has a decoder of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from av.video.frame import VideoFrame

from timelapse_runtime.timelapse.errors import FrameRejected
from timelapse_runtime.timelapse.model.capture_time import CameraTime
from timelapse_runtime.timelapse.model.video_size import SMALLEST_SIDE
from timelapse_runtime.timelapse.video import png_chunks
from timelapse_runtime.timelapse.video.exif import UPRIGHT, camera_times, orientation
from timelapse_runtime.timelapse.video.file_type import file_type
from timelapse_runtime.timelapse.video.frame_traits import is_usual
from timelapse_runtime.timelapse.video.heif import read_heif
from timelapse_runtime.timelapse.video.jpeg_markers import read_jpeg
from timelapse_runtime.timelapse.video.libav_pictures import decode_picture, decode_tiles, open_decoder
from timelapse_runtime.timelapse.video.metadata import Colour, Metadata

if TYPE_CHECKING:
    from timelapse_runtime.timelapse.video.pillow import PillowPhotos

BLACK: Colour = (0, 0, 0)
_BY_PILLOW = {"WebP": "WEBP", "TIFF": "TIFF", "BMP": "BMP", "GIF": "GIF", "JPEG": "JPEG"}


@dataclass(frozen=True, slots=True)
class DecodedPhoto:
    """A photo as its file has it (any chroma format and range), and how it has to be turned to stand upright.

    `orientation` as EXIF has it, 1 to 8. `width` and `height` are those of the photo upright. `times` are those that
    its EXIF block tells, best first, not checked.
    """

    frame: VideoFrame
    orientation: int = UPRIGHT
    times: tuple[CameraTime, ...] = ()

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


class PhotoDecoder:
    """Decodes the bodies of photos. `background` is laid below what is transparent.

    A photo of more than `maximum_pixels` is rejected before any memory for its pixels is taken.
    """

    def __init__(self, *, maximum_pixels: int, background: Colour = BLACK) -> None:
        self._maximum_pixels = maximum_pixels
        self._background = background
        self._jpeg = open_decoder("mjpeg", maximum_pixels=maximum_pixels)

    def decode(self, body: bytes) -> DecodedPhoto:
        """The photo, in sRGB. Raises FrameRejected.

        Reasons: `empty`, `unsupported-type`, `undecodable` (damaged or truncated), `too-large` (above
        `maximum_pixels`), `too-small`.
        """
        if not body:
            raise FrameRejected("empty", "the object has no bytes")
        kind = file_type(body)
        if kind == "JPEG":
            return self._decode_jpeg(body)
        if kind == "PNG":
            return self._decode_png(body)
        if kind == "HEIF":
            return self._decode_heif(body)
        if kind in _BY_PILLOW:
            return self._open_by_pillow(body, kind)
        raise FrameRejected("unsupported-type", f"this is {kind}; photos are JPEG, HEIC, PNG and other picture files")

    def _decode_jpeg(self, body: bytes) -> DecodedPhoto:
        jpeg = read_jpeg(body)
        self._check_size("JPEG", jpeg.width, jpeg.height)
        if jpeg.is_arithmetic:
            return self._open_by_pillow(jpeg.packet, "JPEG", jpeg.metadata)
        if jpeg.is_ordinary:
            try:
                frame = decode_picture(self._jpeg, "JPEG", jpeg.packet)
            except FrameRejected:  # what a decoder keeps after an error is not known
                self._jpeg = open_decoder("mjpeg", maximum_pixels=self._maximum_pixels)
                raise
        else:
            frame = decode_picture(open_decoder("mjpeg", maximum_pixels=self._maximum_pixels), "JPEG", jpeg.packet)
        if jpeg.is_cmyk and jpeg.metadata.icc:  # libav has made RGB of it, for which the profile is not
            return self._open_by_pillow(jpeg.packet, "JPEG", jpeg.metadata)
        return _described(self._in_srgb(frame, jpeg.metadata), jpeg.metadata)

    def _decode_png(self, body: bytes) -> DecodedPhoto:
        self._check_size("PNG", *png_chunks.size(body))
        frame = decode_picture(open_decoder("png", maximum_pixels=self._maximum_pixels), "PNG", body)
        metadata = png_chunks.read_metadata(body)
        return _described(self._in_srgb(frame, metadata), metadata)

    def _decode_heif(self, body: bytes) -> DecodedPhoto:
        heif = read_heif(body)
        self._check_size("HEIF", heif.picture.width, heif.picture.height)
        frame = decode_tiles(heif.picture, maximum_pixels=self._maximum_pixels)
        alpha = decode_tiles(heif.alpha, maximum_pixels=self._maximum_pixels) if heif.alpha else None
        # EXIF's orientation is that of the camera, which irot has already put right (HEIF, A.2.1).
        picture = self._in_srgb(frame, heif.metadata, alpha)
        return DecodedPhoto(picture, heif.orientation, camera_times(heif.metadata.exif))

    def _open_by_pillow(self, body: bytes, kind: str, metadata: Metadata | None = None) -> DecodedPhoto:
        opened = self._pillow.open(body, _BY_PILLOW[kind])
        self._check_size(kind, opened.image.width, opened.image.height)
        metadata = metadata or opened.metadata
        photo = _described(self._pillow.convert_image(opened.load(), metadata.icc), metadata)
        return replace(photo, times=camera_times(body)) if kind == "TIFF" else photo

    def _in_srgb(self, frame: VideoFrame, metadata: Metadata, alpha: VideoFrame | None = None) -> VideoFrame:
        if metadata.is_srgb and alpha is None and is_usual(frame):
            return frame
        return self._pillow.convert_frame(frame, b"" if metadata.is_srgb else metadata.icc, alpha)

    @cached_property
    def _pillow(self) -> PillowPhotos:
        """Opened at the first photo that needs it: the import takes 30 to 60 ms."""
        from timelapse_runtime.timelapse.video.pillow import PillowPhotos  # noqa: PLC0415

        return PillowPhotos(self._background)

    def _check_size(self, kind: str, width: int, height: int) -> None:
        if not width or not height:
            raise FrameRejected("undecodable", f"{kind}: damaged or cut short (its size is {width}x{height})")
        if width * height > self._maximum_pixels:
            limit = f"TIMELAPSE_MAXIMUM_PIXELS and the function's memory allow {self._maximum_pixels} pixels"
            raise FrameRejected("too-large", f"{kind}: {width}x{height}; {limit}")
        if min(width, height) < SMALLEST_SIDE:
            raise FrameRejected("too-small", f"{width}x{height}; each side needs {SMALLEST_SIDE} pixels")


def _described(frame: VideoFrame, metadata: Metadata) -> DecodedPhoto:
    return DecodedPhoto(frame, orientation(metadata), camera_times(metadata.exif))
