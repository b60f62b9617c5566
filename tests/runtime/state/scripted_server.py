"""An HTTP server that gives the answers that it was told to give, and does with its connections what it was told."""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.client import parse_headers
from typing import BinaryIO, cast


@dataclass(frozen=True)
class Answer:
    """One answer. `closes`: the connection is closed after it, without a word about that in the headers.

    `missing_bytes` are announced and never sent: the connection is closed instead. So it is after this many lines of
    the head, with `cut_after_lines`. `interrupts`: when half of the answer is sent, the main thread gets SIGUSR1.
    It comes before the request's body is read where that is not `reads_body`.
    """

    status: int = 200
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    closes: bool = False
    missing_bytes: int = 0
    cut_after_lines: int = 0
    interrupts: bool = False
    reads_body: bool = True

    def to_bytes(self) -> bytes:
        lines = [f"HTTP/1.1 {self.status} x", f"Content-Length: {len(self.body) + self.missing_bytes}"]
        if self.cut_after_lines:
            return "".join(f"{line}\r\n" for line in lines[: self.cut_after_lines]).encode()
        return "\r\n".join([*lines, *(f"{name}: {value}" for name, value in self.headers), "", ""]).encode() + self.body


def error(status: int, code: str) -> Answer:
    """S3's error `code`."""
    return Answer(status, b"<Error><Code>%s</Code><Message>why</Message></Error>" % code.encode())


@dataclass(frozen=True)
class Request:
    """As it came; the names of headers in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


class ScriptedServer:
    """Gives `answers`, first to last, whatever is asked. None, and none left: the connection is closed unanswered.

    One connection at a time. `closings` counts the connections that it closed, once the client can know.
    """

    def __init__(self) -> None:
        self.answers: list[Answer | None] = []
        self.requests: list[Request] = []
        self.connection_count = 0
        self.closings = threading.Semaphore(0)
        self._connection: socket.socket | None = None
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._is_closed = False
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    @property
    def endpoint_url(self) -> str:
        """Where it listens."""
        return "http://{}:{}".format(*self._listener.getsockname())

    def close(self) -> None:
        """Leave, and take every connection along."""
        self._is_closed = True
        with contextlib.suppress(OSError):  # it was closed meanwhile
            if self._connection is not None:
                self._connection.shutdown(socket.SHUT_RDWR)
        socket.create_connection(self._listener.getsockname()).close()  # wakes accept()
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            with connection, connection.makefile("rwb") as stream:
                if self._is_closed:
                    return
                self._connection = connection
                self.connection_count += 1
                self._converse(cast("BinaryIO", stream))
            self.closings.release()

    def _reads_body(self) -> bool:
        answer = self.answers[0] if self.answers else None
        return answer is None or answer.reads_body

    def _converse(self, stream: BinaryIO) -> None:
        while (request := _read(stream, reads_body=self._reads_body())) is not None:
            self.requests.append(request)
            answer = self.answers.pop(0) if self.answers else None
            if answer is None:
                return
            sent = answer.to_bytes()
            stream.write(sent[: len(sent) // 2] if answer.interrupts else sent)
            stream.flush()
            if answer.interrupts:
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)
            if answer.closes or answer.missing_bytes or answer.cut_after_lines:
                return


def _read(stream: BinaryIO, *, reads_body: bool) -> Request | None:
    """The next request, or None when the client has closed the connection."""
    with contextlib.suppress(ConnectionError):
        line = stream.readline().decode().split()
        if line:
            headers = {name.lower(): value for name, value in parse_headers(stream).items()}
            if headers.get("expect") == "100-continue":
                stream.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                stream.flush()
            size = int(headers.get("content-length", "0"))
            return Request(line[0], line[1], headers, stream.read(size if reads_body else 0))
    return None


@contextlib.contextmanager
def scripted_server() -> Iterator[ScriptedServer]:
    """A running one."""
    server = ScriptedServer()
    try:
        yield server
    finally:
        server.close()
