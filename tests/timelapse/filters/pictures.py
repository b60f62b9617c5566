"""Pictures' samples for tests of filters."""

from __future__ import annotations

import numpy

from timelapse_runtime.timelapse.filters.contract import Planes


def noise(width: int, height: int, seed: int = 0) -> Planes:
    """Random samples."""
    random = numpy.random.default_rng(seed)
    return Planes(*(random.integers(16, 236, (height // n, width // n), numpy.uint8) for n in (1, 2, 2)))


def flat(width: int, height: int, luma: int) -> Planes:
    """Grey of one level."""
    shapes = ((height, width), luma), ((height // 2, width // 2), 128), ((height // 2, width // 2), 128)
    return Planes(*(numpy.full(shape, level, numpy.uint8) for shape, level in shapes))


def copied(picture: Planes) -> Planes:
    """The same samples, elsewhere."""
    return Planes(picture.y.copy(), picture.u.copy(), picture.v.copy())
