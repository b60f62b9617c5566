"""Deflicker: evens out exposures that change from photo to photo, and keeps the light that really changes.

How much brighter a picture is than the one before is the median over 100 fields of the picture: a lamp, a car or a
cloud in less than half of them changes nothing. These steps add up to a curve, LightCurve says where the light is on
it, and the picture is brought there. The state has the fields of the last picture as it came in, and the curve, so
nothing is taken from the video.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy
from numpy.typing import NDArray

from timelapse_runtime.timelapse.filters.contract import Area, FilterState, Moment, Planes
from timelapse_runtime.timelapse.filters.light_curve import LightCurve

if TYPE_CHECKING:
    from timelapse_runtime.timelapse.filters.contract import Plane

_FIELDS = 10
"""In each direction."""
_SAMPLE_STEP = 4
"""Every fourth sample of every fourth row: 32,400 of a 1080p picture."""
_FINENESS = 64
"""Of the fields' means, per level."""
_DARKEST, _BRIGHTEST = 6, 200
"""Means, above black, that follow the exposure: below them is noise, above them highlights that are cut off."""
_FEWEST_FIELDS = 12
_BLACK, _WHITE = 16, 235
_COLOURS, _GREY = (16, 240), 128
_KNEE = 0.9
"""The brightest tenth is not scaled but bent, so that white stays white."""
_LARGEST_CORRECTION = 0.5
"""As a logarithm: 65 % brighter, 39 % darker."""


@dataclass(frozen=True, slots=True)
class DeflickerSettings:
    """`memory`: how many frames the light is followed over. Longer is smoother, and later where light changes fast."""

    memory: int = 24


class Deflicker:
    """See PictureFilter. Draws nothing."""

    def __init__(self, settings: DeflickerSettings, width: int, height: int) -> None:
        self._memory = settings.memory
        self._step = max(1, min(_SAMPLE_STEP, width // _FIELDS, height // _FIELDS))
        rows, columns = len(range(0, height, self._step)), len(range(0, width, self._step))
        self._rows = numpy.linspace(0, rows, _FIELDS, endpoint=False).astype(int)
        self._columns = numpy.linspace(0, columns, _FIELDS, endpoint=False).astype(int)
        sizes = numpy.outer(numpy.diff([*self._rows, rows]), numpy.diff([*self._columns, columns]))
        self._scale = _FINENESS / sizes
        self._fields: NDArray[numpy.uint16] | None = None
        self._exposure, self._curve = 0.0, LightCurve()

    def apply(self, picture: Planes, moment: Moment) -> None:
        """See PictureFilter."""
        del moment
        before, self._fields = self._fields, self._measure(picture.y)
        change = None if before is None else exposure_change(before, self._fields)
        if change is None:  # the first picture, or too dark to tell
            self._exposure, self._curve = 0.0, LightCurve()
        else:
            self._exposure += change
        level = self._curve.follow(self._exposure, self._memory)
        correct(picture, level - self._exposure)

    @property
    def state(self) -> FilterState:
        """See PictureFilter."""
        if self._fields is None:
            return None
        fields = base64.b64encode(self._fields.astype("<u2").tobytes()).decode()
        return {"fields": fields, "exposure": self._exposure, "curve": self._curve.state}

    def resume(self, state: FilterState, last: Planes | None, drawn: Sequence[Area]) -> None:
        """See PictureFilter. The last picture is not needed."""
        del last, drawn
        try:
            fields = numpy.frombuffer(base64.b64decode(state["fields"]), "<u2").astype(numpy.uint16)
            self._fields = fields.reshape(_FIELDS, _FIELDS)
            self._exposure, self._curve = float(state["exposure"]), LightCurve.of_state(state["curve"])
        except (TypeError, KeyError, ValueError):
            self._fields = None

    @property
    def drawn(self) -> Sequence[Area]:
        """See PictureFilter."""
        return ()

    def _measure(self, luma: Plane) -> NDArray[numpy.uint16]:
        """The fields' means, above black, in 64ths of a level."""
        sums = numpy.add.reduceat(luma[:: self._step, :: self._step], self._rows, axis=0, dtype=numpy.uint32)
        means = numpy.add.reduceat(sums, self._columns, axis=1) * self._scale
        return numpy.clip(means - _BLACK * _FINENESS + 0.5, 0, None).astype(numpy.uint16)


def exposure_change(before: NDArray[numpy.uint16], after: NDArray[numpy.uint16]) -> float | None:
    """How much brighter the fields are, as a logarithm; None if too few of them tell."""
    low, high = _DARKEST * _FINENESS, _BRIGHTEST * _FINENESS
    telling = (before >= low) & (after >= low) & (before <= high) & (after <= high)
    if int(telling.sum()) < _FEWEST_FIELDS:
        return None
    return float(numpy.median(numpy.log(after[telling] / before[telling])))


def correct(picture: Planes, correction: float) -> None:
    """Scale the picture's light by exp(`correction`), in place."""
    gain = math.exp(max(-_LARGEST_CORRECTION, min(_LARGEST_CORRECTION, correction)))
    levels = numpy.arange(256)
    light = (levels - _BLACK) / (_WHITE - _BLACK)
    start = _KNEE / max(gain, 1.0)
    bent = 1 - (1 - light) * (1 - gain * start) / (1 - start)
    scaled = numpy.where(light <= start, gain * light, bent)
    inside = (levels > _BLACK) & (levels < _WHITE)
    _look_up(picture.y, numpy.where(inside, numpy.rint(_BLACK + scaled * (_WHITE - _BLACK)), levels))
    colours = numpy.clip(numpy.rint(_GREY + (levels - _GREY) * gain), *_COLOURS)
    inside = (levels >= _COLOURS[0]) & (levels <= _COLOURS[1])
    for plane in (picture.u, picture.v):
        _look_up(plane, numpy.where(inside, colours, levels))


def _look_up(plane: Plane, table: NDArray[numpy.floating]) -> None:
    """Replace each sample by the table's entry. By bytes.translate: numpy's `take` makes an index of eight bytes of
    each sample, and needs twice the time."""
    entries = table.astype(numpy.uint8).tobytes()
    if entries != bytes(range(256)):
        plane[:] = numpy.frombuffer(plane.tobytes().translate(entries), numpy.uint8).reshape(plane.shape)
