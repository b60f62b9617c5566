"""SIGTERM to exit, on one core, with encoder and open segment as full as they get."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scripts.benchmark.stage import BenchFailed, Stage, endless, percentile
from timelapse_runtime.runtime.interrupts import BUDGET_WITH_EXTERNAL_EXTENSION_MS, SHUTDOWN_MARGIN_MS

KEYFRAME_INTERVAL = 180
_DEADLINE_MS = BUDGET_WITH_EXTERNAL_EXTENSION_MS - SHUTDOWN_MARGIN_MS


def measure(photos: Sequence[bytes], *, rounds: int) -> dict[str, Any]:
    """Each round: a new environment, a whole segment less one frame, shutdown. Milliseconds after SIGTERM.

    The last flush was 59 frames ago, so the outbox job carries the whole segment: its largest size.
    """
    exits: list[float] = []
    first_jobs: list[float] = []
    saved: list[int] = []
    job_bytes: list[int] = []
    killed = 0
    with Stage({}, core=0) as stage:
        bodies = endless(photos)
        for _ in range(rounds):
            for _ in range(KEYFRAME_INTERVAL - 1):
                stage.feed(next(bodies))
            stage.log.clear()
            report = stage.environment.shutdown()
            if report.runtime_exit_ms is None:
                raise BenchFailed("the runtime was gone before SIGTERM")
            stage.wait_for_log("outbox_sent_count")  # the extension's last line: the runtime's lines have come by then
            jobs = [record for record in stage.log if "outbox_frame_count" in record]
            exits.append(report.runtime_exit_ms)
            killed += report.runtime_killed
            if len(jobs) > 1:  # else a flush had just been, and only draining gave something to save
                first_jobs.append(_DEADLINE_MS - jobs[0]["remaining_ms"])
                saved.append(jobs[-1]["outbox_frame_count"] - jobs[0]["outbox_frame_count"])
            job_bytes.append(jobs[-1]["outbox_size_bytes"])
    return {
        "rounds": rounds,
        "rounds_with_two_jobs": len(first_jobs),
        "job_written_ms": _spread(first_jobs),
        "exit_ms": _spread(exits),
        "exit_ms_of_each": [round(value, 1) for value in exits],
        "killed": killed,
        "job_bytes_median": percentile(job_bytes, 50),
        "frames_drained_median": percentile(saved, 50) if saved else None,
    }


def _spread(values: Sequence[float]) -> dict[str, float] | None:
    if not values:
        return None
    named = {"p50": 50, "p90": 90, "p99": 99, "max": 100}
    return {name: round(percentile(values, percent), 1) for name, percent in named.items()}
