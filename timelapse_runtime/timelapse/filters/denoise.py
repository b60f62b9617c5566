"""Denoise: averages the sensor's noise away where nothing moves, over the filter's own output.

Each sample goes a part of the way from the last output to what the camera saw. Where something moves it takes what the
camera saw, whole: so nothing leaves a trail. Motion is judged twice. In blocks of 8x8 luma samples, by the mean
difference, without and with its sign: many samples see what one cannot tell from noise. And in each sample, whose
difference is kept out only up to three times the noise: beyond that, what is averaged falls to nothing.

The memory is the last output, so a restart takes it from the video. The state is two numbers: the noise as it was
measured, and how many pictures there were.

All is done in 8 bits and in strips of rows that fit into the processor's cache: a pass over a strip takes a few
microseconds. An average in 8 bits would stop where a part of the difference rounds to nothing, so the threshold of the
rounding takes turns.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy
from numpy.typing import NDArray

from timelapse_runtime.timelapse.filters.contract import Area, FilterState, Moment, Planes

if TYPE_CHECKING:
    from timelapse_runtime.timelapse.filters.contract import Plane

_BLOCK = 8
_STRIP_SAMPLES = 1 << 16
_LARGEST_DIFFERENCE = 31
"""More of a sample does not count: a column of a block must fit into 8 bits."""
_QUIET = 0.3
"""A block whose mean difference is less has no noise, such as a white sky that is cut off."""
_NOISE_QUANTILE = 0.3
"""Of the blocks' mean differences: most of the picture may move."""
_NOISE_MEMORY = 8
_LARGEST_SIGMA = 8.0
_ROUNDING = (0, 1, 0, -1)
"""What is added to one half of what is rounded, in halves of it, by turns. Always one half would leave a sample where
it is that differs by less than half of 2**shift. Turns through all thresholds would add noise: 1.16 instead of 1.0
levels of sigma = 3, with a shift of 3."""
_MEAN_OF_SIGMA = math.sqrt(2 / math.pi)


@dataclass(frozen=True, slots=True)
class DenoiseSettings:
    """`shift`: each frame has the weight 1 / 2**shift, where nothing moves."""

    shift: int


DENOISE_SETTINGS: Mapping[str, DenoiseSettings] = MappingProxyType(
    {"light": DenoiseSettings(1), "medium": DenoiseSettings(2), "strong": DenoiseSettings(3)}
)
"""By the words of TIMELAPSE_DENOISE."""


