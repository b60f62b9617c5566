"""The real runtime and extension in the local Lambda environment, a proxy behind them, an S3 server behind that.

Environments go on from stream to stream, as they would with several cameras; what is killed comes back as it does in
Lambda, and a failed event is tried twice again.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from collections import deque
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from tests.photos import make_photos
from tests.programs import MINISTACK
from tests.recovery.http.proxy import FaultProxy, HttpFault
from timelapse_runtime.emulator.deployment import HANDLER, INSTALLED
from timelapse_runtime.emulator.environment import LocalLambda
from timelapse_runtime.emulator.s3_server import EmbeddedS3
from timelapse_runtime.emulator.sandbox import ShutdownBudget
from timelapse_runtime.runtime.state.s3 import S3Store, make_client

ROOT = Path(__file__).parents[3]
BUCKET = "crash-points"
_SETTINGS = {
    "TIMELAPSE_FRAMES": f"s3://{BUCKET}/frames/",
    "TIMELAPSE_VIDEO": f"s3://{BUCKET}/video/",
    "TIMELAPSE_FLUSH_EVERY": "3",
    "TIMELAPSE_KEYFRAME_INTERVAL": "6",
    "TIMELAPSE_REORDER_WINDOW": "1",
    "TIMELAPSE_PRESET": "superfast",
    "TIMELAPSE_REEL": "never",
    "STATEFUL_RUNTIME_PYTHON": sys.executable,
    "AWS_LAMBDA_LOG_FORMAT": "JSON",
}
_SHUTDOWN_BUDGET = ShutdownBudget(runtime_ms=1_500, total_ms=4_000)
"""More than Lambda gives: on a busy machine, too, each run of the scenario is to send the same requests."""
_EXTENSION = "timelapse-shutdown"
_LINES_KEPT = 60
_TRIES = 3


@dataclass(frozen=True)
class WaitingLimits:
    """How long an environment waits: the function's time-out, and who handles its events."""

    handler: str = HANDLER
    timeout_seconds: float = 30.0


_LIMITS = {
    HttpFault.NO_ANSWER: WaitingLimits(handler="tests.recovery.http.impatient.Impatient"),
    HttpFault.HANGS: WaitingLimits(timeout_seconds=3.0),
}
"""No answer, and the client's time-out ends the wait; or the function's does, with SIGTERM in mid-request."""


class HttpHarness:
    """Use it in a `with` statement. `server` is moto or ministack."""

    def __init__(self, server: str) -> None:
        self.killed: list[str] = []
        """The processes that faults of this stream ended."""
        self.log: deque[str] = deque(maxlen=_LINES_KEPT)
        self._server = EmbeddedS3((str(MINISTACK),)) if server == "ministack" else EmbeddedS3()
        self._stack, self._environments = ExitStack(), ExitStack()
        self._running: tuple[WaitingLimits, Mapping[str, str]] | None = None
        self._ending: Mapping[str, int] = {}
        self._streams = 0
        self._photos: dict[tuple[tuple[int, int], int], bytes] = {}

    def __enter__(self) -> Self:
        self._stack.enter_context(self._server)
        self._server.create_buckets(BUCKET)
        self.store = S3Store(make_client(variables=self._server.variables()), BUCKET)
        self.proxy = self._stack.enter_context(FaultProxy(self._server.endpoint_url, self._kill))
        self._folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="timelapse-crash-points-")))
        self._stack.push(self._environments)
        return self

    def __exit__(self, *exception: Any) -> None:
        self._stack.__exit__(*exception)

    def new_stream(self, settings: Mapping[str, str], faults: Mapping[int, HttpFault]) -> str:
        """The name of a fresh stream, some requests of which will fail; an environment with these settings is there."""
        limits = {_LIMITS.get(fault, WaitingLimits()) for fault in faults.values()} or {WaitingLimits()}
        assert len(limits) == 1, "these faults need different time-outs"
        self._use(limits.pop(), settings)
        self._streams += 1
        name = f"camera-{self._streams:04d}"
        self.killed.clear()
        self.proxy.watch(f"/{name}/", faults)
        return name

    def invoke(self, event: Any) -> bool:
        """An asynchronous invocation, with two more attempts. The answer is whether one of them went well."""
        return any(self.environment.invoke(event).error_type is None for _ in range(_TRIES))

    def shut_down(self) -> None:
        """SIGTERM to an idle runtime; then the extension sends the outbox."""
        self._ending = self.environment.process_ids  # while it ends it has none to tell
        try:
            self.environment.shutdown()
        finally:
            self._ending = {}

    def photo(self, size: tuple[int, int], number: int) -> bytes:
        """The photo with this number on it."""
        if (size, number) not in self._photos:
            self._photos[size, number] = next(make_photos(1, size, first=number))
        return self._photos[size, number]

    def _use(self, limits: WaitingLimits, settings: Mapping[str, str]) -> None:
        if self._running == (limits, settings):
            return
        self._environments.close()
        variables = {**self._server.variables(), "AWS_ENDPOINT_URL_S3": self.proxy.url, **_SETTINGS, **settings}
        self.environment = self._environments.enter_context(
            LocalLambda(
                deployment=replace(INSTALLED, handler=limits.handler),
                variables=variables,
                temp_folder=self._folder,
                timeout_seconds=limits.timeout_seconds,
                shutdown_budget=_SHUTDOWN_BUDGET,
                on_log=lambda source, line: self.log.append(f"{source}: {line}"),
            )
        )
        self._running = limits, settings

    def _kill(self) -> None:
        """SIGKILL to the sender: the runtime, and while an environment shuts down the extension."""
        name = _EXTENSION if self._ending else "runtime"
        os.killpg((self._ending or self.environment.process_ids)[name], signal.SIGKILL)
        self.killed.append(name)
