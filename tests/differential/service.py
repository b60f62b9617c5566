"""A Runtime API that hands out the cases one after another to one runtime's process, and starts another if it dies."""

from __future__ import annotations

import http.client
import subprocess
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.differential.handlers import Case

PREFIX = "/2018-06-01/runtime/"
_LIMIT_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Post:
    """What a runtime posted for one invocation, or for its init. `call` is response or error; of an init that succeeds,
    ready."""

    call: str
    headers: Mapping[str, str]
    body: bytes


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, cases: Mapping[str, Case]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.cases = cases
        self.left = deque(cases)
        self.begun = ""
        self.posts: dict[str, Post] = {}
        self.done = threading.Event()
        self.release = threading.Event()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        if self.path.startswith("/begin/"):
            self.server.begun = self.path.removeprefix("/begin/")
            self._answer(200, b"", {})
            return
        if not self.server.cases:  # only init is tried
            self.server.posts[self.server.begun] = Post("ready", {}, b"")
            self._answer(500, b"", {})
            return
        if not self.server.left:
            self.server.done.set()
            self.server.release.wait()
            self.close_connection = True
            return
        name = self.server.begun = self.server.left.popleft()
        case = self.server.cases[name]
        headers = {
            "Aws-Request-Id": name,
            "Deadline-Ms": str(round((time.time() + 600) * 1000)),
            "Invoked-Function-Arn": "arn:aws:lambda:eu-west-1:1:function:cases",
            **case.headers,
        }
        named = {f"Lambda-Runtime-{key}": value for key, value in headers.items()}
        self._answer(200, case.event, {"Content-Type": case.content_type, **named})

    def do_POST(self) -> None:
        body = b"".join(self._chunks())
        name, _, call = self.path.removeprefix(f"{PREFIX}invocation/").rpartition("/")
        if not self.path.startswith(PREFIX):
            self._answer(404, b"", {})  # no Extensions API
            return
        if self.path == f"{PREFIX}init/error":
            name = self.server.begun
        self.server.posts[name] = Post(call, dict(self.headers.items()), body)
        self._answer(202, b"", {})

    def _chunks(self) -> Iterator[bytes]:
        if self.headers.get("Transfer-Encoding") != "chunked":
            yield self.rfile.read(int(self.headers.get("Content-Length") or 0))
            return
        while size_bytes := int(self.rfile.readline(), 16):
            yield self.rfile.read(size_bytes)
            self.rfile.readline()
        http.client.parse_headers(self.rfile)  # the trailers

    def _answer(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for key, value in headers.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Silent."""


@dataclass(frozen=True, slots=True)
class Run:
    """One runtime's posts by case, and the cases after which its process had ended."""

    posts: Mapping[str, Post]
    deadly: frozenset[str] = frozenset()


@contextmanager
def _serving(cases: Mapping[str, Case]) -> Iterator[_Server]:
    with _Server(cases) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.release.set()
            server.shutdown()
            thread.join()


def serve(command: Sequence[str], cases: Mapping[str, Case], variables: Mapping[str, str], log: Path) -> Run:
    """Serve all cases, to as many processes as that takes. Raises AssertionError if they take five minutes."""
    deadly = set[str]()
    ends = time.monotonic() + _LIMIT_SECONDS
    with _serving(cases) as server, log.open("wb") as output:
        root = variables["LAMBDA_TASK_ROOT"]  # awslambdaric imports from its working directory
        environment = {**variables, "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{server.server_port}"}
        while not server.done.is_set():
            server.begun = ""
            with subprocess.Popen(command, cwd=root, env=environment, stdout=output, stderr=output) as process:
                try:
                    while process.poll() is None and not server.done.wait(0.005):
                        assert time.monotonic() < ends, f"{command} hangs in {server.begun}: {log.read_text()}"
                finally:
                    process.kill()
            assert server.begun, f"{command} asks for no invocation: {log.read_text()}"
            if not server.done.is_set():
                deadly.add(server.begun)
    return Run(server.posts, frozenset(deadly))


def initialise(command: Sequence[str], names: Sequence[str], variables: Mapping[str, str], log: Path) -> Run:
    """Start the runtime with each `_HANDLER` (`forked.py`, in `command`). Posts are by place in `names`."""
    with _serving({}) as server, log.open("wb") as output:
        authority = f"127.0.0.1:{server.server_port}"
        environment = {**variables, "AWS_LAMBDA_RUNTIME_API": authority}
        arguments = [*command, authority, *names]
        root = variables["LAMBDA_TASK_ROOT"]
        subprocess.run(arguments, cwd=root, env=environment, stdout=output, stderr=output, timeout=300, check=True)
    return Run(server.posts)
