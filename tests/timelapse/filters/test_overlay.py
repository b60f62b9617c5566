"""Clock and caption: where they are drawn, what they say, and that they can be read on any ground."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from datetime import UTC
from zoneinfo import ZoneInfo

import numpy
import pytest
from PIL import Image, ImageDraw, ImageFont

from tests.timelapse.filters.pictures import copied, flat, noise
from timelapse_runtime.timelapse.filters.contract import Area, Moment, Planes
from timelapse_runtime.timelapse.filters.glyphs import FONT, Glyphs
from timelapse_runtime.timelapse.filters.overlay import Line, Overlay, caption, clock
from timelapse_runtime.timelapse.model.drawn_text import CHARACTERS, Place

SUMMER_EPOCH_MS = 1_785_000_000_000  # 25 July 2026, 17:20:00 UTC
SIZES = ((320, 240), (240, 320), (640, 360), (64, 48), (16, 16), (322, 182))
LONG = "%A, %-d. %B %Y %H:%M:%S %Z"


def drawn_on(picture: Planes, lines: Sequence[Line], *, percent: int = 4, epoch_ms: int = SUMMER_EPOCH_MS) -> Planes:
    result = copied(picture)
    height, width = picture.y.shape
    Overlay(lines, percent, width, height).apply(result, Moment("a.jpg", epoch_ms))
    return result


def changed(before: Planes, after: Planes) -> Area:
    rows, columns = numpy.nonzero(before.y != after.y)
    return Area(int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("place", Place)
@pytest.mark.parametrize("form", ["%H:%M", LONG])
def test_nothing_is_changed_beside_the_areas_that_are_named(form: str, place: Place, size: tuple[int, int]) -> None:
    before = noise(*size)
    overlay = Overlay([caption("Hafen Süd", place), clock(form, place, UTC)], 6, *size)
    after = copied(before)
    overlay.apply(after, Moment("a.jpg", SUMMER_EPOCH_MS))
    outside = numpy.ones(before.y.shape, bool)
    for area in overlay.drawn:
        assert 0 <= area.left < area.right <= size[0]
        assert 0 <= area.top < area.bottom <= size[1]
        assert not {area.left % 2, area.top % 2, area.right % 2, area.bottom % 2} - {0}
        outside[area.top : area.bottom, area.left : area.right] = False
    assert (before.y == after.y)[outside].all()
    for old, new in ((before.u, after.u), (before.v, after.v)):
        assert (old == new)[outside[::2, ::2]].all()
    assert (before.y != after.y).any()


@pytest.mark.parametrize("form", [LONG, "%H:%M:%S", "%a %d %b %I %p", "%-d.%-m.%y %j"])
def test_each_time_fits_into_the_area_that_is_named(form: str) -> None:
    glyphs = Glyphs(24)
    line = clock(form, Place.TOP, ZoneInfo("Europe/Berlin"))
    widest = max(map(glyphs.width, line.samples))
    texts = [line.text(SUMMER_EPOCH_MS + step * 7_919_000 * 11) for step in range(2_000)]  # 11 x 2.2 hours
    assert len(set(texts)) > 700
    assert max(map(glyphs.width, texts)) <= widest


@pytest.mark.parametrize("place", Place)
def test_a_line_is_at_its_place(place: Place) -> None:
    area = changed(flat(640, 360, 100), drawn_on(flat(640, 360, 100), [caption("Hafen", place)]))
    assert (area.bottom < 60) == place.is_top
    assert (area.top > 300) != place.is_top
    assert (area.left < 30) == place.is_left
    assert (area.right > 610) == place.is_right
    if not (place.is_left or place.is_right):
        assert abs((area.left + area.right) / 2 - 320) <= 2


@pytest.mark.parametrize("place", Place)
def test_the_caption_is_above_the_clock(place: Place) -> None:
    overlay = Overlay([caption("Hafen", place), clock("%H:%M", place, UTC)], 4, 640, 360)
    above, below = overlay.drawn
    assert above.top < below.top
    assert above.bottom <= below.top + 2


@pytest.mark.parametrize("luma", [16, 80, 126, 180, 235])
def test_text_can_be_read_on_any_ground(luma: int) -> None:
    """Letters are white, and a black line is between them and the ground."""
    after = drawn_on(flat(640, 360, luma), [caption("HHH", Place.TOP_LEFT)], percent=10)
    area = changed(flat(640, 360, luma), after)
    row = after.y[(area.top + area.bottom) // 2 - 6, : area.right + 4].astype(int)
    assert row.max() == 235
    assert row.min() == 16
    row = row[area.left - 3 :]
    first_black = int(numpy.argmax(row <= 40))
    assert first_black <= 6
    assert row[first_black : first_black + 10].max() == 235


def test_letters_are_grey_in_chroma() -> None:
    before = flat(640, 360, 120)
    before.u[:], before.v[:] = 60, 200
    after = drawn_on(before, [caption("HHH", Place.TOP_LEFT)], percent=10)
    inside = (after.y == 235)[::2, ::2] & (after.y == 235)[1::2, 1::2]
    assert inside.sum() > 50
    assert abs(after.u[inside].astype(int) - 128).max() <= 1
    assert abs(after.v[inside].astype(int) - 128).max() <= 1


@pytest.mark.parametrize("text", ["2026-07-25 17:20:00", "Hafen Süd", "Wolga - Пристань", "ÁÇg|jÅy", "AVATo"])
def test_what_is_put_together_is_what_pillow_draws(text: str) -> None:
    """Up to where a letter begins: Pillow has fractions of a pixel."""
    size, scale = 40, 4
    after = drawn_on(flat(1000, 1000, 16), [caption(text, Place.TOP_LEFT)], percent=size * 100 // 1000)
    area = changed(flat(1000, 1000, 16), after)
    font = ImageFont.truetype(FONT, size * scale, layout_engine=ImageFont.Layout.BASIC)
    image = Image.new("L", (1000 * scale, 100 * scale))
    ImageDraw.Draw(image).text((0, 0), text, 255, font)
    expected = image.crop(image.getbbox()).resize(
        (area.right - area.left, area.bottom - area.top), Image.Resampling.BOX
    )
    actual = after.y[area.top : area.bottom, area.left : area.right]
    assert abs(image.getbbox()[2] - image.getbbox()[0] - scale * (area.right - area.left)) <= scale * len(text)  # type: ignore[index]
    ours, theirs = actual > 125, numpy.asarray(expected) > 127
    assert (ours & theirs).sum() / (ours | theirs).sum() > 0.75


def test_the_clock_is_in_its_zone() -> None:
    berlin, utc = clock("%H:%M %Z", Place.TOP, ZoneInfo("Europe/Berlin")), clock("%H:%M", Place.TOP, UTC)
    assert (berlin.text(SUMMER_EPOCH_MS), utc.text(SUMMER_EPOCH_MS)) == ("19:20 CEST", "17:20")


def test_each_frame_shows_its_own_time_as_if_it_were_the_first() -> None:
    times = [SUMMER_EPOCH_MS + step * 61_000 for step in (0, 1, 1, 5, 0)]
    overlay = Overlay([clock(LONG, Place.BOTTOM_RIGHT, UTC)], 4, 640, 360)
    for epoch_ms in times:
        picture = noise(640, 360)
        overlay.apply(picture, Moment("a.jpg", epoch_ms))
        alone = drawn_on(noise(640, 360), [clock(LONG, Place.BOTTOM_RIGHT, UTC)], epoch_ms=epoch_ms)
        assert all((one == other).all() for one, other in zip(planes(picture), planes(alone), strict=True))


def planes(picture: Planes) -> Iterator[numpy.typing.NDArray[numpy.uint8]]:
    yield from (picture.y, picture.u, picture.v)


def test_a_line_that_is_too_long_is_drawn_smaller() -> None:
    text = "A" * 60
    area = changed(flat(640, 360, 100), drawn_on(flat(640, 360, 100), [caption(text, Place.BOTTOM)], percent=25))
    assert area.left > 0
    assert 560 < area.right - area.left < 640
    assert 8 <= area.bottom - area.top < 30


def test_digits_are_of_one_width() -> None:
    for size in (8, 10, 17, 43, 86):
        glyphs = Glyphs(size)
        assert len({glyphs.width(digit) for digit in "0123456789"}) == 1
        assert len({glyphs.width(f"{one}{other}") for one in "0123456789" for other in "0123456789"}) == 1


def font_characters() -> set[int]:
    """By the font's own table of characters (OpenType, 'cmap', format 12)."""
    data = FONT.read_bytes()
    tables = [struct.unpack_from(">4s4xII", data, 12 + 16 * number) for number in range(data[5])]
    cmap = next(offset for name, offset, _ in tables if name == b"cmap")
    for number in range(data[cmap + 3]):
        start = cmap + struct.unpack_from(">4xI", data, cmap + 4 + 8 * number)[0]
        if struct.unpack_from(">H", data, start)[0] == 12:
            count = struct.unpack_from(">12xI", data, start)[0]
            groups = [struct.unpack_from(">II", data, start + 16 + 12 * group) for group in range(count)]
            return {code for first, last in groups for code in range(first, last + 1)}
    raise AssertionError("the font has no such table")


def test_the_font_has_each_character_that_a_setting_may_have() -> None:
    assert not {ord(character) for character in CHARACTERS} - font_characters()
    assert len(CHARACTERS) > 1_500


def test_the_font_is_small_and_has_its_licence_beside_it() -> None:
    assert FONT.stat().st_size <= 800_000
    assert "Bitstream Vera Fonts Copyright" in (FONT.parent / "LICENSE").read_text()


def test_an_overlay_remembers_nothing() -> None:
    overlay = Overlay([caption("a", Place.TOP)], 4, 320, 240)
    overlay.resume({"of": "another version"}, None, ())
    assert overlay.state is None
