"""Carries requests with the standard library alone: for the extension's process, and for handed-over PUTs.

The extension lives beside the runtime for as long as the environment does: no httpx, no SDK, a few MB of memory.
"""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from urllib.parse import urlsplit

from timelapse_runtime.runtime.errors import TransportError
from timelapse_runtime.runtime.outbox import NotSent, Put
from timelapse_runtime.runtime.protocol.messages import Answer, Request
from timelapse_runtime.tls import client_context


class StdlibTransport:
    """One extension's connection to `AWS_LAMBDA_RUNTIME_API`: a new one for each request, so that none goes stale."""

    def __init__(self, authority: str) -> None:
        self._authority = authority

    def send(self, request: Request) -> Answer:
        """Send once; see `exchange.Transport`."""
        seconds = None if request.timeout_ms is None else request.timeout_ms / 1000
        connection = http.client.HTTPConnection(self._authority, timeout=seconds)
        try:
            connection.request(request.method, request.path, request.body, dict(request.headers))
            response = connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise TransportError(f"{type(error).__name__}: {error}") from error
        finally:
            connection.close()
        return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, body)


class PutSender:
    """Sends a plan's PUTs (`handover.Send`) and reads back (`handover.Read`), over one connection per host while the
    host keeps it open."""

    def __init__(self) -> None:
        self._connections: dict[tuple[str, str], http.client.HTTPConnection] = {}

    def __call__(self, put: Put, timeout_seconds: float) -> int:
        """Send once and return the status."""
        return self._exchange("PUT", put.url, put.body, put.headers, timeout_seconds)[0]

    def read(self, url: str, timeout_seconds: float) -> bytes | None:
        """Get once: the body, or None when the status is no success."""
        status, body = self._exchange("GET", url, None, {}, timeout_seconds)
        return body if status == 200 else None

    def _exchange(
        self, method: str, address: str, body: bytes | None, headers: Mapping[str, str], timeout_seconds: float
    ) -> tuple[int, bytes]:
        url = urlsplit(address)
        target = f"{url.path}?{url.query}" if url.query else url.path
        connection = self._connection(url.scheme, url.netloc, timeout_seconds)
        try:
            connection.request(method, target, body, dict(headers))
            response = connection.getresponse()
            answer = response.read()
        except (OSError, http.client.HTTPException) as error:
            self._connections.pop((url.scheme, url.netloc)).close()
            raise ConnectionError(f"{method} to {url.netloc}: {type(error).__name__}: {error}") from error
        return response.status, answer

    def close(self) -> None:
        """Close the connections."""
        for connection in self._connections.values():
            connection.close()

    def _connection(self, scheme: str, host: str, timeout_seconds: float) -> http.client.HTTPConnection:
        connection = self._connections.get((scheme, host))
        if connection is None:
            connection = (
                http.client.HTTPSConnection(host, context=client_context(), timeout=timeout_seconds)
                if scheme == "https"
                else http.client.HTTPConnection(host, timeout=timeout_seconds)
            )
        connection.timeout = timeout_seconds
        try:
            if connection.sock is None:  # also after an answer that closed it
                connection.connect()
            connection.sock.settimeout(timeout_seconds)
        except OSError as error:
            raise NotSent(f"no connection to {host}: {error}") from error
        self._connections[scheme, host] = connection
        return connection
