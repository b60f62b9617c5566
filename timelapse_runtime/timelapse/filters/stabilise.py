"""Stabilise: takes back the shifts of a camera in the wind.

A shift is measured by phase correlation on a small luma picture: where phases agree best, and then by their slope,
which tells hundredths of a sample. Phases do not depend on brightness. The reference is 96 lines of the spectrum, those
that told most in the first picture, as a mean of the last pictures after their shifts were taken back. So it follows
the light and stays where it is. It is small enough to be the state, and nothing is taken from the video: by that, each
restart would move the place by 0.03 samples, because x264 predicts from above and from the left (measured, crf 23).

A picture that shows something else, or too much of a shift, passes as it is; after some of them the camera has been
turned, and a new reference begins.
"""

from __future__ import annotations

import base64
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

Shift: TypeAlias = tuple[float, float]
"""Down and to the right, in samples of the video."""
Values: TypeAlias = NDArray[numpy.floating[Any]]
Lines: TypeAlias = NDArray[numpy.complexfloating[Any]]

_SMALL_SIDE = 640
_LOW_FREQUENCY = 0.3
"""In periods per sample of the small picture: above it are noise and aliases."""
_LINES = 96
_REFERENCE_MEMORY = 8
_LEAST_AGREEMENT = 0.5
"""Of the phases after the fit: 1 for the same picture, about 0.2 for another one."""
_LEAST_DETAIL = 1e-3
_USUAL_PHASE = 0.2
_TURNED_AFTER = 5


@dataclass(frozen=True, slots=True)
class StabiliseSettings:
    """`largest_shift`: as a fraction of the longer side."""

    largest_shift: float = 1 / 60


@dataclass(frozen=True, slots=True)
class _Reference:
    """Lines of a spectrum: their places in it, and their values, the largest of which is about 1."""

    places: NDArray[numpy.uint16]
    values: NDArray[numpy.float16]
    """Of shape (lines, 2): real and imaginary part. In memory no finer than in the state: a restart changes nothing."""

    @property
    def lines(self) -> Lines:
        """The values as complex numbers."""
        pairs = self.values.astype(numpy.float32)
        lines: Lines = pairs[:, 0] + 1j * pairs[:, 1]
        return lines

    def with_lines(self, lines: Lines) -> _Reference:
        """The same places with other values."""
        return _Reference(self.places, numpy.stack([lines.real, lines.imag], axis=1).astype(numpy.float16))

    @property
    def state(self) -> str:
        """For `of_state`."""
        parts = self.places.astype("<u2").tobytes() + self.values.astype("<f2").tobytes()
        return base64.b64encode(parts).decode()

    @classmethod
    def of_state(cls, state: str, spectrum_size: int) -> _Reference:
        """Raises TypeError or ValueError."""
        parts = base64.b64decode(state)
        places = numpy.frombuffer(parts, "<u2", _LINES).astype(numpy.uint16)
        values = numpy.frombuffer(parts, "<f2", offset=2 * _LINES).astype(numpy.float16).reshape(_LINES, 2)
        if places.max() >= spectrum_size or not numpy.isfinite(values).all():
            raise ValueError(state)
        return cls(places, values)


