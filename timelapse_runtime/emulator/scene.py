"""The sample scene: a day over a mountain lake, as photographed by a camera on a tripod.

`timelapse replay` renders it if it gets no photos. Colours are RGB from 0 to 1. Positions: y is a fraction of the
height, from the top; x is in heights, too, from the left. An image is 3 x rows x columns of float32. Each photo depends
on its number, the count, the size and the seed alone; on another processor the last bit of a sample may differ.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from timelapse_runtime.timelapse.video.jpeg import JpegEncoder

Array: TypeAlias = NDArray[np.floating[Any]]

SMALLEST_SIDE = 16
_SHORE, _HORIZON = 0.665, 0.60
"""The row where the lake begins, and the row where the sky's gradient ends, behind the hills."""
_SUNRISE, _SUNSET, _NOON_DEGREES = 6.0, 19.6, 62.0
_FLICKER = 0.009
"""Standard deviation of the exposure from photo to photo."""
_NOISE = 0.008
"""Standard deviation of the sensor noise by day; at night the gain doubles it."""
_QSCALE = 2

_ELEVATIONS = (-18.0, -10.0, -5.0, 0.0, 6.0, 16.0, 45.0)
_COLOURS = {
    "zenith": "0a1029 101a3c 1c2c5c 35548f 4377b8 3b7cc9 2f6fc4",
    "middle": "131c3c 202c54 4c4a78 8f7f9e 9db6d4 86b5e3 6ea8e0",
    "low": "222d50 3c4570 8f6478 e8a06c f2cf9c cfe0ee b9d8f0",
    "sun": "000000 000000 5a1e10 ff7a30 ffb469 ffe6c0 fff6e6",
    "ground": "161d30 1a2034 38323f 8a6a58 b09a86 c9c2b6 d6d2c8",
    "cloud": "2a3454 3a3f62 a85060 ff9a62 ffd9a8 fffaf0 ffffff",
    "shade": "101731 1b2242 3f3a58 8a6c80 a89aa8 a9b6c6 b4c2d2",
}
"""Colours by the sun's elevation in degrees: sky, sunlight, the light on the ground, lit and shaded clouds."""
_TABLES = {
    name: np.array([[int(colour[k : k + 2], 16) / 255 for k in (0, 2, 4)] for colour in line.split()])
    for name, line in _COLOURS.items()
}
_CHAINS = (
    (0.43, 0.085, 1.05, 0.55, (0.34, 0.38, 0.48), 0.28),
    (0.50, 0.065, 1.25, 0.52, (0.25, 0.32, 0.34), 0.20),
    (0.57, 0.030, 1.90, 0.44, (0.16, 0.27, 0.15), 0.10),
    (0.63, 0.018, 2.60, 0.50, (0.20, 0.32, 0.11), 0.02),
)
"""Mountains and hills, far to near: height, swing, grain and roughness of the crest; colour; haze at the crest."""
_FIRS = ((0.02, 0.52), (0.06, 0.36), (0.10, 0.24), (0.15, 0.13), (0.98, 0.42), (0.94, 0.27), (0.89, 0.15))
"""The firs on the near bank: place as a fraction of the width, and height."""


