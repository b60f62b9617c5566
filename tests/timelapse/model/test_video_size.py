"""The automatic size: within every limit, as large as the limits allow, and of the photo's shape."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timelapse_runtime.timelapse.model.video_size import (
    LEVEL_5_1_FRAME_MACROBLOCKS,
    LEVEL_5_1_MACROBLOCKS_PER_SECOND,
    Size,
    SizeChanges,
    SizeLimits,
    SizeRun,
    automatic_size,
    macroblocks,
)

UHD = SizeLimits((3840, 2160), 30)
SIDE = st.integers(16, 66_000)
PHOTO = st.tuples(SIDE, SIDE)


@pytest.mark.parametrize(
    ("photo", "video"),
    [
        ((1920, 1080), (1920, 1080)),
        ((1921, 1081), (1920, 1080)),
        ((40, 30), (40, 30)),
        ((3840, 2160), (3840, 2160)),
        ((2160, 3840), (2160, 3840)),
        ((6000, 4000), (3240, 2160)),
        ((4000, 6000), (2160, 3240)),
        ((4000, 3000), (2880, 2160)),
        ((3000, 3000), (2160, 2160)),
        ((4096, 2160), (3840, 2024)),
        ((8064, 6048), (2880, 2160)),
        ((20_000, 64), (3840, 16)),
        ((64, 20_000), (16, 3840)),
        ((65_535, 16), (3840, 16)),
    ],
)
def test_the_photo_decides_within_the_maximum(photo: Size, video: Size) -> None:
    assert automatic_size(photo, UHD).size == video


@pytest.mark.parametrize(
    ("limits", "cause"),
    [
        (UHD, "TIMELAPSE_MAXIMUM_SIZE"),
        (SizeLimits((3840, 2160), 60), "H.264 level 5.1 at 60 fps"),
        (SizeLimits((3840, 2160), 30, 10**6), "the function's memory"),
        (SizeLimits((9998, 9998), 60), ""),
    ],
)
def test_the_limit_is_named(limits: SizeLimits, cause: str) -> None:
    assert automatic_size((6000, 4000), limits).limit == cause


@given(PHOTO, st.tuples(SIDE, SIDE), st.integers(1, 120), st.none() | st.integers(640 * 360, 10**8))
def test_the_size_is_within_every_limit_and_nearly_as_large_as_it_may_be(
    photo: Size, maximum: Size, fps: int, pixels: int | None
) -> None:
    limits = SizeLimits(maximum, fps, pixels)
    size, limit = automatic_size(photo, limits).size, automatic_size(photo, limits).limit
    width, height = size
    assert (width % 2, height % 2) == (0, 0)
    assert min(size) >= 16
    if 16 in size:
        return  # the limits of a side may contradict the smallest side
    assert limits.allow(size)
    assert max(size) <= max(maximum)
    assert min(size) <= min(maximum)
    if macroblocks(maximum) <= LEVEL_5_1_FRAME_MACROBLOCKS:
        assert macroblocks(size) * fps <= LEVEL_5_1_MACROBLOCKS_PER_SECOND
    assert pixels is None or math.prod(size) <= pixels
    scale = min(width / photo[0], height / photo[1])
    assert abs(width - photo[0] * scale) <= 2 * max(1, photo[0] / photo[1])
    assert abs(height - photo[1] * scale) <= 2 * max(1, photo[1] / photo[0])
    if limit:
        larger = (math.ceil((width + 34) * 1.01), math.ceil((height + 34) * 1.01))
        assert not limits.allow(larger)
    else:
        assert size == (photo[0] // 2 * 2, photo[1] // 2 * 2)


@given(PHOTO, st.integers(1, 120))
def test_a_size_that_was_scaled_down_asks_for_itself(photo: Size, fps: int) -> None:
    limits = SizeLimits((3840, 2160), fps)
    size = automatic_size(photo, limits).size
    assert automatic_size(size, limits).size == size


def test_a_run_counts_photos_that_ask_for_one_other_size() -> None:
    reel, other, third = (64, 32), (32, 64), (48, 48)
    run = SizeRun()
    for wanted, count in [(reel, 0), (other, 1), (other, 2), (third, 1), (third, 2), (reel, 0), (third, 1)]:
        run = run.after(wanted, reel)
        assert run.count == count
        assert run.size == (wanted if count else None)


def test_each_change_of_size_needs_twice_as_many_photos_until_a_reel_begins_for_another_reason() -> None:
    changes, sizes = SizeChanges(3), [(64, 32), (32, 64)]
    for needed in (3, 6, 12):
        reel, other = sizes
        for _ in range(needed):
            assert changes.due is None
            changes.add(other, reel)
        assert changes.due == other
        changes.begin_reel()
        sizes.reverse()
    changes.begin_reel()
    for _ in range(3):
        changes.add((32, 64), (64, 32))
    assert changes.due == (32, 64)
