"""Requests and responses as values."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from json import loads  # by name: a function that replaces json.loads must not change what Lambda says
from typing import Any

from timelapse_runtime import __version__
from timelapse_runtime.runtime.errors import RemoteProtocolError

SHORT_TIMEOUT_MS = 5_000
"""For calls that the service answers at once: it runs on the same machine."""
USER_AGENT = f"timelapse-runtime/{__version__} python/{sys.version_info.major}.{sys.version_info.minor}"
"""Of every request. AWS counts runtimes by it."""


@dataclass(frozen=True, slots=True)
class Request:
    """A call to be sent. `timeout_ms` is how long its response may take; None: no limit (the environment freezes)."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    timeout_ms: int | None = SHORT_TIMEOUT_MS


@dataclass(frozen=True, slots=True)
class Response:
    """What came back. Header names are in lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class StreamEnd:
    """The end of a streamed request. `trailers` tell what failed in the middle of it; empty: nothing did."""

    trailers: Mapping[str, str] = field(default_factory=dict)


def require_status(response: Response, status: int, call: str) -> None:
    """Raise RemoteProtocolError if the response has another status."""
    if response.status != status:
        text = response.body[:500].decode("utf-8", "replace")
        raise RemoteProtocolError(f"{call} returned status {response.status}, expected {status}: {text}")


def require_header(response: Response, name: str, call: str) -> str:
    """A header that the documents promise. Raises RemoteProtocolError if it is missing."""
    value = response.headers.get(name.lower(), "")
    if not value:
        raise RemoteProtocolError(f"{call} returned no header {name}")
    return value


def require_object(response: Response, call: str) -> dict[str, Any]:
    """The body as a JSON object. Raises RemoteProtocolError if it is anything else."""
    try:
        value = loads(response.body)
    except (ValueError, RecursionError) as error:
        raise RemoteProtocolError(f"{call} returned a body that is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise RemoteProtocolError(f"{call} returned JSON that is not an object")
    return value
