"""The set-up of all measurements: an S3 server, the local Lambda environment, and photos that are fed to it."""

from __future__ import annotations

import itertools
import json
import shlex
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from scripts.benchmark.counting_s3 import CAMERA
from timelapse_runtime.emulator.deployment import HANDLER, INSTALLED, Deployment
from timelapse_runtime.emulator.environment import LocalLambda
from timelapse_runtime.emulator.result import InvocationResult
from timelapse_runtime.emulator.s3_event import object_created_event
from timelapse_runtime.emulator.s3_server import EmbeddedS3
from timelapse_runtime.runtime.state.s3 import S3Store, make_client

BUCKET, STREAM = "bench", "camera"
_LOG_POLLS, _LOG_POLL_SECONDS = 100, 0.05
_PIN = "import os, sys; os.sched_setaffinity(0, {int(sys.argv[1])}); os.execv(sys.argv[2], sys.argv[2:])"


class BenchFailed(Exception):
    """The measurement cannot be made; the message says why."""


@dataclass(frozen=True, slots=True)
class Deployed:
    """What runs in the environment. `command` replaces this runtime's bootstrap; `extension`: with this runtime's."""

    handler: str = HANDLER
    command: tuple[str, ...] | None = None
    extension: bool = True


THIS_RUNTIME = Deployed()


def under_awslambdaric(handler: str) -> Deployed:
    """A handler under the client of AWS's own Python runtime."""
    return Deployed(handler, (sys.executable, "-u", "-m", "awslambdaric", handler), extension=False)


class Stage:
    """Runs while the `with` block does. `core` pins the runtime's process to one processor.

    `server` is an S3 server that others use too, each with a `stream` of its own; without it there is one for this
    stage alone.
    """

    def __init__(
        self,
        variables: dict[str, str],
        *,
        core: int | None = None,
        freeze: bool = True,
        deployed: Deployed = THIS_RUNTIME,
        memory_size_mb: int = 1769,
        server: EmbeddedS3 | None = None,
        stream: str = STREAM,
    ) -> None:
        self._variables, self._core, self._freeze = variables, core, freeze
        self._deployed, self._memory_size_mb = deployed, memory_size_mb
        self._server, self.stream = server, stream
        self._stack = ExitStack()
        self._numbers = itertools.count()
        self.log: list[dict[str, Any]] = []

    def __enter__(self) -> Self:
        server = self._server
        if server is None:
            server = self._stack.enter_context(EmbeddedS3())
            server.create_buckets(BUCKET)
        folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="timelapse-bench-")))
        variables = {
            **server.variables(),
            "TIMELAPSE_FRAMES": f"s3://{BUCKET}/frames/",
            "TIMELAPSE_VIDEO": f"s3://{BUCKET}/video/",
            "TIMELAPSE_REEL": "never",
            **({"STATEFUL_RUNTIME_PYTHON": sys.executable} if self._deployed.command is None else {}),
            "AWS_LAMBDA_LOG_FORMAT": "JSON",
            **self._variables,
        }
        if self._core is not None:
            wrapper = folder / "pinned"
            wrapper.write_text(f"#!/bin/sh\nexec '{sys.executable}' -S -c '{_PIN}' {self._core} \"$@\"\n")
            wrapper.chmod(0o755)
            variables["AWS_LAMBDA_EXEC_WRAPPER"] = str(wrapper)
        self.store = S3Store(make_client(variables=variables, user_agent=CAMERA), BUCKET)
        self.environment = self._stack.enter_context(
            LocalLambda(
                deployment=Deployment(
                    bootstrap=INSTALLED.bootstrap if self._deployed.command is None else self._bootstrap(folder),
                    extensions=INSTALLED.extensions if self._deployed.extension else None,
                    task_root=INSTALLED.task_root,
                    handler=self._deployed.handler,
                ),
                variables=variables,
                temp_folder=folder,
                memory_size_mb=self._memory_size_mb,
                freeze=self._freeze,
                on_log=self._on_log,
            )
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def upload(self, body: bytes) -> dict[str, Any]:
        """Upload the next photo; the answer is the event that S3 would send."""
        return self.upload_as(next(self._numbers), body)

    def upload_as(self, number: int, body: bytes) -> dict[str, Any]:
        """The same, as photo `number`."""
        key = f"frames/{self.stream}/{number:08d}.jpg"
        etag = self.store.put(key, body)
        return object_created_event(BUCKET, key, size_bytes=len(body), etag=etag)

    def feed(self, body: bytes) -> InvocationResult:
        """Upload one photo and invoke with its event. Raises BenchFailed if the invocation fails."""
        return self.invoke(self.upload(body))

    def wait_for_log(self, field: str) -> None:
        """Wait until a line with this field has come: lines come from threads. Raises BenchFailed."""
        for _ in range(_LOG_POLLS):
            if any(field in record for record in self.log):
                return
            time.sleep(_LOG_POLL_SECONDS)
        raise BenchFailed(f"no line with {field!r} came; the log has {[record.get('message') for record in self.log]}")

    def finished_video(self) -> bytes:
        """End the video; the answer is its video.mp4."""
        self.invoke({"sweep": {"stream": self.stream, "close": True}})
        found = self.store.list_after(f"video/{self.stream}/reels/")
        (video,) = [info.key for info in found if info.key.endswith("video.mp4")]  # TIMELAPSE_REEL=never: one
        return self.store.get(video).body

    def invoke(self, event: dict[str, Any]) -> InvocationResult:
        """One invocation. Raises BenchFailed if it fails."""
        outcome = self.environment.invoke(event)
        if outcome.error_type is not None:
            raise BenchFailed(f"the invocation failed: {outcome.error}")
        return outcome

    def _bootstrap(self, folder: Path) -> Path:
        bootstrap = folder / "bootstrap"
        bootstrap.write_text("#!/bin/sh\nexec " + shlex.join(self._deployed.command or ()) + "\n")
        bootstrap.chmod(0o755)
        return bootstrap

    def _on_log(self, _source: str, line: str) -> None:
        if line.startswith("{"):
            self.log.append(json.loads(line))


def photos_of(folder: Path, *, at_least: int = 1) -> Sequence[bytes]:
    """The folder's JPEGs, in memory. Raises BenchFailed if there are too few."""
    bodies = [path.read_bytes() for path in sorted(folder.glob("*.jpg"))]
    if len(bodies) < at_least:
        raise BenchFailed(f"{folder} holds {len(bodies)} photos (*.jpg); {at_least} are needed")
    return bodies


def endless(bodies: Sequence[bytes]) -> Iterator[bytes]:
    """The photos forwards and backwards without end, so that the picture never jumps."""
    return itertools.cycle([*bodies, *bodies[-2:0:-1]])


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that `percent` per cent of all values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -(-len(ordered) * int(percent) // 100) - 1))]
