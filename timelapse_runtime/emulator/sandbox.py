"""The processes of an environment from init to shutdown or reset.

Extensions start first, the runtime once they have registered. All processes are frozen between invocations. The end is
the shutdown sequence or a kill; after a reset, the environment makes a new sandbox.

Sources: 'Understanding the Lambda execution environment lifecycle' and 'Lambda Extensions API' in the Lambda
developer guide, read November 2026; the order of shutdown as observed in AWS's runtime interface emulator.
"""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from timelapse_runtime.emulator.control_plane import ControlPlane, Event, Failure, InvocationEvents, Result
from timelapse_runtime.emulator.deployment import Deployment
from timelapse_runtime.emulator.process import ChildProcess

TIMED_OUT = "Sandbox.Timedout"
"""Lambda's error type for an init or an invocation that took too long."""


@dataclass(frozen=True, slots=True)
class ShutdownBudget:
    """Time limits of shutdown, counted from SIGTERM (developer guide, 'Shutdown phase').

    AWS's emulator gives the runtime 600 ms (30 % of the total) with either kind of extension. The documents promise
    less; a runtime that meets their limits works with both.
    """

    runtime_ms: int = 300
    internal_only_ms: int = 500
    total_ms: int = 2000


@dataclass(frozen=True, slots=True)
class ExtensionExit:
    """How an external extension ended: milliseconds after SHUTDOWN was sent, and whether it took a SIGKILL."""

    exit_ms: float
    killed: bool


@dataclass(frozen=True, slots=True)
class ShutdownReport:
    """How a shutdown sequence went.

    `runtime_exit_ms` counts from SIGTERM, or from SIGKILL if no extension is registered; None if the runtime had ended
    before. `runtime_killed` is True if it took a SIGKILL.
    """

    reason: str
    runtime_exit_ms: float | None
    runtime_killed: bool
    extensions: Mapping[str, ExtensionExit]


@dataclass(frozen=True, slots=True)
class Programs:
    """What a sandbox starts, and with which variables."""

    deployment: Deployment
    runtime_variables: Mapping[str, str]
    extension_variables: Mapping[str, str]


class Sandbox:
    """Owns the processes from `start` to `stop` or `kill`. `kill` may be called from another thread at any time."""

    def __init__(self, programs: Programs, plane: ControlPlane, on_log: Callable[[str, str], None]) -> None:
        self._programs = programs
        self._plane = plane
        self._on_log = on_log
        self._runtime: ChildProcess | None = None
        self._extensions: dict[str, ChildProcess] = {}

    @property
    def processes(self) -> tuple[ChildProcess, ...]:
        """The runtime first, then the external extensions, including those that have ended."""
        runtime = () if self._runtime is None else (self._runtime,)
        return (*runtime, *self._extensions.values())

    @property
    def runtime(self) -> ChildProcess | None:
        """The runtime's process, once it has been started."""
        return self._runtime

    @property
    def result(self) -> Result | None:
        """The runtime's response or error for the last invocation; None until it has come."""
        return self._plane.result

    def start(self, timeout_seconds: float) -> Failure | None:
        """Run the init phase. Returns why it failed, if it did; the caller must then `stop` the sandbox."""
        end = time.monotonic() + timeout_seconds
        for path in self._programs.deployment.extension_files():
            self._extensions[path.name] = self._spawn(path.name, path, is_runtime=False)
        in_time = self._plane.wait(self._plane.all_registered, timeout_seconds)
        if in_time and self._plane.failure is None:
            self._runtime = self._spawn("runtime", self._programs.deployment.bootstrap.absolute(), is_runtime=True)
            in_time = self._plane.wait(self._plane.ready, end - time.monotonic())
        if in_time:
            return self._plane.failure
        return Failure.of(TIMED_OUT, f"Init timed out after {timeout_seconds:.2f} seconds")

    def invoke(self, invocation: InvocationEvents, timeout_seconds: float) -> Failure | None:
        """Run one invocation, until the runtime and its extensions wait for the next one.

        Returns the failure that ends this sandbox, if there was one. `result` has the runtime's response, which may
        have come before the failure.
        """
        self._plane.begin(invocation)
        if self._plane.wait(self._plane.finished, timeout_seconds):
            return self._plane.failure
        return Failure.of(
            TIMED_OUT,
            f"RequestId: {invocation.request_id} Error: Task timed out after {timeout_seconds:.2f} seconds",
        )

    def freeze(self) -> None:
        """Send SIGSTOP to all processes."""
        for process in self.processes:
            process.freeze()

    def thaw(self) -> None:
        """Send SIGCONT to all processes."""
        for process in self.processes:
            process.thaw()

    def stop(self, reason: str, budget: ShutdownBudget) -> ShutdownReport:
        """Run the shutdown sequence. No process is left when it returns."""
        try:
            self.thaw()
            began = time.monotonic()
            total_ms = budget.total_ms if self._extensions else budget.internal_only_ms
            runtime_ms = budget.runtime_ms if self._extensions else budget.internal_only_ms
            runtime_exit_ms, runtime_killed = self._stop_runtime(runtime_ms)
            # After the runtime has ended: the files that it left in the temporary folder are complete.
            extensions = self._stop_extensions(reason, began + total_ms / 1000)
            return ShutdownReport(reason, runtime_exit_ms, runtime_killed, extensions)
        finally:
            self.kill()

    def kill(self) -> None:
        """Send SIGKILL to all processes, and wait until they have ended."""
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
        notified = self._plane.send_shutdown(Event(json.dumps(event).encode()))
        running = {name: process for name, process in self._extensions.items() if not process.exited.is_set()}
        for name, process in running.items():
            if name not in notified:
                process.kill()
        exits = {}
        for name, process in running.items():
            process.exited.wait(max(0.0, end - time.monotonic()))
            process.close()
            exit_ms = (process.exited_monotonic - began) * 1000
            exits[name] = ExtensionExit(exit_ms, process.exit_code == -signal.SIGKILL)
        return exits

    def _spawn(self, name: str, executable: Path, *, is_runtime: bool) -> ChildProcess:
        error_type = "Runtime.ExitError" if is_runtime else "Extension.Crash"

        def exited(process: ChildProcess) -> None:
            code = process.exit_code or 0
            if code < 0:
                how = f"with error: signal: {signal.Signals(-code).name}"
            else:
                how = f"with error: exit status {code}" if code else "without providing a reason"
            subject = "Runtime" if is_runtime else f"Extension {name}"
            self._plane.fail(Failure.of(error_type, f"{subject} exited {how}"))

        return ChildProcess(
            name,
            [str(executable)],
            variables=self._programs.runtime_variables if is_runtime else self._programs.extension_variables,
            folder=self._programs.deployment.task_root.absolute() if is_runtime else Path("/"),
            on_line=lambda line: self._on_log(name, line),
            on_exit=exited,
        )
