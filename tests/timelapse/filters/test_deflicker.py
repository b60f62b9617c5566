"""Flicker goes, light stays, and a restart changes no sample."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise

import numpy
import pytest

from tests.timelapse.filters.figures import SMALL, flickering, jitter, slow_error
from tests.timelapse.filters.pictures import copied
from tests.timelapse.filters.samples import brightness, filtered, planes_of_image, raw, sunrise
from timelapse_runtime.timelapse.filters.contract import FilterState, Moment, Planes
from timelapse_runtime.timelapse.filters.deflicker import Deflicker, DeflickerSettings, correct

MOMENT = Moment("a.jpg", 0)


def new() -> Deflicker:
    return Deflicker(DeflickerSettings(), *SMALL)


def still(factors: Sequence[float]) -> list[Planes]:
    (image,) = sunrise(1, SMALL)
    return [planes_of_image(image * 4 * factor) for factor in factors]


def test_flicker_over_a_sunrise_falls_by_four_fifths_and_the_slow_curve_stays_within_2_percent() -> None:
    size = 96, 54
    pictures, clean = flickering(1_440, "even", size)  # a photo every ten seconds
    before = numpy.array([brightness(one) for one in pictures])
    after = numpy.array([brightness(one) for one in filtered(Deflicker(DeflickerSettings(), *size), pictures)])
    assert jitter(after, clean) <= 0.2 * jitter(before, clean)
    assert slow_error(after, clean) <= 2


def test_a_lamp_in_a_part_of_the_picture_passes_as_it_is() -> None:
    dark, lit = still([1.0] * 20), still([1.0] * 20)
    for picture in lit:
        picture.y[:50, :80] = 200
    for given, made in zip(dark + lit, filtered(new(), dark + lit), strict=True):
        assert raw([made]) == raw([given])


@pytest.mark.parametrize("factor", [1.3, 0.7])
def test_a_lamp_that_lights_everything_passes_with_the_third_frame_and_nothing_pumps(factor: float) -> None:
    rng = numpy.random.default_rng(3)
    factors = [*(1 + 0.005 * rng.standard_normal(40)), *(factor * (1 + 0.005 * rng.standard_normal(40)))]
    values = numpy.array([brightness(one) for one in filtered(new(), still(factors))])
    before, after = values[20:40].mean(), values[50:].mean()
    assert abs(after - before) > 0.2
    assert numpy.abs(values[42:] - after).max() < 0.02
    assert numpy.abs(values[20:42] - before).max() < 0.02


def test_white_stays_white_and_black_black() -> None:
    for correction in (-0.4, 0.0, 0.4):
        ramp = Planes(
            numpy.arange(256, dtype=numpy.uint8)[None].repeat(2, 0),
            *(numpy.arange(0, 256, 2, dtype=numpy.uint8)[None] for _ in "uv"),
        )
        before = copied(ramp)
        correct(ramp, correction)
        assert [ramp.y[0, level] for level in (0, 16, 235, 255)] == [0, 16, 235, 255]
        assert all(low <= high for low, high in pairwise(ramp.y[0].tolist()))
        assert ramp.u[0, 64] == 128
        assert (raw([ramp]) == raw([before])) == (correction == 0)


@pytest.mark.parametrize("size", [(16, 16), (18, 400), (640, 38)])
def test_small_and_narrow_pictures_are_evened_out(size: tuple[int, int]) -> None:
    step = Deflicker(DeflickerSettings(), *size)
    levels = []
    for factor in [1.0, 1.1, 0.9] * 20:
        picture = Planes(
            *(numpy.full(shape, 100, numpy.uint8) for shape in (size[::-1], *[(size[1] // 2, size[0] // 2)] * 2))
        )
        picture.y[:] = 16 + 100 * factor
        step.apply(picture, MOMENT)
        levels.append(picture.y.mean())
    assert numpy.ptp(levels[-6:]) <= 2


def test_a_black_picture_is_left_alone() -> None:
    black = still([0.0])[0]
    for given, made in zip([black] * 3, filtered(new(), [black] * 3), strict=True):
        assert raw([made]) == raw([given])


def test_a_restart_after_each_frame_changes_no_sample() -> None:
    pictures, _ = flickering(60, "sigma")
    whole = list(filtered(new(), pictures))
    state: FilterState = None
    for picture, expected in zip(pictures, whole, strict=True):
        step, made = new(), copied(picture)
        step.resume(state, None, ())
        step.apply(made, MOMENT)
        assert raw([made]) == raw([expected])
        text = json.dumps(step.state)
        assert len(text) < 1_000
        state = json.loads(text)


@pytest.mark.parametrize("state", [None, 7, [], {}, {"fields": "x"}, {"fields": "AAAA", "exposure": 0, "curve": []}])
def test_a_state_of_another_version_begins_anew(state: FilterState) -> None:
    step, picture = new(), still([1.0])[0]
    step.resume(state, None, ())
    given = copied(picture)
    step.apply(picture, MOMENT)
    assert raw([picture]) == raw([given])
