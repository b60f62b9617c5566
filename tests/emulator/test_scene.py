"""The sample scene: every photo decodes, is the same in every run, and differs a little from the one before."""

from __future__ import annotations

from itertools import pairwise

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.photos import plane_array
from timelapse_runtime.emulator.scene import render_scene
from timelapse_runtime.timelapse.video.decode import PhotoDecoder


def luma(photo: bytes) -> NDArray[np.float64]:
    return plane_array(PhotoDecoder(maximum_pixels=10_000_000).decode(photo).frame, 0).astype(np.float64)


def test_the_same_count_size_and_seed_give_the_same_photos() -> None:
    first = list(render_scene(4, (160, 90), seed=7))
    assert first == list(render_scene(4, (160, 90), seed=7))
    assert first != list(render_scene(4, (160, 90), seed=8))


def test_a_photo_does_not_depend_on_how_many_are_rendered() -> None:
    first, *_ = render_scene(9, (160, 90))
    assert next(render_scene(9, (160, 90))) == first


@pytest.mark.parametrize("size", [(16, 16), (17, 33), (161, 91), (90, 160), (640, 16), (321, 240)])
def test_photos_have_the_requested_size(size: tuple[int, int]) -> None:
    for photo in render_scene(2, size):
        with av.logging.Capture() as messages:
            frame = PhotoDecoder(maximum_pixels=10_000_000).decode(photo).frame
        assert (frame.width, frame.height, frame.format.name) == (*size, "yuvj420p")
        assert messages == []


def test_a_single_photo_shows_the_day() -> None:
    (photo,) = render_scene(1, (160, 90))
    night = next(render_scene(10, (160, 90)))
    assert luma(photo).mean() > 2 * luma(night).mean()


def test_a_scene_of_no_photos_is_empty() -> None:
    assert list(render_scene(0, (160, 90))) == []


def test_consecutive_photos_differ_slightly_and_the_day_passes() -> None:
    photos = [luma(photo) for photo in render_scene(120, (160, 90))]
    steps = [np.abs(after - before).mean() for before, after in pairwise(photos)]
    assert min(steps) > 0.5
    assert max(steps) < 12
    brightness = [photo.mean() for photo in photos]
    assert 40 < int(np.argmax(brightness)) < 80
    assert max(brightness[:5] + brightness[-5:]) < max(brightness) / 2


def test_exposure_flickers_by_about_one_percent() -> None:
    brightness = np.array([luma(photo).mean() for photo in render_scene(400, (160, 90))][180:220])
    trend = np.polyval(np.polyfit(np.arange(40), brightness, 3), np.arange(40))
    flicker = (brightness / trend - 1).std()
    assert 0.004 < flicker < 0.02


def test_a_size_below_16_is_refused() -> None:
    with pytest.raises(ValueError, match="15x90"):
        next(render_scene(1, (15, 90)))
