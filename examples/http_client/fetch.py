"""A pool of connections that stays open between invocations. `_HANDLER` is `fetch.Fetcher`.

Event: `{"paths": ["/a", "/b"]}`. Response: `{"answers": [{"status": 200, "text": …}, …]}`, in the order of the paths,
which are asked for at the same time.

The methods are async: the runtime runs them on one event loop, which it keeps, and the connections belong to that loop.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from typing import Any

import httpx

from timelapse_runtime.runtime import Context, Deadline, Environment

_KEPT_SECONDS = 300
"""For how long an idle connection stays. httpx's own 5 seconds end it between most invocations."""
_CONNECTIONS = 20


class Fetcher:
    """The function."""

    async def open(self, environment: Environment) -> None:
        """Make the pool. The variable UPSTREAM is the server's URL; CA_FILE may name the authorities to trust."""
        variables = environment.variables
        limits = httpx.Limits(
            max_connections=_CONNECTIONS, max_keepalive_connections=_CONNECTIONS, keepalive_expiry=_KEPT_SECONDS
        )
        trusted = ssl.create_default_context(cafile=variables["CA_FILE"]) if "CA_FILE" in variables else True
        self._client = httpx.AsyncClient(base_url=variables["UPSTREAM"], limits=limits, verify=trusted)

    async def invoke(self, event: Mapping[str, Any], context: Context) -> dict[str, Any]:
        """Get the paths. Raises httpx.HTTPError. If the deadline comes first, it is cancelled, and with it the requests
        that wait: their connections are closed, the others stay."""
        timeout = httpx.Timeout(context.get_remaining_time_in_millis() / 1000)
        responses = await asyncio.gather(*(self._get(path, timeout) for path in event["paths"]))
        return {"answers": [{"status": response.status_code, "text": response.text} for response in responses]}

    async def close(self, _deadline: Deadline) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _get(self, path: str, timeout: httpx.Timeout) -> httpx.Response:
        """A GET may be repeated: the server, or what is between, may have closed an idle connection meanwhile."""
        try:
            return await self._client.get(path, timeout=timeout)
        except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
            return await self._client.get(path, timeout=timeout)
