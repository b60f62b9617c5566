"""A restart is not visible: after one between any two frames, the filters give the same pictures."""

from __future__ import annotations

import functools
import io

import numpy
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageEnhance

from scripts.benchmark.filter_cost import FILTERS
from tests.world import World
from timelapse_runtime.emulator.scene import render_scene
from timelapse_runtime.timelapse.config import Config
from timelapse_runtime.timelapse.filters.contract import FilterState, Moment
from timelapse_runtime.timelapse.model.video_size import Size
from timelapse_runtime.timelapse.video.codec import X264Codec
from timelapse_runtime.timelapse.video.filtered import PictureFilters
from timelapse_runtime.timelapse.video.fit import Picture

SIZE, PHOTOS = (320, 180), 14
EXACT = frozenset({"masks", "stabilise", "deflicker", "overlay"})
"""These look at no pixels of the video."""
LOWEST_PSNR_DB = 45

Pictures = dict[str, NDArray[numpy.uint8]]


class Recording(PictureFilters):
    """Keeps what the filters make of each photo, by its key. A photo that comes again takes the place of the first."""

    def __init__(self, filters: PictureFilters, pictures: Pictures) -> None:
        self._filters, self._pictures = filters, pictures

    @property
    def is_empty(self) -> bool:
        return self._filters.is_empty

    @property
    def remembers(self) -> bool:
        return self._filters.remembers

    def apply(self, picture: Picture, moment: Moment) -> Picture:
        filtered = self._filters.apply(picture, moment)
        self._pictures[moment.key] = numpy.asarray(filtered.to_ndarray(), numpy.uint8)
        return filtered

    @property
    def state(self) -> FilterState:
        return self._filters.state

    def resume(self, state: FilterState, last: Picture | None) -> None:
        self._filters.resume(state, last)


class RecordingCodec(X264Codec):
    def __init__(self) -> None:
        self.pictures: Pictures = {}

    def filters(self, config: Config, size: Size) -> PictureFilters:
        return Recording(super().filters(config, size), self.pictures)


@functools.cache
def hand_held_photos() -> list[bytes]:
    """Exposures that change by up to 8 %, noise, and a camera that shakes by two samples."""
    draw, photos = numpy.random.default_rng(3), list[bytes]()
    for body in render_scene(600, SIZE, only=range(250, 250 + PHOTOS)):
        picture = ImageEnhance.Brightness(Image.open(io.BytesIO(body))).enhance(draw.uniform(0.92, 1.08))
        shaken = numpy.roll(numpy.asarray(picture.convert("RGB")), draw.integers(-2, 3, 2), (0, 1))
        noisy = shaken + draw.normal(0, 3, shaken.shape)
        target = io.BytesIO()
        Image.fromarray(noisy.clip(0, 255).astype(numpy.uint8)).save(target, "JPEG", quality=95)
        photos.append(target.getvalue())
    return photos


@functools.cache
def plain_pictures() -> Pictures:
    return pictures_of({}, restarts=False)


def pictures_of(settings: dict[str, str], *, restarts: bool) -> Pictures:
    codec = RecordingCodec()
    world = World({f"TIMELAPSE_{name}": value for name, value in settings.items()}, codec=codec)
    function = world.environment()
    for number, body in enumerate(hand_held_photos()):
        world.deliver(function, world.upload(number, body))
        if restarts:
            world.sweep(function, drain=True)
            function = world.environment()
    world.sweep(function, drain=True)
    assert [*codec.pictures] == world.keys_in_video()
    return codec.pictures


ALL_TOGETHER = "all together"


@pytest.mark.parametrize("name", [*FILTERS, ALL_TOGETHER])
def test_a_restart_after_each_frame_is_not_visible(name: str) -> None:
    # With blend, the picture that the video has is not what denoise gave: together they reach 43 dB.
    chosen = [one for one in FILTERS if one != "blend"] if name == ALL_TOGETHER else [name]
    settings = {key: value for one in chosen for key, value in FILTERS[one].items()}
    through, restarted = (pictures_of(settings, restarts=restarts) for restarts in (False, True))
    plain = plain_pictures()
    assert any((through[key] != plain[key]).any() for key in plain), "the filter does nothing"
    for number, (key, picture) in enumerate(through.items()):
        error = ((picture.astype(float) - restarted[key]) ** 2).mean()
        if name in EXACT:
            assert error == 0, f"frame {number} differs"
        elif error:
            assert 10 * numpy.log10(255**2 / error) >= LOWEST_PSNR_DB, f"frame {number}"
