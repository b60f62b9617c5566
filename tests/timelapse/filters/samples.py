"""Pictures for the filters' tests and figures: the sample scene without its noise, and what cameras add to it."""

from __future__ import annotations

import math
import re
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, TypeAlias

import numpy
import PIL.Image
import PIL.ImageOps
from numpy.typing import NDArray

from tests.timelapse.filters.pictures import copied
from timelapse_runtime.emulator.scene import _Light, _Scene
from timelapse_runtime.timelapse.filters.contract import Moment, PictureFilter, Planes

Image: TypeAlias = NDArray[numpy.floating[Any]]
"""3 x rows x columns: red, green and blue, 0 to 255."""

MIDDLE = (640, 360)
SUNRISE = (-12.0, 25.0)
"""The sun's elevation in degrees at the beginning and at the end."""


def sunrise(count: int, size: tuple[int, int], *, seed: int = 1, shown: slice = slice(None)) -> Iterator[Image]:
    """`count` images of a sunrise, or those that are `shown`, without noise and with an exposure that never changes."""
    width, height = size
    scene = _Scene(width, height, numpy.random.default_rng((seed, 1 << 32)))
    times = numpy.linspace(0, 0.5, 2_000)
    elevations = [_Light(time).elevation for time in times]
    first, last = numpy.interp(SUNRISE, elevations, times)
    for time in numpy.linspace(first, last, count)[shown]:
        yield scene.paint(_Light(float(time))) * 255


