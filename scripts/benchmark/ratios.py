"""The benchmark's ratios: their names, their goals, and the rounds that each comes from."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from scripts.benchmark.stage import percentile

AT_MOST, AT_LEAST = "<=", ">="
GOALS: dict[str, tuple[str, float]] = {
    "latency_vs_disk_persistence": (AT_LEAST, 20),
    "latency_growth": (AT_MOST, 1.05),
    "cpu_vs_ffmpeg_1080p": (AT_MOST, 1.10),
    "cpu_vs_ffmpeg_12mp": (AT_MOST, 1.0),
    "cpu_vs_bare_loop": (AT_MOST, 1.08),
    "throughput_vs_ffmpeg": (AT_LEAST, 0.9),
    "init_vs_awslambdaric": (AT_MOST, 1.0),
    "first_response_vs_awslambdaric": (AT_MOST, 1.0),
    "bytes_vs_ffmpeg_n60": (AT_MOST, 1.04),
    "bytes_vs_ffmpeg_n10": (AT_MOST, 1.04),
    "s3_requests_per_frame": (AT_MOST, 1.15),
    "burst_cost": (AT_MOST, 1.25),
    "disorder_encodes": (AT_MOST, 1.05),
    "filter_cost": (AT_MOST, 0.15),
    "sigterm_exit_ms_p99": (AT_MOST, 300),
    "peak_rss_mb": (AT_MOST, 160),
}
"""`latency_vs_disk_persistence` says how many times lower ours is; the last two are ms and MB. The runtime carries
httpx and boto3: there is no goal for the empty loop, nor for init against a function without these imports."""
AGAINST_GOALS: dict[str, tuple[str, float]] = {
    "cpu_vs_other_1080p": (AT_MOST, 1.045),
    "cpu_vs_other_480p": (AT_MOST, 1.25),
}
"""`--against` the commit before httpx and boto3 came in."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """One named figure: the median of its rounds, unless `summary` says otherwise."""

    name: str
    rounds: tuple[float, ...]
    summary: Callable[[Sequence[float]], float] = statistics.median

    @property
    def value(self) -> float:
        """The figure."""
        return self.summary(self.rounds)

    @property
    def is_met(self) -> bool:
        """Whether the goal is reached; True if there is none."""
        if self._goal is None:
            return True
        direction, goal = self._goal
        return self.value <= goal if direction == AT_MOST else self.value >= goal

    def to_json(self) -> dict[str, Any]:
        """As bench.json has it."""
        goal = "none" if self._goal is None else f"{self._goal[0]} {self._goal[1]:g}"
        rounds = [round(value, 4) for value in self.rounds]
        met = None if self._goal is None else self.is_met
        return {"value": round(self.value, 4), "goal": goal, "met": met, "rounds": rounds}

    @property
    def _goal(self) -> tuple[str, float] | None:
        return {**GOALS, **AGAINST_GOALS}.get(self.name)


def p99(values: Sequence[float]) -> float:
    """The 99th percentile: of fewer than a hundred values, the largest."""
    return percentile(values, 99)


def paired(name: str, ours: Sequence[float], theirs: Sequence[float]) -> Ratio:
    """Ours divided by theirs, round by round."""
    return Ratio(name, tuple(one / other for one, other in zip(ours, theirs, strict=True)))
