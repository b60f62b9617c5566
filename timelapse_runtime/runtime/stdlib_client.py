"""Carries the Extensions API's requests with the standard library alone, for the extension's process.

The extension lives beside the runtime for as long as the environment does, and starts before it: no httpx, no SDK, a
few megabytes of memory.
"""

from __future__ import annotations

import http.client

from timelapse_runtime.runtime.errors import ConnectionRefused, TransportError
from timelapse_runtime.runtime.protocol.messages import USER_AGENT, Request, Response


class StdlibTransport:
    """One extension's connection to `AWS_LAMBDA_RUNTIME_API`: a new one for each request, so that none goes stale."""

    def __init__(self, authority: str) -> None:
        self._authority = authority

    def send(self, request: Request) -> Response:
        """Send once; see `retry.Transport`."""
        seconds = None if request.timeout_ms is None else request.timeout_ms / 1000
        connection = http.client.HTTPConnection(self._authority, timeout=seconds)
        try:
            headers = {"User-Agent": USER_AGENT, **request.headers}
            connection.request(request.method, request.path, request.body, headers)
            response = connection.getresponse()
            body = response.read()
        except ConnectionRefusedError as error:
            raise ConnectionRefused(str(error)) from error
        except (OSError, http.client.HTTPException) as error:
            raise TransportError(f"{type(error).__name__}: {error}") from error
        finally:
            connection.close()
        return Response(response.status, {name.lower(): value for name, value in response.getheaders()}, body)
