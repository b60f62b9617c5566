"""HTTP/1.1 on a connected socket: one exchange after the other, and no answer that was cut short is taken for a whole.

General clients cost several times the CPU (docs/performance.md), and Python's own takes a connection that ends within
the headers for the end of a whole answer. Source: RFC 9112, HTTP/1.1, June 2022: 2.2 lines, 6 message body, 7.1
chunked.
"""

from __future__ import annotations

import contextlib
import re
import select
import socket
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import BinaryIO, NamedTuple

_LONGEST_LINE_BYTES = 1 << 17
"""A client context may be long: Lambda takes 3,583 bytes of it, in base64."""
_SMALL_BODY_BYTES = 1 << 16
_BLOCK_BYTES = 1 << 20
"""A socket's time-out is for all that one call sends: for so much at a time, not for a body of any size."""
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


class Reply(NamedTuple):
    """An answer, whole. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Connection:
    """`is_kept` says whether another exchange may follow, `has_answered` whether the last one got a first byte."""

    def __init__(self, connected: socket.socket) -> None:
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = connected
        self._file: BinaryIO = connected.makefile("rb")
        self.is_kept = self.has_answered = False

    def exchange(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str],
        body: bytes,
        *,
        timeout_seconds: float | None,
        maximum_bytes: int | None = None,
    ) -> Reply:
        """Send a request and read its answer. A body longer than `maximum_bytes` is left unread, as b"".

        `timeout_seconds` is the longest wait for any next byte. Raises OSError, and ValueError for what is not HTTP or
        not whole.
        """
        self.is_kept = self.has_answered = False
        self._socket.settimeout(timeout_seconds)
        head = _head(method, target, headers, body)
        try:
            self._send(head, body)
        except (BrokenPipeError, ConnectionResetError):
            # The other side may have answered, and closed before it had read everything.
            with contextlib.suppress(OSError, ValueError):
                reply = self._reply(method, maximum_bytes)
                self.is_kept = False
                return reply
            raise
        return self._reply(method, maximum_bytes)

    def is_stale(self) -> bool:
        """Whether the other side has closed an idle connection, or says what nobody asked for."""
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return bool(poll.poll(0))

    def close(self) -> None:
        """Not to be used any more."""
        self._file.close()
        self._socket.close()

    def _send(self, head: bytes, body: bytes) -> None:
        if len(body) <= _SMALL_BODY_BYTES:
            self._socket.sendall(head + body)
        else:
            self._socket.sendall(head)
            with memoryview(body) as view:
                for start in range(0, len(view), _BLOCK_BYTES):
                    self._socket.sendall(view[start : start + _BLOCK_BYTES])

    def _reply(self, method: str, maximum_bytes: int | None) -> Reply:
        status = 100
        while status // 100 == 1:  # 100 Continue and its kin come before the answer
            version, status = self._status()
            found = self._headers()
        self.is_kept = version == b"HTTP/1.1" and found.get("connection", "").lower() != "close"
        has_body = method != "HEAD" and status not in (204, 304)
        return Reply(status, found, self._body(found, maximum_bytes) if has_body else b"")

    def _status(self) -> tuple[bytes, int]:
        line = self._line()
        parts = line.split(b" ", 2)
        if len(parts) < 2 or not parts[0].startswith(b"HTTP/1."):
            raise ValueError(f"no answer in HTTP/1.1 but {parts[0][:80]!r}")
        return parts[0], int(parts[1])

    def _headers(self) -> dict[str, str]:
        headers = {}
        while line := self._line():
            name, _, value = line.partition(b":")
            headers[name.decode("latin-1").lower()] = _text(value.strip())
        return headers

    def _body(self, headers: Mapping[str, str], maximum_bytes: int | None) -> bytes:
        if headers.get("transfer-encoding", "").lower() == "chunked":
            return self._chunks()
        if "content-length" in headers:
            size = int(headers["content-length"])
            if maximum_bytes is not None and size > maximum_bytes:
                self.is_kept = False
                return b""
            return self._exactly(size)
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
        self.has_answered = self.has_answered or bool(line)
        if not line.endswith(b"\n"):
            raise ValueError("the answer was cut short" if len(line) < _LONGEST_LINE_BYTES else "a line without end")
        return line.rstrip(b"\r\n")


def _head(method: str, target: str, headers: Mapping[str, str], body: bytes) -> bytes:
    for name, value in {"the target": target, **headers}.items():
        if _CONTROL.search(name + value):
            raise ValueError(f"{name!r} holds a control character")  # its value may be a secret
    fields = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    length = f"Content-Length: {len(body)}\r\n" if body or method in {"POST", "PUT"} else ""
    return f"{method} {target} HTTP/1.1\r\n{length}{fields}\r\n".encode()


_MONTH_NAMES = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTHS = {name: number for number, name in enumerate(_MONTH_NAMES, 1)}


def date_epoch_seconds(text: str) -> int:
    """A date in a header: `Fri, 20 Nov 2026 23:55:01 GMT` (RFC 9110, 5.6.7). Raises ValueError."""
    try:
        day, month, year, moment = text.partition(", ")[2].split(" ")[:4]
        hour, minute, second = moment.split(":")
        found = datetime(int(year), _MONTHS[month], int(day), int(hour), int(minute), int(second), tzinfo=UTC)
    except (ValueError, KeyError) as error:
        raise ValueError(f"{text!r} is no date of HTTP's") from error
    return int(found.timestamp())


def _text(value: bytes) -> str:
    # Client contexts may hold any text: UTF-8 in practice, Latin-1 by the letter of HTTP.
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")
