"""The land of the sample scene: mountains, hills, a village on the far shore of a lake, firs in the foreground.

Nothing here moves but the light, so the land is a sum of fixed planes, each with a colour of the moment: one
matrix product per picture. Planes in front have already taken away what they hide.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from timelapse_runtime.emulator.scene_light import Floats, Light, Reals, smooth
from timelapse_runtime.emulator.scene_sky import noise_texture, sample

SHORE = 0.665
"""Where the lake begins."""
_TOP = 0.22
"""Above the highest peak."""
_WINDOW_GROUPS = 5
_WINDOW_LIGHT = (1.15, 0.80, 0.42)


@dataclass(frozen=True)
class _Range:
    """A chain of mountains or hills: mean height of its crest, swing and grain of its outline, and its look."""

    crest: float
    swing: float
    grain: float
    roughness: float
    albedo: tuple[float, float, float]
    haze: tuple[float, float]
    relief: float
    snow: float = 0.0
    trees: float = 0.0
    peaks: bool = False


_RANGES = (
    _Range(0.425, 0.085, 1.05, 0.66, (0.34, 0.38, 0.48), (0.20, 0.54), 0.24, snow=0.385, peaks=True),
    _Range(0.500, 0.070, 1.25, 0.62, (0.25, 0.32, 0.34), (0.14, 0.44), 0.22, peaks=True),
    _Range(0.563, 0.034, 1.9, 0.50, (0.18, 0.27, 0.19), (0.12, 0.40), 0.22, trees=0.011),
    _Range(0.622, 0.020, 2.1, 0.42, (0.23, 0.31, 0.15), (0.02, 0.14), 0.24, trees=0.015),
)


def outline(rng: np.random.Generator, x: Reals, grain: float, roughness: float, *, peaks: bool = False) -> Floats:
    """A crest line over x: octaves of smooth noise, about -1 to 1, the same at every resolution.

    `peaks` makes the tops sharp and the valleys round.
    """
    line, weight = np.zeros_like(x), 1.0
    for octave in range(8):
        knots = rng.uniform(-1, 1, 1024).astype(np.float32)
        place = x * np.float32(grain * 2**octave) + 7
        floor = np.floor(place)
        left = floor.astype(np.int32) % 1024
        part = place - floor
        part = part * part * (3 - 2 * part)
        wave = knots[left] + (knots[(left + 1) % 1024] - knots[left]) * part
        line += np.float32(weight) * (1 - 2.2 * np.abs(wave) if peaks else wave)
        weight *= roughness * 0.85
    return line


def fir(dx: Reals, below_top: Reals, height: float, boughs: float) -> Reals:
    """Signed distance into a fir (about, in the units of dx): positive inside. `below_top` is 0 at its top."""
    down = below_top / np.float32(height)
    tooth = down * np.float32(boughs) % 1
    width = down * np.float32(height * 0.24) * (np.float32(0.58) + np.float32(0.42) * tooth)
    return np.where(below_top < 0, np.float32(-1), width - np.abs(dx))


class Land:
    """Covers the rows from `top` to `bottom` (the lake's shore) of a picture of `width` x `height`."""

    def __init__(self, width: int, height: int, rng: np.random.Generator) -> None:
        self.top, self.bottom = int(_TOP * height), math.ceil(SHORE * height)
        self._width, self._height, self._rng = width, height, rng
        self._aspect = width / height
        self._y = (np.arange(self.top, self.bottom, dtype=np.float32)[:, None] + np.float32(0.5)) / height
        self._x = (np.arange(width, dtype=np.float32)[None, :] + np.float32(0.5)) / height  # in picture heights
        self._texture = noise_texture(rng, 1024, 1.35)
        self._rock = noise_texture(rng, 1024, 2.1)
        seen = np.ones((self.bottom - self.top, width), np.float32)
        planes: list[Floats] = []
        village, seen = self._village(seen)
        for chain in reversed(_RANGES):
            more, seen = self._range(chain, seen)
            planes = more + planes
        self._planes = np.stack([plane.reshape(-1) for plane in planes + village])
        self.sky_seen = seen

    def paint(self, light: Light) -> Floats:
        """The planes (3 x rows x width) of what the land adds; `sky_seen` says how much of the sky stays."""
        picture = self._colours(light) @ self._planes
        return picture.reshape(3, self.bottom - self.top, self._width)

    def _range(self, chain: _Range, seen: Floats) -> tuple[list[Floats], Floats]:
        y, x, height = self._y, self._x, self._height
        crest = chain.crest - chain.swing * outline(self._rng, x, chain.grain, chain.roughness, peaks=chain.peaks)
        if chain.peaks:  # a gap on both sides, for the sun to rise and set in
            side = np.clip((np.abs(x * np.float32(2 / self._aspect) - 1) - np.float32(0.40)) / np.float32(0.5), 0, 1)
            crest = crest + np.float32(0.13) * side * side * (3 - 2 * side)
        depth = y - crest
        if chain.trees:
            crest = crest - self._tree_tops(chain.trees)
        mask = np.clip((y - crest) * height + np.float32(0.5), 0, 1)
        # Gullies run down from the crest, and fan out on the way.
        gullies = sample(self._rock, y * 0.35 + depth * 0.25 + chain.crest, x * 0.42 + chain.swing * 31 + depth * 0.10)
        gullies += np.float32(0.45) * sample(self._rock, y * 1.1 + chain.crest * 3, x * 1.3 + depth * 0.5)
        ridges = 1 - np.abs(gullies)
        fine = sample(self._texture, y * 2.1, x * (0.9 if chain.peaks else 2.3) + chain.crest * 5)
        relief = np.clip(np.gradient(ridges, axis=1) * np.float32(height / 18), -1, 1)
        haze_top, haze_bottom = chain.haze
        haze = np.clip(haze_top + (haze_bottom - haze_top) * depth / np.float32(0.11), 0, 0.92)
        visible = mask * seen
        ground = visible * (1 - haze)
        texture = np.clip(
            1 + np.float32(chain.relief) * (0.6 * ridges + 0.5 * fine) + np.float32(0.25) * relief, 0.25, 1.9
        )
        snow = np.zeros_like(mask)
        if chain.snow:
            line = np.float32(chain.snow) - y + np.float32(0.045) * ridges + np.float32(0.012) * fine
            snow = np.clip(line / np.float32(0.022), 0, 1)
        bare = ground * (1 - snow)
        planes = [bare * texture, bare * relief, visible * haze]
        if chain.snow:
            planes += [
                ground * snow * (1 + np.float32(0.08) * fine + np.float32(0.18) * relief),
                ground * snow * relief,
            ]
        return planes, seen * (1 - mask)

    def _tree_tops(self, size: float) -> Reals:
        tops = np.zeros_like(self._x)
        for place in np.arange(0, self._aspect, size * 0.42):
            middle = place + self._rng.uniform(-0.4, 0.4) * size
            height = size * self._rng.uniform(0.45, 1.25)
            tops = np.maximum(tops, height - np.abs(self._x - np.float32(middle)) * np.float32(3.4))
        return tops

    def _box(self, left: float, right: float, top: float, bottom: float) -> Reals:
        """How much of each pixel a rectangle covers; places in picture heights."""
        across = np.minimum(self._x - np.float32(left), np.float32(right) - self._x)
        down = np.minimum(self._y - np.float32(top), np.float32(bottom) - self._y)
        pixels = np.float32(self._height)
        covered: Reals = np.clip(across * pixels + np.float32(0.5), 0, 1) * np.clip(
            down * pixels + np.float32(0.5), 0, 1
        )
        return covered

    def _gable(self, left: float, right: float, top: float, bottom: float) -> Reals:
        """A triangle that stands on its long side."""
        middle, half = (left + right) / 2, (right - left) / 2
        slope = half / (bottom - top)
        room = (self._y - np.float32(top)) * np.float32(slope) - np.abs(self._x - np.float32(middle))
        inside = np.clip(room * np.float32(self._height) + np.float32(0.5), 0, 1)
        return inside * np.clip((np.float32(bottom) - self._y) * np.float32(self._height) + np.float32(0.5), 0, 1)

    def _village(self, seen: Floats) -> tuple[list[Floats], Floats]:
        """Walls, roofs and the groups of windows, in front of all hills."""
        walls, roofs = np.zeros_like(seen), np.zeros_like(seen)
        windows = [np.zeros_like(seen) for _ in range(_WINDOW_GROUPS)]
        rng, ground = self._rng, SHORE - 0.004
        for place in np.sort(rng.uniform(0.53, 0.83, 16)):
            left = float(place) * self._aspect
            wide, high = rng.uniform(0.026, 0.042), rng.uniform(0.013, 0.021)
            bottom = ground - rng.uniform(0, 0.022)
            self._house(walls, roofs, left, wide, bottom - high, bottom)
            for row in range(2 if high > 0.017 else 1):
                for column in range(int(wide / 0.0095)):
                    if rng.uniform() < 0.72:
                        x, y = left + 0.004 + column * 0.0095, bottom - high + 0.003 + row * 0.0075
                        group = windows[int(rng.integers(_WINDOW_GROUPS))]
                        np.maximum(group, self._box(x, x + 0.0045, y, y + 0.0050), out=group)
        tower = 0.665 * self._aspect
        np.maximum(walls, self._box(tower, tower + 0.019, ground - 0.060, ground), out=walls)
        np.maximum(roofs, self._gable(tower - 0.002, tower + 0.021, ground - 0.100, ground - 0.060), out=roofs)
        roofs = np.clip(roofs, 0, 1)
        walls = walls * (1 - roofs)
        lamps = np.max([*windows], axis=0) * walls
        shade = np.clip(1 + 0.10 * sample(self._texture, self._y * 5, self._x * 5), 0.6, 1.3)
        panes = lamps  # by day
        planes = [(walls - panes) * shade, roofs * shade, panes, *(group * walls for group in windows)]
        return planes, seen * (1 - np.clip(walls + roofs, 0, 1))

    def _house(self, walls: Floats, roofs: Floats, left: float, wide: float, top: float, bottom: float) -> None:
        wall = self._box(left, left + wide, top, bottom)
        roof = self._gable(left - 0.004, left + wide + 0.004, top - wide * 0.42, top + 0.001)
        roofs *= 1 - wall  # a house in front hides what is behind it
        np.maximum(walls, wall, out=walls)
        np.maximum(roofs, roof, out=roofs)

    def _colours(self, light: Light) -> Floats:
        side = np.float32((light.sun_x - 0.5) * 2)  # light from the left shades what falls to the right
        up = smooth(light.elevation_degrees, -3, 12)
        sunlight = light.sun * np.float32(0.25 + 0.55 * up)
        moonlight = np.array((0.14, 0.17, 0.25), np.float32) * np.float32(light.moon)
        sky_light = light.ambient * np.float32(0.85) + moonlight
        haze = light.low * np.float32(0.62) + light.middle * np.float32(0.38)
        columns: list[Floats] = []
        for chain in _RANGES:
            albedo = np.array(chain.albedo, np.float32)
            columns += [albedo * (sky_light + sunlight), albedo * sunlight * (np.float32(1.5) * side), haze]
            if chain.snow:
                white = np.array((0.80, 0.84, 0.92), np.float32)
                columns += [white * (sky_light * np.float32(0.75) + sunlight * np.float32(0.75)), sunlight * side]
        lit = sky_light + sunlight
        columns += [np.array((0.72, 0.66, 0.58), np.float32) * lit, np.array((0.42, 0.22, 0.17), np.float32) * lit]
        panes = np.array((0.30, 0.36, 0.42), np.float32) * lit * np.float32(1 - light.dusk)
        ground = np.stack([*columns, panes], axis=1)
        grey = ground.mean(axis=0, keepdims=True) * np.array([[0.8], [0.95], [1.25]], np.float32)
        ground += np.float32(0.6 * light.stars) * (grey - ground)  # eyes and sensors see few colours at night
        return np.concatenate([ground, self._lamp_colours(light)], axis=1)

    def _lamp_colours(self, light: Light) -> Floats:
        columns = []
        for group in range(_WINDOW_GROUPS):
            switched_on = smooth(light.dusk, 0.15 + 0.13 * group, 0.30 + 0.13 * group)
            if group < 2:  # some go to bed early, and rise early
                switched_on *= 1 - smooth(light.hour, 21.6 + 0.4 * group, 21.7 + 0.4 * group)
            columns.append(np.array(_WINDOW_LIGHT, np.float32) * np.float32(switched_on))
        return np.stack(columns, axis=1)
