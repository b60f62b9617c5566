"""Ranges have whole groups of pictures, and begin where a reel is known to begin."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from timelapse_runtime.timelapse.config import Config, parse_config
from timelapse_runtime.timelapse.model.checkpoint import MAXIMUM_REEL_FRAMES
from timelapse_runtime.timelapse.model.source_frame import SourceFrame
from timelapse_runtime.timelapse.ranges.plan import range_length, ranges

UPLOADED_MS = 1_780_000_000_000


def config(**variables: str) -> Config:
    places = {"TIMELAPSE_FRAMES": "s3://frames/", "TIMELAPSE_VIDEO": "s3://video/"}
    return parse_config(places | {f"TIMELAPSE_{name.upper()}": value for name, value in variables.items()})


@pytest.mark.parametrize(("interval", "length"), [(180, 180), (60, 180), (12, 180), (50, 200), (100, 200), (500, 500)])
def test_a_range_has_whole_groups(interval: int, length: int) -> None:
    assert range_length(interval) == length
    assert length % interval == 0


def test_all_photos_are_in_a_range_in_order() -> None:
    photos = [SourceFrame(f"{number}.jpg", UPLOADED_MS + number) for number in range(400)]
    found = list(ranges(photos, config()))
    assert [len(one) for one in found] == [180, 180, 40]
    assert [photo for one in found for photo in one] == photos
    assert list(ranges([], config())) == []


def test_a_range_begins_with_each_day_that_keys_tell() -> None:
    photos = [SourceFrame(f"2024-05-0{number // 200 + 1}/{number}.jpg", UPLOADED_MS) for number in range(600)]
    assert [len(one) for one in ranges(photos, config())] == [180, 20, 180, 20, 180, 20]
    assert [len(one) for one in ranges(photos, config(reel="never"))] == [180, 180, 180, 60]


def test_a_range_begins_where_a_reel_is_full() -> None:
    photos = (SourceFrame(f"{number}.jpg", UPLOADED_MS) for number in range(MAXIMUM_REEL_FRAMES + 200))
    lengths = [len(one) for one in ranges(photos, config())]
    assert lengths[-3:] == [MAXIMUM_REEL_FRAMES % 180, 180, 20]


def test_no_more_photos_are_taken_than_the_range_needs() -> None:
    taken = []

    def photos() -> Iterator[SourceFrame]:
        for number in range(1_000):
            taken.append(number)
            yield SourceFrame(f"{number}.jpg", UPLOADED_MS)

    next(ranges(photos(), config()))
    assert len(taken) == 181
