"""Usage: python -m tests.timelapse.filters.figures deflicker
Measure what the filters do, and print the tables of docs/filters.md. Needs ffmpeg.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy
from numpy.typing import NDArray

from tests.timelapse.filters.samples import (
    brightness,
    ffmpeg,
    filtered,
    pictures_of_raw,
    planes_of_image,
    raw,
    sunrise,
)
from timelapse_runtime.timelapse.filters.contract import Planes
from timelapse_runtime.timelapse.filters.deflicker import Deflicker, DeflickerSettings, correct

Values = NDArray[numpy.floating[Any]]

SMALL = (192, 108)
SLOW_SIGMA_FRAMES = 30
SETTLED_FRAMES = 30
"""No method without a second pass knows that the first exposure is wrong."""


def slow(values: Values) -> Values:
    """The slow curve: smoothed by a Gaussian window, whose standard deviation is a second of video."""
    reach = 4 * SLOW_SIGMA_FRAMES
    window = numpy.exp(-0.5 * (numpy.arange(-reach, reach + 1) / SLOW_SIGMA_FRAMES) ** 2)
    weights = numpy.convolve(numpy.ones_like(values), window, "same")
    smooth: Values = numpy.convolve(values, window, "same") / weights
    return smooth


def jitter(values: Values, clean: Values) -> float:
    """The standard deviation of the steps from frame to frame that are not the scene's, in per cent."""
    return float(numpy.diff(values - clean).std() * 100)


def slow_error(values: Values, clean: Values) -> float:
    """The largest difference of the slow curve from the scene's, in per cent. A constant factor is no difference:
    exposures are about right, not exactly."""
    difference = (slow(values) - slow(clean))[SETTLED_FRAMES:-SETTLED_FRAMES]
    return float(numpy.abs(difference - difference.mean()).max() * 100)


def two_passes(pictures: Sequence[Planes], frames: int = 15) -> list[Planes]:
    """As timelapse-deflicker.pl and others do it: each picture gets the mean brightness of the `frames` around it."""
    values = numpy.array([brightness(one) for one in pictures])
    padded = numpy.pad(values, frames // 2, mode="edge")
    targets = numpy.convolve(padded, numpy.ones(frames) / frames, "valid")
    changed = pictures_of_raw(raw(pictures), SMALL)
    changed = [Planes(one.y.copy(), one.u.copy(), one.v.copy()) for one in changed]
    for picture, value, target in zip(changed, values, targets, strict=True):
        correct(picture, float(target - value))
    return changed


def flickering(count: int, kind: str, size: tuple[int, int] = SMALL, seed: int = 8) -> tuple[list[Planes], Values]:
    """A sunrise whose exposure jumps by 8 %, and the brightness of the same without it. `kind`: `sigma`, a standard
    deviation of 8 %, or `even`, evenly spread up to 8 %."""
    rng = numpy.random.default_rng(seed)
    factors = 1 + 0.08 * (rng.standard_normal(count) if kind == "sigma" else rng.uniform(-1, 1, count))
    pictures, clean = [], []
    for image, factor in zip(sunrise(count, size), factors, strict=True):
        clean.append(brightness(planes_of_image(image)))
        pictures.append(planes_of_image(image * factor))
    return pictures, numpy.array(clean)


def deflicker() -> None:
    """Against ffmpeg's filter and two passes, for sunrises of several lengths."""
    print("| frames | noise | method | jitter | less | slow curve off by |\n|---:|---|---|---:|---:|---:|")
    methods: dict[str, Callable[[list[Planes]], Sequence[Planes]]] = {
        "none": list,
        "this filter": lambda given: list(filtered(Deflicker(DeflickerSettings(), *SMALL), given)),
        "ffmpeg, size=5 (its default)": lambda given: _ffmpeg_deflicker(given, 5),
        "ffmpeg, size=15": lambda given: _ffmpeg_deflicker(given, 15),
        "two passes, mean of 15": two_passes,
    }
    for count in (300, 1_440, 3_600):
        for kind, words in (("even", "±8 %"), ("sigma", "8 % sigma")):
            pictures, clean = flickering(count, kind)
            before = jitter(numpy.array([brightness(one) for one in pictures]), clean)
            for name, method in methods.items():
                values = numpy.array([brightness(one) for one in method(pictures)])
                after = jitter(values, clean)
                less = f"{(1 - after / before) * 100:.1f} %"
                print(f"| {count} | {words} | {name} | {after:.2f} % | {less} | {slow_error(values, clean):.1f} % |")


def _ffmpeg_deflicker(pictures: Sequence[Planes], size: int) -> list[Planes]:
    made = ffmpeg(["-vf", f"deflicker=mode=am:size={size}", "-f", "rawvideo"], SMALL, raw(pictures))
    return pictures_of_raw(made, SMALL)


FIGURES = {"deflicker": deflicker}

if __name__ == "__main__":
    for asked in sys.argv[1:] or FIGURES:
        FIGURES[asked]()
