"""Carries the runtime's requests over HTTP, by httpx's transport layer: connections kept open, no client on top.

It holds no rules: the time-out is the request's, repeating is `exchange.py`'s. httpx's exceptions end here.
"""

from __future__ import annotations

import ssl

import httpx

from timelapse_runtime.errors import TransportError
from timelapse_runtime.protocol.messages import Answer, Request


class HttpTransport:
    """One runtime's connection to `AWS_LAMBDA_RUNTIME_API`. May be used from several threads."""

    def __init__(self, authority: str) -> None:
        self._origin = f"http://{authority}"
        self._host = authority.encode()
        # A context of our own: httpx would read a bundle of certificates, 20 ms of every cold start, for plain HTTP.
        self._http = httpx.HTTPTransport(verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), trust_env=False)

    def send(self, request: Request) -> Answer:
        """Send once; see `exchange.Transport`."""
        headers = [(b"Host", self._host), (b"Content-Length", str(len(request.body)).encode())]
        headers += [(name.encode(), value.encode()) for name, value in request.headers.items()]
        seconds = None if request.timeout_ms is None else request.timeout_ms / 1000
        timeout = {"connect": 5.0, "read": seconds, "write": seconds, "pool": None}
        message = httpx.Request(
            request.method,
            self._origin + request.path,
            headers=headers,
            stream=httpx.ByteStream(request.body),
            extensions={"timeout": timeout},
        )
        try:
            response = self._http.handle_request(message)
            try:
                body = response.read()
            finally:
                response.close()
        except httpx.TransportError as error:
            raise TransportError(f"{type(error).__name__}: {error}") from error
        return Answer(response.status_code, {k.lower().decode(): _text(v) for k, v in response.headers.raw}, body)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()


def _text(value: bytes) -> str:
    # Client contexts may hold any text: UTF-8 in practice, Latin-1 by the letter of HTTP.
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")