class Denoise:
    """See PictureFilter. Draws nothing."""

    def __init__(self, settings: DenoiseSettings, width: int, height: int) -> None:
        self._shift = settings.shift
        self._samples = _block_samples(width, height)
        self._certainty = numpy.sqrt(self._samples / (_BLOCK * _BLOCK // 2))
        self._last: Planes | None = None
        self._sigma, self._count = 0.0, 0

    def apply(self, picture: Planes, moment: Moment) -> None:
        """See PictureFilter."""
        del moment
        if self._last is None:
            self._last = Planes(*(plane.copy() for plane in _planes(picture)))
            return
        ends = numpy.repeat(2 * self._limits(picture.y, self._last.y), _BLOCK // 2, axis=1)
        self._count += 1
        shift = min(self._shift, (self._count + 1).bit_length() - 1)  # the first few are averaged evenly
        half = 1 << shift >> 1
        offset = half + _ROUNDING[self._count % len(_ROUNDING)] * half // 2
        _average(picture.y, self._last.y, numpy.repeat(ends, 2, axis=1), _BLOCK, shift, offset)
        _average(picture.u, self._last.u, ends, _BLOCK // 2, shift, offset)
        _average(picture.v, self._last.v, ends, _BLOCK // 2, shift, offset)

    @property
    def state(self) -> FilterState:
        """See PictureFilter."""
        return None if self._last is None else {"sigma": self._sigma, "count": self._count}

    def resume(self, state: FilterState, last: Planes | None, drawn: Sequence[Area]) -> None:
        """See PictureFilter. What is drawn over differs from the scene: there the filter begins anew by itself."""
        del drawn
        self._last = None
        try:
            sigma, count = float(state["sigma"]), int(state["count"])
        except (TypeError, KeyError, ValueError):
            return
        if last is not None and 0 <= sigma <= _LARGEST_SIGMA and count >= 0:
            self._last = Planes(*(plane.copy() for plane in _planes(last)))
            self._sigma, self._count = sigma, count

    @property
    def drawn(self) -> Sequence[Area]:
        """See PictureFilter."""
        return ()

    def _limits(self, luma: Plane, last: Plane) -> NDArray[numpy.uint8]:
        """By block: up to which difference a sample is averaged. 0 where something moves, and beside it."""
        size, signed = (total / self._samples for total in _block_differences(luma, last))
        sample = size[::2, ::2]
        noisy = sample[sample >= _QUIET]
        measured = 0.0 if noisy.size == 0 else float(numpy.quantile(noisy, _NOISE_QUANTILE)) / _MEAN_OF_SIGMA
        known = measured if self._sigma == 0 else self._sigma + (measured - self._sigma) / _NOISE_MEMORY
        self._sigma = min(known, _LARGEST_SIGMA)
        sigma = max(self._sigma, 0.5)
        # The mean of n samples of noise has a standard deviation of sigma / sqrt(n), that of their sizes 0.6 of it.
        by_size = ((size / (sigma * _MEAN_OF_SIGMA) - 1.05) * self._certainty - 0.45) / 0.3
        by_sign = (numpy.abs(signed) / sigma * self._certainty - 0.7) / 0.5
        still = 1 - numpy.clip(numpy.maximum(by_size, by_sign), 0, 1)
        limits: NDArray[numpy.uint8] = numpy.rint(_with_neighbours(still) * 3 * sigma).astype(numpy.uint8)
        return limits


def _planes(picture: Planes) -> tuple[Plane, Plane, Plane]:
    return picture.y, picture.u, picture.v


def _strips(plane: Plane, block: int) -> Iterator[slice]:
    """Rows of whole blocks whose samples fit into a processor's first cache, five times."""
    rows, columns = plane.shape
    step = block * max(1, _STRIP_SAMPLES // (block * columns))
    return (slice(top, min(top + step, rows)) for top in range(0, rows, step))


def _buffers(count: int, plane: Plane, block: int) -> NDArray[numpy.uint8]:
    return numpy.zeros((count, next(_strips(plane, block)).stop + block, plane.shape[1]), numpy.uint8)


def _block_samples(width: int, height: int) -> NDArray[numpy.float32]:
    """How many samples of each block are compared: half of its rows. Blocks at the edges may be smaller."""
    rows, columns = -(-height // 2), width
    heights = numpy.diff([*range(0, rows, _BLOCK // 2), rows])
    widths = numpy.diff([*range(0, columns, _BLOCK), columns])
    return numpy.outer(heights, widths).astype(numpy.float32)


def _block_differences(luma: Plane, last: Plane) -> tuple[NDArray[Any], NDArray[Any]]:
    """The sum of each block's differences, without and with their sign."""
    height = _BLOCK // 2
    luma, last = luma[::2], last[::2]  # half of the rows tell enough
    rows, columns = luma.shape
    across, down = -(-columns // _BLOCK), -(-rows // height)
    sums = numpy.zeros((2, down, across * _BLOCK), numpy.uint8)
    above, below, is_above, most = _buffers(4, luma, height)
    most[:] = _LARGEST_DIFFERENCE  # an array: numpy is 20 times slower with a number here
    for strip in _strips(luma, height):
        new, old, count = luma[strip], last[strip], strip.stop - strip.start
        size, signed, sign = above[:count], below[:count], is_above[:count]
        numpy.greater(new, old, out=sign.view(bool))
        numpy.maximum(new, old, out=size)
        numpy.minimum(new, old, out=signed)
        numpy.subtract(size, signed, out=size)
        numpy.minimum(size, most[:count], out=size)
        numpy.multiply(size, sign, out=signed)
        blocks = slice(strip.start // height, -(-strip.stop // height))
        whole = (blocks.stop - blocks.start) * height
        for differences, total in ((above, sums[0, blocks]), (below, sums[1, blocks])):
            differences[count:whole] = 0
            columns_of_blocks = differences[:whole].reshape(-1, height, columns)
            numpy.add.reduce(columns_of_blocks, axis=1, dtype=numpy.uint8, out=total[:, :columns])
    sizes, rises = _sums_of_eight(sums).astype(numpy.float32)
    return sizes, 2 * rises - sizes


def _sums_of_eight(samples: NDArray[numpy.uint8]) -> NDArray[numpy.uint16]:
    """Of neighbours in the last direction. In three steps: numpy's `sum` over a short axis needs five times as long."""
    sums = samples.astype(numpy.uint16)
    for _ in range(3):
        sums = sums[..., ::2] + sums[..., 1::2]
    return sums


def _with_neighbours(still: NDArray[Any]) -> NDArray[Any]:
    """The least of each block and the eight around it."""
    padded = numpy.pad(still, 1, mode="edge")
    columns = numpy.minimum(numpy.minimum(padded[:, :-2], padded[:, 1:-1]), padded[:, 2:])
    least: NDArray[Any] = numpy.minimum(numpy.minimum(columns[:-2], columns[1:-1]), columns[2:])
    return least


def _average(new: Plane, last: Plane, ends: NDArray[numpy.uint8], block: int, shift: int, offset: int) -> None:
    """Move `new` towards `last`, in place, by the block's limits; `last` then has the same samples.

    Of a difference d up to the limit L, 1 / 2**shift stays. Beyond L it falls to nothing, at 2 L.
    """
    ends = ends[:, : new.shape[1]]
    buffers = _buffers(3, new, block)
    for strip in _strips(new, block):
        now, before, count = new[strip], last[strip], strip.stop - strip.start
        kept, room, part = (buffer[:count] for buffer in buffers)
        numpy.maximum(now, before, out=kept)
        numpy.minimum(now, before, out=room)
        numpy.subtract(kept, room, out=kept)  # |d|
        end = numpy.repeat(ends[strip.start // block : -(-strip.stop // block)], block, axis=0)[:count]
        numpy.minimum(kept, end, out=room)
        numpy.subtract(end, room, out=room)  # 2 L - |d|, or 0
        numpy.add(kept, offset, out=part)  # may wrap around, where `room` is 0
        numpy.right_shift(part, shift, out=part)
        numpy.subtract(kept, part, out=kept)
        numpy.minimum(kept, room, out=kept)
        is_below = numpy.greater(before, now, out=room.view(bool)).view(numpy.uint8)
        numpy.multiply(kept, is_below, out=part)
        numpy.add(part, part, out=part)
        numpy.add(now, part, out=now)
        numpy.subtract(now, kept, out=now)
        before[:] = now
