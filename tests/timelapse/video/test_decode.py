"""Photos of every kind to pictures of a film, and clear words for what is none."""

from __future__ import annotations

import subprocess
import sys
import zlib
from collections import Counter
from fractions import Fraction
from pathlib import Path
from random import Random

import numpy as np
import pytest
from av.codec.context import CodecContext
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from tests.photos import make_photos, plane_array
from tests.timelapse.video.samples import SAMPLES, STRIPES
from timelapse_runtime.timelapse.errors import FrameRejected
from timelapse_runtime.timelapse.video.decode import (
    DecodedPhoto,
    PhotoDecoder,
    PictureFitter,
    ThumbnailEncoder,
    even_size,
)

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


def test_the_range_is_made_limited_and_no_colour_moves(decoder: PhotoDecoder) -> None:
    """JFIF's grey is 128 in chroma, and so is the video's: no level of it may move by a part of one on the way."""
    random = np.random.default_rng(2)
    rgb = np.kron(random.integers(0, 256, (8, 16, 3), np.uint8), np.ones((8, 8, 1), np.uint8))
    photo = decoder.decode(encode("mjpeg", "yuvj420p", rgb))
    fitted = PictureFitter(128, 64).fit(photo)
    for plane, (base, middle, levels) in enumerate([(16, 0, 219), (128, 128, 224), (128, 128, 224)]):
        full = plane_array(photo.frame, plane).astype(float)
        exact = base + (full - middle) * levels / 255
        moved = plane_array(fitted, plane) - exact
        assert np.abs(moved).max() <= 0.51
        assert abs(moved.mean()) < 0.1


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


@pytest.mark.parametrize("kind", SAMPLES)
def test_rarer_kinds_of_photos_are_read_in_their_colours(decoder: PhotoDecoder, kind: str) -> None:
    picture = PictureFitter(16 * len(STRIPES), 16).fit(decoder.decode(SAMPLES[kind]))
    for position, rgb in enumerate(STRIPES):
        red, green, blue = ((value + 15) / 255 for value in rgb)  # the mean of the rows
        luma = 0.299 * red + 0.587 * green + 0.114 * blue
        chroma = (128.0, 128.0)
        if "grey" not in kind:
            chroma = (128 + 224 * (blue - luma) / 1.772, 128 + 224 * (red - luma) / 1.402)
        for plane, value in enumerate((16 + 219 * luma, *chroma)):
            width = 16 if plane == 0 else 8
            inside = slice(position * width + 2, (position + 1) * width - 2)
            assert abs(plane_array(picture, plane)[:, inside].astype(float).mean() - value) < 3, (rgb, plane)


