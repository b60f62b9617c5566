"""When each frame of a selection is shown in a file.

Where a reel's frames are shown as their photos were taken (`model/frame_times.py`), the file has the same times, so
many times faster; the frames of other reels are shown for one frame's time each. Where one reel follows another, or
segments between two frames are not in the selection, the last frame before that is shown for one frame's time.

Times are integer ticks, TICKS_PER_FRAME for one frame's time, and frame 0 is shown at tick 0.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Iterator
from fractions import Fraction

from av.video.frame import VideoFrame

from timelapse_runtime.export.selection import Piece
from timelapse_runtime.timelapse.model.frame_times import TICKS_PER_FRAME


class FileTimes:
    """Those of one file, of the frames so far. One frame's time is `1 / rate` seconds in the file; it is `1 / fps` in
    the reel that most frames are of."""

    def __init__(self, rate: Fraction, fps: int) -> None:
        self.rate, self._fps = rate, fps
        self.ticks = array("q")
        """When the frames are shown, in order."""
        self._last: Piece | None = None
        self._start = 0, 0
        """Where frames began to keep their reel's times: the tick in the file, and that in the reel."""

    @property
    def tick(self) -> Fraction:
        """How long a tick is, in seconds."""
        return 1 / (self.rate * TICKS_PER_FRAME)

    @property
    def end(self) -> int:
        """When the last frame so far ends: it is shown for one frame's time."""
        return self.ticks[-1] + TICKS_PER_FRAME if self.ticks else 0

    def add(self, piece: Piece, reel_tick: int) -> int:
        """The next frame, of this piece, is the one that its reel shows at `reel_tick`; when it is shown in the
        file."""
        if not (piece.reel.speed and self._is_followed_by(piece)):
            self._start = self.end, reel_tick
        self._last = piece
        start, reel_start = self._start
        self.ticks.append(start + (reel_tick - reel_start) * self._fps // piece.reel.fps)
        return self.ticks[-1]

    def _is_followed_by(self, piece: Piece) -> bool:
        last = self._last
        return last is not None and last.reel.path == piece.reel.path and piece.position - last.position in (0, 1)


def no_faster(pictures: Iterable[VideoFrame], least_seconds: Fraction) -> Iterator[VideoFrame]:
    """Leave out pictures so that each is shown for so long at least. Their pts are changed by less than that.

    Of pictures that come within that time, the last one stays: it may be held.
    """
    waiting: VideoFrame | None = None
    earliest = 0
    for picture in pictures:
        assert picture.pts is not None
        assert picture.time_base is not None
        picture.pts = max(picture.pts, earliest)
        if waiting is not None and waiting.pts is not None and waiting.pts < picture.pts:
            yield waiting
            earliest = waiting.pts + math.ceil(least_seconds / picture.time_base)
            picture.pts = max(picture.pts, earliest)
        waiting = picture
    if waiting is not None:
        yield waiting
