"""Noise goes, what moves stays sharp and leaves no trail, and a restart goes on from the video's last picture."""

from __future__ import annotations

from typing import Any

import numpy
import pytest
from numpy.typing import NDArray

from tests.timelapse.filters.pictures import copied, flat
from tests.timelapse.filters.samples import encoded, filtered, planes_of_image, psnr, raw, ssim, sunrise
from timelapse_runtime.timelapse.filters.contract import FilterState, Moment, Planes
from timelapse_runtime.timelapse.filters.denoise import DENOISE_SETTINGS, Denoise

SIZE = WIDTH, HEIGHT = 320, 180
MOMENT = Moment("a.jpg", 0)
WORDS = list(DENOISE_SETTINGS)


def wall(count: int, sigma: float) -> tuple[list[Planes], list[Planes]]:
    """A fixed camera's pictures without and with noise."""
    *_, image = sunrise(2, SIZE)
    rng = numpy.random.default_rng(2)
    clean = [planes_of_image(image)] * count
    return clean, [planes_of_image(image + sigma * rng.standard_normal((1, HEIGHT, WIDTH))) for _ in range(count)]


def luma_error(picture: Planes, clean: Planes) -> NDArray[Any]:
    return picture.y.astype(float) - clean.y


@pytest.mark.parametrize(("word", "left"), [("light", 0.7), ("medium", 0.52), ("strong", 0.4)])
def test_noise_falls_and_brightness_and_colours_stay(word: str, left: float) -> None:
    clean, noisy = wall(30, 4)
    *_, made = filtered(Denoise(DENOISE_SETTINGS[word], *SIZE), noisy)
    assert luma_error(made, clean[-1]).std() < left * luma_error(noisy[-1], clean[-1]).std()
    assert abs(luma_error(made, clean[-1]).mean()) < 0.2
    for plane, expected in ((made.u, clean[-1].u), (made.v, clean[-1].v)):
        assert numpy.abs(plane.astype(int) - expected).max() <= 2


def test_noisy_pictures_take_less_than_a_third_of_the_bytes_and_look_more_like_the_scene() -> None:
    clean, noisy = wall(60, 6)
    made = list(filtered(Denoise(DENOISE_SETTINGS["medium"], *SIZE), noisy))
    assert len(encoded(made, SIZE)) < 0.3 * len(encoded(noisy, SIZE))
    assert ssim(made, clean, SIZE) > ssim(noisy, clean, SIZE) + 0.05


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("contrast", [4, 10, 40, -60])
@pytest.mark.parametrize("sigma", [1.0, 3.0])
def test_what_moves_leaves_no_trail_and_keeps_its_contrast(word: str, contrast: int, sigma: float) -> None:
    rng = numpy.random.default_rng(4)
    step = Denoise(DENOISE_SETTINGS[word], *SIZE)
    trails, insides = [], []
    for number in range(36):
        right = 40 + 6 * number
        picture = flat(*SIZE, 110)
        picture.y[60:100, right - 30 : right] += numpy.int8(contrast).view(numpy.uint8)
        picture.y[:] = numpy.rint(picture.y + sigma * rng.standard_normal(picture.y.shape))
        step.apply(picture, MOMENT)
        if number > 12:
            trails.append(picture.y[60:100, right - 54 : right - 30].mean() - 110)  # left by it 1 to 4 frames ago
            insides.append(picture.y[60:100, right - 30 : right].mean() - 110)
    assert abs(numpy.mean(trails)) < 0.5
    assert abs(numpy.mean(insides) - contrast) < 0.5


def test_a_picture_without_noise_passes_almost_as_it_is() -> None:
    pictures = [planes_of_image(image) for image in sunrise(30, SIZE)]
    for given, made in zip(pictures, filtered(Denoise(DENOISE_SETTINGS["strong"], *SIZE), pictures), strict=True):
        assert psnr(made, given) > 42


@pytest.mark.parametrize("size", [(16, 16), (18, 50), (322, 38), (50, 1_000)])
def test_every_size_is_denoised_up_to_its_edges(size: tuple[int, int]) -> None:
    rng = numpy.random.default_rng(5)
    step = Denoise(DENOISE_SETTINGS["medium"], *size)
    for _ in range(24):
        picture = flat(*size, 100)
        for plane in (picture.y, picture.u, picture.v):
            plane[:] = numpy.rint(plane + 3 * rng.standard_normal(plane.shape))
        step.apply(picture, MOMENT)
    for plane, level in ((picture.y, 100), (picture.u, 128), (picture.v, 128)):
        for edge in (plane, plane[:, -2:], plane[-2:]):
            assert numpy.sqrt(numpy.mean((edge.astype(float) - level) ** 2)) < 1.6


def test_a_restart_that_finds_the_last_picture_unchanged_changes_no_sample() -> None:
    _, noisy = wall(12, 3)
    whole = list(filtered(Denoise(DENOISE_SETTINGS["strong"], *SIZE), noisy))
    state, last = None, None
    for picture, expected in zip(noisy, whole, strict=True):
        step, made = Denoise(DENOISE_SETTINGS["strong"], *SIZE), copied(picture)
        step.resume(state, last, ())
        step.apply(made, MOMENT)
        assert raw([made]) == raw([expected])
        state, last = step.state, made


@pytest.mark.parametrize("state", [None, 7, [], {}, {"sigma": "x", "count": 1}, {"sigma": -1.0, "count": 1}])
def test_without_a_state_that_it_knows_the_filter_begins_anew(state: FilterState) -> None:
    (_, noisy) = wall(2, 3)
    step, made = Denoise(DENOISE_SETTINGS["strong"], *SIZE), copied(noisy[1])
    step.resume(state, noisy[0], ())
    step.apply(made, MOMENT)
    assert raw([made]) == raw([noisy[1]])
