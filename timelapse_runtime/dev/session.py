"""One function under development: it is invoked, restarted and ended, one thing after the other."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any

from timelapse_runtime.emulator.environment import LocalLambda
from timelapse_runtime.emulator.result import InvocationResult
from timelapse_runtime.emulator.sandbox import ShutdownReport

_SHOWN_CHARACTERS = 2_000
"""Of a result; the caller gets all of it."""


class Afterwards(Enum):
    """What happens to the environment after each invocation."""

    STAYS = "stays"
    IS_SHUT_DOWN = "shut down"
    IS_KILLED = "killed"


class Session:
    """Owns a local environment, which others reach through it. Its methods may be called from any thread; `say` prints
    a line."""

    def __init__(self, environment: LocalLambda, say: Callable[[str], None], afterwards: Afterwards) -> None:
        self._environment, self._say, self._afterwards = environment, say, afterwards
        self._turn = threading.Lock()
        self._count = 0

    def start(self) -> bool:
        """Open the function, and say how that went. False if it failed."""
        with self._turn:
            return self._start()

    def invoke(self, event: Any, client_context: Any | None = None) -> InvocationResult:
        """Run an invocation, after those that came before it, and say how it ended."""
        with self._turn:
            self._count += 1
            began = time.monotonic()
            result = self._environment.invoke(event, client_context=client_context)
            start_ms = (time.monotonic() - began) * 1000 - result.duration_ms
            cold = f" (start: {start_ms:.0f} ms)" if result.init else ""
            ending = (
                f"failed after {result.duration_ms:.0f} ms" if result.error_type else f"{result.duration_ms:.0f} ms"
            )
            self._say(f"invocation {self._count}: {ending}{cold}: {_shown(result)}")
            self._finish()
            return result

    def restart(self, changed: Sequence[str]) -> None:
        """Shut the environment down, so that the function saves its state, and open the function anew."""
        with self._turn:
            more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
            self._say(f"{changed[0]}{more} changed: restarting")
            self._shut_down()
            self._start()

    def end(self) -> None:
        """End the environment, by a shutdown if it is not one that is killed. It does not wait for an invocation."""
        if self._afterwards is Afterwards.IS_KILLED:
            self._environment.kill()
        else:
            self._shut_down()

    def _start(self) -> bool:
        began = time.monotonic()
        failure = self._environment.start()
        taken_ms = (time.monotonic() - began) * 1000
        if failure is None:
            self._say(f"open after {taken_ms:.0f} ms")
        else:
            self._say(f"init failed after {taken_ms:.0f} ms: {_described(json.loads(failure.body))}")
        return failure is None

    def _finish(self) -> None:
        if self._afterwards is Afterwards.IS_SHUT_DOWN:
            self._shut_down()
        elif self._afterwards is Afterwards.IS_KILLED:
            self._environment.kill()
            self._say("killed: what was in memory is lost")

    def _shut_down(self) -> None:
        report = self._environment.shutdown()
        if report.runtime_exit_ms is not None:
            self._say(describe(report))


def describe(report: ShutdownReport) -> str:
    """How a shutdown went, in a sentence."""
    runtime_ms = report.runtime_exit_ms or 0.0
    if report.runtime_killed:
        runtime = f"the runtime did not end within {runtime_ms:.0f} ms of SIGTERM and was killed"
    else:
        runtime = f"the runtime ended {runtime_ms:.0f} ms after SIGTERM"
    extensions = [
        f"{name} {'was killed' if one.killed else 'ended'} after another {one.exit_ms:.0f} ms"
        for name, one in report.extensions.items()
    ]
    return "shut down: " + ", ".join([runtime, *extensions])


def _shown(result: InvocationResult) -> str:
    if result.error_type is not None:
        return _described(result.error)
    text = result.body.decode("utf-8", "replace")
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}… ({len(result.body):,} bytes)"


def _described(error: Any) -> str:
    if isinstance(error, dict) and "errorMessage" in error:
        return f"{error.get('errorType')}: {error['errorMessage']}"
    return str(error)
