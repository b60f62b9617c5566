"""What fits into the function's memory."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from timelapse_runtime.timelapse.errors import ConfigError
from timelapse_runtime.timelapse.model.memory_budget import MemoryBudget


def budget_of(memory_mb: int | None, preset: str) -> MemoryBudget:
    return MemoryBudget(memory_mb, preset, decoded_photos=2, read_photos=16)


def usual_bytes(photo: tuple[int, int]) -> int:
    """Of a photo in 4:2:0."""
    return math.prod(photo) * 3 // 2


def test_pictures_of_the_day_take_memory() -> None:
    without = budget_of(512, "veryfast")
    with_two = replace(without, day_pictures=("keogram", "lighten"))
    photo = usual_bytes((1920, 1080))
    pixels = without.video_pixels(photo), with_two.video_pixels(photo)
    assert pixels[0] is not None
    assert pixels[1] is not None
    assert (pixels[0] - pixels[1]) * 67 == pytest.approx(80_000_000, rel=0.01)
    assert without.takes_videos([(1280, 720)] * 3)
    assert not without.takes_videos([(1280, 720)] * 3, ["lighten"] * 6)
    assert not without.takes_videos([(1280, 720)] * 3, ["digest"] * 3)


def test_without_a_memory_size_nothing_is_limited() -> None:
    budget = budget_of(None, "veryfast")
    assert (budget.video_pixels(10**9), budget.photo_pixels(None), budget.photo_pixels((9998, 9998))) == (None,) * 3
    assert budget.takes_photo(10**12, None)
    assert budget.takes_videos([(9998, 9998)] * 99)


@pytest.mark.parametrize(
    ("memory_mb", "preset", "photo", "video"),
    [
        (1769, "veryfast", (6000, 4000), (3840, 2160)),
        (1024, "veryfast", (3840, 2160), (3840, 2160)),
        (512, "veryfast", (1920, 1080), (1920, 1080)),
        (512, "veryfast", (6000, 4000), (640, 360)),
        (512, "veryfast", (4032, 3024), (1280, 720)),
        (1769, "medium", (1920, 1080), (1920, 1080)),
    ],
)
def test_what_fits(memory_mb: int, preset: str, photo: tuple[int, int], video: tuple[int, int]) -> None:
    budget = budget_of(memory_mb, preset)
    pixels, largest_photo = budget.video_pixels(usual_bytes(photo)), budget.photo_pixels(None)
    assert budget.takes_photo(usual_bytes(photo), video)
    assert pixels is not None
    assert pixels >= math.prod(video)
    assert largest_photo is not None
    assert largest_photo >= math.prod(photo)


@pytest.mark.parametrize(
    ("memory_mb", "preset", "photo", "video"),
    [
        (512, "veryfast", (3840, 2160), (3840, 2160)),
        (1769, "medium", (6000, 4000), (3840, 2160)),
        (1769, "veryfast", (6000, 4000), (6000, 4000)),
        (512, "veryfast", (8064, 6048), (640, 360)),
    ],
)
def test_what_does_not_fit(memory_mb: int, preset: str, photo: tuple[int, int], video: tuple[int, int]) -> None:
    budget = budget_of(memory_mb, preset)
    pixels = budget.video_pixels(usual_bytes(photo))
    assert not budget.takes_photo(usual_bytes(photo), video)
    assert pixels is not None
    assert pixels < math.prod(video) or video == (640, 360)


def test_a_decoded_photo_counts_by_its_bytes() -> None:
    """24 megapixels in a function of 512 MB: in 4:2:0, but not with 16 bits and transparency."""
    budget = budget_of(512, "veryfast")
    assert budget.takes_photo(24_000_000 * 3 // 2, None)
    assert not budget.takes_photo(24_000_000 * 8, None)


@pytest.mark.parametrize("video", [None, (1920, 1080), (3840, 2160)])
def test_the_memory_size_that_an_error_names_is_enough(video: tuple[int, int] | None) -> None:
    with pytest.raises(ConfigError) as caught:
        budget_of(128, "medium").photo_pixels(video)
    enough = int(caught.value.allowed.split("at least ")[1].split()[0])
    assert budget_of(enough, "medium").photo_pixels(video) is not None
    with pytest.raises(ConfigError):
        budget_of(enough - 2, "medium").photo_pixels(video)