def wall(count: int, size: tuple[int, int] = MIDDLE) -> list[Image]:
    """One moment of the scene, before which a dark bird flies and a faint shadow wanders the other way."""
    width, height = size
    *_, still = sunrise(2, size)
    images = []
    for number in range(count):
        image, right = still.copy(), number * width // 60 % width
        image[:, height // 6 : height // 5, max(0, right - width // 27) : right] *= 0.3
        left = width - number * width // 180 - width // 20
        image[:, height // 2 : height * 2 // 3, max(0, left) : max(0, left + width // 20)] += 12
        images.append(image)
    return images


def lake(count: int, size: tuple[int, int] = MIDDLE) -> list[Image]:
    """A part of a sunrise of 3,600 frames: ripples and clouds move in all of them."""
    begin = 2_400
    return [image.copy() for image in sunrise(3_600, size, shown=slice(begin, begin + count))]


def photos_in(folder: Path, size: tuple[int, int] = MIDDLE) -> list[Image]:
    """The first 180 photos of a folder, cropped to the shape of `size` and scaled to it: that hides their own noise."""
    paths = sorted(path for path in folder.iterdir() if path.is_file())[:180]
    found = []
    for path in paths:
        with PIL.Image.open(path) as photo:
            rows = numpy.asarray(PIL.ImageOps.fit(photo.convert("RGB"), size), numpy.float32)
            found.append(numpy.moveaxis(rows, 2, 0))
    return found


def noised(image: Image, sigma: float, number: int) -> Image:
    """The image with a sensor's noise, the same for all colours."""
    noisy: Image = image + sigma * numpy.random.default_rng(number).standard_normal((1, *image.shape[1:]))
    return noisy


def shaken(count: int, size: tuple[int, int], sigma: float) -> Iterator[tuple[Planes, tuple[float, float]]]:
    """Pictures of a camera that sways by up to six samples, and by how much, down and to the right. The first is where
    the others belong."""
    margin, rng = 16, numpy.random.default_rng(3)
    width, height = size[0] + 2 * margin, size[1] + 2 * margin
    *_, image = sunrise(2, (width, height))
    spectrum = numpy.fft.rfft2(image)
    rows, columns = numpy.fft.fftfreq(height)[:, None], numpy.fft.rfftfreq(width)[None]
    for number in range(count):
        down, right = rng.uniform(-6, 6, 2) if number else (0.0, 0.0)
        turn = numpy.exp(-2j * numpy.pi * (rows * down + columns * right))
        moved = numpy.fft.irfft2(spectrum * turn)[:, margin:-margin, margin:-margin]
        yield planes_of_image(noised(moved, sigma, number)), (float(down), float(right))


def planes_of_image(image: Image) -> Planes:
    """The picture that the encoder gets of an image: limited range, BT.601 matrix, 4:2:0."""
    red, green, blue = numpy.clip(image, 0, 255) / 255
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    colours = [(blue - luma) / 1.772, (red - luma) / 1.402]
    rows, columns = luma.shape
    u, v = (one.reshape(rows // 2, 2, columns // 2, 2).mean(axis=(1, 3)) for one in colours)
    return Planes(*(numpy.rint(plane).astype(numpy.uint8) for plane in (16 + 219 * luma, 128 + 224 * u, 128 + 224 * v)))


def filtered(step: PictureFilter, pictures: Iterable[Planes]) -> Iterator[Planes]:
    """Copies of the pictures, passed through the filter."""
    for number, picture in enumerate(pictures):
        changed = copied(picture)
        step.apply(changed, Moment(f"{number:06}.jpg", 1_000 * number))
        yield changed


def raw(pictures: Iterable[Planes]) -> bytes:
    """The pictures as rawvideo of the pixel format yuv420p."""
    return b"".join(plane.tobytes() for one in pictures for plane in (one.y, one.u, one.v))


def pictures_of_raw(data: bytes, size: tuple[int, int]) -> list[Planes]:
    """The reverse of `raw`."""
    width, height = size
    luma, colour = width * height, width * height // 4
    found = []
    for frame in numpy.frombuffer(data, numpy.uint8).reshape(-1, luma + 2 * colour):
        y, u, v = numpy.split(frame, [luma, luma + colour])
        half = (height // 2, width // 2)
        found.append(Planes(y.reshape(height, width), u.reshape(half), v.reshape(half)))
    return found


def ffmpeg(arguments: list[str], size: tuple[int, int], data: bytes) -> bytes:
    """What ffmpeg makes of raw pictures. It gets one thread."""
    head = ["ffmpeg", "-v", "error", "-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", f"{size[0]}x{size[1]}"]
    return subprocess.run(
        [*head, "-r", "30", "-i", "-", "-threads", "1", *arguments, "-"], input=data, check=True, capture_output=True
    ).stdout


def encoded(pictures: Iterable[Planes], size: tuple[int, int]) -> bytes:
    """The pictures as H.264, with the function's default settings."""
    x264 = ["-c:v", "libx264", "-preset", "veryfast", "-crf", "23", "-g", "180", "-x264-params", "scenecut=0"]
    return ffmpeg([*x264, "-f", "h264"], size, raw(pictures))


def decoded(video: bytes, size: tuple[int, int]) -> list[Planes]:
    """The pictures of an H.264 stream."""
    command = ["ffmpeg", "-v", "error", "-f", "h264", "-i", "-", "-f", "rawvideo", "-pix_fmt", "yuv420p", "-"]
    return pictures_of_raw(subprocess.run(command, input=video, check=True, capture_output=True).stdout, size)


def ssim(pictures: Iterable[Planes], clean: Iterable[Planes], size: tuple[int, int]) -> float:
    """The mean structural similarity of all planes, by ffmpeg."""
    with NamedTemporaryFile(suffix=".yuv") as reference:
        reference.write(raw(clean))
        reference.flush()
        shape = ["-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", f"{size[0]}x{size[1]}"]
        command = ["ffmpeg", *shape, "-i", "-", *shape, "-i", reference.name, "-lavfi", "ssim", "-f", "null", "-"]
        told = subprocess.run(command, input=raw(pictures), check=True, capture_output=True).stderr.decode()
    (mean,) = re.findall(r"SSIM .*All:([0-9.]+)", told)
    return float(mean)


def psnr(one: Planes, other: Planes) -> float:
    """Of the luma, in dB; infinite if it is the same."""
    error = numpy.mean((one.y.astype(float) - other.y) ** 2)
    return float(10 * numpy.log10(255**2 / error)) if error else math.inf


def brightness(picture: Planes) -> float:
    """The logarithm of the mean luma above black."""
    return float(numpy.log(picture.y.mean() - 16))
