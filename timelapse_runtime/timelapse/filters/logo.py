"""Draws a logo: a PNG, by its transparency over the picture. It is decoded and scaled once for a reel."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy

from timelapse_runtime.timelapse.filters.contract import Area, Moment, Planes, Stateless
from timelapse_runtime.timelapse.filters.glyphs import UnreadablePicture, rgba
from timelapse_runtime.timelapse.model.drawn_text import Place

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from timelapse_runtime.timelapse.filters.contract import Plane

    Terms: TypeAlias = NDArray[numpy.uint16]
    Numbers: TypeAlias = NDArray[numpy.floating[Any]]

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_MAXIMUM_SIDE = 4_096
_Y, _U, _V = (65.481, 128.553, 24.966), (-37.797, -74.203, 112.0), (112.0, -93.786, -18.214)
"""Of red, green and blue from 0 to 1 (ITU-R BT.601-7, 2.5.3), limited range."""


class Logo(Stateless):
    """A PictureFilter for pictures of `width` x `height`. The logo has `size_percent` of the shorter side as its longer
    side, and is `margin_percent` of it away from the edges. It remembers nothing.

    Raises UnreadablePicture if `png` is none.
    """

    def __init__(
        self, png: bytes, place: Place, size_percent: int, margin_percent: int, width: int, height: int
    ) -> None:
        shorter = min(width, height)
        wide, high = _scaled(_size(png), max(2, shorter * size_percent // 100))
        margin = round(shorter * margin_percent / 100)
        left = margin if place.is_left else width - wide - margin if place.is_right else (width - wide) // 2
        top = margin if place.is_top else height - high - margin
        left, top = (max(0, min(free, one)) // 2 * 2 for one, free in ((left, width - wide), (top, height - high)))
        self._area = Area(left, top, left + wide, top + high)
        picture = rgba(png, (wide, high)).astype(numpy.float32) / 255
        alpha = picture[..., 3]
        colours = picture[..., :3] * alpha[..., None]
        self._luma = _Cover(alpha, colours @ numpy.array(_Y, numpy.float32) + 16 * alpha)
        small, means = _halved(alpha), numpy.stack([_halved(colours[..., one]) for one in range(3)], -1)
        self._chroma = [_Cover(small, means @ numpy.array(one, numpy.float32) + 128 * small) for one in (_U, _V)]

    def apply(self, picture: Planes, moment: Moment) -> None:
        """See PictureFilter."""
        del moment
        area = self._area
        self._luma.draw(picture.y[area.top : area.bottom, area.left : area.right])
        for cover, plane in zip(self._chroma, (picture.u, picture.v), strict=True):
            cover.draw(plane[area.top // 2 : area.bottom // 2, area.left // 2 : area.right // 2])

    @property
    def drawn(self) -> Sequence[Area]:
        """See PictureFilter."""
        return [self._area]


class _Cover:
    """Samples become `(sample * (255 - alpha) + added) / 255`. `alpha` from 0 to 1; `added`: the logo's sample times
    that, 0 to 255."""

    def __init__(self, alpha: Numbers, added: Numbers) -> None:
        self._kept: Terms = 255 - numpy.rint(alpha * 255).astype(numpy.uint16)
        self._added: Terms = numpy.rint(added * 255).astype(numpy.uint16) + 127

    def draw(self, samples: Plane) -> None:
        samples[:] = (samples * self._kept + self._added) // 255


def _size(png: bytes) -> tuple[int, int]:
    """Width and height as the header has them: what is too large is not decoded. Raises UnreadablePicture."""
    if png[:8] != _SIGNATURE or png[12:16] != b"IHDR" or len(png) < 33:
        raise UnreadablePicture("it is not a PNG")
    width, height = struct.unpack_from(">II", png, 16)
    if not (0 < width <= _MAXIMUM_SIDE and 0 < height <= _MAXIMUM_SIDE):
        raise UnreadablePicture(f"it has {width}x{height} pixels; allowed: {_MAXIMUM_SIDE} a side")
    return width, height


def _scaled(size: tuple[int, int], longer: int) -> tuple[int, int]:
    """The size with the longer side so long, both even, and 2 at least."""
    wide, high = (max(1, round(side * longer / max(size))) for side in size)
    return (wide + 1) // 2 * 2, (high + 1) // 2 * 2


def _halved(plane: Numbers) -> Numbers:
    """The mean of each two by two samples."""
    height, width = plane.shape
    means: Numbers = plane.reshape(height // 2, 2, width // 2, 2).mean((1, 3))
    return means
