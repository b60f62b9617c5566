"""Carries the runtime's requests over HTTP/1.1, on sockets: connections kept open, nothing between them and the loop.

The service on the other side is one, on the same machine, and each invocation is two exchanges with it: a general
client costs three times the CPU of all the rest (docs/performance.md). It holds no rules: the time-out is the
request's, repeating is `exchange.py`'s. Source: RFC 9112, HTTP/1.1, June 2022: 2.2 lines, 6 message body, 7.1 chunked.
"""

from __future__ import annotations

import socket
from typing import BinaryIO

from timelapse_runtime.errors import TransportError
from timelapse_runtime.protocol.messages import Answer, Request

_CONNECT_TIMEOUT_SECONDS = 5.0
_LONGEST_LINE_BYTES = 1 << 17
"""A client context may be long: Lambda takes 3,583 bytes of it, in base64."""
_SMALL_BODY_BYTES = 1 << 16


class SocketTransport:
    """One runtime's connections to `AWS_LAMBDA_RUNTIME_API`. May be used from several threads."""

    def __init__(self, authority: str) -> None:
        host, _, port = authority.rpartition(":")
        self._address = host.strip("[]"), int(port)
        self._host = authority
        self._idle: list[_Connection] = []

    def send(self, request: Request) -> Answer:
        """Send once; see `exchange.Transport`."""
        connection: _Connection | None = None
        try:
            connection = self._take()
            answer = connection.exchange(request, self._host)
        except (OSError, ValueError) as error:
            if connection is not None:
                connection.close()
            raise TransportError(f"{type(error).__name__}: {error}") from error
        except BaseException:  # SIGTERM: what is half read is of no more use
            if connection is not None:
                connection.close()
            raise
        if connection.is_kept:
            self._idle.append(connection)
        else:
            connection.close()
        return answer

    def close(self) -> None:
        """Close the connections that are not in use."""
        while self._idle:
            self._idle.pop().close()

    def _take(self) -> _Connection:
        try:
            return self._idle.pop()
        except IndexError:
            return _Connection(socket.create_connection(self._address, _CONNECT_TIMEOUT_SECONDS))


class _Connection:
    """One exchange after the other. `is_kept` says whether another may follow."""

    def __init__(self, connected: socket.socket) -> None:
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = connected
        self._file: BinaryIO = connected.makefile("rb")
        self.is_kept = False

    def exchange(self, request: Request, host: str) -> Answer:
        """Raises OSError, and ValueError for what is not HTTP or not whole."""
        self._socket.settimeout(None if request.timeout_ms is None else request.timeout_ms / 1000)
        fields = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
        head = (
            f"{request.method} {request.path} HTTP/1.1\r\n"
            f"Host: {host}\r\nContent-Length: {len(request.body)}\r\n{fields}\r\n"
        ).encode()
        if len(request.body) <= _SMALL_BODY_BYTES:
            self._socket.sendall(head + request.body)
        else:
            self._socket.sendall(head)
            self._socket.sendall(request.body)
        status = 100
        while status // 100 == 1:  # 100 Continue and its kin come before the answer
            version, status = self._status()
            headers = self._headers()
        body = b"" if status in (204, 304) else self._body(headers)
        self.is_kept = self.is_kept and version == b"HTTP/1.1" and headers.get("connection", "").lower() != "close"
        return Answer(status, headers, body)

    def close(self) -> None:
        """Not to be used any more."""
        self._file.close()
        self._socket.close()

    def _status(self) -> tuple[bytes, int]:
        parts = self._line().split(b" ", 2)
        if len(parts) < 2 or not parts[0].startswith(b"HTTP/1."):
            raise ValueError(f"no answer in HTTP/1.1 but {parts[0][:80]!r}")
        return parts[0], int(parts[1])

    def _headers(self) -> dict[str, str]:
        headers = {}
        while line := self._line():
            name, _, value = line.partition(b":")
            headers[name.decode("latin-1").lower()] = _text(value.strip())
        return headers

    def _body(self, headers: dict[str, str]) -> bytes:
        self.is_kept = True
        if headers.get("transfer-encoding", "").lower() == "chunked":
            return self._chunks()
        if "content-length" in headers:
            return self._exactly(int(headers["content-length"]))
        self.is_kept = False
        return self._file.read()

    def _chunks(self) -> bytes:
        chunks = []
        while size := int(self._line().partition(b";")[0], 16):
            chunks.append(self._exactly(size))
            self._line()
        self._headers()  # the trailers
        return b"".join(chunks)

    def _exactly(self, count: int) -> bytes:
        body = self._file.read(count)
        if len(body) < count:
            raise ValueError(f"the answer ended after {len(body)} of {count} bytes")
        return body

    def _line(self) -> bytes:
        line = self._file.readline(_LONGEST_LINE_BYTES)
        if not line.endswith(b"\n"):
            raise ValueError("the answer was cut short" if len(line) < _LONGEST_LINE_BYTES else "a line without end")
        return line.rstrip(b"\r\n")


def _text(value: bytes) -> str:
    # Client contexts may hold any text: UTF-8 in practice, Latin-1 by the letter of HTTP.
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")
