"""The times of the frames that one encoder appends to a reel, where they follow their photos' capture times.

Owns them from when a frame is appended until the fragment that holds it is committed, and what is needed of the frames
before. Knows nothing of packets or bytes. What it must know after a restart is stored with each fragment (`state`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from timelapse_runtime.timelapse.model.frame_times import BEFORE_A_REEL, TICKS_PER_FRAME, FrameTime, Pacing
from timelapse_runtime.timelapse.model.source_frame import SourceFrame

ClockState = list[list[int | None]] | None
"""A JSON value: the `FrameTime` of the last frames, oldest first, as many as decoding runs ahead; None of a reel whose
frames are all shown for one frame's time."""


def checked_state(value: Any) -> ClockState:
    """A state as read from JSON. Raises TypeError or ValueError."""
    if value is None:
        return None
    if not value:
        raise ValueError("a clock's state names no frame")
    return [FrameTime.from_value(one).to_value() for one in value]


class ReelClock:
    """From frame `first_number` on. `state` is that after the frame before, None if a reel begins.

    A segment has `keyframe_interval` frames at most, and takes no longer than so many frames' time.
    """

    def __init__(self, pacing: Pacing, *, first_number: int, state: ClockState, keyframe_interval: int) -> None:
        self._pacing, self._keyframe_interval = pacing, keyframe_interval
        known = [FrameTime.from_value(one) for one in state or ()]
        self._times = dict(enumerate(known, start=first_number - len(known)))
        self._newest = known[-1] if known else BEFORE_A_REEL
        self._next_number = self._segment_number = first_number
        self._segment_start = 0
        self._delay: int | None = None

    def needs_keyframe(self, source: SourceFrame) -> bool:
        """Whether the frame of this photo, as the next one, would make the segment too long."""
        if self._delay is None:
            return False  # the first frame of an encoder is a keyframe
        time, number = self._pacing.after(self._newest, source), self._next_number + 1 - self._delay
        end = time.shown if number == self._next_number else self._shown(number)
        return end - self._segment_start > self._keyframe_interval * TICKS_PER_FRAME

    def add(self, source: SourceFrame, *, is_keyframe: bool, delay: int) -> None:
        """The next frame was appended; `is_keyframe` if it was asked to be one. Decoding runs `delay` frames ahead, at
        least one."""
        number, self._delay = self._next_number, delay
        self._newest = self._times[number] = self._pacing.after(self._newest, source)
        self._next_number += 1
        if is_keyframe or number - self._segment_number in (0, self._keyframe_interval):
            self._segment_number, self._segment_start = number, self._shown(number - delay)

    def begin_reel(self, number: int) -> None:
        """The frame of this number turned out to be the first of another reel."""
        base = self._times[number].shown
        self._times = {one: _earlier(time, base) for one, time in self._times.items() if one >= number}
        self._newest, self._segment_start = _earlier(self._newest, base), self._segment_start - base

    def ticks(self, numbers: range, *, delay: int) -> list[int]:
        """When the frames from `delay` before these on are shown, in the track's own time: the first frame of the reel
        is shown at `delay` frames' time."""
        return [self._shown(one) + delay * TICKS_PER_FRAME for one in range(numbers.start - delay, numbers.stop)]

    def state(self, number: int, *, delay: int) -> ClockState:
        """What must be known after the frame of this number."""
        last = self._times[number]
        shown = (self._shown(one) for one in range(number + 1 - delay, number + 1))
        return [FrameTime(one, last.captured_epoch_ms, last.lag).to_value() for one in shown]

    def settle(self, number: int) -> None:
        """The frames below this number are committed."""
        for settled in [one for one in self._times if one < number - (self._delay or 0)]:
            del self._times[settled]

    def _shown(self, number: int) -> int:
        """Those before the first one count as if they had been shown, a frame's time each."""
        if number in self._times:
            return self._times[number].shown
        first = min(self._times)
        return self._times[first].shown - (first - number) * TICKS_PER_FRAME


def _earlier(time: FrameTime, ticks: int) -> FrameTime:
    return replace(time, shown=time.shown - ticks)
