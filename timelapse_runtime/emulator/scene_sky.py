"""The sky of the sample scene: gradient, glow, clouds, sun, moon and stars.

It is soft, so it is painted at half the picture's size and doubled; discs and stars are added at full size.
"""

from __future__ import annotations

import math

import numpy as np

from timelapse_runtime.emulator.scene_light import HORIZON, Floats, Light, Reals

_TEXTURE = 1024


def noise_texture(rng: np.random.Generator, size: int, slope: float) -> Floats:
    """Fractal noise that tiles: a 1/f^slope spectrum with random phases. Mean 0, standard deviation 1."""
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None, :]) * size
    frequency[0, 0] = 1
    spectrum = rng.normal(size=(*frequency.shape, 2)) @ np.array([1, 1j]) / frequency**slope
    spectrum[0, 0] = 0
    noise = np.fft.irfft2(spectrum, s=(size, size))
    texture: Floats = (noise / noise.std()).astype(np.float32)
    return texture


def sample(texture: Floats, v: Reals, u: Reals) -> Floats:
    """The tiling texture at (v, u), in tiles, with linear interpolation."""
    size = texture.shape[0]
    y, x = v * np.float32(size), u * np.float32(size)
    row, column = np.floor(y), np.floor(x)
    fy, fx = y - row, x - column
    row0, column0 = row.astype(np.int32) & (size - 1), column.astype(np.int32) & (size - 1)
    row1, column1 = ((row0 + 1) & (size - 1)) * size, (column0 + 1) & (size - 1)
    row0 *= size
    flat = texture.reshape(-1)
    above = flat[row0 + column0] * (1 - fx) + flat[row0 + column1] * fx
    below = flat[row1 + column0] * (1 - fx) + flat[row1 + column1] * fx
    mixed: Floats = above + (below - above) * fy
    return mixed


def doubled(half: Floats, rows: int, columns: int) -> Floats:
    """A stack of planes at twice the size, linearly interpolated and cut to `rows` x `columns`."""
    channels, half_rows, half_columns = half.shape
    tall = np.empty((channels, 2 * half_rows, half_columns), np.float32)
    tall[:, ::2] = half
    tall[:, 1:-1:2] = (half[:, 1:] + half[:, :-1]) * np.float32(0.5)
    tall[:, -1] = half[:, -1]
    tall = tall[:, :rows]
    full = np.empty((channels, rows, 2 * half_columns), np.float32)
    full[:, :, ::2] = tall
    full[:, :, 1:-1:2] = (tall[:, :, 1:] + tall[:, :, :-1]) * np.float32(0.5)
    full[:, :, -1] = tall[:, :, -1]
    return full[:, :, :columns]


