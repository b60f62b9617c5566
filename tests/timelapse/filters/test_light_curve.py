"""The slow course of the light: what it follows, what it does not, and its memory."""

from __future__ import annotations

import json
import math
import random

import pytest

from timelapse_runtime.timelapse.filters.light_curve import LightCurve

MEMORY = 24


def noise(count: int, sigma: float, seed: int = 1) -> list[float]:
    source = random.Random(seed)
    return [source.gauss(0, sigma) for _ in range(count)]


def followed(values: list[float]) -> list[float]:
    curve = LightCurve()
    return [curve.follow(value, MEMORY) for value in values]


def test_a_steady_sunrise_has_no_lag() -> None:
    light = [0.003 * number for number in range(400)]
    levels = followed([one + off for one, off in zip(light, noise(400, 0.01), strict=True)])
    late = [level - one for level, one in zip(levels[100:], light[100:], strict=True)]
    assert abs(sum(late) / len(late)) < 0.002  # a mean over as long a memory would lag by 0.035
    assert max(map(abs, late)) < 0.012


@pytest.mark.parametrize("sigma", [0.0, 0.003, 0.02])
@pytest.mark.parametrize("step", [0.2, -0.3])
def test_light_that_is_switched_on_is_there_with_the_third_frame_and_stays(sigma: float, step: float) -> None:
    values = noise(120, sigma)
    levels = followed(values[:60] + [value + step for value in values[60:]])
    assert all(abs(level) < 0.03 for level in levels[30:62])
    assert all(abs(level - step) < 2.5 * sigma + 0.001 for level in levels[62:])


def test_one_wrong_exposure_is_not_followed() -> None:
    values = noise(120, 0.005)
    values[60] += 0.4
    values[80] -= 0.4
    assert max(abs(level) for level in followed(values)[30:]) < 0.012


def test_its_numbers_are_its_whole_memory() -> None:
    values = [0.002 * number + off for number, off in enumerate(noise(200, 0.05))]
    values[90:] = [value + 0.5 for value in values[90:]]
    curve, levels = LightCurve(), []
    for value in values:
        curve = LightCurve.of_state(json.loads(json.dumps(curve.state)))
        levels.append(curve.follow(value, MEMORY))
    assert levels == followed(values)


@pytest.mark.parametrize("state", [None, {}, [], [1.0], ["x"] * 8, [math.nan] * 8, [None] * 8, [-1.0] * 8])
def test_other_numbers_are_refused(state: object) -> None:
    with pytest.raises(ValueError, match=r".*"):
        LightCurve.of_state(state)
