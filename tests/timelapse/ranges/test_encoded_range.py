"""An encoded range is what it was after its way through bytes, or it is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from timelapse_runtime.runtime.state.contract import ObjectInfo
from timelapse_runtime.timelapse.model.capture_time import CameraTime
from timelapse_runtime.timelapse.ranges.encoded_range import (
    EncodedRange,
    Group,
    Look,
    PhotoOutcome,
    groups_of,
    numbered,
)
from timelapse_runtime.timelapse.video.encode import EncodedFrame, EncoderSettings

LOOK = Look(EncoderSettings(128, 64, 30, 12, 23, "veryfast", 1), "fit", (0, 0, 0))
FRAMES = (EncodedFrame(0, True, b"key"), EncodedFrame(2, False, b"later"), EncodedFrame(1, False, b""))
RANGE = EncodedRange(
    (
        PhotoOutcome("ä b.jpg", ObjectInfo("in/ä b.jpg", '"1"', 9, 5), None, 128, 64, 12288, (CameraTime("2024"),)),
        PhotoOutcome("c.jpg", ObjectInfo("in/c.jpg", '"2"', 9, 6), ("empty", "it has no bytes")),
        PhotoOutcome("d.jpg", ObjectInfo("in/d.jpg", '"3"', 9, 7), None, 128, 64, 12288),
    ),
    (
        Group(LOOK, b"sets", 2, (0, 0, 2), (5, 5, 9), FRAMES, b"thumbnail"),
        Group(replace(LOOK, drawing="a clock"), b"sets", 2, (2,), (9,), FRAMES[:1], b""),
    ),
    {"GetObject": 3},
)


@pytest.mark.parametrize("encoded", [RANGE, EncodedRange()])
def test_bytes_give_the_range_again(encoded: EncodedRange) -> None:
    assert EncodedRange.from_bytes(encoded.to_bytes()) == encoded


@pytest.mark.parametrize("cut", [0, 3, 4, 20, -1])
def test_a_range_that_is_cut_off_is_refused(cut: int) -> None:
    with pytest.raises(ValueError, match=r"range|cut off"):
        EncodedRange.from_bytes(RANGE.to_bytes()[:cut])


def test_what_is_behind_a_range_is_refused() -> None:
    with pytest.raises(ValueError, match="behind"):
        EncodedRange.from_bytes(RANGE.to_bytes() + b"x")


def test_a_group_begins_with_each_keyframe() -> None:
    second = tuple(numbered(FRAMES, 3))
    assert [frame.pts for frame in second] == [3, 5, 4]
    assert list(groups_of([*FRAMES, *second])) == [FRAMES, second]
    assert tuple(numbered(second, 0)) == FRAMES
    assert list(groups_of([])) == []


def test_threads_do_not_count_for_the_look() -> None:
    other = Look(EncoderSettings(128, 64, 30, 12, 23, "veryfast", 4), "fit", (0, 0, 0))
    assert other.identity == LOOK.identity
    assert Look(EncoderSettings(128, 64, 30, 12, 24, "veryfast", 1), "fit", (0, 0, 0)).identity != LOOK.identity
