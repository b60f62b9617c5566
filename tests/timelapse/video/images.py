"""Photos of a few colours, made by libav, and what they decode to."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from av.codec.context import CodecContext
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from timelapse_runtime.timelapse.video.decode import DecodedPhoto

WIDTH, HEIGHT = 128, 64


FORMATS = [
    ("mjpeg", "yuvj420p"),
    ("mjpeg", "yuvj422p"),
    ("mjpeg", "yuvj444p"),
    ("png", "rgb24"),
    ("png", "rgba"),
    ("png", "gray"),
    ("png", "rgb48be"),
    ("png", "gray16be"),
]


def encode(
    codec: str, pixel_format: str, rgb: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], **options: str
) -> bytes:
    frame = VideoFrame.from_ndarray(rgb, format="rgb24")
    context = CodecContext.create(codec, "w")
    assert isinstance(context, VideoCodecContext)
    context.width, context.height, context.pix_fmt = frame.width, frame.height, pixel_format
    context.time_base, context.thread_count = Fraction(1, 25), 1
    if codec == "mjpeg":
        context.options = {"flags": "+qscale", "global_quality": str(118 * 2), "strict": "unofficial", **options}
    converted = frame.reformat(format=pixel_format, dst_colorspace=5, dst_color_range=2)
    return b"".join(bytes(packet) for packet in context.encode(converted)) + b"".join(
        bytes(packet) for packet in context.encode(None)
    )


def ramp() -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Greys from black to white, left to right."""
    grey = np.linspace(0, 255, WIDTH).round().astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(grey[None, :, None], (HEIGHT, WIDTH, 3)))


def planes(photo: DecodedPhoto) -> list[bytes]:
    return [bytes(plane) for plane in photo.frame.planes]
