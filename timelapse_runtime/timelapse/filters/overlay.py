"""Draws the clock and the caption: the last of the filters, so that no other one takes them for a part of the scene.

White with a black outline, which is legible on any ground. A line's text is put together from glyphs that were drawn
before, and a text that does not change is put together once.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, TypeAlias

import numpy

from timelapse_runtime.timelapse.filters.contract import Area, Moment, Planes, Stateless
from timelapse_runtime.timelapse.filters.glyphs import Glyphs
from timelapse_runtime.timelapse.model.drawn_text import Place

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from timelapse_runtime.timelapse.filters.contract import Plane

    Terms: TypeAlias = NDArray[numpy.uint16]

_WHITE, _BLACK, _GREY = 235, 16, 128
"""Luma of the letters and of the outline, and chroma of both."""
_SMALLEST_SIZE, _NARROWEST_SIZE = 11, 8
"""In pixels, of a line that fits, and of one that is too long."""
_MARGIN = 1 / 40
"""From the picture's edges to the text, of the shorter side."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text: at `place`, what `text` makes of a photo's time. `samples` has its widest text among others."""

    place: Place
    text: Callable[[int], str]
    samples: Sequence[str]


def caption(text: str, place: Place) -> Line:
    """A text that stays."""
    return Line(place, lambda _: text, [text])


def clock(form: str, place: Place, zone: tzinfo) -> Line:
    """When the photo was taken, as strftime writes `form`, in `zone`."""

    def text(epoch_ms: int) -> str:
        return datetime.fromtimestamp(epoch_ms / 1000, zone).strftime(form)

    return Line(place, text, [text(epoch_ms) for epoch_ms in _moments()])


def _moments() -> Iterator[int]:
    """Digits are of one width, so these have the widest text: each month and each day of a week, forenoon and
    afternoon, summer time and winter time, all numbers with two digits."""
    for month, day, hour in itertools.product(range(1, 13), range(20, 27), (11, 23)):
        moment = datetime(2026, month, day, 0, 45, 45, tzinfo=UTC) + timedelta(hours=hour)
        yield int(moment.timestamp() * 1000)


class Overlay(Stateless):
    """A PictureFilter for pictures of `width` x `height`. `size_percent` is the text's size, in percent of the shorter
    side. Lines at the same place are below each other, in their order. It remembers nothing.

    A line that would be wider than the picture is drawn smaller; what then is still too wide is cut off.
    """

    def __init__(self, lines: Sequence[Line], size_percent: int, width: int, height: int) -> None:
        size = max(_SMALLEST_SIZE, min(width, height) * size_percent // 100)
        margin = round(min(width, height) * _MARGIN)
        glyphs = [_fitting(line, size, width - 2 * margin) for line in lines]
        self._lines = [
            _DrawnLine(line, own, area)
            for line, own, area in zip(lines, glyphs, _areas(lines, glyphs, margin, width, height), strict=True)
        ]

    def apply(self, picture: Planes, moment: Moment) -> None:
        """See PictureFilter."""
        for line in self._lines:
            line.draw(picture, moment.captured_epoch_ms)

    @property
    def drawn(self) -> Sequence[Area]:
        """See PictureFilter: room for the widest text of each line."""
        return [line.area for line in self._lines]


def _fitting(line: Line, size: int, width: int) -> Glyphs:
    """The font in a size in which the line's widest text is no wider than `width`, if there is one."""
    glyphs = Glyphs(size)
    widest = max(map(glyphs.width, line.samples))
    if widest > width and size > _NARROWEST_SIZE:
        return _fitting(line, max(_NARROWEST_SIZE, min(size - 1, size * width // widest)), width)
    return glyphs


def _areas(lines: Sequence[Line], glyphs: Sequence[Glyphs], margin: int, width: int, height: int) -> Iterator[Area]:
    """Where each line is drawn, from even to even samples."""
    heights = [one.above + one.below for one in glyphs]
    for position, (line, own) in enumerate(zip(lines, glyphs, strict=True)):
        here = [position for position, other in enumerate(lines) if other.place is line.place]
        before = sum(heights[other] for other in here if other < position)
        after = sum(heights[other] for other in here if other >= position)
        top = margin + before if line.place.is_top else height - margin - after
        text_width = max(map(own.width, line.samples))
        free = width - text_width
        left = margin if line.place.is_left else free - margin if line.place.is_right else free // 2
        left, top = (max(0, min(free, left)), max(0, min(height - heights[position], top)))
        right, bottom = min(width, left + text_width + 1), min(height, top + heights[position] + 1)
        yield Area(left // 2 * 2, top // 2 * 2, (right + 1) // 2 * 2, (bottom + 1) // 2 * 2)


class _DrawnLine:
    """One line in pictures of one size: the text that was drawn last, as what it makes of the samples below it."""

    def __init__(self, line: Line, glyphs: Glyphs, area: Area) -> None:
        self.area = area
        self._line, self._glyphs = line, glyphs
        self._text = ""
        self._luma = self._chroma = _Cover.of(numpy.zeros((0, 0), numpy.uint8), numpy.zeros((0, 0), numpy.uint8))

    def draw(self, picture: Planes, epoch_ms: int) -> None:
        text = self._line.text(epoch_ms)
        if text != self._text:
            self._compose(text)
        area = self.area
        self._luma.draw(picture.y[area.top : area.bottom, area.left : area.right])
        for plane in (picture.u, picture.v):
            self._chroma.draw(plane[area.top // 2 : area.bottom // 2, area.left // 2 : area.right // 2])

    def _compose(self, text: str) -> None:
        shape = self.area.bottom - self.area.top, self.area.right - self.area.left
        letters, outlines = numpy.zeros(shape, numpy.uint8), numpy.zeros(shape, numpy.uint8)
        free = max(0, shape[1] - self._glyphs.width(text))
        start = 0 if self._line.place.is_left else free if self._line.place.is_right else free // 2
        for character, place in zip(text, self._glyphs.places(text), strict=False):
            glyph = self._glyphs.glyph(character)
            left, top = start + place + glyph.left, self._glyphs.above + glyph.top
            _lay(letters, glyph.letter, left, top)
            _lay(outlines, glyph.outline, left, top)
        self._text = text
        self._luma = _Cover.of(letters, outlines)
        self._chroma = _Cover.of_chroma(outlines)


def _lay(canvas: Plane, tile: Plane, left: int, top: int) -> None:
    """Put the tile on the canvas, as far as it is on it; where others are, the greater sample counts."""
    cut_left, cut_top = max(0, -left), max(0, -top)
    below = canvas[max(0, top) : max(0, top + tile.shape[0]), max(0, left) : max(0, left + tile.shape[1])]
    part = tile[cut_top : cut_top + below.shape[0], cut_left : cut_left + below.shape[1]]
    numpy.maximum(below, part, out=below)


@dataclass(frozen=True, slots=True)
class _Cover:
    """Samples become `(sample * kept + added) / 255`."""

    kept: Terms
    added: Terms

    @classmethod
    def of(cls, letters: Plane, outlines: Plane) -> _Cover:
        wide, letter = outlines.astype(numpy.uint16), letters.astype(numpy.uint16)
        return cls(255 - wide, letter * _WHITE + (wide - letter) * _BLACK + 127)

    @classmethod
    def of_chroma(cls, outlines: Plane) -> _Cover:
        height, width = outlines.shape
        fours = outlines.reshape(height // 2, 2, width // 2, 2).sum((1, 3), numpy.uint16)
        wide = (fours + 2) // 4
        return cls(255 - wide, wide * _GREY + 127)

    def draw(self, samples: Plane) -> None:
        samples[:] = (samples * self.kept + self.added) // 255
