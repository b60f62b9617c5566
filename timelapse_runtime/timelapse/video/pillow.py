"""The door to Pillow: files that libav can't read, colour management (LittleCMS), transparency.

`decode` imports this module at the first photo that needs it (30 to 60 ms, November 2026): an sRGB JPEG never does.
Frames are taken through it in strips, so that a large photo needs no second copy of four bytes a pixel.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product

from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation
from PIL import Image, ImageCms

from timelapse_runtime.timelapse.errors import FrameRejected
from timelapse_runtime.timelapse.video.frame_traits import is_grey, is_limited_grey, is_opaque, is_usual
from timelapse_runtime.timelapse.video.metadata import Colour, Metadata

Image.MAX_IMAGE_PIXELS = None  # `decode` compares the size with the configured one, before pixels are decoded
_STRIP_ROWS = 128
_PILLOW_MODES = {"rgb24": "RGB", "rgba": "RGBA", "gray": "L"}
_PROFILE_MODES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}
_SWSCALE_MATRICES = {matrix.value for matrix in Colorspace}
_ACCURATE = Interpolation.BILINEAR.value | 0x40000 | 0x2000
"""With SWS_ACCURATE_RND and SWS_FULL_CHR_H_INT: without them RGB comes out darker, by up to two levels."""
_SRGB_LEVELS = 1
"""A profile that moves no colour further than this is sRGB, whatever it is called."""
_MAXIMUM_PROFILES = 16
_FULL_LEVELS = [round(min(255, max(0, (level - 16) * 255 / 219))) for level in range(256)]
"""What limited-range levels are in full range."""


@dataclass(frozen=True, slots=True)
class OpenedImage:
    """A file's first picture, whose pixels are decoded by `load`, and what the file says of it."""

    image: Image.Image
    metadata: Metadata

    def load(self) -> Image.Image:
        """Decode the pixels. Raises FrameRejected, `undecodable`."""
        with _errors_translated(self.image.format or "image"):
            self.image.load()
        return self.image


@contextmanager
def _errors_translated(name: str) -> Iterator[None]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of tags that make no sense, and of sizes, which the caller checks
            yield
    except FrameRejected:
        raise
    except Exception as error:  # Pillow's plugins raise whatever their parsing meets: KeyError, struct.error, …
        raise FrameRejected("undecodable", f"{name}: damaged or cut short ({error})") from error


