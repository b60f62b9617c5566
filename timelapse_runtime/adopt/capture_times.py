"""When the frames of an adopted video were taken, as far as anything tells. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from timelapse_runtime.adopt.source_file import Facts


@dataclass(frozen=True, slots=True)
class CaptureTimes:
    """Frame 0 was taken at `began_epoch_ms`, and one every `every_ms` after it. `why` says where that is from."""

    began_epoch_ms: int
    every_ms: Fraction
    why: str
    is_step_given: bool = False

    def of(self, number: int) -> int:
        """The time of a frame."""
        return self.began_epoch_ms + int(number * self.every_ms)


def capture_times(
    facts: Facts, frame_count: int, rate: Fraction, *, began_epoch_ms: int | None, every_ms: Fraction | None
) -> CaptureTimes:
    """What is said (`began_epoch_ms`, `every_ms`) comes first, then the file's own statements.

    The video ended when the file was last changed. Without a step, the frames are spread evenly from its beginning to
    then. If nothing says when it began, or that is later than its end, the step is that of playback at `rate`, the
    file's own.
    """
    played_ms = 1000 / (facts.rate or rate)
    ended_ms, steps = facts.modified_epoch_ms, frame_count - 1
    began_ms = facts.began_epoch_ms if began_epoch_ms is None else began_epoch_ms
    beginning = "its creation time" if began_epoch_ms is None else "the beginning that was given"
    if began_ms is None:
        step = every_ms or played_ms
        how = "the step that was given" if every_ms else "the pace of playback"
        began_ms = ended_ms - int(steps * step)
        return CaptureTimes(
            began_ms, step, f"{how}, back from the time of the file", is_step_given=every_ms is not None
        )
    if every_ms:
        return CaptureTimes(began_ms, every_ms, f"{beginning}, and the step that was given", is_step_given=True)
    if steps and ended_ms - began_ms > steps * played_ms:
        spread = Fraction(ended_ms - began_ms, steps)
        return CaptureTimes(began_ms, spread, f"spread from {beginning} to the time of the file")
    return CaptureTimes(began_ms, played_ms, f"{beginning}, and the pace of playback")
