"""Photos of every kind to pictures of a film, and clear words for what is none."""

from __future__ import annotations

import subprocess
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from av.codec.context import CodecContext
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from tests.photos import make_photos
from tests.programs import require_program
from timelapse_runtime.errors import FrameRejected
from timelapse_runtime.media.photo import PhotoDecoder, PictureFitter, ThumbnailEncoder, even_size, plane_array

WIDTH, HEIGHT = 128, 64


def encode(codec: str, pixel_format: str, rgb: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> bytes:
    frame = VideoFrame.from_ndarray(rgb, format="rgb24")
    context = CodecContext.create(codec, "w")
    assert isinstance(context, VideoCodecContext)
    context.width, context.height, context.pix_fmt = frame.width, frame.height, pixel_format
    context.time_base, context.thread_count = Fraction(1, 25), 1
    if codec == "mjpeg":
        context.options = {"flags": "+qscale", "global_quality": str(118 * 2), "strict": "unofficial"}
    converted = frame.reformat(format=pixel_format, dst_colorspace=5, dst_color_range=2)
    return b"".join(bytes(packet) for packet in context.encode(converted)) + b"".join(
        bytes(packet) for packet in context.encode(None)
    )


def ramp() -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Greys from black to white, left to right."""
    grey = np.linspace(0, 255, WIDTH).round().astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(grey[None, :, None], (HEIGHT, WIDTH, 3)))


@pytest.fixture
def decoder() -> PhotoDecoder:
    return PhotoDecoder(maximum_pixels=10**7)


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


@pytest.mark.parametrize(("codec", "pixel_format"), FORMATS)
def test_greys_keep_their_value_in_limited_range(decoder: PhotoDecoder, codec: str, pixel_format: str) -> None:
    picture = PictureFitter(WIDTH, HEIGHT).fit(decoder.decode(encode(codec, pixel_format, ramp())))
    assert picture.format.name == "yuv420p"
    luma = plane_array(picture, 0).astype(float).mean(axis=0)
    expected = 16 + np.linspace(0, 255, WIDTH) * 219 / 255
    assert np.abs(luma - expected).max() < 3
    for chroma in (1, 2):
        assert np.abs(plane_array(picture, chroma).astype(float) - 128).max() < 3


@pytest.mark.parametrize("rgb", [(255, 0, 0), (0, 255, 0), (0, 0, 255), (200, 120, 40)])
@pytest.mark.parametrize(("codec", "pixel_format"), [("mjpeg", "yuvj444p"), ("png", "rgb24")])
def test_colours_are_those_of_bt601(
    decoder: PhotoDecoder, codec: str, pixel_format: str, rgb: tuple[int, int, int]
) -> None:
    flat = np.broadcast_to(np.array(rgb, np.uint8), (HEIGHT, WIDTH, 3))
    picture = PictureFitter(WIDTH, HEIGHT).fit(decoder.decode(encode(codec, pixel_format, np.ascontiguousarray(flat))))
    red, green, blue = (value / 255 for value in rgb)
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    expected = (16 + 219 * luma, 128 + 224 * (blue - luma) / 1.772, 128 + 224 * (red - luma) / 1.402)
    for plane, value in enumerate(expected):
        assert abs(plane_array(picture, plane).astype(float).mean() - value) < 3


def test_grey_and_progressive_jpegs_are_read(decoder: PhotoDecoder, tmp_path: Path) -> None:
    source = tmp_path / "ramp.png"
    source.write_bytes(encode("png", "gray", ramp()))
    target = tmp_path / "grey.jpg"
    command = [
        require_program("ffmpeg"),
        "-v",
        "error",
        "-i",
        str(source),
        "-pix_fmt",
        "gray",
        "-q:v",
        "2",
        str(target),
    ]
    subprocess.run(command, check=True)
    picture = PictureFitter(WIDTH, HEIGHT).fit(decoder.decode(target.read_bytes()))
    luma = plane_array(picture, 0).astype(float).mean(axis=0)
    assert np.abs(luma - (16 + np.linspace(0, 255, WIDTH) * 219 / 255)).max() < 4


def test_a_photo_of_another_shape_stands_between_black_bars(decoder: PhotoDecoder) -> None:
    white = np.full((100, 100, 3), 255, np.uint8)
    picture = PictureFitter(200, 100).fit(decoder.decode(encode("png", "rgb24", white)))
    luma = plane_array(picture, 0)
    assert (picture.width, picture.height) == (200, 100)
    assert set(np.unique(luma[:, :50])) == {16}
    assert set(np.unique(luma[:, 150:])) == {16}
    assert luma[:, 52:148].min() >= 234
    assert set(np.unique(plane_array(picture, 1))) <= {127, 128, 129}


@pytest.mark.parametrize("size", [(129, 65), (131, 64), (128, 67), (17, 33)])
def test_an_odd_size_is_made_even(decoder: PhotoDecoder, size: tuple[int, int]) -> None:
    photo = decoder.decode(encode("png", "rgb24", np.full((size[1], size[0], 3), 200, np.uint8)))
    width, height = even_size(photo.width, photo.height)
    picture = PictureFitter(width, height).fit(photo)
    assert (picture.width, picture.height) == (size[0] // 2 * 2, size[1] // 2 * 2)
    assert plane_array(picture, 0).min() > 180  # no bars


PHOTO = next(make_photos(1, (160, 96)))
REJECTED = {
    "empty": (b"", "empty", "no bytes"),
    "text": (b"hello", "unsupported-type", "no known picture format"),
    "GIF": (b"GIF89a" + bytes(50), "unsupported-type", "GIF"),
    "WebP": (b"RIFF\0\0\0\0WEBPVP8 " + bytes(50), "unsupported-type", "WebP"),
    "HEIC": (b"\0\0\0\x18ftypheic" + bytes(50), "unsupported-type", "HEIC"),
    "raw": (b"II*\0" + bytes(50), "unsupported-type", "raw"),
    "header only": (PHOTO[:4], "undecodable", "jpeg"),
    "cut off": (PHOTO[:-400], "undecodable", "jpeg"),
    "half": (PHOTO[: len(PHOTO) // 2], "undecodable", "jpeg"),
    "PNG without data": (b"\x89PNG\r\n\x1a\n" + bytes(40), "undecodable", "png"),
    "tiny": (encode("png", "rgb24", np.zeros((1, 1, 3), np.uint8)), "too-small", "1x1"),
}


@pytest.mark.parametrize("kind", REJECTED)
def test_what_is_no_photo_is_rejected_and_the_next_one_is_read(decoder: PhotoDecoder, kind: str) -> None:
    body, reason, detail = REJECTED[kind]
    before = plane_array(decoder.decode(PHOTO), 0).copy()
    with pytest.raises(FrameRejected) as caught:
        decoder.decode(body)
    assert caught.value.reason == reason
    assert detail in caught.value.detail
    assert np.array_equal(plane_array(decoder.decode(PHOTO), 0), before)


def test_a_header_that_claims_too_many_pixels_is_refused_before_memory_is_taken(decoder: PhotoDecoder) -> None:
    start = PHOTO.index(b"\xff\xc0") + 5  # SOF0: length, precision, then height and width
    bomb = PHOTO[:start] + (30_000).to_bytes(2, "big") + (30_000).to_bytes(2, "big") + PHOTO[start + 4 :]
    before = peak_kib()
    with pytest.raises(FrameRejected, match="undecodable"):
        decoder.decode(bomb)
    assert peak_kib() - before < 50_000  # the picture would take 1,350,000


def peak_kib() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    raise AssertionError("no VmHWM")


def test_a_thumbnail_is_small_and_shows_the_picture(decoder: PhotoDecoder) -> None:
    picture = PictureFitter(WIDTH, HEIGHT).fit(decoder.decode(encode("png", "rgb24", ramp())))
    thumbnails = ThumbnailEncoder(maximum_width=64)
    first, second = thumbnails.encode(picture), thumbnails.encode(picture)
    assert first == second
    small = decoder.decode(first)
    assert (small.width, small.height) == (64, 32)
    assert np.abs(plane_array(small, 0).astype(float).mean(axis=0) - np.linspace(2, 253, 64)).max() < 10
