"""Covers what nobody is to see: the first of the filters, so that no other one has seen it.

A blurred or pixelated mask keeps the means of a few large cells and nothing else: two pictures with the same means
give the same samples. Cells that small print or a face could be read from again are too fine, also over many frames,
in which something passes the same grid. So a cell's side is at least a 32nd of the picture's longer side (60 samples
of 1920), also if its mask is smaller, and a mask has eight of them at most, across and down.

Chroma has half the resolution, so a mask covers all chroma samples that it touches, and the four luma samples of each.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy

from timelapse_runtime.timelapse.filters.contract import Area, Moment, Planes, Stateless
from timelapse_runtime.timelapse.model.mask import Corner, Cover, Mask

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from timelapse_runtime.timelapse.filters.contract import Plane

    Grid: TypeAlias = NDArray[numpy.bool_]
    Numbers: TypeAlias = NDArray[numpy.float32]

_CELLS_PER_PICTURE = 32
_CELLS_PER_MASK = 8
_BLACK = 16, 128, 128
"""Y, U and V in limited range."""


class Masks(Stateless):
    """A PictureFilter for pictures of `width` x `height`, both even. It remembers nothing."""

    def __init__(self, masks: Sequence[Mask], width: int, height: int) -> None:
        self._covered = [_Covered(mask, width, height) for mask in masks]

    def apply(self, picture: Planes, moment: Moment) -> None:
        """See PictureFilter."""
        del moment
        for one in self._covered:
            one.cover(picture)

    @property
    def drawn(self) -> Sequence[Area]:
        """See PictureFilter. A mask is part of the scene to the filters after it."""
        return ()


class _Covered:
    """One mask in pictures of one size."""

    def __init__(self, mask: Mask, width: int, height: int) -> None:
        grid = touched(mask.corners, width // 2, height // 2)
        smallest = -(-max(width, height) // (2 * _CELLS_PER_PICTURE))
        top, bottom = _extent(grid, 1, smallest)
        left, right = _extent(grid, 0, smallest)
        down, across = _cell_count(bottom - top, smallest), _cell_count(right - left, smallest)
        chroma = grid[top:bottom, left:right]
        luma = chroma.repeat(2, 0).repeat(2, 1)
        self._cover = mask.cover
        self._planes = [
            _CoveredPlane(one, Area(left * scale, top * scale, right * scale, bottom * scale), down, across)
            for one, scale in ((luma, 2), (chroma, 1), (chroma, 1))
        ]

    def cover(self, picture: Planes) -> None:
        for part, plane, black in zip(self._planes, (picture.y, picture.u, picture.v), _BLACK, strict=True):
            match self._cover:
                case Cover.BLACK:
                    part.fill(plane, black)
                case Cover.BLUR:
                    part.blur(plane)
                case Cover.PIXELATE:
                    part.pixelate(plane)


def _extent(grid: Grid, across: int, smallest: int) -> tuple[int, int]:
    """From the first to the last row (`across` is 1) or column (0) that is covered; more around them if there are less
    than `smallest`."""
    places, length = numpy.flatnonzero(numpy.any(grid, across)), grid.shape[1 - across]
    first, end = int(places[0]), int(places[-1]) + 1
    first = min(first, max(0, (first + end - smallest) // 2), max(0, length - smallest))
    return first, min(length, max(end, first + smallest))


def _cell_count(length: int, smallest: int) -> int:
    return max(1, min(_CELLS_PER_MASK, length // smallest))


@dataclass(frozen=True, slots=True)
class _Cells:
    """A length of samples in `count` cells: how their means are taken, and how samples are made of them."""

    starts: NDArray[numpy.intp]
    sizes: Numbers
    ramp: Numbers
    """Of shape (samples, cells): each sample's weights, which fall from one cell's middle to the next one's."""

    @classmethod
    def of(cls, length: int, count: int) -> _Cells:
        edges = numpy.arange(count + 1) * length // count
        middles = (edges[:-1] + edges[1:] - 1) / 2
        samples = numpy.arange(length)
        weights = [numpy.interp(samples, middles, unit) for unit in numpy.eye(count)]
        return cls(edges[:-1], numpy.diff(edges).astype(numpy.float32), numpy.stack(weights, 1).astype(numpy.float32))


