"""The first reading of a file: whether its packets can be copied, and what the reel of them will be.

All that forbids it is known before anything is made or stored. Nothing is decoded here but the first frame.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from timelapse_runtime.adopt.errors import CannotAdopt, CannotCopy
from timelapse_runtime.adopt.groups import Group, SourcePacket, closed_groups, in_segments
from timelapse_runtime.adopt.h264 import PROFILES, BadBitstream, ParameterSets
from timelapse_runtime.adopt.source_file import Facts, SourceFile
from timelapse_runtime.timelapse.model.video_size import LEVEL_5_1_FRAME_MACROBLOCKS, macroblocks

MAXIMUM_FRAMES = 1_000_000
"""Of an adopted reel: nine hours at 30 frames a second, a checkpoint of 1 MB until the next reel begins. There is one
reel for a file: earlier ones would have to be stored, closed, before the commit, and a crash before it would leave
reels that a sweep cannot tell from those of a checkpoint that was lost."""
_PICTURES = ("yuv420p", "yuvj420p")
_HIGHEST_LEVEL = 52
"""The level of the same picture sizes as 5.1; above it few players decode."""


@dataclass(frozen=True, slots=True)
class Survey:
    """What copying will give. `parameter_sets` have start codes."""

    frame_count: int
    hidden_count: int
    longest_segment: int
    reorder_frames: int
    parameter_sets: bytes


def survey(source: SourceFile, segment_frames: int) -> Survey:
    """Read the file, for segments of about so many frames. Raises CannotAdopt, CannotCopy."""
    require_copyable(source.facts)
    reading = Reading(source)
    reorder = longest = frame_count = 0
    for segment in in_segments(reading.groups(), segment_frames):
        reorder = max(reorder, *(group.reorder_frames for group in segment))
        count = sum(len(group.frames) for group in segment)
        frame_count, longest = frame_count + count, max(longest, count)
        if frame_count > MAXIMUM_FRAMES:
            raise CannotAdopt(f"{source.facts.name}: it has more than {MAXIMUM_FRAMES:,} frames: cut it into streams")
    if not frame_count:
        raise CannotAdopt(f"{source.facts.name}: no frame of it is shown")
    return Survey(frame_count, reading.hidden_count, longest, reorder, reading.sets.annex_b)


class Reading:
    """One reading of the packets. The parameter sets are complete once a group was given."""

    def __init__(self, source: SourceFile) -> None:
        self._source = source
        self.sets = ParameterSets()
        self.hidden_count = 0

    def groups(self) -> Iterator[Group]:
        """The groups of the file. Raises CannotAdopt, CannotCopy."""
        return closed_groups(self._packets())

    def _packets(self) -> Iterator[SourcePacket]:
        for packet, sets in self._source.packets():
            if self.sets is not sets:
                self.sets = sets
                _require_plain(sets)
            self.hidden_count += packet.is_hidden
            yield packet


def require_copyable(facts: Facts) -> None:
    """See what the file says of itself. Raises CannotCopy."""
    if facts.codec != "h264":
        raise CannotCopy(f"its codec is {facts.codec}, and a stream's is H.264")
    if facts.pixel_format not in _PICTURES:
        raise CannotCopy(f"its pictures are {facts.pixel_format}; players need 8 bits and 4:2:0 (yuv420p)")
    if not facts.says_order:
        raise CannotCopy("it has B-frames, and an AVI file does not say when frames are shown")
    if facts.is_interlaced:
        raise CannotCopy("it is interlaced")
    if facts.rotation % 360:
        raise CannotCopy(f"its pictures are stored turned by {facts.rotation % 360} degrees, as phones do")


def _require_plain(sets: ParameterSets) -> None:
    try:
        sequences = sets.sequences
    except BadBitstream as error:
        raise CannotCopy(f"its parameter sets cannot be read: {error}") from error
    if not sequences:
        raise CannotCopy("it has no parameter sets")
    for one in sequences:
        if one.profile not in PROFILES:
            known = ", ".join(PROFILES.values())
            raise CannotCopy(f"its H.264 profile is number {one.profile}; players need {known}")
        if (one.chroma_format, one.bit_depth) != (1, 8):
            raise CannotCopy(f"its pictures have {one.bit_depth} bits, or another chroma format than 4:2:0")
        if not one.is_progressive:
            raise CannotCopy("it may have interlaced pictures")
        if macroblocks(one.size) > LEVEL_5_1_FRAME_MACROBLOCKS or one.level > _HIGHEST_LEVEL:
            size = f"{one.size[0]}x{one.size[1]}"
            raise CannotCopy(f"it is {size} at level {one.level / 10}: few players decode more than level 5.1")
    if len({one.size for one in sequences}) > 1:
        raise CannotCopy("it has pictures of several sizes")