@pytest.mark.parametrize("bits", ["monob", "gray", "ya8", "gray16be"])
def test_black_and_white_are_16_and_235_at_any_depth(decoder: PhotoDecoder, bits: str) -> None:
    half = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    half[:, WIDTH // 2 :] = 255
    picture = PictureFitter(WIDTH, HEIGHT).fit(decoder.decode(encode("png", bits, half)))
    luma = plane_array(picture, 0)
    assert np.abs(luma[:, : WIDTH // 2 - 1].astype(int) - 16).max() <= 1
    assert np.abs(luma[:, WIDTH // 2 + 1 :].astype(int) - 235).max() <= 1


@pytest.mark.parametrize(("codec", "pixel_format"), FORMATS)
def test_a_photo_does_not_depend_on_the_one_before_it(decoder: PhotoDecoder, codec: str, pixel_format: str) -> None:
    for rgb in (ramp(), ramp()[:, ::-1].copy()):
        photo = encode(codec, pixel_format, rgb)
        alone = PhotoDecoder(maximum_pixels=10**7).decode(photo)
        for _ in range(2):
            assert planes(decoder.decode(photo)) == planes(alone)


def planes(photo: DecodedPhoto) -> list[bytes]:
    return [bytes(plane) for plane in photo.frame.planes]


@pytest.mark.parametrize(
    ("film", "photo", "inside"),
    [
        ((200, 100), (100, 100), (50, 0, 100, 100)),
        ((100, 200), (100, 100), (0, 50, 100, 100)),
        ((202, 100), (50, 50), (50, 0, 100, 100)),
        ((320, 180), (240, 181), (40, 0, 238, 180)),
    ],
)
def test_a_photo_of_another_shape_stands_between_black_bars(
    decoder: PhotoDecoder, film: tuple[int, int], photo: tuple[int, int], inside: tuple[int, int, int, int]
) -> None:
    yellow = np.broadcast_to(np.array((255, 255, 0), np.uint8), (photo[1], photo[0], 3))
    picture = PictureFitter(*film).fit(decoder.decode(encode("png", "rgb24", np.ascontiguousarray(yellow))))
    assert (picture.width, picture.height) == film
    left, top, width, height = inside
    for plane, (black, colour) in enumerate(((16, 210), (128, 16), (128, 146))):
        scale = 1 if plane == 0 else 2
        values = plane_array(picture, plane).astype(int)
        rows = slice(top // scale, (top + height) // scale)
        columns = slice(left // scale, (left + width) // scale)
        assert np.abs(values[rows, columns] - colour).max() <= 2
        values[rows, columns] = black
        assert set(np.unique(values)) == {black}


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
    "one byte": (b"\xff", "unsupported-type", "no known picture format"),
    "text": (b"hello", "unsupported-type", "no known picture format"),
    "zeros": (bytes(5000), "unsupported-type", "no known picture format"),
    "GIF": (b"GIF89a" + bytes(50), "unsupported-type", "GIF"),
    "WebP": (b"RIFF\0\0\0\0WEBPVP8 " + bytes(50), "unsupported-type", "WebP"),
    "HEIC": (b"\0\0\0\x18ftypheic" + bytes(50), "unsupported-type", "HEIC"),
    "HEIF": (b"\0\0\0\x18ftypmif1" + bytes(50), "unsupported-type", "HEIF"),
    "AVIF": (b"\0\0\0\x18ftypavif" + bytes(50), "unsupported-type", "AVIF"),
    "raw": (b"II*\0" + bytes(50), "unsupported-type", "raw"),
    "BMP": (b"BM" + bytes(50), "unsupported-type", "BMP"),
    "PDF": (b"%PDF-1.7", "unsupported-type", "PDF"),
    "header only": (PHOTO[:4], "undecodable", "jpeg"),
    "no picture data": (PHOTO[: PHOTO.index(b"\xff\xda")] + b"\xff\xd9", "undecodable", "jpeg"),
    "PNG without data": (b"\x89PNG\r\n\x1a\n" + bytes(40), "undecodable", "png"),
    "1x1 PNG": (encode("png", "rgb24", np.zeros((1, 1, 3), np.uint8)), "too-small", "1x1"),
    "1x1 JPEG": (encode("mjpeg", "yuvj444p", np.zeros((1, 1, 3), np.uint8)), "too-small", "1x1"),
    "a line": (encode("png", "rgb24", np.zeros((15, 400, 3), np.uint8)), "too-small", "400x15"),
}


@pytest.mark.parametrize("kind", REJECTED)
def test_what_is_no_photo_is_rejected_and_the_next_one_is_read(decoder: PhotoDecoder, kind: str) -> None:
    body, reason, detail = REJECTED[kind]
    before = plane_array(decoder.decode(PHOTO).frame, 0).copy()
    with pytest.raises(FrameRejected) as caught:
        decoder.decode(body)
    assert caught.value.reason == reason
    assert detail in caught.value.detail
    assert np.array_equal(plane_array(decoder.decode(PHOTO).frame, 0), before)


@pytest.mark.parametrize("kind", ["JPEG", *(kind for kind in SAMPLES if "JPEG" in kind)])
def test_a_jpeg_cut_off_anywhere_is_rejected(decoder: PhotoDecoder, kind: str) -> None:
    body = {"JPEG": PHOTO, **SAMPLES}[kind]
    whole = planes(decoder.decode(body))
    for length in range(3, len(body)):
        with pytest.raises(FrameRejected) as caught:
            decoder.decode(body[:length])
        assert caught.value.reason == "undecodable"
    assert planes(decoder.decode(body)) == whole


def test_a_png_cut_off_in_its_picture_is_rejected(decoder: PhotoDecoder) -> None:
    body = SAMPLES["PNG with a palette"]
    whole = planes(decoder.decode(body))
    for length in range(8, len(body) - 12):  # the last 12 bytes, IEND, hold nothing
        with pytest.raises(FrameRejected, match="undecodable"):
            decoder.decode(body[:length])
    assert planes(decoder.decode(body)) == whole


def test_the_end_marker_of_a_thumbnail_is_not_that_of_the_photo(decoder: PhotoDecoder) -> None:
    thumbnail = SAMPLES["JPEG with restart markers"]
    exif = b"\xff\xe1" + (8 + len(thumbnail)).to_bytes(2, "big") + b"Exif\0\0" + thumbnail
    body = PHOTO[:2] + exif + b"\xff" + PHOTO[2:]  # with a fill byte before the next marker
    assert planes(decoder.decode(body)) == planes(decoder.decode(PHOTO))
    with pytest.raises(FrameRejected, match="no end marker after the picture"):
        decoder.decode(body[:-2])


def test_what_a_camera_adds_after_the_picture_is_left_alone(decoder: PhotoDecoder) -> None:
    assert planes(decoder.decode(PHOTO + b"\0\xff\xdatrailer" * 50)) == planes(decoder.decode(PHOTO))


def test_random_damage_gives_a_picture_or_a_rejection(decoder: PhotoDecoder) -> None:
    random = Random(20261120)
    bodies = [PHOTO, *SAMPLES.values()]
    before = planes(decoder.decode(PHOTO))
    outcomes = Counter[str]()
    for _ in range(1_500):
        body = bytearray(random.choice(bodies))
        for _ in range(random.choice([1, 3, 20])):
            body[random.randrange(4, len(body))] = random.randrange(256)
        try:
            photo = decoder.decode(bytes(body))
        except FrameRejected as rejection:
            outcomes[rejection.reason] += 1
        else:
            PictureFitter(32, 32).fit(photo)
            outcomes["decoded"] += 1
    assert planes(decoder.decode(PHOTO)) == before
    assert outcomes["decoded"] > 100
    assert outcomes["undecodable"] > 100


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")


def bomb(kind: str, side: int) -> bytes:
    """A file of some hundred bytes whose header claims a picture of `side` by `side` pixels."""
    if kind == "png":
        header = side.to_bytes(4, "big") * 2 + b"\x08\x02\0\0\0"
        body = png_chunk(b"IHDR", header) + png_chunk(b"IDAT", zlib.compress(bytes(1000))) + png_chunk(b"IEND", b"")
        return b"\x89PNG\r\n\x1a\n" + body
    start = PHOTO.index(b"\xff\xc0") + 5  # SOF0: length, precision, then height and width
    return PHOTO[:start] + side.to_bytes(2, "big") * 2 + PHOTO[start + 4 :]


MEASURE = """
import re, sys
from pathlib import Path
from timelapse_runtime.timelapse.errors import FrameRejected
from timelapse_runtime.timelapse.video.decode import DecodedPhoto, PhotoDecoder
peak_kib = lambda: int(re.search(r"VmPeak:\\s*(\\d+)", Path("/proc/self/status").read_text())[1])
decoder, body = PhotoDecoder(maximum_pixels=int(sys.argv[1])), sys.stdin.buffer.read()
before = peak_kib()
try:
    decoder.decode(body)
except FrameRejected as rejection:
    print(rejection.reason, peak_kib() - before)
"""


def grown_kib(body: bytes, maximum_pixels: int) -> int:
    """By how much a new process's address space grew at its peak for rejecting `body`."""
    measure = [sys.executable, "-c", MEASURE, str(maximum_pixels)]
    done = subprocess.run(measure, input=body, capture_output=True, cwd=Path(__file__).parents[3], check=True)
    reason, grown = done.stdout.split()
    assert reason == b"undecodable"
    return int(grown)


@pytest.mark.parametrize("side", [15_000, 30_000])
@pytest.mark.parametrize("kind", ["jpeg", "png"])
def test_a_header_that_claims_too_many_pixels_is_refused_before_memory_is_taken(kind: str, side: int) -> None:
    assert grown_kib(bomb(kind, side), 10**8) < 50_000


def test_the_measure_sees_the_memory_of_a_bomb_that_is_let_in() -> None:
    assert grown_kib(bomb("png", 15_000), 10**9) > 500_000


@pytest.mark.parametrize("codec", ["mjpeg", "png"])
def test_a_photo_of_the_maximum_of_pixels_is_read_and_one_of_a_pixel_more_is_not(codec: str) -> None:
    rgb = np.zeros((96, 192, 3), np.uint8)  # libav counts whole steps of 64 columns
    photo = encode(codec, "yuvj420p" if codec == "mjpeg" else "rgb24", rgb)
    assert PhotoDecoder(maximum_pixels=192 * 96).decode(photo).width == 192
    with pytest.raises(FrameRejected, match="undecodable"):
        PhotoDecoder(maximum_pixels=192 * 96 - 1).decode(photo)


def test_a_thumbnail_is_small_and_shows_the_picture(decoder: PhotoDecoder) -> None:
    picture = PictureFitter(WIDTH, HEIGHT).fit(decoder.decode(encode("png", "rgb24", ramp())))
    thumbnails = ThumbnailEncoder(maximum_width=64)
    first, second = thumbnails.encode(picture), thumbnails.encode(picture)
    assert first == second
    small = decoder.decode(first)
    assert (small.width, small.height) == (64, 32)
    assert np.abs(plane_array(small.frame, 0).astype(float).mean(axis=0) - np.linspace(2, 253, 64)).max() < 10
