"""Usage: python -m tests.timelapse.filters.figures [deflicker] [denoise] [denoise=FOLDER] [restarts] [stabilise] [cost]
Measure what the filters do, and print the tables of docs/filters.md. Needs ffmpeg. FOLDER has photos of a fixed camera.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from time import process_time
from typing import TYPE_CHECKING, Any

import numpy
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from tests.timelapse.filters.pictures import copied
from tests.timelapse.filters.samples import (
    MIDDLE,
    brightness,
    decoded,
    encoded,
    ffmpeg,
    filtered,
    lake,
    noised,
    photos_in,
    pictures_of_raw,
    planes_of_image,
    psnr,
    raw,
    shaken,
    ssim,
    sunrise,
    wall,
)
from timelapse_runtime.timelapse.filters.blend import Blend, BlendSettings
from timelapse_runtime.timelapse.filters.contract import Moment, PictureFilter, Planes
from timelapse_runtime.timelapse.filters.deflicker import Deflicker, DeflickerSettings, correct
from timelapse_runtime.timelapse.filters.denoise import DENOISE_SETTINGS, Denoise
from timelapse_runtime.timelapse.filters.stabilise import Lines, Stabilise, StabiliseSettings
from timelapse_runtime.timelapse.video.encode import Encoder, EncoderSettings
from timelapse_runtime.timelapse.video.planes import planes_of

if TYPE_CHECKING:
    from timelapse_runtime.timelapse.filters.contract import Plane

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


def denoise(folder: str = "") -> None:
    """Bytes and similarity, for two scenes, or for photos, and two noises; up to 180 frames, one of them a keyframe."""
    scenes = (
        {"photos": photos_in(Path(folder))} if folder else {"a wall, a bird": wall(180), "a lake by day": lake(180)}
    )
    print("| scene | noise | filter | bytes per frame | of unfiltered | SSIM | |\n|---|---:|---|---:|---:|---:|---|")
    for scene, images in scenes.items():
        count = len(images)
        clean = [planes_of_image(image) for image in images]
        least = len(encoded(clean, MIDDLE))
        for sigma in (3.0, 6.0):
            noisy = [planes_of_image(noised(image, sigma, number)) for number, image in enumerate(images)]
            unfiltered = len(encoded(noisy, MIDDLE))
            for word in ("off", *DENOISE_SETTINGS):
                step = Denoise(DENOISE_SETTINGS[word], *MIDDLE) if word != "off" else None
                video = encoded(filtered(step, noisy) if step else noisy, MIDDLE)
                likeness = ssim(decoded(video, MIDDLE), clean, MIDDLE)
                note = f"without noise: {least // count} bytes, {least / unfiltered:.2f}" if word == "off" else ""
                ratio = len(video) / unfiltered
                print(f"| {scene} | {sigma} | {word} | {len(video) // count} | {ratio:.2f} | {likeness:.4f} | {note} |")


def restarts() -> None:
    """Denoise with a restart after each frame, and without: the filtered pictures compared."""
    print("| noise | filter | PSNR after 2 frames | after 8 frames |\n|---:|---|---:|---:|")
    *_, image = wall(1)
    for sigma in (1.5, 3.0, 6.0):
        noisy = [planes_of_image(noised(image, sigma, number)) for number in range(8)]
        for word, settings in DENOISE_SETTINGS.items():
            whole = filtered(Denoise(settings, *MIDDLE), noisy)
            state, last, found = None, None, []
            for given, expected in zip(noisy, whole, strict=True):
                step = Denoise(settings, *MIDDLE)
                step.resume(state, last, ())
                (made,) = filtered(step, [given])
                found.append(psnr(made, expected))
                state, (last,) = step.state, decoded(encoded([made], MIDDLE), MIDDLE)
            print(f"| {sigma} | {word} | {found[1]:.1f} dB | {found[-1]:.1f} dB |")


def stabilise() -> None:
    """Shakes of up to six samples in each direction: how far pictures are from their place, before and after."""
    print("| size | noise | shift found within | left, at most | left, rms |\n|---|---:|---:|---:|---:|")
    for size in ((640, 360), (1_920, 1_080)):
        for sigma in (0.0, 3.0, 6.0):
            step, pictures, true = _Told(StabiliseSettings(), *size), [], []
            for picture, shift in shaken(12, size, sigma):
                pictures.append(picture)
                true.append(shift)
            for _ in filtered(step, pictures):
                pass
            found = numpy.array(step.found)
            left = numpy.abs(numpy.array(true[1:]) - numpy.rint(2 * found) / 2)
            print(
                f"| {size[0]}x{size[1]} | {sigma} | {numpy.abs(found - true[1:]).max():.2f} | {left.max():.2f} |"
                f" {numpy.sqrt((left**2).mean()):.2f} |"
            )


class _Told(Stabilise):
    """Keeps what it found."""

    def __init__(self, settings: StabiliseSettings, width: int, height: int) -> None:
        super().__init__(settings, width, height)
        self.found: list[tuple[float, float]] = []

    def _measure(self, spectrum: Lines, reference: Any) -> tuple[float, float] | None:
        shift = super()._measure(spectrum, reference)
        assert shift is not None
        self.found.append(shift)
        return shift


def cost() -> None:
    """Processor time per 1080p frame, in turns with x264, which encodes the same frames with one thread."""
    size = 1_920, 1_080
    pictures = [picture for picture, _ in shaken(32, size, 3.0)]
    steps: dict[str, PictureFilter] = {
        "stabilise": Stabilise(StabiliseSettings(), *size),
        "deflicker": Deflicker(DeflickerSettings(), *size),
        **{f"denoise, {word}": Denoise(settings, *size) for word, settings in DENOISE_SETTINGS.items()},
        "blend": Blend(BlendSettings(5), *size),
    }
    still = [pictures[0]] * 2 + [planes_of_image(noised(wall(1, size)[0], 3.0, number)) for number in range(30)]
    settings = EncoderSettings(*size, 30, 180, 23, "veryfast", 1)
    encoders = {"x264": Encoder(settings, first_number=0)}  # and one for each filter that takes noise away
    encoders |= {name: Encoder(settings, first_number=0) for name in steps if name.startswith("denoise")}
    times: dict[str, list[float]] = {name: [] for name in steps}
    encoding = dict.fromkeys(encoders, 0.0)
    for number, (moved, unmoved) in enumerate(zip(pictures, still, strict=True)):
        given = {"x264": unmoved}
        for name, step in steps.items():
            picture = given[name] = copied(moved if name == "stabilise" else unmoved)
            if name == "deflicker":
                correct(picture, 0.1 * (-1) ** number)
            begun = process_time()
            step.apply(picture, Moment("a.jpg", number))
            times[name].append(process_time() - begun)
        for name, encoder in encoders.items():
            frame = VideoFrame(*size, "yuv420p")
            for plane, samples in zip(_planes(planes_of(frame)), _planes(given[name]), strict=True):
                plane[:] = samples
            begun = process_time()
            encoder.append(frame)
            encoding[name] += process_time() - begun
    for name, encoder in encoders.items():
        begun = process_time()
        encoder.drain()
        encoding[name] += process_time() - begun
    encode = encoding["x264"] / len(pictures)
    print(f"x264, veryfast, crf 23, one thread: {encode * 1e3:.1f} ms\n")
    print(
        "| filter | ms | of the encode | the encode of what it gives | both, of the encode |\n|---|---:|---:|---:|---:|"
    )
    for name, taken in times.items():
        mean = sum(taken[2:]) / len(taken[2:])
        after = encoding[name] / len(pictures) if name in encoding else None
        rest = "| |" if after is None else f"{after * 1e3:.1f} ms | {(mean + after) / encode * 100:.0f} % |"
        print(f"| {name} | {mean * 1e3:.1f} | {mean / encode * 100:.0f} % | {rest}")


def _planes(picture: Planes) -> tuple[Plane, Plane, Plane]:
    return picture.y, picture.u, picture.v


FIGURES: dict[str, Callable[[], None]] = {one.__name__: one for one in (deflicker, denoise, restarts, stabilise, cost)}

if __name__ == "__main__":
    for asked in sys.argv[1:] or FIGURES:
        if asked.startswith("denoise="):
            denoise(asked.removeprefix("denoise="))
        else:
            FIGURES[asked]()
