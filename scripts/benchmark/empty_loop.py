"""An empty function's start, and CPU and number of its invocations: this runtime, AWS's client, a bare loop."""

from __future__ import annotations

import statistics
import sys
import time
from dataclasses import dataclass, fields
from typing import Any

from scripts.benchmark.ratios import Ratio, paired
from scripts.benchmark.stage import Deployed, Stage, under_awslambdaric
from timelapse_runtime.emulator.s3_server import EmbeddedS3

_MODULE = "scripts.benchmark.empty_function"
_HANDLER = f"{_MODULE}.handler"
CANDIDATES = {
    "this runtime": Deployed(_HANDLER, extension=False),
    "awslambdaric": under_awslambdaric(_HANDLER),
    "bare http.client loop": Deployed(_HANDLER, (sys.executable, "-u", "-m", _MODULE), extension=False),
}


def measure(*, invocations: int, rounds: int) -> tuple[dict[str, Any], list[Ratio]]:
    """In each round each candidate, in turns, is started and invoked. CPU is the runtime's process alone.

    This runtime is without its external extension, as AWS's client is: it registers as an internal one, which counts.
    """
    seen: dict[str, list[_Round]] = {name: [] for name in CANDIDATES}
    with EmbeddedS3() as server:
        for _ in range(rounds):
            for name, deployed in CANDIDATES.items():
                seen[name].append(_round(deployed, server, invocations))
    figures = {
        name: {
            field.name: round(statistics.median(getattr(one, field.name) for one in of_one), 1)
            for field in fields(_Round)
        }
        for name, of_one in seen.items()
    }
    ours, theirs = seen["this runtime"], seen["awslambdaric"]
    return figures, [
        paired("loop_cpu_vs_awslambdaric", *([one.cpu_us_per_invocation for one in side] for side in (ours, theirs))),
        paired("empty_init_vs_awslambdaric", *([one.first_next_ms for one in side] for side in (ours, theirs))),
    ]


@dataclass(frozen=True, slots=True)
class _Round:
    first_next_ms: float
    """From exec to the first `next`."""
    start_cpu_ms: float
    """Until the first response."""
    cpu_us_per_invocation: float
    invocations_per_second: float


def _round(deployed: Deployed, server: EmbeddedS3, invocations: int) -> _Round:
    with Stage({}, freeze=False, deployed=deployed, server=server) as stage:
        began = time.monotonic()
        first = stage.invoke({})
        first_next_ms = (time.monotonic() - began) * 1000 - first.duration_ms
        began, used = time.monotonic(), _cpu_seconds(stage)
        for _ in range(invocations):
            stage.invoke({})
        seconds = time.monotonic() - began
        cpu_seconds = _cpu_seconds(stage) - used
    return _Round(first_next_ms, used * 1000, cpu_seconds * 1e6 / invocations, invocations / seconds)


def _cpu_seconds(stage: Stage) -> float:
    """Of the runtime's process, in nanoseconds' resolution: /proc counts in hundredths of a second.

    The clock of another process, as clock_getcpuclockid(3) makes it on Linux: ~pid << 3 | CPUCLOCK_SCHED.
    """
    return time.clock_gettime(~stage.environment.process_ids["runtime"] << 3 | 2)
