"""A proxy before an S3 server that lets one request fail: the runtime and the extension on one side, S3 on the other.

What is forwarded is forwarded unchanged, `Host` included: it is part of the signature. Only requests for one stream
are numbered, from 1, so that what else an environment does shifts nothing.
"""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import parse_qs, unquote, urlsplit

_CONDITIONS = {"if-match", "if-none-match", "x-amz-copy-source-if-match"}
_OF_ONE_CONNECTION = {"connection", "expect", "keep-alive", "transfer-encoding"}
_QUERIES = {
    "list-type": "list",
    "delete": "delete",
    "uploads": "begin parts",
    "partNumber": "part",
    "uploadId": "parts",
    "X-Amz-Signature": "by the outbox",
}


class HttpFault(Enum):
    """What becomes of one request."""

    KILLED_BEFORE = "SIGKILL before"
    KILLED_AFTER = "SIGKILL after"
    INTERNAL_ERROR = "500"
    SLOW_DOWN = "503"
    CONFLICT = "409"
    CONDITION_FAILED = "412"
    CUT_SHORT = "done, answer cut short"
    CUT_IN_HEAD = "done, only the status line comes"
    NO_ANSWER = "done, no answer"
    HANGS = "not done, no answer"
    REPEATED = "done twice"


_REFUSALS = {
    HttpFault.INTERNAL_ERROR: (500, "InternalError"),
    HttpFault.SLOW_DOWN: (503, "SlowDown"),
    HttpFault.CONFLICT: (409, "ConditionalRequestConflict"),
    HttpFault.CONDITION_FAILED: (412, "PreconditionFailed"),
}


@dataclass(frozen=True)
class Request:
    """As it came in."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def is_conditional(self) -> bool:
        """Whether S3 may answer 409 or 412."""
        return self.method != "GET" and any(name.lower() in _CONDITIONS for name, _ in self.headers)

    @property
    def path(self) -> str:
        """Bucket and key."""
        return unquote(self.target.partition("?")[0])

    @property
    def name(self) -> str:
        """To be read: method, last part of the key, kind."""
        query = parse_qs(self.target.partition("?")[2], keep_blank_values=True)
        what = next((f" ({said})" for parameter, said in _QUERIES.items() if parameter in query), "")
        return f"{self.method} {self.path.rpartition('/')[2]}{what}"

    def concerns(self, folder: str) -> bool:
        """Whether it names the folder: in the key, a listing's prefix or what is to be deleted."""
        deleted = self.body.decode() if self.method == "POST" and self.target.endswith("?delete") else ""
        return folder in unquote(self.target) or folder in deleted


@dataclass(frozen=True)
class Answer:
    """As it goes out."""

    head: bytes
    body: bytes

    @classmethod
    def of(cls, status: int, headers: Mapping[str, str], body: bytes) -> Answer:
        """With these headers and no others."""
        lines = [f"HTTP/1.1 {status} {http.client.responses.get(status, '')}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return cls("\r\n".join([*lines, "", ""]).encode("latin-1"), body)

    @classmethod
    def refusal(cls, fault: HttpFault, request: Request) -> Answer:
        """S3's error document; a HEAD gets none."""
        status, code = _REFUSALS[fault]
        body = f"<Error><Code>{code}</Code><Message>{fault.value}, from the proxy</Message></Error>".encode()
        headers = {"Content-Type": "application/xml", "Content-Length": str(len(body))}
        return cls.of(status, headers, b"" if request.method == "HEAD" else body)

    @property
    def status_line(self) -> bytes:
        """HTTP clients in Python accept it, then the end of the connection, as a complete answer without headers."""
        return self.head.partition(b"\r\n")[0] + b"\r\n"

    @property
    def first_half(self) -> bytes:
        """Up to the middle of the body; of the head where there is no body."""
        return self.head + self.body[: len(self.body) // 2] if self.body else self.head[: len(self.head) // 2]


class FaultProxy:
    """Runs while the `with` block does. `kill` ends the process that sent a request with SIGKILL."""

    def __init__(self, upstream_url: str, kill: Callable[[], None]) -> None:
        self.requests: list[Request] = []
        """Of the watched folder, since `watch`."""
        self.fired: list[HttpFault] = []
        self._upstream, self._kill = urlsplit(upstream_url).netloc, kill
        self._folder, self._faults = "", dict[int, HttpFault]()
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def watch(self, folder: str, faults: Mapping[int, HttpFault]) -> None:
        """From now on number the requests that concern this folder, and let these fail."""
        with self._lock:
            self.requests, self.fired = [], []
            self._folder, self._faults = folder, dict(faults)

    def heal(self) -> None:
        """No request fails any more."""
        with self._lock:
            self._faults.clear()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def fault_of(self, request: Request) -> HttpFault | None:
        """Number a request; what is to become of it."""
        with self._lock:
            if not (self._folder and request.concerns(self._folder)):
                return None
            self.requests.append(request)
            fault = self._faults.pop(len(self.requests), None)
            if fault is not None:
                self.fired.append(fault)
            return fault

    def answer(self, request: Request, fault: HttpFault | None) -> bytes | None:
        """What the client gets to read; None: it waits for more. Less than a whole answer ends the connection."""
        answer = Answer(b"", b"")
        if fault in _REFUSALS:
            answer = Answer.refusal(fault, request)
        elif fault not in (HttpFault.KILLED_BEFORE, HttpFault.HANGS):
            answer = self._forward(request)
        match fault:
            case HttpFault.HANGS | HttpFault.NO_ANSWER:
                return None
            case HttpFault.KILLED_BEFORE | HttpFault.KILLED_AFTER:
                self._kill()
                return b""
            case HttpFault.CUT_SHORT:
                return answer.first_half
            case HttpFault.CUT_IN_HEAD:
                return answer.status_line
            case HttpFault.REPEATED:
                answer = self._forward(request)
        return answer.head + answer.body

    def _forward(self, request: Request) -> Answer:
        with closing(http.client.HTTPConnection(self._upstream)) as connection:
            connection.putrequest(request.method, request.target, skip_host=True, skip_accept_encoding=True)
            for name, value in request.headers:
                if name.lower() not in _OF_ONE_CONNECTION:
                    connection.putheader(name, value)
            connection.endheaders(request.body or None)
            answer = connection.getresponse()
            body = answer.read()
            headers = {name: value for name, value in answer.getheaders() if name.lower() not in _OF_ONE_CONNECTION}
            if "content-length" not in {name.lower() for name in headers} and answer.status != 204:
                headers["Content-Length"] = str(len(body))
            return Answer.of(answer.status, headers, body)


def _handler_of(proxy: FaultProxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            request = Request(self.command, self.path, tuple(self.headers.items()), body)
            fault = proxy.fault_of(request)
            with suppress(ConnectionError, http.client.IncompleteRead):  # one side was killed, or gave up
                answer = proxy.answer(request, fault)
                if answer is None:
                    self.connection.recv(1)  # returns when the client has given up
                else:
                    self.wfile.write(answer)
                if fault in (None, HttpFault.REPEATED) or fault in _REFUSALS:
                    return
            self.close_connection = True

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = serve  # noqa: N815 - http.server finds them by these names

        def log_message(self, *_: object) -> None:
            """Nothing to the terminal."""

    return Handler
