"""The lake of the sample scene: the land and sky upside down, broken by ripples, and firs on the near bank."""

from __future__ import annotations

import numpy as np

from timelapse_runtime.emulator.scene_land import fir, outline
from timelapse_runtime.emulator.scene_light import Floats, Light, Reals, smooth
from timelapse_runtime.emulator.scene_sky import noise_texture, sample


class Lake:
    """Fills the rows from `shore` down, from what stands above them."""

    def __init__(self, width: int, height: int, shore: int, rng: np.random.Generator) -> None:
        self._width, self._height, self._shore = width, height, shore
        rows = height - shore
        self._below = ((np.arange(rows, dtype=np.float32) + np.float32(0.5)) / max(1, rows))[:, None]
        x = (np.arange(width, dtype=np.float32)[None, :] + np.float32(0.5)) / height
        self._texture = noise_texture(rng, 1024, 1.15)
        depth = 1 / (self._below + np.float32(0.12))  # ripples are flatter and closer together far out
        self._u, self._v = x * depth * np.float32(0.16), depth * np.float32(0.55) + np.zeros_like(x)
        self._mirror = np.clip(shore - 1 - np.arange(rows) * 1.08, 0, shore - 1).astype(np.float32)[:, None]
        self._columns = np.arange(width, dtype=np.int32)[None, :]
        self._bank, self._bank_shade = self._near_bank(x, rng)

    def paint(self, picture: Floats, light: Light) -> None:
        """Writes the lake and the near bank into `picture` (3 x height x width)."""
        t = np.float32(light.t)
        ripple = sample(self._texture, self._v + t * np.float32(2.3), self._u + t * np.float32(0.7))
        ripple *= np.float32(0.35) + self._below
        reach = np.float32(self._height * 0.012)
        row = np.clip(self._mirror + ripple * reach, 0, self._shore - 1).astype(np.int32)
        reflected = picture[:, : self._shore].reshape(3, -1).take(row * self._width + self._columns, axis=1)
        fresnel = np.float32(0.86) - np.float32(0.30) * self._below
        sparkle = ripple * np.float32(0.035)
        glitter = self._glitter(light, ripple)
        for k, deep in enumerate((0.05, 0.13, 0.17)):
            water = reflected[k] * fresnel
            water += light.ambient[k] * deep + sparkle * light.low[k]
            if glitter is not None:
                path, colour = glitter
                water += path * colour[k]
            picture[k, self._shore :] = water
        bank = picture[:, self._height - self._bank.shape[0] :]
        ground = np.array((0.13, 0.16, 0.09), np.float32) * (
            light.ambient * np.float32(0.8) + light.sun * np.float32(0.30)
        )
        for k in range(3):
            bank[k] += (self._bank_shade * ground[k] - bank[k]) * self._bank
        np.clip(picture[:, self._shore :], 0, 1, out=picture[:, self._shore :])

    def _glitter(self, light: Light, ripple: Floats) -> tuple[Floats, Floats] | None:
        """The path of light that the sun or the moon lays on the water, and its colour."""
        if light.moon > 0:
            place, colour = light.moon_x, np.array((0.50, 0.50, 0.46), np.float32) * np.float32(light.moon)
        elif light.elevation_degrees > 0:
            place, colour = light.sun_x, light.sun * np.float32(0.55 * smooth(light.elevation_degrees, 0, 5))
        else:
            return None
        across = (self._columns * np.float32(1 / self._width) - np.float32(place)) / (
            np.float32(0.018) + np.float32(0.045) * self._below
        )
        path = np.exp(-across * across) * np.clip(np.float32(1.6) * ripple + np.float32(0.12), 0, 1)
        return path, colour

    def _near_bank(self, x: Reals, rng: np.random.Generator) -> tuple[Floats, Floats]:
        """How much the bank and its firs cover, and how bright they are, for the picture's lower rows."""
        top = int(0.30 * self._height)
        y = (np.arange(top, self._height, dtype=np.float32)[:, None] + np.float32(0.5)) / self._height
        aspect = self._width / self._height
        side = np.abs(x / aspect * 2 - 1)
        ground = np.float32(1.04) - np.float32(0.13) * side**3 + np.float32(0.008) * outline(rng, x, 6, 0.6)
        inside = y - ground
        for place, height in (
            (0.035, 0.52),
            (0.095, 0.36),
            (0.150, 0.24),
            (0.215, 0.13),
            (0.985, 0.42),
            (0.930, 0.27),
            (0.880, 0.15),
        ):
            foot = np.float32(1.04 - 0.13 * abs(place * 2 - 1) ** 3 + 0.03)
            sway = outline(rng, y * 9, 3.0, 0.6) * np.float32(height * 0.012)
            tree = fir(x - np.float32(place * aspect) + sway, y - (foot - np.float32(height)), height, height * 42)
            inside = np.maximum(inside, np.where(y < foot, tree, np.float32(-1)))
        cover = np.clip(inside * np.float32(self._height) + np.float32(0.5), 0, 1)
        shade = np.clip(1 + np.float32(0.35) * sample(self._texture, y * 4, x * 6), 0.3, 2)
        return cover, shade
