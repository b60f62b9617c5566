"""Does the runtime grow? Many small frames: latency and memory of the last thousand against the second thousand."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scripts.benchmark.stage import Stage, endless

_WINDOW = 1000


def measure(photos: Sequence[bytes], *, count: int) -> dict[str, Any]:
    """Medians of each thousand frames; `count` is 3,000 at least."""
    latencies: list[float] = []
    rss: list[int] = []
    with Stage({}, freeze=False) as stage:
        for number, body in zip(range(1, count + 1), endless(photos), strict=False):
            latencies.append(stage.feed(body).duration_ms)
            if number % 100 == 0:
                rss.append(rss_bytes(stage.environment.process_ids["runtime"]))
    second, last = latencies[_WINDOW : 2 * _WINDOW], latencies[-_WINDOW:]
    rss_second, rss_last = rss[_WINDOW // 100 : 2 * _WINDOW // 100], rss[-_WINDOW // 100 :]
    return {
        "count": count,
        "latency_ms_second_thousand": round(statistics.median(second), 2),
        "latency_ms_last_thousand": round(statistics.median(last), 2),
        "latency_ratio": round(statistics.median(last) / statistics.median(second), 3),
        "rss_mb_second_thousand": round(statistics.median(rss_second) / 1e6, 1),
        "rss_mb_last_thousand": round(statistics.median(rss_last) / 1e6, 1),
        "rss_ratio": round(statistics.median(rss_last) / statistics.median(rss_second), 4),
    }


def rss_bytes(pid: int) -> int:
    """The resident set of a process now."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError(f"process {pid} has no VmRSS")
