"""Does the runtime grow? Memory and latency after many small frames against those after few."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scripts.benchmark.stage import Stage, endless

_WARM, _WINDOW = 500, 400


def measure(photos: Sequence[bytes], *, count: int) -> dict[str, Any]:
    """Feed `count` frames. `rss_ratio` compares the end with frame 500, `latency_ratio` the medians of the last and
    the first 400 frames after a hundred of warming up."""
    resident: dict[int, int] = {}
    latencies_ms: list[float] = []
    with Stage({}, freeze=False) as stage:
        for number, body in zip(range(1, count + 1), endless(photos), strict=False):
            latencies_ms.append(stage.feed(body).duration_ms)
            if number in (_WARM, count) or number % 1000 == 0:
                resident[number] = rss_bytes(stage.environment.process_ids["runtime"])
    first, last = latencies_ms[100 : 100 + _WINDOW], latencies_ms[-_WINDOW:]
    return {
        "count": count,
        "rss_bytes": resident,
        "rss_ratio": round(resident[count] / resident[_WARM], 4),
        "latency_ms_first": round(statistics.median(first), 2),
        "latency_ms_last": round(statistics.median(last), 2),
        "latency_ratio": round(statistics.median(last) / statistics.median(first), 3),
    }


def rss_bytes(pid: int) -> int:
    """What is resident of a process now."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError(f"process {pid} has no VmRSS")
