"""A camera in the wind stands still, one that is turned is followed, and a restart does not show."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy
import pytest
from numpy.typing import NDArray

from tests.timelapse.filters.pictures import copied, flat
from tests.timelapse.filters.samples import planes_of_image, raw, sunrise
from timelapse_runtime.timelapse.filters.contract import FilterState, Moment, Planes
from timelapse_runtime.timelapse.filters.stabilise import Stabilise, StabiliseSettings

SIZE = WIDTH, HEIGHT = 320, 180
MOMENT = Moment("a.jpg", 0)
SETTINGS = StabiliseSettings(largest_shift=1 / 20)
_MARGIN = 20


@cache
def scene(seed: int) -> NDArray[Any]:
    """The spectrum of a scene's colours."""
    *_, image = sunrise(2, (WIDTH + 2 * _MARGIN, HEIGHT + 2 * _MARGIN), seed=seed)
    spectrum: NDArray[Any] = numpy.fft.rfft2(image)
    return spectrum


class Camera:
    """Photographs the same scene, shifted by any part of a sample, with noise."""

    def __init__(self, sigma: float = 3, seed: int = 3) -> None:
        self._spectrum = scene(seed)
        self._down = numpy.fft.fftfreq(HEIGHT + 2 * _MARGIN)[:, None]
        self._right = numpy.fft.rfftfreq(WIDTH + 2 * _MARGIN)[None]
        self._sigma, self._rng = sigma, numpy.random.default_rng(seed)

    def picture(self, down: float, right: float, light: float = 1.0) -> Planes:
        """The scene's samples come to lie `down` and `right` of where they are at 0."""
        turn = numpy.exp(-2j * numpy.pi * (self._down * down + self._right * right))
        image = numpy.fft.irfft2(self._spectrum * turn)[:, _MARGIN:-_MARGIN, _MARGIN:-_MARGIN]
        return planes_of_image(image * light + self._sigma * self._rng.standard_normal((1, HEIGHT, WIDTH)))


def shakes(count: int, seed: int = 5) -> Iterator[tuple[float, float]]:
    """The first picture is where the scene is to stay."""
    yield 0.0, 0.0
    rng = numpy.random.default_rng(seed)
    for _ in range(count - 1):
        down, right = rng.uniform(-6, 6, 2)
        yield float(down), float(right)


def smooth(picture: Planes) -> NDArray[Any]:
    """The luma, smoothed: slopes then tell shifts below a sample."""
    luma = picture.y.astype(float)
    for _ in range(3):
        for axis in (0, 1):
            luma = (numpy.roll(luma, 1, axis) + luma + numpy.roll(luma, -1, axis)) / 3
    return luma


def place(picture: Planes, still: Planes) -> float:
    """By how much a picture is shifted against `still`, by another method: the least squares of the differences."""
    inside = (slice(12, -12), slice(12, -12))
    light = smooth(still)
    columns = [*numpy.gradient(light), light, numpy.ones_like(light)]
    slopes = numpy.stack([column[inside].ravel() for column in columns], axis=1)
    difference = (light - smooth(picture))[inside].ravel()
    return float(numpy.abs(numpy.linalg.lstsq(slopes, difference, rcond=None)[0][:2]).max())


@pytest.mark.parametrize("sigma", [0.0, 4.0])
def test_shakes_of_six_samples_leave_less_than_a_third(sigma: float) -> None:
    camera, step = Camera(sigma), Stabilise(SETTINGS, *SIZE)
    still = Camera(0).picture(0, 0)
    for number, (down, right) in enumerate(shakes(16)):
        picture = camera.picture(down, right, light=1 + 0.01 * number)
        step.apply(picture, MOMENT)
        assert place(picture, still) <= 0.3


def test_what_moves_in_the_scene_does_not_move_the_picture() -> None:
    camera, step = Camera(2), Stabilise(SETTINGS, *SIZE)
    for number in range(20):
        picture = camera.picture(0, 0)
        picture.y[80:120, 10 * number : 10 * number + 60] = 220
        before = copied(picture)
        step.apply(picture, MOMENT)
        assert raw([picture]) == raw([before])


def test_a_camera_that_was_turned_is_followed() -> None:
    step, other = Stabilise(SETTINGS, *SIZE), Camera(seed=9)
    for down, right in shakes(6):
        step.apply(Camera().picture(down, right), MOMENT)
    for _ in range(5):
        turned = other.picture(0, 0)
        before = copied(turned)
        step.apply(turned, MOMENT)
        assert raw([turned]) == raw([before])
    for down, right in shakes(6):
        picture = other.picture(down, right)
        step.apply(picture, MOMENT)
        assert place(picture, other.picture(0, 0)) <= 0.3


def test_a_restart_after_each_frame_changes_no_sample() -> None:
    camera, whole = Camera(2), Stabilise(SETTINGS, *SIZE)
    state: FilterState = None
    for down, right in shakes(16):
        given = camera.picture(down, right)
        expected, made = copied(given), copied(given)
        whole.apply(expected, MOMENT)
        step = Stabilise(SETTINGS, *SIZE)
        step.resume(state, None, ())
        step.apply(made, MOMENT)
        assert raw([made]) == raw([expected])
        text = json.dumps(step.state)
        assert len(text) < 1_000
        state = json.loads(text)


@pytest.mark.parametrize("size", [(16, 16), (18, 600), (640, 34)])
def test_small_black_and_plain_pictures_pass(size: tuple[int, int]) -> None:
    step = Stabilise(StabiliseSettings(), *size)
    for level in (16, 16, 100, 100, 235):
        picture = flat(*size, level)
        step.apply(picture, MOMENT)
        assert raw([picture]) == raw([flat(*size, level)])


@pytest.mark.parametrize(
    "state", [None, 7, [], {"reference": "AAAA", "strange": 0}, {"reference": "/" * 768, "strange": 0}]
)
def test_without_a_state_that_it_knows_the_filter_begins_anew(state: FilterState) -> None:
    step, picture = Stabilise(SETTINGS, *SIZE), Camera().picture(3, 3)
    step.resume(state, Camera().picture(0, 0), ())
    before = copied(picture)
    step.apply(picture, MOMENT)
    assert raw([picture]) == raw([before])
