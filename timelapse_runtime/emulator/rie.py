"""AWS's Lambda runtime interface emulator (RIE): download it, and run one environment under it without Docker.

The emulator is AWS's own control plane in one static binary. It takes extensions from /opt/extensions only, so it runs
in a mount namespace that has the wanted files there. A process id namespace ends all of its processes with it. Both
need Linux, root and util-linux's `unshare`. Unlike Lambda, it does not freeze processes between invocations, and it
gives a runtime 600 ms after SIGTERM (Lambda promises 300 ms).

Source: github.com/aws/aws-lambda-runtime-interface-emulator, read November 2026.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import httpx

from timelapse_runtime.emulator.deployment import Deployment
from timelapse_runtime.emulator.process import ChildProcess

WHEEL = "aws-sam-cli==1.170.0"
WHEEL_SHA256 = "24ebaf5ecba38dc1758089968cb89ab61e124b84e92a344fc7a2771a47f4d0bf"
_BINARIES = {"x86_64": "aws-lambda-rie-x86_64", "aarch64": "aws-lambda-rie-arm64", "arm64": "aws-lambda-rie-arm64"}

_NAMESPACES = ("--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
_START_SECONDS = 20.0
_SHUTDOWN_SECONDS = 15.0
_ENTER = """
set -eu
extensions=$1; scratch=$2; shift 2
if [ ! -d /opt/extensions ]; then  # the content of /opt stays reachable, and the host's /opt does not change
  mkdir -p "$scratch/opt" /opt
  mount --rbind /opt "$scratch/opt"
  mount -t tmpfs tmpfs /opt
  for entry in "$scratch"/opt/*; do ln -s "$entry" /opt/; done
  mkdir /opt/extensions
fi
mount --bind "$extensions" /opt/extensions
exec "$@"
"""


class EmulatorUnavailable(Exception):
    """The emulator cannot be downloaded or cannot run here. The message says why and what is needed."""


def fetch_emulator(folder: Path) -> Path:
    """The emulator's binary for this machine's architecture, in `folder`; downloads it if it is missing.

    The wheel `aws-sam-cli` (Apache-2.0) has the binaries of both architectures. pip downloads it and checks it against
    WHEEL_SHA256; nothing of it is installed. Raises EmulatorUnavailable.
    """
    machine = platform.machine()
    if sys.platform != "linux" or machine not in _BINARIES:
        raise EmulatorUnavailable(f"the emulator runs on Linux on x86_64 and arm64, not on {sys.platform} {machine}")
    binary = folder / f"{_BINARIES[machine]}-{WHEEL.partition('==')[2]}"
    if binary.exists():
        return binary
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as download:
        wheel = _download_wheel(Path(download))
        with zipfile.ZipFile(wheel) as archive:
            fresh = Path(download) / binary.name
            fresh.write_bytes(archive.read(f"samcli/local/rapid/{_BINARIES[machine]}"))
        fresh.chmod(0o755)
        fresh.replace(binary)  # atomic: another process may download it at the same time
    return binary


def _download_wheel(folder: Path) -> Path:
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{WHEEL} --hash=sha256:{WHEEL_SHA256}\n")
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
    command = [*pip, "--require-hashes", "--requirement", str(requirements), "--dest", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise EmulatorUnavailable(f"pip could not download {WHEEL}: {done.stderr.strip()}")
    return next(folder.glob("*.whl"))


def why_not_here() -> str | None:
    """The reason why this machine cannot run the emulator with a given folder of extensions; None if it can."""
    if sys.platform != "linux":
        return "it needs the namespaces of Linux"
    if os.geteuid() != 0:
        return "it needs root, to mount a folder at /opt/extensions in a namespace"
    if shutil.which("unshare") is None:
        return "it needs `unshare` (Debian: util-linux)"
    tried = subprocess.run(["unshare", *_NAMESPACES, "true"], capture_output=True, text=True, check=False)
    return f"`unshare` is not allowed here: {tried.stderr.strip()}" if tried.returncode != 0 else None


@dataclass(frozen=True, slots=True)
class EmulatorResponse:
    """The response of the emulator's invoke endpoint. Errors of the function have status 200, too."""

    status: int
    body: bytes

    @property
    def payload(self) -> Any:
        """The body as JSON. Raises ValueError for a time-out, which the emulator reports in plain text."""
        return json.loads(self.body)


class Emulator:
    """One deployment under the emulator, from construction to `close`.

    /opt/extensions has links to these files, so that an extension finds its source tree. The processes start at the
    first `invoke`. `on_log` gets every line of the emulator and of the processes, mixed, from a thread of this class.
    TMPDIR is a folder below `temp_folder`; resets keep its files. The processes inherit PATH and no other variable of
    this process. Raises EmulatorUnavailable if it cannot run.
    """

    def __init__(
        self,
        *,
        binary: Path,
        deployment: Deployment,
        variables: Mapping[str, str],
        temp_folder: Path,
        timeout_seconds: int = 60,
        memory_size_mb: int = 1769,
        on_log: Callable[[str], None] | None = None,
    ) -> None:
        reason = why_not_here()
        if reason is not None:
            raise EmulatorUnavailable(f"the emulator cannot run here: {reason}")
        self.temporary_folder = temp_folder.absolute() / "environment"
        self.temporary_folder.mkdir(parents=True, exist_ok=True)
        scratch = temp_folder.absolute() / "emulator"
        links = _make_links(scratch / "extensions", deployment.extensions)
        self._port, api_port = _free_ports()
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "LANG": "en_US.UTF-8",
            "AWS_REGION": "us-east-1",
            **variables,
            "AWS_LAMBDA_FUNCTION_TIMEOUT": str(timeout_seconds),
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(memory_size_mb),
            "AWS_LAMBDA_FUNCTION_HANDLER": deployment.handler,
            "_HANDLER": deployment.handler,
            "LAMBDA_TASK_ROOT": str(deployment.task_root.absolute()),
            "TMPDIR": str(self.temporary_folder),
        }
        enter = ["sh", "-c", _ENTER, "sh", str(links), str(scratch)]
        addresses = ["--runtime-interface-emulator-address", f"127.0.0.1:{self._port}"]
        addresses += ["--runtime-api-address", f"127.0.0.1:{api_port}"]
        self._response_timeout_seconds = timeout_seconds + 30.0  # and time for init and shutdown
        self._process = ChildProcess(
            "emulator",
            ["unshare", *_NAMESPACES, *enter, str(binary.absolute()), *addresses, str(deployment.bootstrap.absolute())],
            variables=environment,
            folder=deployment.task_root.absolute(),
            on_line=on_log or (lambda _line: None),
            on_exit=lambda _process: None,
        )

    def invoke(self, event: Any, headers: Mapping[str, str] | None = None) -> EmulatorResponse:
        """Run one invocation; the first one includes the init phase. Raises ConnectionError if the emulator ended."""
        url = f"http://127.0.0.1:{self._port}/2015-03-31/functions/function/invocations"
        end = time.monotonic() + _START_SECONDS
        with httpx.Client(timeout=self._response_timeout_seconds, trust_env=False) as client:
            while True:
                try:
                    response = client.post(url, content=json.dumps(event).encode(), headers=dict(headers or {}))
                except httpx.ConnectError as error:  # not listening yet, or no longer
                    if self._process.exited.wait(0.02) or time.monotonic() > end:
                        raise ConnectionRefusedError(f"the emulator does not listen: {error}") from error
                except httpx.TransportError as error:
                    raise ConnectionResetError(f"the emulator ended: {error}") from error
                else:
                    return EmulatorResponse(response.status_code, response.content)

    def shutdown(self) -> None:
        """Send SIGTERM to the emulator, which runs the shutdown sequence. No process is left when this returns."""
        process_id = self._process.pid
        with suppress(OSError):  # it has ended already
            children = Path(f"/proc/{process_id}/task/{process_id}/children").read_text().split()
            for child in children:  # `unshare` waits for its child and does not pass SIGTERM on
                os.kill(int(child), signal.SIGTERM)
        in_time = self._process.exited.wait(_SHUTDOWN_SECONDS)
        self.close()
        if not in_time:
            raise TimeoutError(f"the emulator did not end within {_SHUTDOWN_SECONDS} s of SIGTERM and was killed")

    def close(self) -> None:
        """Kill the processes and end the threads."""
        self._process.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _make_links(folder: Path, extensions: Path | None) -> Path:
    """Make a new folder of links to the extensions, in place of an earlier one."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for path in () if extensions is None else extensions.absolute().iterdir():
        if path.is_file():
            (folder / path.name).symlink_to(path)
    return folder


def _free_ports() -> tuple[int, int]:
    """Two ports that are free now: the emulator cannot choose its own ports and report them."""
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]
