"""The size of a video whose size is not configured: from a photo's size, and when another size takes over.

Pure. A video has one size per reel. The first photo of a reel decides it, scaled down to what players and the function
can take. If it was an exception (a thumbnail, a panorama), the photos after it ask for another size, and `SizeRun` says
when a new reel is to begin for them.

Source of the level's limits: ITU-T H.264, tables A-1 and A-6 (read November 2026).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

Size: TypeAlias = tuple[int, int]
"""Width and height in pixels."""
SMALLEST_SIDE = 16
"""x264 takes no less: one macroblock."""
MACROBLOCK = 16

LEVEL_5_1_FRAME_MACROBLOCKS = 36_864
LEVEL_5_1_MACROBLOCKS_PER_SECOND = 983_040
LEVEL_5_1_BUFFERED_MACROBLOCKS = 184_320
"""MaxFS, MaxMBPS and MaxDpbMbs of level 5.1, the highest that nearly all phones and browsers play."""


def even_size(width: int, height: int) -> Size:
    """The largest size that 4:2:0 video can have within this one."""
    return width // 2 * 2, height // 2 * 2


def macroblocks(size: Size) -> int:
    """Those of a frame."""
    width, height = size
    return -(-width // MACROBLOCK) * -(-height // MACROBLOCK)


@dataclass(frozen=True, slots=True)
class SizeLimits:
    """What the size of a video is scaled down to.

    `maximum` holds in landscape and in portrait: its longer side limits the longer side. Unless it is above level 5.1,
    `fps` limits the size too: a level has a highest rate of macroblocks. `pixels` is what the function's memory takes;
    None if that is not known.
    """

    maximum: Size
    fps: int
    pixels: int | None = None

    def allow(self, size: Size) -> bool:
        """Whether a video may have this size."""
        return self.scale(size)[0] == 1

    def scale(self, size: Size) -> tuple[float, str]:
        """The factor, at most 1, that brings a size within the limits, and what it is due to (empty if 1)."""
        (short, long), (maximum_short, maximum_long) = sorted(size), sorted(self.maximum)
        scales = [(1.0, ""), (min(maximum_short / short, maximum_long / long), "TIMELAPSE_MAXIMUM_SIZE")]
        if macroblocks(self.maximum) <= LEVEL_5_1_FRAME_MACROBLOCKS:
            rate = macroblocks(size) * self.fps
            scales.append((math.sqrt(LEVEL_5_1_MACROBLOCKS_PER_SECOND / rate), f"H.264 level 5.1 at {self.fps} fps"))
        if self.pixels is not None:
            scales.append((math.sqrt(self.pixels / (short * long)), "the function's memory"))
        return min(scales)


@dataclass(frozen=True, slots=True)
class AutomaticSize:
    """The size that a photo asks for, and the limit that made it smaller than the photo; empty if none did."""

    size: Size
    limit: str


def automatic_size(photo: Size, limits: SizeLimits) -> AutomaticSize:
    """The size of a video that begins with a photo of this size (upright): the photo's, or the largest of its shape
    within the limits. Even, and 16 at least a side: a longer panorama gets bars."""
    size, limit, scale = _even_and_not_too_small(*photo), "", 1.0
    while (factor := limits.scale(size))[0] < 1 and size != (SMALLEST_SIDE, SMALLEST_SIDE):
        # A rate counts whole macroblocks: one step may not be enough.
        scale, limit = scale * factor[0], factor[1]
        scaled = _even_and_not_too_small(math.floor(photo[0] * scale + 1e-6), math.floor(photo[1] * scale + 1e-6))
        scale, size = scale * (0.999 if scaled == size else 1), scaled
    return AutomaticSize(size, limit)


def _even_and_not_too_small(width: int, height: int) -> Size:
    even = even_size(width, height)
    return max(SMALLEST_SIDE, even[0]), max(SMALLEST_SIDE, even[1])


@dataclass(frozen=True, slots=True)
class SizeRun:
    """The last `count` photos in a row ask for `size`, which is not that of the reel; None and 0 if the last one asks
    for the reel's."""

    size: Size | None = None
    count: int = 0

    def after(self, wanted: Size, reel: Size) -> SizeRun:
        """The run after one more photo."""
        if wanted == reel:
            return NO_RUN
        return SizeRun(wanted, self.count + 1 if wanted == self.size else 1)


NO_RUN = SizeRun()


class SizeChanges:
    """Says when the photos' size has changed for good, so that a new reel is to begin.

    That is when `photo_count` photos in a row have asked for one size that is not the reel's. Cameras that take turns
    in one stream never get that far. Should they send bursts that do, each change that follows needs twice as many
    photos in a row as the one before it: the reels soon stop changing. How many changes there were is forgotten when a
    reel begins for another reason (a new day), and at a restart, which costs some more reels.
    """

    def __init__(self, photo_count: int) -> None:
        self._first_count = self._photo_count = photo_count
        self.run = NO_RUN

    @property
    def due(self) -> Size | None:
        """The size of the reel that is to begin with the next photo; None if none is."""
        return self.run.size if self.run.count >= self._photo_count else None

    def add(self, wanted: Size, reel: Size) -> None:
        """A photo that asks for `wanted` was appended to a reel of the size `reel`."""
        self.run = self.run.after(wanted, reel)

    def begin_reel(self) -> None:
        """A reel begins: of the size `due`, if that is not None."""
        self._photo_count = self._first_count if self.due is None else 2 * self._photo_count
        self.run = NO_RUN

    def restart(self) -> None:
        """What was appended last may be appended again."""
        self.run = NO_RUN
