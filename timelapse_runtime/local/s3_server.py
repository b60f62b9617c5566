"""An S3 server on this machine: moto's, as a process of its own on a free port."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping
from typing import Self

from timelapse_runtime.storage.s3 import make_client

_START_SECONDS = 30
_POLL_SECONDS = 0.05
REGION = "us-east-1"


class S3ServerFailed(Exception):
    """The server did not come up; the message has its own words."""


class EmbeddedS3:
    """Runs while the `with` block does. `command` and `credentials` let tests run another server in the same way.

    The command gets the port in place of `{port}`, and in the environment as GATEWAY_PORT.
    """

    def __init__(
        self,
        command: tuple[str, ...] = (sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "{port}"),
        *,
        access_key: str = "test",
    ) -> None:
        self._command, self._access_key = command, access_key
        self._process: subprocess.Popen[bytes] | None = None
        self._port = 0

    @property
    def endpoint_url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._port}"

    def variables(self) -> Mapping[str, str]:
        """What an S3 client needs in its environment to reach it."""
        return {
            "AWS_ACCESS_KEY_ID": self._access_key,
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": REGION,
            "AWS_ENDPOINT_URL_S3": self.endpoint_url,
        }

    def create_buckets(self, *buckets: str) -> None:
        """Make buckets."""
        client = make_client(variables=self.variables())
        for bucket in buckets:
            client.create_bucket(Bucket=bucket)

    def __enter__(self) -> Self:
        self._port = _free_port()
        self._process = subprocess.Popen(
            [part.format(port=self._port) for part in self._command],
            env={**os.environ, "GATEWAY_PORT": str(self._port), "BIND_HOST": "127.0.0.1", "PYTHONWARNINGS": "ignore"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            self._wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _wait(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise S3ServerFailed(
                    f"{' '.join(self._command)} ended with {self._process.returncode}; is it installed?"
                )
            with contextlib.suppress(OSError), urllib.request.urlopen(self.endpoint_url, timeout=5):  # noqa: S310
                return
            time.sleep(_POLL_SECONDS)
        raise S3ServerFailed(f"{' '.join(self._command)} did not answer at {self.endpoint_url} in {_START_SECONDS} s")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
