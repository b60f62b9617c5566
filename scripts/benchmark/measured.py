"""Runs a program to its end and returns what it used: wall time, CPU time, peak memory.

Through a small Python in between: between fork and exec a child lives in its parent's pages, and the kernel keeps
their number as the child's maximum; that would be the driver's size.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from scripts.benchmark.stage import BenchFailed
from scripts.benchmark.time_slices import SLICE_SECONDS, TimeSlices, alone

_LAUNCHER = """
import json, os, sys
pid = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, 2, 1)])
print(pid, flush=True)
_, status, usage = os.wait4(pid, 0)
print(json.dumps([os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024]))
"""


@dataclass(frozen=True, slots=True)
class Used:
    """What a program used; `said` is what it printed. `wall_seconds` without the time that it stood still."""

    wall_seconds: float
    cpu_seconds: float
    peak_rss_bytes: int
    said: str


def run(command: Sequence[str]) -> Used:
    """Run it. Raises BenchFailed with the program's words when it fails."""
    return alone(run_in_slices(command))


def run_in_slices(command: Sequence[str]) -> TimeSlices[Used]:
    """Run it, stopped between slices. Raises BenchFailed with the program's words when it fails."""
    launcher_command = [sys.executable, "-I", "-S", "-c", _LAUNCHER, *command]
    with tempfile.TemporaryFile("w+") as said:
        began, wall = time.monotonic(), 0.0
        with subprocess.Popen(
            launcher_command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said, text=True
        ) as launcher:
            assert launcher.stdout is not None
            pid = int(launcher.stdout.readline() or 0)  # 0: it could not be started; to signal 0 would stop us
            try:
                while pid and _is_running(launcher):
                    _signal(pid, signal.SIGSTOP)
                    wall += time.monotonic() - began
                    yield
                    began = time.monotonic()
                    _signal(pid, signal.SIGCONT)
            finally:
                if pid and launcher.poll() is None:
                    _signal(pid, signal.SIGKILL)
            wall += time.monotonic() - began
            ended = launcher.stdout.read()
        said.seek(0)
        words = said.read()
    if not pid:
        raise BenchFailed(f"{command[0]} could not be started: {words}")
    code, cpu, peak = json.loads(ended)
    if code != 0:
        raise BenchFailed(f"{' '.join(command)} ended with {code}: {words}")
    return Used(wall, cpu, peak, words)


def _is_running(launcher: subprocess.Popen[str]) -> bool:
    """Whether it still runs after a slice of time."""
    try:
        launcher.wait(SLICE_SECONDS)
    except subprocess.TimeoutExpired:
        return True
    return False


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):  # it has ended, and the launcher has seen it before us
        os.kill(pid, number)
