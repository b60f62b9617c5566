"""The time that is left of an invocation or a shutdown, as a value that can be asked before each further step."""

from __future__ import annotations

from dataclasses import dataclass, replace

from timelapse_runtime.runtime.clock import Clock
from timelapse_runtime.runtime.function import Deadline


@dataclass(frozen=True, slots=True)
class TimeLeft:
    """The time until `deadline` by `clock`, of which the last `reserve_ms` are kept for what must follow."""

    deadline: Deadline
    clock: Clock
    reserve_ms: int

    @property
    def ms(self) -> int:
        """Milliseconds until the deadline, the reserve included."""
        return self.deadline.remaining_ms(self.clock.now_epoch_ms())

    @property
    def is_enough(self) -> bool:
        """Whether one more step may begin."""
        return self.ms >= self.reserve_ms

    def shared_by(self, count: int) -> TimeLeft:
        """An equal share for the first of `count` things that are done one after the other. The others share what it
        leaves."""
        share_ms = max(0, self.ms - self.reserve_ms) // count + self.reserve_ms
        end_epoch_ms = min(self.deadline.epoch_ms, self.clock.now_epoch_ms() + share_ms)
        return replace(self, deadline=Deadline(end_epoch_ms))
