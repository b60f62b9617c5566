"""A picture moved by half samples, in place. What comes in at an edge repeats the edge.

Between samples by four of them, in sixteenths: -1, 9, 9, -1 at a half, -1, 14, 4, -1 at a quarter, which is close to
Catmull and Rom's cubic. A mean of two would blur.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy
from numpy.typing import NDArray

from timelapse_runtime.timelapse.filters.contract import Planes

if TYPE_CHECKING:
    from timelapse_runtime.timelapse.filters.contract import Plane

_STRIP_SAMPLES = 1 << 15
_HALF = 2


def shift_picture(picture: Planes, down: int, right: int) -> None:
    """Take back a shift of so many half luma samples: what lies at (y + down / 2, x + right / 2) comes to (y, x)."""
    if down or right:
        _shift(picture.y, 2 * down, 2 * right)
        _shift(picture.u, down, right)
        _shift(picture.v, down, right)


def _shift(plane: Plane, down: int, right: int) -> None:
    """By quarters of the plane's samples."""
    (down, down_part), (right, right_part) = divmod(down, 4), divmod(right, 4)
    rows, columns = plane.shape
    source = _extended(plane, down, right)
    step = max(1, _STRIP_SAMPLES // columns)
    least, most = numpy.zeros((step, columns), numpy.int16), numpy.full((step, columns), 255, numpy.int16)
    for top in range(0, rows, step):
        count = min(step, rows - top)
        strip = source[top : top + count + 3]
        if not (down_part or right_part):
            plane[top : top + count] = strip[1 : 1 + count, 1 : 1 + columns]
            continue
        samples = strip.astype(numpy.int16)
        samples = _between(samples, down_part) if down_part else samples[1 : 1 + count]
        samples = _between(samples.T, right_part).T if right_part else samples[:, 1 : 1 + columns]
        # With arrays: numpy is many times slower with numbers, or in `clip`.
        samples = numpy.minimum(numpy.maximum(samples, least[:count]), most[:count])
        numpy.copyto(plane[top : top + count], samples, casting="unsafe")


def _extended(plane: Plane, down: int, right: int) -> NDArray[numpy.uint8]:
    """The plane from one sample before (down, right) to two samples after its end from there, with edges repeated."""
    rows, columns = plane.shape
    extended = numpy.empty((rows + 3, columns + 3), numpy.uint8)
    top, left = 1 - down, 1 - right  # where the plane's first sample comes to
    height, width = slice(max(top, 0), top + rows), slice(max(left, 0), left + columns)
    inside = extended[height, width]
    inside[:] = plane[height.start - top :, width.start - left :][: inside.shape[0], : inside.shape[1]]
    bottom, end = height.start + inside.shape[0], width.start + inside.shape[1]
    extended[height, : width.start] = inside[:, :1]
    extended[height, end:] = inside[:, -1:]
    extended[: height.start] = extended[height.start]
    extended[bottom:] = extended[bottom - 1]
    return extended


def _between(samples: NDArray[numpy.int16], part: int) -> NDArray[numpy.int16]:
    """What lies `part` quarters after the second of each four rows."""
    count = len(samples) - 3
    first, second, third, fourth = (samples[place : place + count] for place in range(4))
    if part == _HALF:
        total = second + third
        total *= 9
    else:
        near = (14, 4) if part < _HALF else (4, 14)
        total = second * numpy.int16(near[0]) + third * numpy.int16(near[1])
    total -= first
    total -= fourth
    total += 8
    total >>= 4
    return total