def render_scene(
    count: int, size: tuple[int, int], *, seed: int = 1, only: Collection[int] | None = None
) -> Iterator[bytes]:
    """`count` JPEGs of `size` (width, height), from before dawn to night, or those of the numbers `only`.

    Raises ValueError for a size below 16.
    """
    width, height = size
    if min(size) < SMALLEST_SIDE:
        raise ValueError(f"the scene's size is {width}x{height}; each side needs {SMALLEST_SIDE} pixels")
    scene = _Scene(width, height, np.random.default_rng((seed, 1 << 32)))
    grain = np.random.default_rng((seed, 1 << 33)).normal(size=(height + 128, width + 128)).astype(np.float32)
    encoder = JpegEncoder(width, height, qscale=_QSCALE)
    pixels = np.empty((height, width, 4), np.uint8)
    for number in range(count) if only is None else sorted(only):
        rng = np.random.default_rng((seed, number))
        light = _Light(number / (count - 1) if count > 1 else 0.5)
        exposure, noise = 1 + _FLICKER * float(np.clip(rng.normal(), -2, 2)), _NOISE * (1 + light.night)
        image = scene.paint(light)
        for k in range(3):
            top, left = rng.integers(128, size=2)
            noisy = image[k] * (exposure * 255) + grain[top : top + height, left : left + width] * (noise * 255)
            pixels[:, :, k] = np.clip(noisy, 0, 255)
        yield encoder.encode_rgba(pixels.tobytes())


class _Light:
    """A moment of the day: `t` runs from 0 (before dawn) to 1 (night); `night` from 0 to 1 as darkness falls."""

    def __init__(self, t: float) -> None:
        s = 2 * t - 1
        warped = (s + math.sin(4.2 * s) / 8.4) / (1 + math.sin(4.2) / 8.4)  # noon passes faster than the twilights
        day = (13.5 + 9.1 * warped - _SUNRISE) / (_SUNSET - _SUNRISE)
        height = math.sin(math.pi * day)
        self.t = t
        self.elevation = _NOON_DEGREES * math.copysign(abs(height) ** 1.55, height)
        self.sun = (0.06 + 0.88 * day, 0.53 - 0.45 * height)  # fractions of width and height
        self.moon = (0.18 + 2.2 * (day - 1), 0.42 - 0.9 * max(0.0, day - 1))
        self.night = _smooth(-self.elevation, 3, 13)
        self._colours = {
            name: [float(np.interp(self.elevation, _ELEVATIONS, table[:, k])) for k in range(3)]
            for name, table in _TABLES.items()
        }

    def __getitem__(self, name: str) -> list[float]:
        return self._colours[name]


