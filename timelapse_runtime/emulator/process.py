"""One process of the local environment with its process group: start, freeze, signal, resource usage.

Each process has two threads, which have ended when `close` returns: one starts it and waits for its end, one reads its
output. Needs `os.waitid`: Linux, or macOS with Python 3.13 or later. macOS has no /proc: there, usage is 0 until the
process ends.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path

from timelapse_runtime.emulator.output import OutputReader


class ChildProcess:
    """A started process. `on_exit` is called from a thread of this class after the process was reaped."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        variables: Mapping[str, str],
        folder: Path,
        on_line: Callable[[str], None],
        on_exit: Callable[[ChildProcess], None],
    ) -> None:
        self.name = name
        self.exit_code: int | None = None
        self.exited = threading.Event()
        self.exited_monotonic = 0.0
        self._on_exit = on_exit
        self._lock = threading.Lock()
        self._cpu_seconds = 0.0
        self._peak_rss_bytes = 0
        self._output = OutputReader(name, on_line)
        started: Future[int] = Future()
        arguments = (command, dict(variables), folder, started)
        self._watcher = threading.Thread(target=self._run, args=arguments, name=f"watch-{name}")
        self._watcher.start()
        self.pid: int = started.result()

    def _run(self, command: Sequence[str], variables: dict[str, str], folder: Path, started: Future[int]) -> None:
        """Start and wait in one thread: the kernel sends the parent-death signal when the *thread* that forked ends.

        The signal ends the process if this Python process is killed. Without it, a runtime would retry `next` forever,
        and a frozen one would stay frozen.
        """
        setpriv = shutil.which("setpriv")
        guard = [setpriv, "--pdeathsig", "KILL", "--"] if setpriv else []
        try:
            process = subprocess.Popen(
                [*guard, *command],
                env=variables,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=self._output.write_end,
                stderr=subprocess.STDOUT,
                process_group=0,
            )
        except OSError as error:
            self._output.close()
            started.set_exception(error)
            return
        self.pid = process.pid  # set here: the process may end before the other thread wakes up
        started.set_result(process.pid)
        # WNOWAIT leaves a zombie, which keeps the process id in use: the group can still be signalled.
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        self.exited_monotonic = time.monotonic()
        with self._lock:
            self._signal(signal.SIGKILL)  # other processes of its group
            _, status, usage = os.wait4(process.pid, 0)
            self._cpu_seconds = usage.ru_utime + usage.ru_stime
            self.exit_code = process.returncode = os.waitstatus_to_exitcode(status)
        self._output.close()
        self.exited.set()
        self._on_exit(self)

    def terminate(self) -> None:
        """Send SIGTERM to the group."""
        self._note_peak_rss()
        with self._lock:
            self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL to the group; it also ends a frozen one."""
        self._note_peak_rss()
        with self._lock:
            self._signal(signal.SIGKILL)

    def freeze(self) -> None:
        """Send SIGSTOP to the group, and return once the process has stopped or ended."""
        with self._lock:
            self._signal(signal.SIGSTOP)
        with suppress(ChildProcessError):  # reaped in the meantime
            os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def thaw(self) -> None:
        """Send SIGCONT to the group."""
        with self._lock:
            self._signal(signal.SIGCONT)

    def close(self) -> None:
        """Kill the process if it runs, and return when it and its threads have ended."""
        self.kill()
        self._watcher.join()

    @property
    def cpu_seconds(self) -> float:
        """User and system time so far, of the process and of the children that it waited for."""
        with self._lock:
            if self.exit_code is None:
                with suppress(OSError):
                    fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
                    self._cpu_seconds = sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
            return self._cpu_seconds

    @property
    def peak_rss_bytes(self) -> int:
        """The maximum of resident memory, read now or before the last signal that ended the process."""
        self._note_peak_rss()
        return self._peak_rss_bytes

    def _note_peak_rss(self) -> None:
        # VmHWM, not wait4's ru_maxrss: between fork and exec a child shares its parent's pages, and the kernel
        # counts them for the child. ru_maxrss would be the size of this Python process, not of the runtime.
        with suppress(OSError):
            for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
                if line.startswith("VmHWM:"):  # a zombie has none
                    self._peak_rss_bytes = max(self._peak_rss_bytes, int(line.split()[1]) * 1024)

    def _signal(self, number: signal.Signals) -> None:
        if self.exit_code is None:
            with suppress(ProcessLookupError, PermissionError):  # PermissionError: macOS, for a group of zombies
                os.killpg(self.pid, number)
