"""When idle streams need no sweep, so that cameras that are off cost nothing that can be measured.

A sweep takes two listings: one of photos that no event announced, one of those below the watermark. On a stream that
has been idle for days it finds nothing, every five minutes. So a stream at rest is not swept by the schedule again for
a 24th of the time since its newest photo, and for six hours at most. A photo whose event was lost waits as long, unless
another one comes: any event of a stream ends its pause.

Owns the pauses of one environment, in memory only: another environment sweeps at once.
"""

from __future__ import annotations

from typing import NamedTuple

from timelapse_runtime.timelapse.metrics import StreamState

_SHARE = 24
LONGEST_PAUSE_MS = 6 * 3_600_000


class _Pause(NamedTuple):
    until_epoch_ms: int
    state: StreamState


class SweepPauses:
    """See the module. Times are milliseconds since 1970."""

    def __init__(self) -> None:
        self._pauses: dict[str, _Pause] = {}

    def begin(self, name: str, state: StreamState, now_epoch_ms: int) -> None:
        """A sweep has left nothing to finish. Without the time of a newest photo, no pause begins."""
        if newest := state.newest_photo_epoch_ms:
            pause_ms = min((now_epoch_ms - newest) // _SHARE, LONGEST_PAUSE_MS)
            self._pauses[name] = _Pause(now_epoch_ms + pause_ms, state)

    def end(self, name: str) -> None:
        """Something happens in the stream."""
        self._pauses.pop(name, None)

    def holds(self, name: str, now_epoch_ms: int) -> bool:
        """Whether the schedule's sweep can be left out now."""
        pause = self._pauses.get(name)
        return pause is not None and now_epoch_ms < pause.until_epoch_ms

    def state_of(self, name: str) -> StreamState:
        """The state of a stream when its pause began, which metrics report although it is not open any more."""
        pause = self._pauses.get(name)
        return pause.state if pause is not None else StreamState()
