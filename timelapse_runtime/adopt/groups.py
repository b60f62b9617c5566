"""Packets in decode order to closed groups of pictures, whose frames are numbered in the order in which they are shown.

A group begins with an IDR frame: nothing after it refers to anything before it (H.264, 3.69). So its frames can be
numbered, and its packets copied, without a look at any other group. One group is in memory at a time. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from timelapse_runtime.adopt.errors import CannotCopy
from timelapse_runtime.timelapse.video.encode import EncodedFrame

LONGEST_GROUP = 1_800
"""Frames in the longest segment, as TIMELAPSE_KEYFRAME_INTERVAL allows it."""
LARGEST_GROUP_BYTES = 256 * 1024**2


@dataclass(frozen=True, slots=True)
class SourcePacket:
    """A packet of the file. `pts` are ticks of any kind; a frame that `is_hidden` (by an edit list) is not shown."""

    pts: int | None
    data: bytes
    is_idr: bool
    is_hidden: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """A group of pictures: its packets in decode order, numbered as they are shown, from `first` on without a gap."""

    first: int
    frames: Sequence[EncodedFrame]

    @property
    def reorder_frames(self) -> int:
        """How far, in frames, presentation must lie behind decoding."""
        return max(self.first + index - frame.pts for index, frame in enumerate(self.frames))


def closed_groups(packets: Iterable[SourcePacket]) -> Iterator[Group]:
    """The groups of the frames that are shown. Raises CannotCopy."""
    number, shown_until, is_over = 0, None, False
    for packets_of_group in _from_idr_to_idr(packets):
        times = _times(packets_of_group, number)
        if shown_until is not None and min(times) <= shown_until:
            raise CannotCopy(f"frames before and after the keyframe that is frame {number} are shown in turns")
        shown_until = max(times)
        shown = _shown(packets_of_group, times, number)
        if shown and is_over:
            raise CannotCopy(f"its edit list hides frames in the middle of it, before frame {number}")
        is_over = is_over or (bool(shown) and len(shown) < len(packets_of_group)) or (number > 0 and not shown)
        if shown:
            ranks = {time: rank for rank, time in enumerate(sorted(times[: len(shown)]), start=number)}
            numbered = zip(times[: len(shown)], shown, strict=True)
            yield Group(number, [EncodedFrame(ranks[time], one.is_idr, one.data) for time, one in numbered])
        number += len(shown)


def in_segments(groups: Iterable[Group], frame_count: int) -> Iterator[list[Group]]:
    """Groups joined to segments of at most so many frames, or of one group that is longer."""
    segment, count = list[Group](), 0
    for group in groups:
        if segment and count + len(group.frames) > frame_count:
            yield segment
            segment, count = [], 0
        segment.append(group)
        count += len(group.frames)
    if segment:
        yield segment


def _from_idr_to_idr(packets: Iterable[SourcePacket]) -> Iterator[list[SourcePacket]]:
    group, size_bytes, number = list[SourcePacket](), 0, 0
    for packet in packets:
        if packet.is_idr and group:
            yield group
            group, size_bytes = [], 0
        if not group and not packet.is_idr:
            raise CannotCopy("it begins with frames that need others before them: there is no IDR frame at its start")
        group.append(packet)
        number, size_bytes = number + 1, size_bytes + len(packet.data)
        if len(group) > LONGEST_GROUP or size_bytes > LARGEST_GROUP_BYTES:
            raise CannotCopy(
                f"after frame {number - len(group)} there is no IDR frame for more than {len(group) - 1} frames: "
                "keyframes are too far apart, or its groups are open"
            )
    if group:
        yield group


def _times(group: Sequence[SourcePacket], number: int) -> list[int]:
    times = [packet.pts for packet in group if packet.pts is not None]
    if len(times) != len(group):
        raise CannotCopy(f"the file does not say when frames are shown, from frame {number} on")
    if len(set(times)) != len(group):
        raise CannotCopy(f"two frames are shown at the same time, after frame {number}")
    return times


def _shown(group: Sequence[SourcePacket], times: Sequence[int], number: int) -> list[SourcePacket]:
    """The packets that are shown, if they can do without the others: those in decode order before the hidden ones."""
    count = sum(not packet.is_hidden for packet in group)
    if any(packet.is_hidden for packet in group[:count]):
        raise CannotCopy(f"its edit list hides frames that frame {number} and those after it are decoded from")
    if 0 < count < len(group) and max(times[:count]) > min(times[count:]):
        raise CannotCopy(f"its edit list hides frames between others, after frame {number}")
    return list(group[:count])