class _CoveredPlane:
    """One mask in one plane. `grid` says which samples of `area` it covers."""

    def __init__(self, grid: Grid, area: Area, down: int, across: int) -> None:
        self._where = None if grid.all() else grid
        self._window = slice(area.top, area.bottom), slice(area.left, area.right)
        self._down, self._across = _Cells.of(grid.shape[0], down), _Cells.of(grid.shape[1], across)

    def fill(self, plane: Plane, value: int) -> None:
        self._write(plane, numpy.uint8(value))

    def blur(self, plane: Plane) -> None:
        smooth = self._down.ramp @ (self._means(plane) @ self._across.ramp.T)
        self._write(plane, (smooth + 0.5).astype(numpy.uint8))

    def pixelate(self, plane: Plane) -> None:
        means = (self._means(plane) + 0.5).astype(numpy.uint8)
        rows = means.repeat(self._across.sizes.astype(int), 1)
        self._write(plane, rows.repeat(self._down.sizes.astype(int), 0))

    def _means(self, plane: Plane) -> Numbers:
        """Of whole cells, those at the mask's edge too: the mean of a few samples would show them."""
        sums = numpy.add.reduceat(plane[self._window], self._down.starts, 0, numpy.uint32)
        cells = numpy.add.reduceat(sums, self._across.starts, 1).astype(numpy.float32)
        means: Numbers = cells / numpy.outer(self._down.sizes, self._across.sizes)
        return means

    def _write(self, plane: Plane, samples: Plane | numpy.uint8) -> None:
        if self._where is None:
            plane[self._window] = samples
        else:
            numpy.copyto(plane[self._window], samples, where=self._where)


def touched(corners: Sequence[Corner], width: int, height: int) -> Grid:
    """Which of `width` x `height` samples the polygon touches, and the one around these.

    What it encloses is found by winding numbers, which a polygon that crosses itself does not deceive, for the samples'
    middles; its edges are followed in steps of half a sample, and then all is widened by one sample.
    """
    places = [(x * width, y * height) for x, y in corners]
    grid = _winding(places, width, height) != 0
    for (x, y), (end_x, end_y) in _edges(places):
        steps = numpy.linspace(0, 1, 2 + int(2 * max(abs(end_x - x), abs(end_y - y))))
        columns = numpy.clip(x + steps * (end_x - x), 0, width - 1).astype(int)
        rows = numpy.clip(y + steps * (end_y - y), 0, height - 1).astype(int)
        grid[rows, columns] = True
    return _widened(grid)


def _edges(places: Sequence[Corner]) -> Iterator[tuple[Corner, Corner]]:
    return zip(places, [*places[1:], places[0]], strict=True)


def _winding(places: Sequence[Corner], width: int, height: int) -> NDArray[numpy.int16]:
    """How often the polygon goes around each sample's middle."""
    winding = numpy.zeros((height, width), numpy.int16)
    column = numpy.arange(width)[None, :] + 0.5
    for (x, y), (end_x, end_y) in _edges(places):
        if y == end_y:
            continue
        first, last = (int(numpy.ceil(one - 0.5)) for one in sorted((y, end_y)))
        row = numpy.arange(first, last)[:, None] + 0.5
        crossing = x + (row - y) * ((end_x - x) / (end_y - y))
        winding[first:last] += (column > crossing) * numpy.int16(1 if end_y > y else -1)
    return winding


def _widened(grid: Grid) -> Grid:
    padded = numpy.pad(grid, 1)
    rows = padded[:-2] | padded[1:-1] | padded[2:]
    wide: Grid = rows[:, :-2] | rows[:, 1:-1] | rows[:, 2:]
    return wide