class PillowPhotos:
    """Brings pictures to opaque sRGB. Keeps a transform per profile that it has met, as a camera's photos share one."""

    def __init__(self, background: Colour) -> None:
        self._background = background
        self._transforms: dict[tuple[bytes, str], ImageCms.ImageCmsTransform | None] = {}

    @staticmethod
    def open(body: bytes, pillow_format: str) -> OpenedImage:
        """Read a file's headers with Pillow. Raises FrameRejected, `undecodable`."""
        with _errors_translated(pillow_format):
            image = Image.open(io.BytesIO(body), formats=[pillow_format])
            exif, icc, xmp = (image.info.get(name) or b"" for name in ("exif", "icc_profile", "xmp"))
            if pillow_format == "TIFF":  # Pillow turns it upright as it decodes it
                return OpenedImage(image, Metadata(icc=icc))
            xmp = xmp if isinstance(xmp, bytes) else str(xmp).encode()
            return OpenedImage(image, Metadata(exif.removeprefix(b"Exif\0\0"), xmp, icc))

    def convert_frame(self, frame: VideoFrame, icc: bytes, alpha: VideoFrame | None = None) -> VideoFrame:
        """A decoder's frame; the frame itself if it is opaque, of the usual matrix, and its profile is sRGB's.

        `alpha` is a grey frame of its own.
        """
        grey = is_grey(frame)
        transform = self._transform(icc, "RGB") or (self._transform(icc, "L") if grey else None)
        if transform is None and alpha is None and is_usual(frame):
            return frame
        pixels = _packed(frame, "gray" if grey else "rgb24" if is_opaque(frame) else "rgba")
        opacity = None if alpha is None else _packed(alpha, "gray", size=(frame.width, frame.height))
        result = VideoFrame(frame.width, frame.height, "rgb24")
        for top in range(0, frame.height, _STRIP_ROWS):
            strip = _strip(pixels, top)
            if is_limited_grey(frame):
                strip = strip.point(_FULL_LEVELS)
            if opacity is not None:
                strip = strip.convert("RGB")
                opaque = _strip(opacity, top)
                strip.putalpha(opaque.point(_FULL_LEVELS) if alpha is not None and is_limited_grey(alpha) else opaque)
            _write_rows(result, top, self._opaque_srgb(strip, icc))
        return result

    def convert_image(self, image: Image.Image, icc: bytes) -> VideoFrame:
        """An image of Pillow's, in any mode. Raises FrameRejected, `undecodable`: palettes are read only here."""
        with _errors_translated(image.format or "image"):
            return self._converted(image, icc)

    def _converted(self, image: Image.Image, icc: bytes) -> VideoFrame:
        if image.mode.startswith("I;16"):
            image = image.convert("I").point(lambda value: value * (1 / 256)).convert("L")
        elif image.mode in {"I", "F"}:
            raise FrameRejected("undecodable", f"pixels of the kind {image.mode}, whose white is not known")
        elif image.mode not in {"1", "L", "RGB", "CMYK"}:
            is_transparent = image.mode in {"RGBA", "LA", "PA", "RGBa", "La"} or "transparency" in image.info
            image = image.convert("RGBA" if is_transparent else "RGB")
        elif "transparency" in image.info:
            image = image.convert("RGBA")
        frame = VideoFrame(image.width, image.height, "rgb24")
        for top in range(0, image.height, _STRIP_ROWS):
            strip = image.crop((0, top, image.width, min(top + _STRIP_ROWS, image.height)))
            _write_rows(frame, top, self._opaque_srgb(strip, icc))
        return frame

    def _opaque_srgb(self, image: Image.Image, icc: bytes) -> Image.Image:
        if image.mode == "1":
            image = image.convert("L")
        transform = self._transform(icc, image.mode)
        alpha = image.getchannel("A") if image.mode == "RGBA" else None
        colours = image.convert("RGB") if transform is None or alpha is not None else image
        if transform is None and image.mode == "L":
            transform = self._transform(icc, "RGB")  # grey with a profile for colours
        if transform is not None:
            colours = ImageCms.applyTransform(colours, transform) or colours
        if alpha is not None:
            colours = Image.composite(colours, Image.new("RGB", colours.size, self._background), alpha)
        return colours

    def _transform(self, icc: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
        """What brings an image of this mode to sRGB, or None: sRGB, damaged, or a profile for another kind of image."""
        mode = {"RGBA": "RGB"}.get(mode, mode)
        if not icc:
            return None
        key = icc, mode
        if key not in self._transforms:
            if len(self._transforms) >= _MAXIMUM_PROFILES:
                self._transforms.clear()
            self._transforms[key] = _build_transform(icc, mode)
        return self._transforms[key]


def _build_transform(icc: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        if _PROFILE_MODES.get(profile.profile.xcolor_space.strip()) != mode:
            return None
        srgb = ImageCms.createProfile("sRGB")
        transform = ImageCms.buildTransform(profile, srgb, mode, "RGB", ImageCms.Intent.RELATIVE_COLORIMETRIC)
    except (ImageCms.PyCMSError, OSError, ValueError):  # ValueError: a colour space whose name is not ASCII
        return None
    if mode != "RGB":
        return transform
    levels = [round(step * 255 / 8) for step in range(9)]
    colours = bytes(level for colour in product(levels, repeat=3) for level in colour)
    converted = ImageCms.applyTransform(Image.frombytes("RGB", (9 * 9, 9), colours), transform)
    assert converted is not None  # it is a new image
    moved = zip(colours, converted.tobytes(), strict=True)
    return transform if any(abs(before - after) > _SRGB_LEVELS for before, after in moved) else None


def _packed(frame: VideoFrame, pixel_format: str, size: tuple[int, int] | None = None) -> VideoFrame:
    """The frame in full-range RGB or grey."""
    width, height = size or (frame.width, frame.height)
    matrix = frame.colorspace if frame.colorspace in _SWSCALE_MATRICES else Colorspace.ITU601
    return frame.reformat(
        width=width,
        height=height,
        format=pixel_format,
        interpolation=_ACCURATE,
        src_colorspace=matrix,
        src_color_range=frame.color_range or ColorRange.JPEG,
        dst_color_range=ColorRange.JPEG,
        threads=1,
    )


def _strip(frame: VideoFrame, top: int) -> Image.Image:
    mode, plane = _PILLOW_MODES[frame.format.name], frame.planes[0]
    rows = min(_STRIP_ROWS, frame.height - top)
    data = bytes(memoryview(plane)[top * plane.line_size : (top + rows) * plane.line_size])
    return Image.frombytes(mode, (frame.width, rows), data, "raw", mode, plane.line_size, 1)


def _write_rows(frame: VideoFrame, top: int, image: Image.Image) -> None:
    plane = frame.planes[0]
    target, data, width = memoryview(plane), memoryview(image.tobytes()), 3 * frame.width
    if plane.line_size == width:
        target[top * width : top * width + len(data)] = data
        return
    for row in range(image.height):
        start = (top + row) * plane.line_size
        target[start : start + width] = data[row * width : (row + 1) * width]
