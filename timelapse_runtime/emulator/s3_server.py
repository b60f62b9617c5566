"""An S3 server on this machine: moto's, in a separate process on a free port.

It has its own process group: Ctrl-C stops its clients first, so that their final writes still arrive. It ends with the
`with` block, and when this Python process ends in any way (on Linux, if setpriv is installed).
"""

from __future__ import annotations

import os
import socket
import sys
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import httpx

from timelapse_runtime.emulator.process import ChildProcess
from timelapse_runtime.runtime.state.s3 import make_client

_START_SECONDS = 30
_POLL_SECONDS = 0.05
_LINES_KEPT = 10
REGION = "us-east-1"
_MALLOC = {"MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": "262144"}
"""glibc gives the memory of large objects back at once: with photos of 3 MB, moto took 85 to 90 MB instead of 121."""


def disk_command(folder: Path, bucket: str, photos: Mapping[str, Path]) -> tuple[str, ...]:
    """The command of a server that keeps its objects in `folder`, for EmbeddedS3. It has the bucket.

    Photos below a prefix in `photos` are read where they are; all other objects are files of `folder`.
    """
    command = [sys.executable, "-m", "timelapse_runtime.emulator.disk_s3", "--folder", str(folder.absolute())]
    command += ["--bucket", bucket, "--port", "{port}"]
    for prefix, place in photos.items():
        command += ["--photos", prefix, str(place.absolute())]
    return tuple(part.replace("{", "{{").replace("}", "}}") if part != "{port}" else part for part in command)


class S3ServerFailed(Exception):
    """The server did not start. The message has the last lines that it printed."""


class EmbeddedS3:
    """Runs during the `with` block. `command` lets tests run another server in the same way.

    The command gets the port in place of `{port}`, and in the variable GATEWAY_PORT.
    """

    def __init__(
        self, command: tuple[str, ...] = (sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "{port}")
    ) -> None:
        self._command = command
        self._process: ChildProcess | None = None
        self._last_lines: deque[str] = deque(maxlen=_LINES_KEPT)
        self._port = 0

    @property
    def endpoint_url(self) -> str:
        """The URL of the server."""
        return f"http://127.0.0.1:{self._port}"

    def variables(self) -> Mapping[str, str]:
        """The environment variables by which an S3 client reaches the server."""
        return {
            "AWS_ACCESS_KEY_ID": "test",  # the only key that ministack accepts
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": REGION,
            "AWS_ENDPOINT_URL_S3": self.endpoint_url,
        }

    def create_buckets(self, *buckets: str) -> None:
        """Create buckets."""
        client = make_client(variables=self.variables())
        for bucket in buckets:
            client.create_bucket(Bucket=bucket)

    def __enter__(self) -> Self:
        self._port = _free_port()
        command = [part.format(port=self._port) for part in self._command]
        # The server needs no account, and moto fails if AWS_PROFILE names a profile that does not exist.
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        addressed = {"GATEWAY_PORT": str(self._port), "BIND_HOST": "127.0.0.1", "PYTHONWARNINGS": "ignore", **_MALLOC}
        try:
            self._process = ChildProcess(
                "s3",
                command,
                variables={**inherited, **addressed},
                folder=Path.cwd(),
                on_line=self._last_lines.append,
                on_exit=lambda _process: None,
            )
        except OSError as error:
            raise S3ServerFailed(f"{' '.join(command)} could not be started: {error}") from error
        try:
            self._wait(self._process, " ".join(command))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.close()
            self._process = None

    def _wait(self, process: ChildProcess, command: str) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while not self._responds():
            if process.exited.wait(_POLL_SECONDS):
                output = "\n".join(self._last_lines) or "(it printed nothing)"
                raise S3ServerFailed(f"{command} ended with exit code {process.exit_code}:\n{output}")
            if time.monotonic() > deadline:
                raise S3ServerFailed(f"{command} did not respond at {self.endpoint_url} in {_START_SECONDS} s")

    def _responds(self) -> bool:
        try:
            httpx.get(f"{self.endpoint_url}/", timeout=5, trust_env=False)
        except httpx.TransportError:
            return False
        return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
