"""Packets in decode order become groups whose frames are numbered as they are shown."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timelapse_runtime.adopt.errors import CannotCopy
from timelapse_runtime.adopt.groups import LONGEST_GROUP, Group, SourcePacket, closed_groups, in_segments


def packets(*groups: Sequence[int | None], hidden: Sequence[int] = ()) -> list[SourcePacket]:
    """Groups by the times of their packets in decode order."""
    return [
        SourcePacket(pts, b"%d" % (pts or 0), index == 0, pts in hidden)
        for group in groups
        for index, pts in enumerate(group)
    ]


def numbers(groups: Sequence[Group]) -> list[list[int]]:
    return [[frame.pts for frame in group.frames] for group in groups]


def test_frames_are_numbered_in_the_order_of_their_times() -> None:
    found = list(closed_groups(packets([0, 300, 100, 200], [400, 700, 500, 600])))
    assert numbers(found) == [[0, 3, 1, 2], [4, 7, 5, 6]]
    assert [group.first for group in found] == [0, 4]
    assert [group.reorder_frames for group in found] == [1, 1]
    assert [frame.data for frame in found[0].frames] == [b"0", b"300", b"100", b"200"]
    assert [frame.is_keyframe for frame in found[1].frames] == [True, False, False, False]


@given(st.lists(st.integers(1, 9), min_size=1, max_size=6), st.randoms())
def test_numbers_have_no_gap_whatever_the_times(sizes: list[int], random: object) -> None:
    shuffle = random.shuffle  # type: ignore[attr-defined]
    start, groups = -500, []
    for size in sizes:
        later = [start + 7 * step * step for step in range(1, size)]
        shuffle(later)
        groups.append([start, *later])
        start += 7 * size * size
    found = list(closed_groups(packets(*groups)))
    assert sorted(number for group in numbers(found) for number in group) == list(range(sum(sizes)))
    for group, times in zip(found, groups, strict=True):
        by_time = sorted(zip(times, group.frames, strict=True), key=lambda pair: pair[0])
        assert [frame.pts for _, frame in by_time] == list(range(group.first, group.first + len(times)))
        assert all(group.first + index <= frame.pts + group.reorder_frames for index, frame in enumerate(group.frames))


@pytest.mark.parametrize(
    ("hidden", "expected"),
    [
        ((0, 1, 2), [[0, 1, 2], [3, 4, 5]]),
        ((6, 7, 8), [[0, 1, 2], [3, 4, 5]]),
        ((7, 8), [[0, 1, 2], [3, 4, 5], [6]]),
        ((0, 1, 2, 3, 4, 5), [[0, 1, 2]]),
    ],
)
def test_hidden_frames_that_nothing_needs_are_left_out(hidden: Sequence[int], expected: list[list[int]]) -> None:
    assert numbers(list(closed_groups(packets([0, 1, 2], [3, 4, 5], [6, 7, 8], hidden=hidden)))) == expected


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (packets([0, 1, 2], hidden=[0, 1]), "hides frames that frame 0"),
        (packets([0, 2, 1], hidden=[1]), "hides frames between others"),
        (packets([0, 1], [2, 3], [4, 5], hidden=[2, 3]), "hides frames in the middle"),
        (packets([0, 1], [2, 3], hidden=[1]), "hides frames in the middle"),
        (packets([0, None]), "does not say when frames are shown"),
        (packets([0, 1, 1]), "two frames are shown at the same time"),
        (packets([0, 3], [2, 4]), "shown in turns"),
        (packets([0, 1])[1:], "no IDR frame at its start"),
        (packets(range(LONGEST_GROUP + 1)), "no IDR frame for more than 1800 frames"),
    ],
)
def test_what_cannot_be_numbered_is_refused(found: list[SourcePacket], reason: str) -> None:
    with pytest.raises(CannotCopy, match=reason):
        list(closed_groups(found))


@pytest.mark.parametrize(
    ("sizes", "expected"), [([4, 4, 4, 4], [8, 8]), ([9, 3], [9, 3]), ([3, 3, 3], [6, 3]), ([20], [20]), ([8], [8])]
)
def test_segments_hold_whole_groups(sizes: list[int], expected: list[int]) -> None:
    start, groups = 0, []
    for size in sizes:
        groups.append(range(start, start + size))
        start += size
    segments = in_segments(closed_groups(packets(*groups)), 8)
    assert [sum(len(group.frames) for group in segment) for segment in segments] == expected
