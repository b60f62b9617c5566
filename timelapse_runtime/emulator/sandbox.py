"""One life of an environment's processes: extensions first, the runtime when they registered; invocations with
everything frozen between them; the shutdown sequence, or the kill. After a reset there is a new life.

Sources: 'Understanding the Lambda execution environment lifecycle' and 'Lambda Extensions API' in the Lambda
developer guide, read November 2026; the order of shutdown was seen from AWS's runtime interface emulator.
"""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from timelapse_runtime.emulator.control_plane import ControlPlane, Event, Failure, Invocation
from timelapse_runtime.emulator.process import ChildProcess

TIMED_OUT = "Sandbox.Timedout"
"""The error type of an init or an invocation that took too long, as Lambda words it."""


@dataclass(frozen=True, slots=True)
class ShutdownBudget:
    """What shutdown may take, from SIGTERM on (developer guide, 'Shutdown phase').

    The emulator gives the runtime 600 ms (30 % of the total) with either kind of extension; the documents promise
    less, and what works within that works in both.
    """

    runtime_ms: int = 300
    internal_only_ms: int = 500
    total_ms: int = 2000


@dataclass(frozen=True, slots=True)
class ExtensionExit:
    """How an external extension left: milliseconds after SHUTDOWN was sent, and whether SIGKILL was needed."""

    exit_ms: float
    killed: bool


@dataclass(frozen=True, slots=True)
class ShutdownReport:
    """What a shutdown sequence saw.

    `runtime_exit_ms` counts from SIGTERM, or from SIGKILL where no extension is registered; None when the runtime
    was gone before. `runtime_killed` is True when it was ended by SIGKILL.
    """

    reason: str
    runtime_exit_ms: float | None
    runtime_killed: bool
    extensions: Mapping[str, ExtensionExit]


@dataclass(frozen=True, slots=True)
class Programs:
    """What is started, and with which variables."""

    bootstrap: Path
    extensions: tuple[Path, ...]
    task_root: Path
    runtime_variables: Mapping[str, str]
    extension_variables: Mapping[str, str]


class Life:
    """Processes from `start` to `stop` or `kill`. `kill` may come from another thread at any time."""

    def __init__(self, programs: Programs, plane: ControlPlane, on_log: Callable[[str, str], None]) -> None:
        self._programs = programs
        self._plane = plane
        self._on_log = on_log
        self._runtime: ChildProcess | None = None
        self._extensions: dict[str, ChildProcess] = {}

    @property
    def processes(self) -> tuple[ChildProcess, ...]:
        """Runtime first, then the external extensions; also those that have ended."""
        runtime = () if self._runtime is None else (self._runtime,)
        return (*runtime, *self._extensions.values())

    @property
    def runtime(self) -> ChildProcess | None:
        """The runtime's process once it was started."""
        return self._runtime

    @property
    def result(self) -> bytes | Failure | None:
        """What the runtime answered to the last invocation, if it has."""
        return self._plane.result

    def start(self, timeout_seconds: float) -> Failure | None:
        """Init. What is returned is why it failed; the processes are then still to be stopped."""
        end = time.monotonic() + timeout_seconds
        for path in self._programs.extensions:
            self._extensions[path.name] = self._spawn(path.name, path, "Extension.Crash")
        in_time = self._plane.wait(self._plane.all_registered, timeout_seconds)
        if in_time and self._plane.failure is None:
            self._runtime = self._spawn("runtime", self._programs.bootstrap, "Runtime.ExitError")
            in_time = self._plane.wait(self._plane.ready, end - time.monotonic())
        if in_time:
            return self._plane.failure
        return Failure.of(TIMED_OUT, f"Init timed out after {timeout_seconds:.2f} seconds")

    def invoke(self, invocation: Invocation, timeout_seconds: float) -> Failure | None:
        """One invocation, until all who had a part in it wait again. What is returned ends this life.

        The runtime's answer is in the control plane then: it may have come before the failure.
        """
        self._plane.begin(invocation)
        if self._plane.wait(self._plane.finished, timeout_seconds):
            return self._plane.failure
        return Failure.of(
            TIMED_OUT,
            f"RequestId: {invocation.request_id} Error: Task timed out after {timeout_seconds:.2f} seconds",
        )

    def freeze(self) -> None:
        """SIGSTOP to all."""
        for process in self.processes:
            process.freeze()

    def thaw(self) -> None:
        """SIGCONT to all."""
        for process in self.processes:
            process.thaw()

    def stop(self, reason: str, budget: ShutdownBudget) -> ShutdownReport:
        """The shutdown sequence. Nothing of this life is left when it returns."""
        try:
            self.thaw()
            began = time.monotonic()
            total_ms = budget.total_ms if self._extensions else budget.internal_only_ms
            runtime_ms = budget.runtime_ms if self._extensions else budget.internal_only_ms
            runtime_exit_ms, runtime_killed = self._stop_runtime(runtime_ms)
            # Only now: the runtime has gone, and what it left in the temporary folder is whole.
            extensions = self._stop_extensions(reason, began + total_ms / 1000)
            return ShutdownReport(reason, runtime_exit_ms, runtime_killed, extensions)
        finally:
            self.kill()

    def kill(self) -> None:
        """SIGKILL to all, and wait until they are gone."""
        for process in self.processes:
            process.kill()
        for process in self.processes:
            process.close()
        self._plane.close()

    def _stop_runtime(self, budget_ms: int) -> tuple[float | None, bool]:
        if self._runtime is None or self._runtime.exited.is_set():
            return None, False
        began = time.monotonic()
        if self._plane.has_extensions:
            self._runtime.terminate()
            self._runtime.exited.wait(budget_ms / 1000)
        self._runtime.close()
        return (self._runtime.exited_monotonic - began) * 1000, self._runtime.exit_code == -signal.SIGKILL

    def _stop_extensions(self, reason: str, end: float) -> dict[str, ExtensionExit]:
        began = time.monotonic()
        deadline_epoch_ms = int((time.time() + end - began) * 1000)
        event = {"eventType": "SHUTDOWN", "deadlineMs": deadline_epoch_ms, "shutdownReason": reason}
        told = self._plane.send_shutdown(Event(json.dumps(event).encode()))
        running = {name: process for name, process in self._extensions.items() if not process.exited.is_set()}
        for name, process in running.items():
            if name not in told:
                process.kill()
        exits = {}
        for name, process in running.items():
            process.exited.wait(max(0.0, end - time.monotonic()))
            process.close()
            exit_ms = (process.exited_monotonic - began) * 1000
            exits[name] = ExtensionExit(exit_ms, process.exit_code == -signal.SIGKILL)
        return exits

    def _spawn(self, name: str, executable: Path, error_type: str) -> ChildProcess:
        is_runtime = executable is self._programs.bootstrap

        def exited(process: ChildProcess) -> None:
            code = process.exit_code or 0
            if code < 0:
                how = f"with error: signal: {signal.Signals(-code).name}"
            else:
                how = f"with error: exit status {code}" if code else "without providing a reason"
            who = "Runtime" if is_runtime else f"Extension {name}"
            self._plane.fail(Failure.of(error_type, f"{who} exited {how}"))

        return ChildProcess(
            name,
            [str(executable)],
            variables=self._programs.runtime_variables if is_runtime else self._programs.extension_variables,
            folder=self._programs.task_root if is_runtime else Path("/"),
            on_line=lambda line: self._on_log(name, line),
            on_exit=exited,
        )
