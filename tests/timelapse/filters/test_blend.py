"""Frames are mixed with the ones before; nothing still changes, and nothing that has gone stays as a shadow."""

from __future__ import annotations

import numpy
import pytest

from tests.timelapse.filters.pictures import copied, flat, noise
from tests.timelapse.filters.samples import raw
from timelapse_runtime.timelapse.filters.blend import Blend, BlendSettings
from timelapse_runtime.timelapse.filters.contract import FilterState, Moment, Planes

SIZE = 64, 48
MOMENT = Moment("a.jpg", 0)


def levels(step: Blend, given: list[int]) -> list[float]:
    made = []
    for level in given:
        picture = flat(*SIZE, level)
        step.apply(picture, MOMENT)
        made.append(float(picture.y.mean()))
    return made


@pytest.mark.parametrize("photos", [2, 3, 5, 16])
def test_a_flash_fades_by_the_weights_that_are_said(photos: int) -> None:
    weight = 2 / (photos + 1)
    made = levels(Blend(BlendSettings(photos), *SIZE), [50] * 4 + [250] + [50] * 40)
    assert made[:4] == [50.0] * 4
    for age in range(20):
        assert made[4 + age] - 50 == pytest.approx(200 * weight * (1 - weight) ** age, abs=3)


@pytest.mark.parametrize("photos", [2, 8, 16])
@pytest.mark.parametrize(("before", "after"), [(20, 235), (235, 20), (100, 101), (101, 100), (0, 255), (255, 0)])
def test_what_has_gone_leaves_no_shadow(photos: int, before: int, after: int) -> None:
    made = levels(Blend(BlendSettings(photos), *SIZE), [before] * 5 + [after] * 150)
    assert made[-1] == after


def test_what_stands_still_stays_as_it_is_to_the_last_sample() -> None:
    step, still = Blend(BlendSettings(4), *SIZE), noise(*SIZE)
    for _ in range(40):
        picture = copied(still)
        step.apply(picture, MOMENT)
        assert raw([picture]) == raw([still])


def test_a_restart_that_finds_the_last_picture_unchanged_changes_no_sample() -> None:
    whole, state, last = Blend(BlendSettings(4), *SIZE), None, None
    for number in range(20):
        expected, made = noise(*SIZE, number), noise(*SIZE, number)
        whole.apply(expected, MOMENT)
        step = Blend(BlendSettings(4), *SIZE)
        step.resume(state, last, ())
        step.apply(made, MOMENT)
        assert raw([made]) == raw([expected])
        state, last = step.state, made


@pytest.mark.parametrize("state", [None, 7, [], {}, {"count": "x"}, {"count": -1}, {"count": 99}])
def test_without_a_state_that_it_knows_the_filter_begins_anew(state: FilterState) -> None:
    step, picture = Blend(BlendSettings(4), *SIZE), noise(*SIZE, 1)
    step.resume(state, Planes(*(numpy.zeros_like(plane) for plane in (picture.y, picture.u, picture.v))), ())
    step.apply(picture, MOMENT)
    assert raw([picture]) == raw([noise(*SIZE, 1)])