class _Scene:
    """Everything that does not move is computed once; `paint` adds light, clouds, sun, moon and the lake's ripples."""

    def __init__(self, width: int, height: int, rng: np.random.Generator) -> None:
        self._width, self._height, self._aspect = width, height, width / height
        self._shore = math.ceil(_SHORE * height)
        self._clouds, self._rock = _noise_texture(rng, 1.78), _noise_texture(rng, 1.6)
        self._image = np.empty((3, height, width), np.float32)
        y = ((np.arange(height) + 0.5) / height).astype(np.float32)[:, None]
        x = ((np.arange(width) + 0.5) / height).astype(np.float32)[None, :]
        self._y, self._x = y[: self._shore : 2], x[:, ::2]  # clouds and gradient are soft: half size will do
        self._above = np.maximum(_HORIZON - self._y, 0) / _HORIZON
        distance = 1 / (self._above + 0.16)  # to a flat layer of clouds, along the line of sight
        self._u, self._v = (self._x - self._aspect / 2) * distance * 0.24, distance * 0.30 + 0 * self._x
        self._stars = rng.uniform(size=(3, 900)) ** np.array([[1], [1], [5]])  # x, y, brightness: few are bright
        self._build_land(x, y[: self._shore], rng)
        self._below = (np.arange(height - self._shore) / max(1, height - self._shore)).astype(np.float32)[:, None]
        depth = 1 / (self._below + 0.12)  # ripples far out are flatter and closer together
        self._wave_u, self._wave_v = x * depth * 0.16, depth * 0.55 + 0 * x
        self._mirror = (self._shore - 1 - np.arange(height - self._shore) * 1.08).astype(np.float32)[:, None]
        self._columns = np.arange(width, dtype=np.int32)
        inside = y - 1.04 + 0.13 * np.abs(x * (2 / self._aspect) - 1) ** 3  # the near bank
        for place, size in _FIRS:
            down = (y - 1 + size) / size
            bough = 0.58 + 0.42 * (down * size * 42 % 1)
            inside = np.maximum(
                inside, np.where(down > 0, down * bough * size * 0.24, -1) - abs(x - place * self._aspect)
            )
        self._bank_cover = np.clip(inside * height + 0.5, 0, 1)
        self._bank = slice(int(np.argmax(self._bank_cover.any(axis=1))), height)

    def _build_land(self, x: Array, y: Array, rng: np.random.Generator) -> None:
        """Fills the planes of the land: how much sky, ground and haze each pixel shows, and the village's windows."""
        shape = (self._shore, self._width)
        self._sky_seen, self._haze = np.ones(shape, np.float32), np.zeros(shape, np.float32)
        self._ground, self._relief = np.zeros((3, *shape), np.float32), np.zeros(shape, np.float32)
        for base, swing, grain, roughness, colour, haze_top in _CHAINS:
            depth = y - (base - swing * _crest(rng, x, grain, roughness)).astype(np.float32)
            cover = np.clip(depth * self._height + 0.5, 0, 1)
            ridges = 1 - np.abs(_sample(self._rock, y * 0.5 + depth * 0.4 + base, x * 0.6 + depth * 0.15))
            shade = np.clip(0.9 + 0.25 * ridges + 0.15 * _sample(self._rock, y * 4, x * 5 + base), 0.3, 1.8)
            snow = np.clip((0.40 - y + 0.035 * ridges) / 0.02, 0, 1)
            haze = np.clip(haze_top + depth * 2.4, 0, 0.6 - base * 0.5 + haze_top)
            for k, white in enumerate((0.80, 0.84, 0.92)):
                ground = (colour[k] + (white - colour[k]) * snow) * shade * (1 - haze)
                self._ground[k] += (ground - self._ground[k]) * cover
            self._haze += (haze - self._haze) * cover
            relief = np.clip(np.gradient(ridges, axis=1) * (self._height / 45), -1, 1)
            self._relief += (relief * (1 - haze) * 0.18 - self._relief) * cover
            self._sky_seen *= 1 - cover
        self._land = slice(int(np.argmax((self._sky_seen < 1).any(axis=1))), self._shore)
        self._windows = np.zeros(shape, np.float32)
        for place, up in zip(rng.uniform(0.52, 0.80, 36), rng.uniform(0.008, 0.030, 36), strict=True):
            square = np.maximum(np.abs(x - place * self._aspect), np.abs(y - _SHORE + up))
            self._windows += np.clip((0.0024 - square) * self._height + 0.5, 0, 1)

    def paint(self, light: _Light) -> Array:
        """The image at a moment; valid until the next call."""
        image, shore, land, bank = self._image, self._shore, self._land, self._bank
        image[:, :shore] = self._sky(light)
        side, lamps = (light.sun[0] - 0.5) * 2, _smooth(-light.elevation, -4, 5)
        for k, lamp in enumerate((1.1, 0.75, 0.40)):
            plane = image[k, land]
            plane *= self._sky_seen[land]
            plane += self._ground[k, land] * light["ground"][k] + self._relief[land] * (side * light["sun"][k])
            plane += self._haze[land] * (0.62 * light["low"][k] + 0.38 * light["middle"][k])
            plane += self._windows[land] * (lamps * lamp)
        np.clip(image[:, :shore], 0, 1, out=image[:, :shore])
        self._paint_lake(light)
        for k, dark in enumerate((0.07, 0.09, 0.06)):
            image[k, bank] += (dark * light["ground"][k] - image[k, bank]) * self._bank_cover[bank]
        return image

    def _sky(self, light: _Light) -> Array:
        density, lit = self._cloud_layer(light)
        dx, dy = self._x - light.sun[0] * self._aspect, self._y - light.sun[1]
        square, low_sun = dx * dx + dy * dy, math.exp(-((light.elevation / 9) ** 2))
        glow = 0.0075 / (square + 0.018) + np.exp(-square / (0.1 + 0.1 * low_sun)) * (0.30 + 0.25 * low_sun)
        afterglow = np.exp(-dx * dx / 0.75 - ((self._y - _HORIZON) / 0.17) ** 2) * (0.55 * low_sun)
        low, high = np.clip(1 - self._above**0.75 * 2.2, 0, 1) ** 1.5, np.clip(self._above**0.75 * 1.25 - 0.25, 0, 1)
        half = np.empty((3, *density.shape), np.float32)
        for k, fire in enumerate((1.0, 0.45, 0.16)):
            sun, shaded = light["sun"][k], light["shade"][k]
            plane = low * light["low"][k] + (1 - low - high) * light["middle"][k] + high * light["zenith"][k]
            plane = plane + (1 - plane) * sun * np.minimum(glow, 0.95)
            plane += (fire - plane) * afterglow
            cloud = shaded + (light["cloud"][k] - shaded) * lit + glow * (0.3 * sun)
            half[k] = plane + (cloud - plane) * density
        sky = _doubled(half, self._shore, self._width)
        if light.night > 0:
            x = ((self._stars[0] + light.t * 0.4) % 1 * (self._width - 2)).astype(np.int32)
            y = (self._stars[1] * (self._shore - 1)).astype(np.int32)
            clear = (1 - density[y // 2, x // 2]) ** 2
            shine = ((0.08 + self._stars[2]) * clear * light.night).astype(np.float32)
            sky[:, y, x] += shine
            sky[:, y, x + 1] += shine * 0.5
            moonlight = [colour * light.night for colour in (0.90, 0.88, 0.80)]
            self._add_disc(sky, light.moon, 0.021, moonlight, density)
        if light.elevation > -3:
            self._add_disc(sky, light.sun, 0.026, light["sun"], density * 0.7)
        return sky

    def _cloud_layer(self, light: _Light) -> tuple[Array, Array]:
        """How much of the sky the clouds cover, and how much of their lit side shows; both from 0 to 1."""
        t, u, v = light.t, self._u, self._v
        heap = _sample(self._clouds, v - t * 0.06, u - t * 0.42)
        heap += 0.55 * _sample(self._clouds, v * 1.9 + 0.37, u * 1.9 - t * 0.95)
        veil = _sample(self._clouds, v * 1.4 + 0.6, u * 0.45 - t * 0.16)
        edge = np.clip((heap - 0.20 + 0.30 * math.sin(5.2 * t + 0.4) - 0.25 * light.night) / 0.95, 0, 1)
        thin = np.clip(veil * 0.30 + 0.05, 0, 0.5)
        density = edge * edge * (3 - 2 * edge) * 0.94
        density = (density + thin * (1 - density)) * np.clip(self._above * 7, 0, 1)
        return density, np.clip(0.85 + 0.08 * veil - 0.75 * np.maximum(edge - 0.35, 0), 0, 1)

    def _add_disc(
        self, sky: Array, place: tuple[float, float], radius: float, colour: Sequence[float], hidden: Array
    ) -> None:
        """A disc with a halo at `place` (fractions), behind clouds that cover `hidden` (half size)."""
        row, column = np.ogrid[: self._shore, : self._width]
        near_row = np.abs(row - place[1] * self._height) < 6 * radius * self._height
        near_column = np.abs(column - place[0] * self._width) < 6 * radius * self._height
        row, column = row[near_row[:, 0]], column[:, near_column[0]]
        distance = np.hypot(row - place[1] * self._height, column - place[0] * self._width) / self._height
        shine = np.clip((radius - distance) * self._height * 0.5 + 0.5, 0, 1)
        shine += 0.45 * np.exp(-distance / radius) * np.clip(1 - distance / (6 * radius), 0, 1)
        shine *= 1 - hidden[row // 2, column // 2]
        sky[:, row, column] += (shine * np.array(colour)[:, None, None]).astype(np.float32)

    def _paint_lake(self, light: _Light) -> None:
        """Land and sky upside down, broken by ripples, with the path of light below sun or moon."""
        ripple = _sample(self._rock, self._wave_v + light.t * 2.3, self._wave_u + light.t * 0.7)
        row = np.clip(self._mirror + ripple * (0.35 + self._below) * (self._height * 0.012), 0, self._shore - 1)
        index = row.astype(np.int32) * self._width + self._columns
        body, glitter = (light.sun, light["sun"]) if light.elevation > 0 else (light.moon, [0.5 * light.night] * 3)
        across = ((self._columns / self._width - body[0]) / (0.018 + 0.045 * self._below)).astype(np.float32)
        path = np.exp(-across * across) * np.clip(0.9 * ripple - 0.2, 0, 1) * _smooth(abs(light.elevation), 0, 5)
        for k, deep in enumerate((0.05, 0.12, 0.16)):
            water = self._image[k, : self._shore].reshape(-1).take(index) * (0.86 - 0.30 * self._below)
            water += deep * light["ground"][k] + 0.02 * ripple * light["low"][k] + path * (0.6 * glitter[k])
            self._image[k, self._shore :] = water


def _smooth(value: float, low: float, high: float) -> float:
    """0 below `low`, 1 above `high`, smooth in between."""
    x = min(1.0, max(0.0, (value - low) / (high - low)))
    return x * x * (3 - 2 * x)


def _noise_texture(rng: np.random.Generator, slope: float, size: int = 1024) -> Array:
    """Noise that tiles: a 1/f^slope spectrum with random phases. Mean 0, standard deviation 1."""
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None, :]) * size
    frequency[0, 0] = np.inf
    noise = np.fft.irfft2(rng.normal(size=(*frequency.shape, 2)) @ (1, 1j) / frequency**slope, s=(size, size))
    texture: NDArray[np.float32] = (noise / noise.std()).astype(np.float32)
    return texture


def _sample(texture: Array, v: Array, u: Array) -> Array:
    """The texture, whose side is a power of two, at (v, u), in tiles, with linear interpolation."""
    size = texture.shape[0]
    y, x = v * size, u * size
    row, column = np.floor(y), np.floor(x)
    fy, fx = y - row, x - column
    row0, column0 = row.astype(np.int32) & (size - 1), column.astype(np.int32) & (size - 1)
    row1, column1 = ((row0 + 1) & (size - 1)) * size, (column0 + 1) & (size - 1)
    row0 *= size
    flat = texture.reshape(-1)
    above = flat[row0 + column0] * (1 - fx) + flat[row0 + column1] * fx
    below = flat[row1 + column0] * (1 - fx) + flat[row1 + column1] * fx
    mixed: Array = above + (below - above) * fy
    return mixed


def _doubled(half: Array, rows: int, columns: int) -> Array:
    """Planes at twice the size, linearly interpolated, cut to `rows` x `columns`."""
    tall = np.repeat(half, 2, axis=1)
    tall[:, 1:-1:2] = (half[:, 1:] + half[:, :-1]) * 0.5
    full = np.repeat(tall[:, :rows], 2, axis=2)
    full[:, :, 1:-1:2] = (full[:, :, 2::2] + full[:, :, :-2:2]) * 0.5
    return full[:, :, :columns]


def _crest(rng: np.random.Generator, x: Array, grain: float, roughness: float) -> Array:
    """The outline of a chain of hills over x: octaves of noise with sharp tops, about -1 to 1."""
    line = np.zeros_like(x)
    for octave in range(8):
        wave = np.interp(x * (grain * 2**octave) + 7, np.arange(1024), rng.uniform(-1, 1, 1024))
        line += roughness**octave * (1 - 2.2 * np.abs(wave))
    return line
