"""Measures what a photo looks like, for those that are to be skipped.

Source of the measure of blur: Crété, Dolmiere, Ladret, Nicolas, 'The blur effect: perception and estimation with a new
no-reference perceptual blur metric', SPIE 6492 (2007). A picture is blurred once more: one that was sharp loses most of
the differences between its neighbours, one that was blurred hardly any. It does not depend on contrast or brightness.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy

from timelapse_runtime.timelapse.model.skip import Look

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from timelapse_runtime.timelapse.filters.contract import Plane

    Levels: TypeAlias = NDArray[numpy.int32]

_CELLS_DOWN, _CELLS_ACROSS = 9, 16
_BLUR_SAMPLES = 9
"""The length of the second blur, as in the paper."""
_EVERY_LINE = 4
"""Of how many lines the blur is measured: a fourth of them tells the same."""


def look_at(luma: Plane) -> Look:
    """Of a small picture's luma in limited range: the height a multiple of 9, the width of 16."""
    height, width = luma.shape
    down, across = height // _CELLS_DOWN, width // _CELLS_ACROSS
    sums = luma.reshape(_CELLS_DOWN, down, _CELLS_ACROSS, across).sum((1, 3), numpy.int64)
    cells = (sums / (down * across) - 16) * (255 / 219)
    blur = max(_blur(luma[:, ::_EVERY_LINE]), _blur(luma[::_EVERY_LINE].T))
    return Look(float(cells.mean()), blur, tuple(map(float, cells.ravel())))


def _blur(luma: Plane) -> float:
    """Along the columns, 0 to 1."""
    sums: Levels = numpy.cumsum(luma, 0, numpy.int32)
    blurred = sums[_BLUR_SAMPLES:] - sums[:-_BLUR_SAMPLES]  # times the number of samples
    begin = _BLUR_SAMPLES // 2 + 1
    steps = abs(numpy.diff(luma[begin : begin + len(blurred)].astype(numpy.int32), axis=0)) * _BLUR_SAMPLES
    total = int(steps.sum())
    return int(numpy.minimum(steps, abs(numpy.diff(blurred, axis=0))).sum()) / total if total else 0.0
