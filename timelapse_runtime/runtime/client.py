"""Carries the requests to the Lambda service with httpx.

`httpx.HTTPTransport`, not `httpx.Client`: the layer above it (cookies, redirects, proxies of the environment) does
nothing here but take CPU: an empty invocation costs 683 µs with the one and 1,241 µs with the other (measured November
2026).
"""

from __future__ import annotations

import ssl

import httpx

from timelapse_runtime.runtime.errors import ConnectionRefused, TransportError
from timelapse_runtime.runtime.protocol.messages import USER_AGENT, Request, Response
from timelapse_runtime.runtime.request_stream import CONNECT_TIMEOUT_SECONDS, RequestStream

LONGEST_BODY_BYTES = 64 * 1024**2
"""Lambda's events have 6 MB at most ('Lambda quotas', read November 2026). A body without end must not fill the
memory."""


class HttpxTransport:
    """One runtime's connections to `AWS_LAMBDA_RUNTIME_API`, kept open. May be used from several threads."""

    def __init__(self, authority: str) -> None:
        self._origin = f"http://{authority}"
        # Plain HTTP on the same machine: no proxy of the environment applies, and no certificates are loaded (20 ms).
        self._transport = httpx.HTTPTransport(verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), trust_env=False)

    def send(self, request: Request) -> Response:
        """Send once; see `retry.Transport`."""
        seconds = None if request.timeout_ms is None else request.timeout_ms / 1000
        timeout = {"connect": CONNECT_TIMEOUT_SECONDS, "read": seconds, "write": seconds, "pool": seconds}
        outgoing = httpx.Request(
            request.method,
            self._origin + request.path,
            headers={"User-Agent": USER_AGENT, **request.headers},
            content=request.body,
            extensions={"timeout": timeout},
        )
        try:
            response = self._transport.handle_request(outgoing)
            try:
                body = _read(response)
            finally:
                response.close()
        except httpx.ConnectError as error:
            raise (ConnectionRefused if _is_refused(error) else TransportError)(str(error)) from error
        # An OSError: a function has closed the connection's descriptor, and closing it fails in turn.
        except (httpx.TransportError, httpx.InvalidURL, OSError) as error:
            raise TransportError(f"{type(error).__name__}: {error}") from error
        return Response(response.status_code, dict(response.headers), body)

    def open_stream(self) -> RequestStream:
        """Connect for a request that is sent in chunks, which httpx cannot end with trailers."""
        url = httpx.URL(self._origin)
        return RequestStream(url.host, url.port or 80)

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()


def _read(response: httpx.Response) -> bytes:
    chunks, size_bytes = [], 0
    for chunk in response.iter_raw():
        size_bytes += len(chunk)
        if size_bytes > LONGEST_BODY_BYTES:
            raise TransportError(f"the body has more than {LONGEST_BODY_BYTES} bytes")
        chunks.append(chunk)
    return b"".join(chunks)


def _is_refused(error: BaseException | None) -> bool:
    """httpx and httpcore wrap the socket's error in errors of their own."""
    while error is not None:
        if isinstance(error, ConnectionRefusedError):
            return True
        error = error.__cause__ or error.__context__
    return False
