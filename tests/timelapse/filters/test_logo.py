"""The logo: its place and size, its colours, and what shows through it."""

from __future__ import annotations

import io

import numpy
import pytest
from numpy.typing import NDArray
from PIL import Image

from timelapse_runtime.timelapse.filters.contract import Moment, Planes
from timelapse_runtime.timelapse.filters.glyphs import UnreadablePicture
from timelapse_runtime.timelapse.filters.logo import Logo
from timelapse_runtime.timelapse.model.drawn_text import Place

SIZE = WIDTH, HEIGHT = 640, 360
RED = 255, 0, 0
NOW = Moment("a.jpg", 0)


def png(pixels: NDArray[numpy.uint8]) -> bytes:
    """Of shape (height, width, 4)."""
    sink = io.BytesIO()
    Image.fromarray(pixels, "RGBA").save(sink, "PNG")
    return sink.getvalue()


def plain(colour: tuple[int, int, int], opacity: int = 255, size: tuple[int, int] = (100, 50)) -> bytes:
    """A logo of one colour, twice as wide as high."""
    return png(numpy.full((size[1], size[0], 4), (*colour, opacity), numpy.uint8))


def picture(level: int = 100) -> Planes:
    return Planes(
        numpy.full((HEIGHT, WIDTH), level, numpy.uint8),
        numpy.full((HEIGHT // 2, WIDTH // 2), 120, numpy.uint8),
        numpy.full((HEIGHT // 2, WIDTH // 2), 130, numpy.uint8),
    )


def drawn(logo: bytes, place: Place = Place.TOP_RIGHT, percent: int = 10, margin: int = 5) -> tuple[Planes, Logo]:
    step, made = Logo(logo, place, percent, margin, *SIZE), picture()
    step.apply(made, NOW)
    return made, step


@pytest.mark.parametrize(
    ("colour", "expected"),
    [
        ((255, 255, 255), (235, 128, 128)),
        ((0, 0, 0), (16, 128, 128)),
        (RED, (81, 90, 240)),
        ((0, 0, 255), (41, 240, 110)),
    ],
)
def test_its_colours_are_those_of_the_video(colour: tuple[int, int, int], expected: tuple[int, int, int]) -> None:
    """BT.601 in limited range: the bars of a test card."""
    made, step = drawn(plain(colour))
    (area,) = step.drawn
    middle = (area.top + area.bottom) // 2, (area.left + area.right) // 2
    found = made.y[middle], made.u[middle[0] // 2, middle[1] // 2], made.v[middle[0] // 2, middle[1] // 2]
    assert numpy.abs(numpy.subtract(found, expected, dtype=int)).max() <= 1


@pytest.mark.parametrize(
    ("place", "left", "top"),
    [
        (Place.TOP_LEFT, 18, 18),
        (Place.TOP, 302, 18),
        (Place.TOP_RIGHT, 586, 18),
        (Place.BOTTOM_LEFT, 18, 324),
        (Place.BOTTOM_RIGHT, 586, 324),
    ],
)
def test_place_size_and_margin_are_of_the_shorter_side(place: Place, left: int, top: int) -> None:
    """10 % of 360 samples are 36, 5 % are 18; the logo is half as high as wide."""
    made, step = drawn(plain(RED), place)
    (area,) = step.drawn
    assert (area.left, area.top, area.right - area.left, area.bottom - area.top) == (left, top, 36, 18)
    changed = numpy.argwhere(made.y != 100)
    assert (changed.min(0) == (top, left)).all()
    assert (changed.max(0) == (top + 17, left + 35)).all()


def test_what_is_transparent_shows_the_picture_and_no_hidden_colour() -> None:
    """White below full transparency, beside black: scaled apart, a light seam would appear between them."""
    pixels = numpy.zeros((400, 400, 4), numpy.uint8)
    pixels[:, 200:] = 255, 255, 255, 0
    pixels[:, :200] = 0, 0, 0, 255
    made, step = drawn(png(pixels))
    (area,) = step.drawn
    row = made.y[(area.top + area.bottom) // 2, area.left : area.right].astype(int)
    assert (row[0], row[-1]) == (16, 100)
    assert (numpy.diff(row) >= 0).all()
    assert row.max() == 100


def test_half_opacity_is_half_of_each() -> None:
    made, step = drawn(plain((255, 255, 255), 128))
    (area,) = step.drawn
    assert abs(int(made.y[area.top + 4, area.left + 4]) - (235 + 100) // 2) <= 1


@pytest.mark.parametrize("percent", [1, 100])
@pytest.mark.parametrize("size", [(1, 1), (3, 2_000), (2_000, 3)])
def test_any_shape_stays_within_the_picture(percent: int, size: tuple[int, int]) -> None:
    for place in Place:
        _, step = drawn(plain(RED, size=size), place, percent, 45)
        (area,) = step.drawn
        assert 0 <= area.left < area.right <= WIDTH
        assert 0 <= area.top < area.bottom <= HEIGHT


WHOLE = plain(RED)
BROKEN = {
    "another kind": b"GIF89a" + bytes(100),
    "empty": b"",
    "cut off": WHOLE[: len(WHOLE) // 2],
    "a header alone": WHOLE[:33],
    "damaged": WHOLE[:60] + bytes(len(WHOLE) - 60),
    "too large": WHOLE[:16] + (100_000).to_bytes(4, "big") * 2 + WHOLE[24:],
    "no size": WHOLE[:16] + bytes(8) + WHOLE[24:],
}


@pytest.mark.parametrize("kind", BROKEN)
def test_what_is_no_picture_is_refused(kind: str) -> None:
    with pytest.raises(UnreadablePicture):
        drawn(BROKEN[kind])


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGB", "I;16"])
def test_any_kind_of_png_is_drawn(mode: str) -> None:
    sink = io.BytesIO()
    Image.new(mode, (40, 20)).save(sink, "PNG")
    made, step = drawn(sink.getvalue())
    assert step.drawn
    assert made.y.min() >= 16
