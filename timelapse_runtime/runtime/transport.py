"""Carries the runtime's requests over HTTP/1.1, on sockets: connections kept open, nothing between them and the loop.

The service on the other side is one, on the same machine, and each invocation is two exchanges with it: a general
client costs three times the CPU of all the rest (docs/performance.md). It holds no rules: the time-out is the
request's, repeating is `exchange.py`'s.
"""

from __future__ import annotations

import socket

from timelapse_runtime.http1 import Connection
from timelapse_runtime.runtime.errors import TransportError
from timelapse_runtime.runtime.protocol.messages import Answer, Request

_CONNECT_TIMEOUT_SECONDS = 5.0


class SocketTransport:
    """One runtime's connections to `AWS_LAMBDA_RUNTIME_API`. May be used from several threads."""

    def __init__(self, authority: str) -> None:
        host, _, port = authority.rpartition(":")
        self._address = host.strip("[]"), int(port)
        self._host = authority
        self._idle: list[Connection] = []

    def send(self, request: Request) -> Answer:
        """Send once; see `exchange.Transport`."""
        connection: Connection | None = None
        try:
            connection = self._take()
            seconds = None if request.timeout_ms is None else request.timeout_ms / 1000
            headers = {"Host": self._host, **request.headers}
            reply = connection.exchange(request.method, request.path, headers, request.body, timeout_seconds=seconds)
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
        return Answer(*reply)

    def close(self) -> None:
        """Close the connections that are not in use."""
        while self._idle:
            self._idle.pop().close()

    def _take(self) -> Connection:
        try:
            return self._idle.pop()
        except IndexError:
            return Connection(socket.create_connection(self._address, _CONNECT_TIMEOUT_SECONDS))
