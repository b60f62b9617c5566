"""How fast a camera's photos come, by their upload times, and which kind of encoder that calls for.

x264 looks ahead: with `veryfast` a frame comes out of it 11 frames later, which is nothing at one photo a second, and
an hour at one in five minutes. A low-delay encoder gives each frame at once, for about half as many bytes again
(docs/performance.md). The two cannot share a reel: their parameter sets differ. So the kind changes seldom, and after a
run of photos that says so.
"""

from __future__ import annotations

import itertools
import statistics
from collections import deque
from collections.abc import Iterable

_STEPS_UNTIL_SLOW = 8
_STEPS_UNTIL_FAST = 120
"""More: a camera that was offline sends what it has kept in a burst."""


class Pace:
    """One stream's. It is slow if a photo comes less often than every `slow_ms`."""

    def __init__(self, slow_ms: int) -> None:
        self._slow_ms = slow_ms
        self._newest_epoch_ms = 0
        self._steps: deque[int] = deque(maxlen=_STEPS_UNTIL_FAST)

    def add(self, uploaded_epoch_ms: int) -> None:
        """The next photo. One that is not newer than all before it tells nothing."""
        if uploaded_epoch_ms <= self._newest_epoch_ms:
            return
        if self._newest_epoch_ms:
            self._steps.append(uploaded_epoch_ms - self._newest_epoch_ms)
        self._newest_epoch_ms = uploaded_epoch_ms

    @property
    def step_ms(self) -> int:
        """The usual time from one photo to the next, lately; 0 if it is not known."""
        recent = list(itertools.islice(reversed(self._steps), _STEPS_UNTIL_SLOW))
        return round(statistics.median(recent)) if recent else 0

    @property
    def is_slow(self) -> bool:
        """Whether the camera seems to be slow, even by its first two photos."""
        return self.step_ms > self._slow_ms

    def needs_low_delay(self, *, has_low_delay: bool) -> bool:
        """What the next reel's encoder is to be, after one that `has_low_delay` or has not."""
        if has_low_delay:
            fast_count = sum(2 * step < self._slow_ms for step in self._steps)
            return self.is_slow or fast_count < 0.9 * _STEPS_UNTIL_FAST
        return len(self._steps) >= _STEPS_UNTIL_SLOW and self.is_slow


def pace_of(uploaded_epoch_ms: Iterable[int], *, slow_ms: int) -> Pace:
    """That of photos with these upload times, in order."""
    pace = Pace(slow_ms)
    for time in uploaded_epoch_ms:
        pace.add(time)
    return pace
