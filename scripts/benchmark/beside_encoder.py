"""CPU time of work that is done for each picture, against that of encoding the same pictures.

One thread: the work and the encoder take turns, so both meet the same machine.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from timelapse_runtime.timelapse.video.encode import Encoder
from timelapse_runtime.timelapse.video.fit import Picture

PLACES = {"TIMELAPSE_FRAMES": "s3://frames/", "TIMELAPSE_VIDEO": "s3://video/"}
"""What a configuration must have; nothing is stored."""


@dataclass(frozen=True, slots=True)
class Turns:
    """CPU in milliseconds per frame, by round: of the work, and of the encoder beside it."""

    work_ms: list[float]
    encoder_ms: list[float]

    def shares(self, more_ms: float = 0) -> list[float]:
        """The part that the work, and `more_ms` for each frame, have of the encoder's, by round."""
        return [round((one + more_ms) / other, 4) for one, other in zip(self.work_ms, self.encoder_ms, strict=True)]


def in_turns(
    work: Iterable[tuple[Callable[[], object], Picture]], encoder: Encoder, *, warm: int, frames: int
) -> Turns:
    """Do each piece of work, and encode its picture. The first `warm` do not count; a round has `frames`."""
    working, encoding = list[float](), list[float]()
    for do, picture in work:
        working.append(cpu_ms(do))
        encoding.append(cpu_ms(partial(encoder.append, picture)))
    starts = range(warm, len(working), frames)
    ours, theirs = ([_mean(one[start : start + frames]) for start in starts] for one in (working, encoding))
    return Turns(ours, theirs)


def cpu_ms(do: Callable[[], object]) -> float:
    """What it takes."""
    began = time.process_time()
    do()
    return 1_000 * (time.process_time() - began)


def _mean(milliseconds: Sequence[float]) -> float:
    return round(sum(milliseconds) / len(milliseconds), 3)
