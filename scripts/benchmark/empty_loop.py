"""Empty invocations per second, and CPU for each: this runtime, AWS's client, a bare http.client loop."""

from __future__ import annotations

import statistics
import sys
import time
from contextlib import ExitStack
from typing import Any

from scripts.benchmark.ratios import Ratio, paired
from scripts.benchmark.stage import Deployed, Stage, under_awslambdaric
from timelapse_runtime.emulator.s3_server import EmbeddedS3

_MODULE = "scripts.benchmark.empty_function"
_HANDLER = f"{_MODULE}.handler"
CANDIDATES = {
    "this runtime": Deployed(_HANDLER),
    "awslambdaric": under_awslambdaric(_HANDLER),
    "bare http.client loop": Deployed(_HANDLER, (sys.executable, "-u", "-m", _MODULE), extension=False),
}


def measure(*, invocations: int, rounds: int) -> tuple[dict[str, Any], list[Ratio]]:
    """Turns of `invocations`; the processes live through all rounds. CPU is the runtime's process alone."""
    cpu: dict[str, list[float]] = {name: [] for name in CANDIDATES}
    rate: dict[str, list[float]] = {name: [] for name in CANDIDATES}
    with ExitStack() as stack:
        server = stack.enter_context(EmbeddedS3())
        stages = {
            name: stack.enter_context(Stage({}, freeze=False, deployed=deployed, server=server))
            for name, deployed in CANDIDATES.items()
        }
        for stage in stages.values():
            stage.invoke({})
        for _ in range(rounds):
            for name, stage in stages.items():
                began, used = time.monotonic(), _cpu_seconds(stage)
                for _ in range(invocations):
                    stage.invoke({})
                rate[name].append(invocations / (time.monotonic() - began))
                cpu[name].append((_cpu_seconds(stage) - used) * 1e6 / invocations)
    figures = {
        name: {
            "cpu_us_per_invocation": round(statistics.median(cpu[name]), 1),
            "invocations_per_second": round(statistics.median(rate[name]), 1),
        }
        for name in CANDIDATES
    }
    return figures, [paired("loop_cpu_vs_awslambdaric", cpu["this runtime"], cpu["awslambdaric"])]


def _cpu_seconds(stage: Stage) -> float:
    """Of the runtime's process, in nanoseconds' resolution: /proc counts in hundredths of a second.

    The clock of another process, as clock_getcpuclockid(3) makes it on Linux: ~pid << 3 | CPUCLOCK_SCHED.
    """
    return time.clock_gettime(~stage.environment.process_ids["runtime"] << 3 | 2)
