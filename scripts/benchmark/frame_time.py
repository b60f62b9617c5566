"""Where a frame's CPU goes in this runtime: the bare loop's stages, the S3 read, and what is left."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence

from scripts.benchmark.candidates import BARE, THIS, Turn
from scripts.benchmark.stage import Stage

_READS = 60


def parts_of(turns: dict[str, list[Turn]], read_ms: float) -> dict[str, float]:
    """Milliseconds of CPU per frame; medians over the rounds. `the rest` is the flush's share, the Runtime API and
    the event: everything that is neither in the bare loop nor the read."""
    stages = [turn.stage_cpu_ms for turn in turns[BARE]]
    parts = {name: statistics.median(stage[name] for stage in stages) for name in ("decode", "convert", "encode")}
    parts["GET the photo"] = read_ms
    total = statistics.median(turn.cpu_ms_per_frame for turn in turns[THIS])
    return {**parts, "the rest": max(0.0, total - sum(parts.values()))}


def read_cpu_ms(stage: Stage, keys: Sequence[str]) -> float:
    """What reading a photo from S3 costs this process, with the runtime's own client; the median."""
    costs = []
    for key in keys[:_READS]:
        began = time.thread_time()
        stage.store.get(key)
        costs.append((time.thread_time() - began) * 1000)
    return statistics.median(costs)
