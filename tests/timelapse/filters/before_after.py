"""Usage: python -m tests.timelapse.filters.before_after FOLDER
Make the pictures of docs/filters.md.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy
from numpy.typing import NDArray
from PIL import Image

from tests.timelapse.filters.figures import SMALL, flickering
from tests.timelapse.filters.samples import MIDDLE, filtered, noised, planes_of_image, shaken, wall
from timelapse_runtime.timelapse.filters.blend import Blend, BlendSettings
from timelapse_runtime.timelapse.filters.contract import Planes
from timelapse_runtime.timelapse.filters.deflicker import Deflicker, DeflickerSettings
from timelapse_runtime.timelapse.filters.denoise import DENOISE_SETTINGS, Denoise
from timelapse_runtime.timelapse.filters.stabilise import Stabilise, StabiliseSettings


def colours(picture: Planes) -> NDArray[Any]:
    """Red, green and blue, rows x columns x 3, 0 to 255."""
    luma = (picture.y - 16.0) / 219
    u, v = ((plane.repeat(2, 0).repeat(2, 1) - 128.0) / 224 for plane in (picture.u, picture.v))
    red, blue = luma + 1.402 * v, luma + 1.772 * u
    green = (luma - 0.299 * red - 0.114 * blue) / 0.587
    return numpy.clip(numpy.stack([red, green, blue], axis=-1), 0, 1) * 255


def save(path: Path, image: NDArray[Any], scale: int = 1) -> None:
    """As JPEG, enlarged by whole numbers."""
    picture = Image.fromarray(numpy.rint(image).astype(numpy.uint8))
    size = picture.width * scale, picture.height * scale
    picture.resize(size, Image.Resampling.NEAREST).save(path, quality=80)


def deflicker(folder: Path) -> None:
    """A sunrise from left to right: one column of each picture."""
    pictures, _ = flickering(600, "even")
    rows = []
    for shown in (pictures, filtered(Deflicker(DeflickerSettings(), *SMALL), pictures)):
        rows.append(numpy.stack([colours(picture)[:, 60] for picture in shown], axis=1))
    save(folder / "deflicker-before.jpg", rows[0])
    save(folder / "deflicker-after.jpg", rows[1])


def denoise(folder: Path) -> None:
    """A part of the 40th picture, with the bird."""
    noisy = [planes_of_image(noised(image, 6, number)) for number, image in enumerate(wall(46))]
    *_, made = filtered(Denoise(DENOISE_SETTINGS["medium"], *MIDDLE), noisy)
    part = slice(30, 170), slice(330, 510)
    save(folder / "denoise-before.jpg", colours(noisy[-1])[part], 2)
    save(folder / "denoise-after.jpg", colours(made)[part], 2)


def stabilise(folder: Path) -> None:
    """The mean of 24 pictures: sharp if they lie on each other."""
    pictures = [picture for picture, _ in shaken(24, MIDDLE, 2)]
    made = filtered(Stabilise(StabiliseSettings(), *MIDDLE), pictures)
    part = slice(140, 280), slice(380, 560)
    for name, shown in (("before", pictures), ("after", made)):
        save(folder / f"stabilise-{name}.jpg", numpy.mean([colours(one)[part] for one in shown], axis=0), 2)


def blend(folder: Path) -> None:
    """The bird, in one picture and in a mix of five."""
    pictures = [planes_of_image(image) for image in wall(46)]
    *_, made = filtered(Blend(BlendSettings(5), *MIDDLE), pictures)
    part = slice(30, 110), slice(330, 510)
    save(folder / "blend-before.jpg", colours(pictures[-1])[part], 2)
    save(folder / "blend-after.jpg", colours(made)[part], 2)


if __name__ == "__main__":
    into = Path(sys.argv[1])
    into.mkdir(parents=True, exist_ok=True)
    for make in (deflicker, denoise, stabilise, blend):
        make(into)
