"""Stabilise: takes back the shifts of a camera in the wind.

A shift is measured on a small luma picture against a reference, by phase correlation: the place of the peak, and then
the slope of the phases at low frequencies, which tells hundredths of a sample. Phases do not depend on brightness, and
weigh what stands still more than what moves. The reference is the mean of the last pictures as they were put out, so it
follows the light and stays where it is.

A restart takes the reference from the video's last picture, and from the state by how much that was off. A picture that
shows something else, or too much of a shift, passes as it is; after some of them the camera has been turned.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy
from numpy.typing import NDArray

from timelapse_runtime.timelapse.filters.contract import Area, FilterState, Moment, Planes
from timelapse_runtime.timelapse.filters.shift import shift_picture

if TYPE_CHECKING:
    from timelapse_runtime.timelapse.filters.contract import Plane

Spectrum: TypeAlias = NDArray[numpy.complexfloating[Any]]
Shift: TypeAlias = tuple[float, float]
"""Down and to the right."""

_SMALL_SIDE = 320
_LOW_FREQUENCY = 0.2
"""In periods per sample of the small picture: above it are noise and aliases."""
_REFERENCE_MEMORY = 8
_LEAST_AGREEMENT = 0.5
"""Of the phases after the fit: 1 for the same picture, about 0 for another one."""
_LEAST_DETAIL = 1e-3
_TURNED_AFTER = 5


@dataclass(frozen=True, slots=True)
class StabiliseSettings:
    """`largest_shift`: as a fraction of the longer side."""

    largest_shift: float = 1 / 60


class Stabilise:
    """See PictureFilter. Draws nothing."""

    def __init__(self, settings: StabiliseSettings, width: int, height: int) -> None:
        self._largest = settings.largest_shift * max(width, height)
        self._factor = -(-max(width, height) // _SMALL_SIDE)
        rows, columns = height // self._factor, width // self._factor
        window = numpy.outer(numpy.hanning(rows + 2)[1:-1], numpy.hanning(columns + 2)[1:-1])
        self._window: NDArray[numpy.float32] = window.astype(numpy.float32)
        self._down = numpy.fft.fftfreq(rows)[:, None].astype(numpy.float32)
        self._right = numpy.fft.rfftfreq(columns)[None].astype(numpy.float32)
        self._is_low = (numpy.hypot(self._down, self._right) < _LOW_FREQUENCY) & (self._right + abs(self._down) > 0)
        self._reference: Spectrum | None = None
        self._off: Shift = (0.0, 0.0)
        self._strange_count = 0

    def apply(self, picture: Planes, moment: Moment) -> None:
        """See PictureFilter."""
        del moment
        spectrum = self._spectrum(picture.y)
        found = None if self._reference is None else self._measure(spectrum, self._reference)
        if self._reference is None or found is None:
            self._strange_count += 1
            if self._reference is None or self._strange_count >= _TURNED_AFTER:
                self._reference, self._off, self._strange_count = spectrum, (0.0, 0.0), 0
            return
        self._strange_count = 0
        down, right = (round(2 * part) for part in found)  # below a quarter: nothing is moved, and nothing blurred
        shift_picture(picture, down, right)
        self._off = found[0] - down / 2, found[1] - right / 2
        self._reference += (self._moved(spectrum, found) - self._reference) / _REFERENCE_MEMORY

    @property
    def state(self) -> FilterState:
        """See PictureFilter."""
        return None if self._reference is None else {"off": list(self._off), "strange": self._strange_count}

    def resume(self, state: FilterState, last: Planes | None, drawn: Sequence[Area]) -> None:
        """See PictureFilter. What is drawn over moves with nothing, and weighs little."""
        del drawn
        self._reference = None
        try:
            down, right = map(float, state["off"])
            strange_count = int(state["strange"])
        except (TypeError, KeyError, ValueError):
            return
        if last is not None and math.hypot(down, right) <= 1 and strange_count >= 0:
            self._off, self._strange_count = (down, right), strange_count
            self._reference = self._moved(self._spectrum(last.y), self._off)

    @property
    def drawn(self) -> Sequence[Area]:
        """See PictureFilter."""
        return ()

    def _spectrum(self, luma: Plane) -> Spectrum:
        small = _reduced(luma, self._factor).astype(numpy.float32)
        small -= small.mean()
        small *= self._window
        spectrum: Spectrum = numpy.fft.rfft2(small)
        return spectrum

    def _moved(self, spectrum: Spectrum, shift: Shift) -> Spectrum:
        """The spectrum of the picture after `shift`, in samples of the video, was taken back."""
        down = numpy.exp(self._down * numpy.complex64(2j * math.pi * shift[0] / self._factor))
        right = numpy.exp(self._right * numpy.complex64(2j * math.pi * shift[1] / self._factor))
        moved: Spectrum = spectrum * down
        moved *= right
        return moved

    def _measure(self, spectrum: Spectrum, reference: Spectrum) -> Shift | None:
        """By how much a picture is shifted, in samples of the video; None if it shows something else, or too much."""
        product = spectrum * reference.conj()
        size = numpy.abs(product)
        peaks = numpy.fft.irfft2(product / (size + 1e-3 * size.max() + 1e-9), s=self._window.shape)
        rows, columns = self._window.shape
        row, column = divmod(int(peaks.argmax()), columns)
        shift = (row - rows if row > rows // 2 else row), (column - columns if column > columns // 2 else column)
        down, right = self._down.repeat(len(self._right[0]), 1)[self._is_low], self._right.repeat(rows, 0)[self._is_low]
        weights, product = numpy.sqrt(size[self._is_low]), product[self._is_low]
        found = numpy.array(shift, float)
        moments = numpy.array(
            [[weights @ down**2, weights @ (down * right)], [weights @ (down * right), weights @ right**2]]
        )
        if numpy.linalg.det(moments) <= _LEAST_DETAIL * numpy.trace(moments) ** 2:
            return None  # nothing, or the same along a line
        for _ in range(4):
            phases = numpy.angle(product * numpy.exp(2j * numpy.pi * (down * found[0] + right * found[1])))
            inside = numpy.where(numpy.abs(phases) < 1.5, weights * phases, 0)
            found -= numpy.linalg.solve(moments, numpy.array([inside @ down, inside @ right])) / (2 * numpy.pi)
        phases = numpy.angle(product * numpy.exp(2j * numpy.pi * (down * found[0] + right * found[1])))
        agreement = float(weights @ numpy.cos(phases) / (weights.sum() + 1e-9))
        down_by, right_by = (float(part) * self._factor for part in found)
        if agreement < _LEAST_AGREEMENT or math.hypot(down_by, right_by) > self._largest:
            return None
        return down_by, right_by


def _reduced(luma: Plane, factor: int) -> NDArray[numpy.uint16]:
    """The sums of squares of `factor` x `factor` samples. What does not fill one, below and at the right, is left
    out."""
    rows, columns = (side // factor * factor for side in luma.shape)
    sums = luma[0:rows:factor].astype(numpy.uint16)
    for row in range(1, factor):
        sums += luma[row:rows:factor]
    reduced: NDArray[numpy.uint16] = sums[:, 0:columns:factor].copy()
    for column in range(1, factor):
        reduced += sums[:, column:columns:factor]
    return reduced
