"""Run a program to its end and say what it used: wall time, CPU time, peak memory.

Through a small Python in between: between fork and exec a child lives in its parent's pages, and the kernel keeps
their number as the child's maximum; that would be the driver's size.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from timelapse_runtime.local.bench.stage import BenchFailed

_LAUNCHER = """
import json, os, sys, time
began = time.monotonic()
pid = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, 2, 1)])
_, status, usage = os.wait4(pid, 0)
print(json.dumps([os.waitstatus_to_exitcode(status), time.monotonic() - began, usage.ru_utime + usage.ru_stime,
                  usage.ru_maxrss * 1024]))
"""


@dataclass(frozen=True, slots=True)
class Used:
    """What a program used; `said` is what it printed."""

    wall_seconds: float
    cpu_seconds: float
    peak_rss_bytes: int
    said: str


def run(command: Sequence[str]) -> Used:
    """Run it. Raises BenchFailed with the program's words when it fails."""
    launcher = [sys.executable, "-I", "-S", "-c", _LAUNCHER, *command]
    done = subprocess.run(launcher, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    try:
        code, wall, cpu, peak = json.loads(done.stdout)
    except ValueError as error:
        raise BenchFailed(f"{command[0]} could not be started: {done.stderr}") from error
    if code != 0:
        raise BenchFailed(f"{' '.join(command)} ended with {code}: {done.stderr}")
    return Used(wall, cpu, peak, done.stderr)