class Stabilise:
    """See PictureFilter. Draws nothing."""

    def __init__(self, settings: StabiliseSettings, width: int, height: int) -> None:
        self._largest = settings.largest_shift * max(width, height)
        self._factor = -(-max(width, height) // _SMALL_SIDE)
        rows, columns = height // self._factor, width // self._factor
        window = numpy.outer(numpy.hanning(rows + 2)[1:-1], numpy.hanning(columns + 2)[1:-1])
        self._window: NDArray[numpy.float32] = window.astype(numpy.float32)
        down, right = numpy.meshgrid(numpy.fft.fftfreq(rows), numpy.fft.rfftfreq(columns), indexing="ij")
        frequency = numpy.hypot(down, right)
        self._low = numpy.flatnonzero((frequency < _LOW_FREQUENCY) & (frequency > 0))  # fewer than 2**16
        self._down, self._right = down.ravel()[self._low], right.ravel()[self._low]
        reach = math.ceil(self._largest / self._factor) + 1
        self._steps = numpy.arange(-reach, reach + 1)
        self._reference: _Reference | None = None
        self._strange_count = 0

    def apply(self, picture: Planes, moment: Moment) -> None:
        """See PictureFilter."""
        del moment
        spectrum = self._spectrum(picture.y)
        reference = self._reference
        shift = None if reference is None else self._measure(spectrum, reference)
        if reference is None or shift is None:
            self._strange_count += 1
            if reference is None or self._strange_count >= _TURNED_AFTER:
                self._reference, self._strange_count = self._begin(spectrum), 0
            return
        self._strange_count = 0
        down, right = (round(2 * part) for part in shift)  # below a quarter: nothing is moved, and nothing blurred
        shift_picture(picture, down, right)
        there = self._turned(_normal(spectrum[reference.places]), reference.places, shift)
        self._reference = reference.with_lines(reference.lines + (there - reference.lines) / _REFERENCE_MEMORY)

    @property
    def state(self) -> FilterState:
        """See PictureFilter."""
        return self._reference and {"reference": self._reference.state, "strange": self._strange_count}

    def resume(self, state: FilterState, last: Planes | None, drawn: Sequence[Area]) -> None:
        """See PictureFilter. The last picture is not needed."""
        del last, drawn
        try:
            self._reference = _Reference.of_state(state["reference"], len(self._low))
            self._strange_count = int(state["strange"])
        except (TypeError, KeyError, ValueError):
            self._reference, self._strange_count = None, 0

    @property
    def drawn(self) -> Sequence[Area]:
        """See PictureFilter."""
        return ()

    def _spectrum(self, luma: Plane) -> Lines:
        """Of the small picture, at low frequencies."""
        small = _reduced(luma, self._factor).astype(numpy.float32)
        small -= small.mean()
        small *= self._window
        spectrum: Lines = numpy.fft.rfft2(small).ravel()[self._low]
        return spectrum

    def _begin(self, spectrum: Lines) -> _Reference | None:
        """The lines that tell most of a shift, half of them down and half to the right; None of too few."""
        detail = numpy.abs(spectrum) * numpy.hypot(self._down, self._right)
        down = numpy.argsort(detail * numpy.abs(self._down))[-_LINES // 2 :]
        detail[down] = 0
        right = numpy.argsort(detail * self._right)[-_LINES // 2 :]
        places = numpy.concatenate([down, right]).astype(numpy.uint16)
        if not (numpy.abs(spectrum[places]) > 0).all():
            return None
        return _Reference(places, numpy.zeros((_LINES, 2), numpy.float16)).with_lines(_normal(spectrum[places]))

    def _turned(self, lines: Lines, places: NDArray[numpy.uint16], shift: Shift) -> Lines:
        """The lines of the picture after `shift` was taken back."""
        periods = (self._down[places] * shift[0] + self._right[places] * shift[1]) / self._factor
        turned: Lines = lines * numpy.exp(2j * numpy.pi * periods)
        return turned

    def _measure(self, spectrum: Lines, reference: _Reference) -> Shift | None:
        """By how much a picture is shifted; None if it shows something else, or too much."""
        down, right = self._down[reference.places], self._right[reference.places]
        product = spectrum[reference.places] * reference.lines.conj()
        size = numpy.abs(product)
        if not size.any():
            return None
        weights = numpy.sqrt(size / size.max())
        phases = product / numpy.maximum(size, 1e-9 * size.max())
        across = numpy.exp(2j * numpy.pi * numpy.outer(self._steps, down)) * (weights * phases)
        fits = (across @ numpy.exp(2j * numpy.pi * numpy.outer(right, self._steps))).real
        row, column = divmod(int(fits.argmax()), len(self._steps))
        found = numpy.array([self._steps[row], self._steps[column]], float)
        slopes = numpy.stack([down, right])
        for _ in range(5):
            left = numpy.angle(phases * numpy.exp(2j * numpy.pi * (down * found[0] + right * found[1])))
            weighted = slopes * (weights / (1 + (left / _USUAL_PHASE) ** 2))  # lines of what moves agree with no shift
            moments = weighted @ slopes.T
            if numpy.linalg.det(moments) <= _LEAST_DETAIL * numpy.trace(moments) ** 2:
                return None  # all detail lies along one line
            found -= numpy.linalg.solve(moments, weighted @ left) / (2 * numpy.pi)
        left = numpy.angle(phases * numpy.exp(2j * numpy.pi * (down * found[0] + right * found[1])))
        shift = float(found[0]) * self._factor, float(found[1]) * self._factor
        agreement = float(weights @ numpy.cos(left) / weights.sum())
        return shift if agreement >= _LEAST_AGREEMENT and math.hypot(*shift) <= self._largest else None


def _normal(lines: Lines) -> Lines:
    """The largest is 1: a reference is a mean of pictures, whatever their brightness."""
    normal: Lines = lines / numpy.abs(lines).max()
    return normal


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