class Sky:
    """Paints the upper `rows` rows of a picture of `width` x `height`."""

    def __init__(self, width: int, height: int, rows: int, rng: np.random.Generator) -> None:
        self._width, self._height, self._rows = width, height, rows
        self._aspect = np.float32(width / height)
        self._clouds, self._veil = (noise_texture(rng, _TEXTURE, slope) for slope in (1.78, 1.75))
        self._y = ((np.arange((rows + 2) // 2) * 2) / height).astype(np.float32)[:, None]
        self._x = ((np.arange((width + 2) // 2) * 2) / width).astype(np.float32)[None, :]
        above = np.maximum(HORIZON - self._y, 0) / HORIZON
        self._distance = 1 / (above + np.float32(0.16))  # of a flat layer of clouds, seen at this height
        self._u = (self._x - np.float32(0.5)) * self._aspect * self._distance * np.float32(0.24)
        self._v = self._distance * np.float32(0.30) + np.zeros_like(self._x)
        self._fade = np.clip(above * 7, 0, 1)  # the farthest clouds drown in haze
        self._above = above
        count = 1500
        self._star_angle = rng.uniform(0, 2 * math.pi, count)
        self._star_radius = np.sqrt(rng.uniform(0.0, 1.6, count))
        self._star_light = np.clip(rng.pareto(2.2, count) * 0.26 + 0.12, 0, 1.1).astype(np.float32)
        self._star_tint = rng.uniform(-0.12, 0.12, count).astype(np.float32)

    def paint(self, light: Light, twinkle: np.random.Generator) -> Floats:
        """The planes (3 x rows x width) of the sky at this moment."""
        half, clearness = self._paint_half(light)
        sky = doubled(half, self._rows, self._width)
        if light.stars > 0:
            self._add_stars(sky, light, clearness, twinkle)
        self._add_sun(sky, light, clearness)
        if light.moon > 0:
            self._add_moon(sky, light, clearness)
        return sky

    def _paint_half(self, light: Light) -> tuple[Floats, Floats]:
        high = self._above**0.75
        low_weight, high_weight = np.clip(1 - high * 2.2, 0, 1) ** 1.5, np.clip(high * 1.25 - 0.25, 0, 1)
        middle_weight = 1 - low_weight - high_weight
        gradient = [
            low_weight * light.low[k] + middle_weight * light.middle[k] + high_weight * light.zenith[k]
            for k in range(3)
        ]
        dx, dy = (self._x - light.sun_x) * self._aspect, self._y - light.sun_y
        square = dx * dx + dy * dy
        low_sun = math.exp(-((light.elevation_degrees / 9) ** 2))
        wide = np.exp(-square / np.float32(0.10 + 0.10 * low_sun)) * np.float32(0.30 + 0.25 * low_sun)
        near = np.float32(0.010) / (square + np.float32(0.018)) * np.float32(0.75)
        band = np.exp(-(dx * dx) / 0.75 - ((self._y - HORIZON) / 0.17) ** 2) * np.float32(0.55 * low_sun)
        density, lit = self._cloud_fields(light, dx, dy, square)
        half = np.empty((3, *density.shape), np.float32)
        fire = np.array((1.0, 0.45, 0.16), np.float32)
        for k in range(3):
            plane = gradient[k] + (1 - gradient[k]) * light.sun[k] * np.minimum(wide + near, 0.95)
            plane += (fire[k] - plane) * band
            glow = near * light.sun[k] * np.float32(0.55)
            cloud = light.cloud_shade[k] + (light.cloud_lit[k] - light.cloud_shade[k]) * lit + glow
            half[k] = plane + (cloud - plane) * density
        return half, 1 - density

    def _cloud_fields(self, light: Light, dx: Floats, dy: Floats, square: Floats) -> tuple[Floats, Floats]:
        """How much of the sky the clouds cover, and how much of their lit side is seen; both from 0 to 1."""
        t = np.float32(light.t)
        heap = sample(self._clouds, self._v - t * np.float32(0.06), self._u - t * np.float32(0.42))
        heap += np.float32(0.55) * sample(
            self._clouds, self._v * np.float32(1.9) + np.float32(0.37), self._u * np.float32(1.9) - t * np.float32(0.95)
        )
        cover = np.float32(0.35 + 0.30 * math.sin(5.2 * light.t + 0.4) - 0.25 * light.stars)
        edge = np.clip((heap + cover - np.float32(0.55)) / np.float32(0.95), 0, 1)
        density = edge * edge * (3 - 2 * edge) * np.float32(0.94)
        veil = sample(self._veil, self._v * np.float32(1.4), self._u * np.float32(0.45) - t * np.float32(0.16))
        thin = np.clip(veil * np.float32(0.30) + np.float32(0.05), 0, np.float32(0.5))
        distance = np.sqrt(square) + np.float32(0.05)
        slope_y, slope_x = np.gradient(np.minimum(heap, np.float32(2.0)))
        toward_sun = (
            -(slope_x * dx + slope_y * dy) / distance * np.float32(min(1.0, self._height / 720) * 720 / self._height)
        )
        thickness = np.clip(edge - np.float32(0.35), 0, 1)
        lit = np.clip(np.float32(0.80) - thickness * np.float32(0.75) - toward_sun * np.float32(-2.4), 0, 1)
        density = (density + thin * (1 - density)) * self._fade
        return density, lit

    def _add_stars(self, sky: Floats, light: Light, clearness: Floats, twinkle: np.random.Generator) -> None:
        angle = self._star_angle + light.hour * 2 * math.pi / 24
        x = ((0.5 + self._star_radius * np.cos(angle) / self._aspect) * self._width).astype(np.int32)
        y = ((0.30 + self._star_radius * np.sin(angle)) * self._height).astype(np.int32)
        seen = (x >= 0) & (x < self._width - 1) & (y >= 0) & (y < min(self._rows, int(HORIZON * self._height)) - 1)
        x, y = x[seen], y[seen]
        brightness = self._star_light[seen] * twinkle.uniform(0.75, 1.1, x.size).astype(np.float32)
        brightness *= np.float32(light.stars) * clearness[y // 2, x // 2] ** 2
        for k, tint in enumerate((1, 0, -1)):
            value = brightness * (1 + tint * self._star_tint[seen])
            np.add.at(sky[k], (y, x), value)
            np.add.at(sky[k], (y, x + 1), value * np.float32(0.45))
            np.add.at(sky[k], (y + 1, x), value * np.float32(0.45))

    def _patch(self, x: float, y: float, radius: float) -> tuple[slice, slice, Reals, Reals] | None:
        """Rows and columns around a place, cut to the sky, and the distances from it (in picture heights)."""
        top, bottom = (int((y + side * radius) * self._height) for side in (-1, 1))
        left, right = (int((x * self._aspect + side * radius) * self._height) for side in (-1, 1))
        rows, columns = slice(max(0, top), min(self._rows, bottom)), slice(max(0, left), min(self._width, right))
        if rows.start >= rows.stop or columns.start >= columns.stop:
            return None
        dy = np.arange(rows.start, rows.stop, dtype=np.float32)[:, None] / self._height - np.float32(y)
        dx = (
            np.arange(columns.start, columns.stop, dtype=np.float32)[None, :] / self._height
            - np.float32(x) * self._aspect
        )
        return rows, columns, dy, dx

    def _add_sun(self, sky: Floats, light: Light, clearness: Floats) -> None:
        place = self._patch(light.sun_x, light.sun_y, 0.16)
        if place is None or light.elevation_degrees < -3:
            return
        rows, columns, dy, dx = place
        distance = np.hypot(dy, dx)
        clear = clearness[_halves(rows)][:, _halves(columns)] ** 1.5 * 0.8 + 0.2
        disc = np.clip((0.026 - distance) * self._height * 0.5 + 0.5, 0, 1)
        halo = np.exp(-distance / 0.028) * np.clip(1 - distance / 0.16, 0, 1)
        for k in range(3):
            sky[k, rows, columns] += (disc * 1.2 + halo * 0.55) * clear * (0.12 + 0.88 * light.sun[k])

    def _add_moon(self, sky: Floats, light: Light, clearness: Floats) -> None:
        place = self._patch(light.moon_x, light.moon_y, 0.22)
        if place is None:
            return
        rows, columns, dy, dx = place
        distance = np.hypot(dy, dx)
        clear = clearness[_halves(rows)][:, _halves(columns)]
        disc = np.clip((0.021 - distance) * self._height * 0.6 + 0.5, 0, 1)
        seas = sample(self._veil, dy * np.float32(1.5), dx * np.float32(1.5)) * np.float32(0.07)
        halo = np.exp(-distance / 0.045) * np.clip(1 - distance / 0.22, 0, 1) * 0.28
        for k, tint in enumerate((1.0, 0.97, 0.88)):
            plane = sky[k, rows, columns]
            plane += (disc * (0.92 + seas - plane) * tint + halo * (0.75 + 0.05 * k)) * clear * np.float32(light.moon)


def _halves(full: slice) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.arange(full.start, full.stop) // 2
