"""Photos of every kind are decoded; anything else is rejected with the reason."""

from __future__ import annotations

import subprocess
import sys
import zlib
from collections import Counter
from pathlib import Path
from random import Random

import numpy as np
import pytest

from tests.photos import make_photos, plane_array
from tests.timelapse.video.images import FORMATS, encode, planes, ramp
from tests.timelapse.video.samples import SAMPLES
from timelapse_runtime.timelapse.errors import FrameRejected
from timelapse_runtime.timelapse.video.decode import PhotoDecoder
from timelapse_runtime.timelapse.video.fit import PictureFitter


@pytest.mark.parametrize(("codec", "pixel_format"), FORMATS)
def test_a_photo_does_not_depend_on_the_one_before_it(decoder: PhotoDecoder, codec: str, pixel_format: str) -> None:
    for rgb in (ramp(), ramp()[:, ::-1].copy()):
        photo = encode(codec, pixel_format, rgb)
        alone = PhotoDecoder(maximum_pixels=10**7).decode(photo)
        for _ in range(2):
            assert planes(decoder.decode(photo)) == planes(alone)


ROOT = Path(__file__).parents[3]
PHOTO = next(make_photos(1, (160, 96)))


REJECTED = {
    "empty": (b"", "empty", "no bytes"),
    "one byte": (b"\xff", "unsupported-type", "no known picture format"),
    "text": (b"hello", "unsupported-type", "no known picture format"),
    "zeros": (bytes(5000), "unsupported-type", "no known picture format"),
    "GIF": (b"GIF89a" + bytes(50), "undecodable", "GIF"),
    "WebP": (b"RIFF\0\0\0\0WEBPVP8 " + bytes(50), "undecodable", "WEBP"),
    "HEIC": (b"\0\0\0\x18ftypheic" + bytes(50), "undecodable", "HEIF"),
    "AVIF": (b"\0\0\0\x18ftypmif1\0\0\0\0miafavif" + bytes(50), "undecodable", "HEIF"),
    "TIFF": (b"II*\0" + bytes(50), "undecodable", "TIFF"),
    "BMP": (b"BM" + bytes(50), "undecodable", "BMP"),
    "MP4": (b"\0\0\0\x18ftypisom\0\0\0\0isomavc1" + bytes(50), "unsupported-type", "video"),
    "HTML": (b"\n<!DOCTYPE html><html>", "unsupported-type", "HTML page"),
    "PDF": (b"%PDF-1.7", "unsupported-type", "PDF"),
    "header only": (PHOTO[:4], "undecodable", "JPEG"),
    "no picture data": (PHOTO[: PHOTO.index(b"\xff\xda")] + b"\xff\xd9", "undecodable", "JPEG"),
    "PNG without data": (b"\x89PNG\r\n\x1a\n" + bytes(40), "undecodable", "PNG"),
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
@pytest.mark.parametrize("end", [b"", b"\xff\xd9", bytes(5000)])
def test_a_jpeg_cut_off_anywhere_is_rejected(decoder: PhotoDecoder, kind: str, end: bytes) -> None:
    """Also with an end marker behind the cut, or where the rest of a file was never written."""
    body = {"JPEG": PHOTO, **SAMPLES}[kind]
    whole = planes(decoder.decode(body))
    for length in range(3, len(body) - 3):
        with pytest.raises(FrameRejected) as caught:
            decoder.decode(body[:length] + end)
        assert caught.value.reason == "undecodable"
    assert planes(decoder.decode(body)) == whole


def test_a_png_cut_off_in_its_picture_is_rejected(decoder: PhotoDecoder) -> None:
    body = SAMPLES["PNG with a palette"]
    whole = planes(decoder.decode(body))
    for length in range(8, len(body) - 12):  # the last 12 bytes, IEND, hold nothing
        with pytest.raises(FrameRejected, match="undecodable"):
            decoder.decode(body[:length])
    assert planes(decoder.decode(body)) == whole


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


def test_an_ordinary_photo_does_not_import_pillow() -> None:
    """The import takes 30 to 60 ms."""
    program = "import sys; from timelapse_runtime.timelapse.video.decode import PhotoDecoder\n"
    program += "PhotoDecoder(maximum_pixels=10**7).decode(sys.stdin.buffer.read()); print('PIL' in sys.modules)"
    outputs = [
        subprocess.run([sys.executable, "-c", program], input=body, capture_output=True, cwd=ROOT, check=True).stdout
        for body in (PHOTO, encode("png", "rgba", np.zeros((32, 32, 3), np.uint8)))
    ]
    assert outputs == [b"False\n", b"True\n"]


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


def grown_kib(body: bytes, maximum_pixels: int, reason: str) -> int:
    """By how much a new process's address space grew at its peak for rejecting `body` for this reason."""
    measure = [sys.executable, "-c", MEASURE, str(maximum_pixels)]
    done = subprocess.run(measure, input=body, capture_output=True, cwd=ROOT, check=True)
    found, grown = done.stdout.split()
    assert found.decode() == reason
    return int(grown)


@pytest.mark.parametrize("side", [15_000, 30_000])
@pytest.mark.parametrize("kind", ["jpeg", "png"])
def test_a_header_that_claims_too_many_pixels_is_refused_before_memory_is_taken(kind: str, side: int) -> None:
    assert grown_kib(bomb(kind, side), 10**8, "too-large") < 50_000


def test_the_measure_sees_the_memory_of_a_bomb_that_is_let_in() -> None:
    assert grown_kib(bomb("png", 15_000), 10**9, "undecodable") > 500_000


@pytest.mark.parametrize("codec", ["mjpeg", "png"])
def test_a_photo_of_the_maximum_of_pixels_is_read_and_one_of_a_pixel_more_is_not(codec: str) -> None:
    rgb = np.zeros((96, 192, 3), np.uint8)
    photo = encode(codec, "yuvj420p" if codec == "mjpeg" else "rgb24", rgb)
    assert PhotoDecoder(maximum_pixels=192 * 96).decode(photo).width == 192
    with pytest.raises(FrameRejected, match=r"too-large: .*192x96"):
        PhotoDecoder(maximum_pixels=192 * 96 - 1).decode(photo)
