"""The sample scene: a day passes over a mountain lake, as a camera on a tripod would photograph it.

What `scripts/replay` shows when it is given no photos: sky, clouds and land that a film of a day lives on, with a
camera's faults: sensor noise, a little flicker from exposure to exposure, JPEG. Each photo follows from its number,
the count, the size and the seed alone; on other processors the last bit of a sample may differ.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction

import numpy as np
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from timelapse_runtime.emulator.scene_lake import Lake
from timelapse_runtime.emulator.scene_land import SHORE, Land
from timelapse_runtime.emulator.scene_light import Floats, light_at
from timelapse_runtime.emulator.scene_sky import Sky

SMALLEST_SIDE = 16
_FLICKER = 0.02
_NOISE = 1.7
"""Standard deviation of the sensor noise, in steps of 8 bits, at noon; three times that in the dark."""
_QUALITY_SCALE = 118 * 3  # about "quality 90"

_TO_YCBCR = np.array(
    [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], np.float32
) * np.float32(255)
"""JPEG's own matrix (JFIF 1.02, 1992), for RGB from 0 to 1."""


def render_scene(count: int, size: tuple[int, int], *, seed: int = 1) -> Iterator[bytes]:
    """`count` JPEGs of `size` (width, height), from before dawn to night. Raises ValueError for a size below 16."""
    width, height = size
    if min(size) < SMALLEST_SIDE:
        raise ValueError(f"the scene's size is {width}x{height}; each side needs {SMALLEST_SIDE} pixels")
    camera = _Camera(width, height, seed)
    scene = _Scene(width, height, seed)
    for number in range(count):
        rng = np.random.default_rng((seed, number))
        t = number / (count - 1) if count > 1 else 0.5
        yield camera.photograph(scene.paint(t, rng), rng, darkness=light_at(t).stars)


class _Scene:
    """Light, sky, land and lake put together."""

    def __init__(self, width: int, height: int, seed: int) -> None:
        self._land = Land(width, height, np.random.default_rng((seed, 1 << 32)))
        self._sky = Sky(width, height, self._land.bottom, np.random.default_rng((seed, 1 << 33)))
        self._lake = Lake(width, height, math.ceil(SHORE * height), np.random.default_rng((seed, 1 << 34)))
        self._picture = np.empty((3, height, width), np.float32)

    def paint(self, t: float, rng: np.random.Generator) -> Floats:
        """The picture (3 x height x width, RGB, 0 to 1) at `t`; valid until the next call."""
        light, picture, land = light_at(t), self._picture, self._land
        picture[:, : land.bottom] = self._sky.paint(light, rng)
        behind = picture[:, land.top : land.bottom]
        behind *= land.sky_seen
        behind += land.paint(light)
        np.clip(picture[:, : land.bottom], 0, 1, out=picture[:, : land.bottom])
        self._lake.paint(picture, light)
        return picture


class _Camera:
    """Exposes with a flicker, adds a sensor's noise and writes JPEG 4:2:0."""

    def __init__(self, width: int, height: int, seed: int) -> None:
        self._width, self._height = width, height
        rng = np.random.default_rng((seed, 1 << 35))
        self._grain = rng.normal(size=(height + 128, width + 128)).astype(np.float32)
        y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
        x = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
        self._vignette = 1 - np.float32(0.10) * (x * x + y * y)
        self._encoder = VideoCodecContext.create("mjpeg", "w")
        self._encoder.width, self._encoder.height, self._encoder.pix_fmt = width, height, "yuvj420p"
        self._encoder.time_base = Fraction(1, 25)
        self._encoder.thread_count = 1  # frame threads would hold photos back
        self._encoder.options = {"flags": "+qscale", "global_quality": str(_QUALITY_SCALE)}
        self._taken = 0

    def photograph(self, picture: Floats, rng: np.random.Generator, *, darkness: float) -> bytes:
        """One JPEG. `darkness`, 0 to 1, is how far the sensor's gain is turned up."""
        exposure = np.float32(1 + _FLICKER * np.clip(rng.normal(), -2, 2) / 2)
        noise = np.float32(_NOISE * (1 + 0.8 * darkness))
        frame = VideoFrame(self._width, self._height, "yuvj420p")
        luma = np.tensordot(_TO_YCBCR[0], picture, 1)
        luma *= self._vignette
        luma *= exposure
        luma += self._noise(rng, luma.shape) * noise
        _write(frame, 0, luma)
        small = picture[:, ::2, ::2]
        for plane in (1, 2):
            chroma = np.tensordot(_TO_YCBCR[plane], small, 1) * exposure
            chroma += self._noise(rng, chroma.shape) * (noise * np.float32(0.5)) + 128
            _write(frame, plane, chroma)
        frame.pts, frame.time_base = self._taken, self._encoder.time_base
        self._taken += 1
        return b"".join(bytes(packet) for packet in self._encoder.encode(frame))

    def _noise(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
        top, left = (int(rng.integers(128)) for _ in range(2))
        return self._grain[top : top + shape[0], left : left + shape[1]]


def _write(frame: VideoFrame, index: int, values: Floats) -> None:
    plane = frame.planes[index]
    rows: NDArray[np.uint8] = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    rows[: plane.height, : plane.width] = np.clip(values + np.float32(0.5), 0, 255)
