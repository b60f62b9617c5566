"""Blend: motion blur. Each frame is a mix of the photos so far, and each photo counts less the older it is.

With weights that fall by the same factor from photo to photo, the mix is the last mix and the new photo: 2 / (K + 1) of
it, so that its weights' mean age is that of K photos of equal weight. One picture is the whole memory, and a restart
takes it from the video.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy

from timelapse_runtime.timelapse.filters.contract import Area, FilterState, Moment, Planes

if TYPE_CHECKING:
    from timelapse_runtime.timelapse.filters.contract import Plane

_STRIP_SAMPLES = 1 << 15
_ROUNDING = (128, 16, 192, 80, 240, 48, 160, 208, 0, 112, 224, 32, 144, 64, 176, 96)
"""What is added before the last 8 bits go, by turns. Always the same would leave a shadow of what has gone: a small
part of a small difference rounds to nothing."""


@dataclass(frozen=True, slots=True)
class BlendSettings:
    """`photos`: how many are mixed, 2 at least."""

    photos: int


class Blend:
    """See PictureFilter. Draws nothing."""

    def __init__(self, settings: BlendSettings, width: int, height: int) -> None:
        del width, height  # it needs none
        self._weight = round(256 * 2 / (settings.photos + 1))
        self._last: tuple[Plane, ...] | None = None
        self._count = 0

    def apply(self, picture: Planes, moment: Moment) -> None:
        """See PictureFilter."""
        del moment
        planes = (picture.y, picture.u, picture.v)
        if self._last is None:
            self._last = tuple(plane.copy() for plane in planes)
            return
        self._count = (self._count + 1) % len(_ROUNDING)
        for plane, last in zip(planes, self._last, strict=True):
            _mix(plane, last, self._weight, _ROUNDING[self._count])

    @property
    def state(self) -> FilterState:
        """See PictureFilter."""
        return None if self._last is None else {"count": self._count}

    def resume(self, state: FilterState, last: Planes | None, drawn: Sequence[Area]) -> None:
        """See PictureFilter. What was drawn over fades like all that was there."""
        del drawn
        self._last = None
        count = state.get("count") if isinstance(state, dict) else None
        if last is not None and isinstance(count, int) and 0 <= count < len(_ROUNDING):
            self._last, self._count = tuple(plane.copy() for plane in (last.y, last.u, last.v)), count

    @property
    def drawn(self) -> Sequence[Area]:
        """See PictureFilter."""
        return ()


def _mix(plane: Plane, last: Plane, weight: int, rounding: int) -> None:
    """`weight` 256ths of `plane` and the rest of `last`, into both. In strips that fit into the processor's cache."""
    rows, columns = plane.shape
    step = max(1, _STRIP_SAMPLES // columns)
    for top in range(0, rows, step):
        now, before = plane[top : top + step], last[top : top + step]
        total = now.astype(numpy.uint16)
        total *= weight
        rest = before.astype(numpy.uint16)
        rest *= 256 - weight
        total += rest
        total += rounding  # 255 * 256 + 255 at most
        total >>= 8
        numpy.copyto(now, total, casting="unsafe")
        before[:] = now
