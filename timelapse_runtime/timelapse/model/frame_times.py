"""When each frame of a reel is shown: a frame's time after the one before, or as its photos were taken, so many times
faster.

Media time is integer ticks, TICKS_PER_FRAME for one frame's time. The first frame of a reel is shown at tick 0. A frame
is shown until the next one, which is known only when the next photo is there. So a frame's time is fixed when it is
appended, by the photos before it, and never changes: what is stored is not written again, and a restart changes
nothing.

By capture times: a frame is shown later than the one before by the time between the photos, divided by the speed; at
least by a frame's time, at most by the hold. The *lag* is how far that minimum has put the video behind the photos'
time. The next gaps make up for it, so photos that come a little too fast or too slow by turns do not add up. It is at
most one hold: after a long burst the video continues from there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from timelapse_runtime.timelapse.model.source_frame import Role, SourceFrame

TICKS_PER_FRAME = 512
MAXIMUM_REEL_TICKS = 1 << 31
"""A reel ends here at the latest, after 38 hours of video at 30 frames per second: the tables of `video.mp4` have
durations of 32 bits."""


@dataclass(frozen=True, slots=True)
class FrameTime:
    """A frame's: the tick at which it is shown, when the photo was taken that the next one's time counts from (None if
    there was none), and the lag after it."""

    shown: int
    captured_epoch_ms: int | None
    lag: int

    def to_value(self) -> list[int | None]:
        """As stored in JSON."""
        return [self.shown, self.captured_epoch_ms, self.lag]

    @classmethod
    def from_value(cls, value: Any) -> Self:
        """Raises TypeError or ValueError."""
        shown, captured, lag = value
        return cls(int(shown), None if captured is None else int(captured), int(lag))


BEFORE_A_REEL = FrameTime(-TICKS_PER_FRAME, None, 0)
"""After it, the first frame is shown at tick 0."""


@dataclass(frozen=True, slots=True)
class Pacing:
    """The rule of a reel: the world's time passes `speed` times faster, at `fps` frames per second of video; a frame is
    shown for `hold` ticks at most."""

    speed: int
    fps: int
    hold: int

    def after(self, before: FrameTime, source: SourceFrame) -> FrameTime:
        """The time of the frame of `source`, which comes after the frame of `before`.

        A frame that repeats another, and one that came late, get a frame's time, and the next one's counts from the
        photo before them. So does one that was taken before the frame before it: a clock was set back.
        """
        is_in_turn = source.role is Role.IN_ORDER
        captured = source.captured_epoch_ms if is_in_turn else before.captured_epoch_ms
        if captured is None or before.captured_epoch_ms is None:
            passed = TICKS_PER_FRAME
        else:
            passed = max(0, self._tick(captured) - self._tick(before.captured_epoch_ms))
        wanted = passed - before.lag
        step = min(max(wanted, TICKS_PER_FRAME), max(self.hold, TICKS_PER_FRAME))
        return FrameTime(before.shown + step, captured, min(max(0, step - wanted), self.hold))

    def _tick(self, epoch_ms: int) -> int:
        """Of the world's time: differences of these do not add up rounding errors."""
        return epoch_ms * self.fps * TICKS_PER_FRAME // (1_000 * self.speed)
