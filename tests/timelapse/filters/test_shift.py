"""Pictures are moved by half samples, stay sharp, and repeat their edges."""

from __future__ import annotations

import numpy
import pytest
from numpy.typing import NDArray

from tests.timelapse.filters.pictures import copied, noise
from tests.timelapse.filters.samples import raw
from timelapse_runtime.timelapse.filters.contract import Planes
from timelapse_runtime.timelapse.filters.shift import shift_picture

SIZES = [(16, 16), (50, 38), (1_000, 18), (322, 400)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("down", "right"), [(0, 0), (0, 4), (4, 0), (8, -4), (-12, -8), (4, 12)])
def test_whole_samples_are_moved_and_edges_repeated(size: tuple[int, int], down: int, right: int) -> None:
    picture = noise(*size)
    before = copied(picture)
    shift_picture(picture, down, right)
    for plane, given, unit in ((picture.y, before.y, 2), (picture.u, before.u, 4), (picture.v, before.v, 4)):
        rows = numpy.clip(numpy.arange(given.shape[0]) + down // unit, 0, given.shape[0] - 1)
        columns = numpy.clip(numpy.arange(given.shape[1]) + right // unit, 0, given.shape[1] - 1)
        assert (plane == given[rows][:, columns]).all()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("down", "right"), [(1, 0), (0, 1), (3, -5), (-1, -1), (2, 2)])
def test_between_samples_a_wave_keeps_its_place_and_its_height(size: tuple[int, int], down: int, right: int) -> None:
    def wave(scale: int, down: float, right: float) -> NDArray[numpy.uint8]:
        shape = size[1] // scale, size[0] // scale
        y, x = numpy.indices(shape) * float(scale) + (scale - 1) / 2
        waves = 128 + 60 * numpy.cos((y + down) * 0.3) + 40 * numpy.sin((x + right) * 0.35)
        samples: NDArray[numpy.uint8] = numpy.rint(waves).astype(numpy.uint8)
        return samples

    picture = Planes(*(wave(scale, 0, 0) for scale in (1, 2, 2)))
    expected = Planes(*(wave(scale, down / 2, right / 2) for scale in (1, 2, 2)))
    shift_picture(picture, down, right)
    inside = slice(4, -4)
    for plane, right_plane, most in (
        (picture.y, expected.y, 2),
        (picture.u, expected.u, 5),
        (picture.v, expected.v, 5),
    ):
        difference = plane.astype(int)[inside, inside] - right_plane[inside, inside]
        assert difference.size == 0 or numpy.abs(difference).max() <= most


def test_black_and_white_next_to_each_other_do_not_wrap_around() -> None:
    board = numpy.indices((32, 32)).sum(axis=0) // 3 % 2 * 255
    picture = Planes(board.astype(numpy.uint8), *(numpy.full((16, 16), 128, numpy.uint8) for _ in "uv"))
    shift_picture(picture, 1, 1)
    assert abs(picture.y.mean() - board.mean()) < 8
    assert (raw([picture])[-512:]) == bytes([128]) * 512
