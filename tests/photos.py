"""Numbered photos: a picture that moves, sensor noise, and the photo's number to be read back from a video frame.

The number is a row of 16 squares in the top left corner, most significant bit left, each `square_size` wide.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from fractions import Fraction
from typing import TypeAlias

import numpy as np
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from numpy.typing import NDArray
from PIL import ExifTags, Image

Luma: TypeAlias = NDArray[np.uint8]
_BITS = 16
_WHITE, _BLACK = 235, 16


def square_size(width: int) -> int:
    """The side of one of the number's squares, in pixels of a picture of this width."""
    return max(8, width // 40)


def make_photos(count: int, size: tuple[int, int] = (320, 180), *, first: int = 0, seed: int = 1) -> Iterator[bytes]:
    """`count` JPEGs (4:2:0, quality about 90) numbered from `first`. Width 128 at least: the number's room."""
    width, height = size
    encoder = VideoCodecContext.create("mjpeg", "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuvj420p"
    encoder.time_base = Fraction(1, 25)
    encoder.thread_count = 1
    encoder.options = {"flags": "+qscale", "global_quality": str(118 * 3)}
    noise = np.random.default_rng(seed).normal(0, 2.5, (height + 64, width + 64)).astype(np.float32)
    for number in range(first, first + count):
        frame = VideoFrame.from_ndarray(_picture(number, size, noise), format="rgb24").reformat(format="yuvj420p")
        frame.pts, frame.time_base = number - first, encoder.time_base
        yield b"".join(bytes(packet) for packet in encoder.encode(frame))


def _picture(number: int, size: tuple[int, int], noise: NDArray[np.float32]) -> NDArray[np.uint8]:
    width, height = size
    y, x = np.mgrid[0:height, 0:width].astype(np.float32) / height
    waves = np.stack([np.sin(5 * x + 0.05 * number + k) * np.cos(4 * y + k - 0.03 * number) for k in range(3)], axis=2)
    left, top = number * 17 % 64, number * 29 % 64
    picture = 118 + 60 * waves + 25 * y[..., None] + noise[top : top + height, left : left + width, None]
    bird = number * 7 % width
    picture[height // 3 : height // 3 + height // 20, bird : bird + width // 20] *= 0.3
    square = square_size(width)
    for bit in range(_BITS):
        value = _WHITE if number >> (_BITS - 1 - bit) & 1 else _BLACK
        picture[:square, bit * square : (bit + 1) * square] = value
    pixels: NDArray[np.uint8] = np.clip(picture, 0, 255).astype(np.uint8)
    return pixels


def read_number(luma: Luma) -> int:
    """The number in a decoded picture's luma plane (rows x columns). Raises ValueError where there is none."""
    square = square_size(luma.shape[1])
    inner = slice(square // 4, square - square // 4)
    number = 0
    for bit in range(_BITS):
        value = float(luma[inner, bit * square : (bit + 1) * square][:, inner].mean())
        if 80 < value < 170:
            raise ValueError(f"bit {bit} is neither black nor white but {value:.0f}: no number in this picture")
        number = number << 1 | (value > 128)
    return number


def plane_array(frame: VideoFrame, index: int) -> NDArray[np.uint8]:
    """One 8-bit plane as rows x columns, a view into the frame's memory: keep the frame as long as the view."""
    plane = frame.planes[index]
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    return rows[: plane.height, : plane.width]


def with_capture_time(body: bytes, moment: datetime) -> bytes:
    """The JPEG with an EXIF block that says when it was taken, in local time."""
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = moment.strftime("%Y:%m:%d %H:%M:%S")
    block = b"Exif\0\0" + exif.tobytes().removeprefix(b"Exif\0\0")
    return body[:2] + b"\xff\xe1" + (len(block) + 2).to_bytes(2, "big") + block + body[2:]
