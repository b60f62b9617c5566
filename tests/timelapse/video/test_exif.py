"""EXIF orientation: a photo stands upright in the video, whichever way the camera was held."""

from __future__ import annotations

import struct
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.photos import plane_array
from tests.timelapse.video.images import encode
from tests.world import World
from timelapse_runtime.timelapse.video.decode import PhotoDecoder
from timelapse_runtime.timelapse.video.exif import UPRIGHT, orientation
from timelapse_runtime.timelapse.video.fit import Picture, PictureFitter
from timelapse_runtime.timelapse.video.metadata import Metadata

Pixels = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]
SIZE = WIDTH, HEIGHT = 192, 96

# What the camera stores, made from what it saw. Each is the inverse of what the tag asks for (DC-008, 4.6.5.A).
STORED: dict[int, Callable[[Pixels], Pixels]] = {
    1: lambda seen: seen,
    2: np.fliplr,
    3: lambda seen: np.rot90(seen, 2),
    4: np.flipud,
    5: lambda seen: seen.transpose(1, 0, 2),
    6: lambda seen: np.rot90(seen, 1),
    7: lambda seen: np.rot90(seen.transpose(1, 0, 2), 2),
    8: lambda seen: np.rot90(seen, -1),
}


def exif(value: int, *, order: str = ">", kind: int = 3, count: int = 1, start: int = 8) -> bytes:
    """A TIFF structure with the orientation as the second of two tags."""
    head = b"MM\0*" if order == ">" else b"II*\0"
    maker = struct.pack(f"{order}HHII", 0x010F, 2, 4, int.from_bytes(b"cam\0", "big"))
    tag = struct.pack(f"{order}HHI", 0x0112, kind, count)
    tag += struct.pack(f"{order}I", value) if kind == 4 else struct.pack(f"{order}HH", value, 0)
    return head + struct.pack(f"{order}IH", start, 2) + maker + tag + bytes(4)


def with_exif(body: bytes, tiff: bytes) -> bytes:
    """The JPEG with an APP1 segment behind a JFIF one."""
    payload = b"Exif\0\0" + tiff
    jfif = b"\xff\xe0\0\x07JFIF\0"
    return body[:2] + jfif + b"\xff\xe1" + struct.pack(">H", len(payload) + 2) + payload + body[2:]


def scene(size: tuple[int, int] = SIZE) -> Pixels:
    """No two corners alike, in luma and in colour."""
    width, height = size
    across, down = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    rgb = np.stack([40 + 180 * across, 40 + 180 * down, 40 + 90 * (1 - across) + 90 * down * across], axis=-1)
    return rgb.round().astype(np.uint8)


def fitted(body: bytes, video: tuple[int, int] = SIZE) -> Picture:
    return PictureFitter(*video).fit(PhotoDecoder(maximum_pixels=10**7).decode(body))


def difference(one: Picture, other: Picture) -> float:
    """The largest mean difference of a plane."""
    assert (one.width, one.height) == (other.width, other.height)
    pairs = [(plane_array(one, plane).astype(float), plane_array(other, plane).astype(float)) for plane in range(3)]
    return max(float(np.abs(first - second).mean()) for first, second in pairs)


@pytest.mark.parametrize("value", STORED)
@pytest.mark.parametrize("pixel_format", ["yuvj420p", "yuvj422p", "yuvj444p"])
def test_a_photo_stands_upright(value: int, pixel_format: str) -> None:
    upright = fitted(encode("mjpeg", pixel_format, scene()))
    stored = encode("mjpeg", pixel_format, np.ascontiguousarray(STORED[value](scene())))
    turned = fitted(with_exif(stored, exif(value)))
    assert difference(turned, upright) < 1.5
    assert value == UPRIGHT or difference(fitted(stored), upright) > 5


@pytest.mark.parametrize("size", [(191, 97), (190, 95), (64, 200)])
@pytest.mark.parametrize("value", STORED)
def test_odd_sizes_and_other_shapes_stand_upright_between_bars(value: int, size: tuple[int, int]) -> None:
    upright = fitted(encode("mjpeg", "yuvj444p", scene(size)))
    stored = encode("mjpeg", "yuvj444p", np.ascontiguousarray(STORED[value](scene(size))))
    assert difference(fitted(with_exif(stored, exif(value))), upright) < 2.5


@pytest.mark.parametrize("value", [1, 3, 6, 8])
def test_the_videos_size_is_that_of_the_first_photo_upright(value: int) -> None:
    world = World()
    function = world.environment(reorder_window="0")
    stored = with_exif(encode("mjpeg", "yuvj420p", np.ascontiguousarray(STORED[value](scene()))), exif(value))
    world.deliver(function, world.upload(0, stored))
    world.sweep(function, drain=True)
    assert [(reel.width, reel.height) for reel in world.reels()] == [SIZE]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("value", STORED)
def test_both_byte_orders_are_read(value: int, order: str) -> None:
    assert orientation(Metadata(exif=exif(value, order=order))) == value


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("value", STORED)
def test_a_long_is_read_like_a_short(value: int, order: str) -> None:
    assert orientation(Metadata(exif=exif(value, kind=4, order=order))) == value


@pytest.mark.parametrize(
    "xmp",
    [
        b'<rdf:Description tiff:Orientation="6" xmlns:tiff="http://ns.adobe.com/tiff/1.0/"/>',
        b"<rdf:Description tiff:Orientation = '6'/>",
        b"<tiff:Orientation>6</tiff:Orientation>",
        b"<tiff:Orientation>\n 6 \n</tiff:Orientation>",
    ],
)
def test_xmp_says_it_where_exif_does_not(xmp: bytes) -> None:
    assert orientation(Metadata(xmp=xmp)) == 6
    assert orientation(Metadata(exif=exif(9), xmp=xmp)) == 6
    assert orientation(Metadata(exif=exif(3), xmp=xmp)) == 3


@pytest.mark.parametrize("value", [b"0", b"9", b"16", b"-1", b"", b"x"])
def test_xmp_that_makes_no_sense_is_upright(value: bytes) -> None:
    assert orientation(Metadata(xmp=b'tiff:Orientation="%s"' % value)) == UPRIGHT


@pytest.mark.parametrize(
    "tiff",
    [
        exif(0),
        exif(9),
        exif(65_535),
        exif(6, kind=5),
        exif(6 << 16, kind=4),
        exif(6, start=10**9),
        exif(6)[:20],
        exif(6)[:9],
        b"",
        b"JJ*\0" + exif(6)[4:],
        b"MM\0*\0\0\0\x08\xff\xff",
    ],
)
def test_what_makes_no_sense_is_upright_and_the_photo_is_taken(tiff: bytes) -> None:
    body = with_exif(encode("mjpeg", "yuvj420p", scene()), tiff)
    assert orientation(Metadata(exif=tiff)) == UPRIGHT
    assert difference(fitted(body), fitted(encode("mjpeg", "yuvj420p", scene()))) == 0


def test_an_orientation_behind_the_picture_is_not_the_photos() -> None:
    """A motion photo has another file behind it."""
    body = encode("mjpeg", "yuvj420p", scene())
    decoder = PhotoDecoder(maximum_pixels=10**7)
    assert decoder.decode(body + with_exif(body, exif(6))).orientation == UPRIGHT


@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_have_an_orientation(data: bytes, is_tiff: bool) -> None:
    assert 1 <= orientation(Metadata(exif=exif(6)[:10] + data if is_tiff else data, xmp=data)) <= 8
