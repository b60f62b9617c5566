"""A mask leaves nothing of what it covers, and everything of what it does not cover."""

from __future__ import annotations

from collections.abc import Sequence

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.timelapse.filters.pictures import copied, flat, noise
from timelapse_runtime.timelapse.filters.contract import Moment, Planes
from timelapse_runtime.timelapse.filters.masks import Masks, touched
from timelapse_runtime.timelapse.model.mask import Corner, Mask, parse_masks

MOMENT = Moment("a.jpg", 0)
COVERS = ("blur", "pixelate", "black")
SIZES = ((320, 240), (322, 238), (240, 320), (642, 358))
AREAS = ("10,10 30,30", "33.3,12.345 66.6,77.7", "0,0 3,100", "97,0 100,100", "0,99 100,100", "20,20 80,30 50,90")
PENTAGRAM = "50,5 78,90 5,38 95,38 22,90"


def masked(picture: Planes, text: str) -> Planes:
    result = copied(picture)
    height, width = picture.y.shape
    Masks(parse_masks(text), width, height).apply(result, MOMENT)
    return result


def planes(picture: Planes) -> Sequence[tuple[str, numpy.typing.NDArray[numpy.uint8]]]:
    return ("y", picture.y), ("u", picture.u), ("v", picture.v)


def outline(mask: Mask, width: int, height: int, shape: tuple[int, ...]) -> numpy.typing.NDArray[numpy.float64]:
    """How far the middle of each sample of a plane of this shape is from the polygon, in luma samples; 0 inside.

    By another rule than the filter's: the sum of the angles under which a sample sees the edges.
    """
    scale = width // shape[1]
    row, column = numpy.mgrid[: shape[0], : shape[1]]
    x, y = (column + 0.5) * scale, (row + 0.5) * scale
    corners = [(left * width, top * height) for left, top in mask.corners]
    angle, distance = numpy.zeros(shape), numpy.full(shape, numpy.inf)
    for (ax, ay), (bx, by) in zip(corners, [*corners[1:], corners[0]], strict=True):
        length = max((bx - ax) ** 2 + (by - ay) ** 2, 1e-9)
        along = numpy.clip(((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / length, 0, 1)
        distance = numpy.minimum(distance, numpy.hypot(x - ax - along * (bx - ax), y - ay - along * (by - ay)))
        cross = (ax - x) * (by - y) - (ay - y) * (bx - x)
        angle += numpy.arctan2(cross, (ax - x) * (bx - x) + (ay - y) * (by - y))
    return numpy.where(abs(angle) > numpy.pi, 0, distance)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("area", [*AREAS, PENTAGRAM])
@pytest.mark.parametrize("cover", COVERS)
def test_the_outside_is_untouched_to_the_last_sample(cover: str, area: str, size: tuple[int, int]) -> None:
    before = noise(*size)
    after = masked(before, f"{cover} {area}")
    for (_, old), (_, new) in zip(planes(before), planes(after), strict=True):
        outside = outline(parse_masks(area)[0], *size, old.shape) > 6  # a chroma sample more, by its diagonal, twice
        assert outside.any()
        assert (old[outside] == new[outside]).all()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("area", [*AREAS, PENTAGRAM])
def test_all_of_the_inside_is_covered(area: str, size: tuple[int, int]) -> None:
    after = masked(noise(*size), f"black {area}")
    for (name, samples), black in zip(planes(after), (16, 128, 128), strict=True):
        touched_at_all = outline(parse_masks(area)[0], *size, samples.shape) <= 0.7 * size[0] // samples.shape[1]
        assert (samples[touched_at_all] == black).all(), name
    chroma_is_black = (after.u == 128) & (after.v == 128)
    assert (after.y[chroma_is_black.repeat(2, 0).repeat(2, 1)] == 16).mean() > 0.99  # noise is grey here and there


@pytest.mark.parametrize("cover", ["blur", "pixelate"])
@pytest.mark.parametrize(
    ("area", "cells"), [("10,10 90,90", 64), ("30,40 36,45", 2), ("50,50 50.5,50.5", 1), ("20,20 80,30 50,90", 64)]
)
def test_what_is_left_of_a_mask_is_a_few_numbers(cover: str, area: str, cells: int) -> None:
    """The samples of all masked pictures lie in a space of as many dimensions as there are cells, but for rounding."""
    width, height, count = 256, 160, 80
    covered = masked(flat(width, height, 60), f"black {area}").y == 16
    masks = Masks(parse_masks(f"{cover} {area}"), width, height)
    results: dict[str, list[numpy.typing.NDArray[numpy.float64]]] = {"y": [], "u": [], "v": []}
    for seed in range(count):
        picture = noise(width, height, seed)
        for _, plane in planes(picture):
            plane[:] = 16 + 219 * (numpy.random.default_rng(seed).random(plane.shape) > 0.5)
        masks.apply(picture, MOMENT)
        for name, plane in planes(picture):
            inside = covered if name == "y" else covered[::2, ::2]
            results[name].append(plane[inside][:: 1 + inside.sum() // 1_000].astype(float))
    for name, rows in results.items():
        residue = numpy.stack(rows) - numpy.mean(rows, 0)
        left, strengths, right = numpy.linalg.svd(residue, full_matrices=False)
        rest = residue - (left[:, :cells] * strengths[:cells]) @ right[:cells]
        assert abs(rest).max() <= 1.5, name


@pytest.mark.parametrize("area", AREAS)
def test_a_blurred_area_has_no_edge(area: str) -> None:
    """Whatever it covers, neighbours differ by no more than a slope over a cell of a 32nd of the picture."""
    width, height = 960, 540
    picture = noise(width, height)
    picture.y[:] = numpy.where(numpy.indices((height, width)).sum(0) // 30 % 2, 16, 235)  # more than noise leaves
    covered = masked(flat(width, height, 60), f"black {area}").y == 16
    luma = masked(picture, f"blur {area}").y.astype(int)
    for axis in (0, 1):
        both = covered & numpy.roll(covered, 1, axis)
        both[0 if axis == 0 else slice(None), 0 if axis == 1 else slice(None)] = False
        assert abs(luma - numpy.roll(luma, 1, axis))[both].max() <= 219 / (960 / 32) + 1


@pytest.mark.parametrize("cover", COVERS)
def test_a_flat_area_stays_as_it_is_but_for_black(cover: str) -> None:
    before = flat(320, 240, 77)
    after = masked(before, f"{cover} 20,20 80,30 50,90")
    assert (after.y == before.y).all() == (cover != "black")
    assert (after.u == 128).all()


def test_a_mask_keeps_its_place_if_the_size_changes() -> None:
    small, large = (masked(flat(*size, 77), "black 25,50 75,75").y == 16 for size in ((320, 240), (1280, 960)))
    shares = [numpy.argwhere(one).mean(0) / one.shape for one in (small, large)]
    assert numpy.allclose(shares[0], shares[1], atol=0.005)


def test_several_masks_cover_one_another() -> None:
    result = masked(noise(320, 240), "black 10,10 50,50; blur 40,40 90,90; black 60,60 80,80")
    assert (result.y[26:94, 34:126] == 16).all()
    assert (result.y[146:190, 194:254] == 16).all()


@settings(max_examples=50)
@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=3, max_size=8), st.sampled_from(SIZES[:3]))
def test_a_polygon_touches_what_lies_in_it_and_not_what_is_far(corners: list[Corner], size: tuple[int, int]) -> None:
    width, height = size[0] // 2, size[1] // 2
    grid = touched(corners, width, height)
    distance = outline(Mask(parse_masks("1,1 2,2")[0].cover, tuple(corners)), width, height, (height, width))
    assert grid[distance < 0.7].all()
    assert not grid[distance > 3].any()


def test_masks_remember_nothing_and_draw_nothing() -> None:
    masks = Masks(parse_masks("1,1 9,9"), 320, 240)
    masks.resume({"of": "another version"}, None, ())
    assert (masks.state, masks.drawn) == (None, ())
