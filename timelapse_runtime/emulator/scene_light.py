"""What the hour does to a landscape: where sun and moon stand, and which colours light, sky, haze and clouds have.

Colours are display RGB from 0 to 1. Places are fractions of the picture's width and height, from the top left.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float32]
Reals: TypeAlias = NDArray[np.floating[Any]]
"""What arithmetic with a plain number gives, as numpy's types have it; it is float32 at run time all the same."""

HORIZON = 0.60
"""Where the sky's gradient ends and the sun rises: behind the mountains."""
_SUNRISE, _SUNSET, _NOON_DEGREES = 6.0, 19.6, 62.0
_MIDDLE_HOUR, _HALF_SPAN_HOURS = 13.5, 9.1

_ELEVATIONS = (-18.0, -10.0, -5.0, 0.0, 6.0, 16.0, 45.0)
_ZENITH = ("0a1029", "101a3c", "1c2c5c", "35548f", "4377b8", "3b7cc9", "2f6fc4")
_MIDDLE = ("131c3c", "202c54", "4c4a78", "8f7f9e", "9db6d4", "86b5e3", "6ea8e0")
_LOW = ("222d50", "3c4570", "8f6478", "e8a06c", "f2cf9c", "cfe0ee", "b9d8f0")
_SUN = ("000000", "000000", "5a1e10", "ff7a30", "ffb469", "ffe6c0", "fff6e6")
_AMBIENT = ("2a3350", "2b3350", "38384f", "74686f", "8c94a4", "9fb0c4", "a8bacd")
_CLOUD_LIT = ("2a3454", "3a3f62", "a85060", "ff9a62", "ffd9a8", "fffaf0", "ffffff")
_CLOUD_SHADE = ("101731", "1b2242", "3f3a58", "8a6c80", "a89aa8", "a9b6c6", "b4c2d2")


def _table(colours: tuple[str, ...]) -> Floats:
    values = [[int(colour[k : k + 2], 16) / 255 for k in (0, 2, 4)] for colour in colours]
    return np.array(values, np.float32)


_TABLES = {
    "zenith": _table(_ZENITH),
    "middle": _table(_MIDDLE),
    "low": _table(_LOW),
    "sun": _table(_SUN),
    "ambient": _table(_AMBIENT),
    "cloud_lit": _table(_CLOUD_LIT),
    "cloud_shade": _table(_CLOUD_SHADE),
}


def smooth(value: float, low: float, high: float) -> float:
    """0 below `low`, 1 above `high`, without a kink in between."""
    x = min(1.0, max(0.0, (value - low) / (high - low)))
    return x * x * (3 - 2 * x)


@dataclass(frozen=True)
class Light:
    """One moment of the day. `t` runs from 0 (before dawn) to 1 (night)."""

    t: float
    hour: float
    elevation_degrees: float
    sun_x: float
    sun_y: float
    moon_x: float
    moon_y: float
    moon: float
    stars: float
    dusk: float
    zenith: Floats
    middle: Floats
    low: Floats
    sun: Floats
    ambient: Floats
    cloud_lit: Floats
    cloud_shade: Floats


def light_at(t: float) -> Light:
    """The light at `t`; midday passes faster than the twilights, which have more to show."""
    hour = _MIDDLE_HOUR + _HALF_SPAN_HOURS * _warped(2 * t - 1) / _warped(1)
    day = (hour - _SUNRISE) / (_SUNSET - _SUNRISE)
    height = math.sin(math.pi * day)
    elevation = _NOON_DEGREES * math.copysign(abs(height) ** 1.55, height)  # the colours of low light stay longer
    colours = {name: _at_elevation(table, elevation) for name, table in _TABLES.items()}
    if day < 0.5:  # dawn is pinker and cooler than sunset
        cool = np.array((0.97, 0.97, 1.12), np.float32)
        weight = smooth(elevation, -16, -2) * (1 - smooth(elevation, 4, 14))
        for name in ("middle", "low", "cloud_lit"):
            colours[name] = colours[name] * (1 + weight * (cool - 1))
    night = (hour - 20.4) / 2.4
    return Light(
        t=t,
        hour=hour,
        elevation_degrees=elevation,
        sun_x=0.06 + 0.88 * day,
        sun_y=0.53 - 0.45 * height,
        moon_x=0.16 + 0.20 * night,
        moon_y=0.50 - 0.34 * math.sin(min(1.0, max(-0.5, night)) * math.pi / 2),
        moon=smooth(-elevation, 2, 12) if day > 0.5 else 0.0,
        stars=smooth(-elevation, 5, 15),
        dusk=smooth(-elevation, -4, 5),
        **colours,
    )


def _warped(s: float) -> float:
    """Time from -1 to 1, with a slope of 1.5 at midday and 0.5 around sunrise and sunset."""
    return s + 0.5 * math.sin(4.2 * s) / 4.2


def _at_elevation(table: Floats, elevation: float) -> Floats:
    channels = [np.interp(elevation, _ELEVATIONS, table[:, k]) for k in range(3)]
    return np.array(channels, np.float32)
