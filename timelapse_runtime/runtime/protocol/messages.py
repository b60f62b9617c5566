"""Requests and answers as values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from timelapse_runtime.runtime.errors import RemoteProtocolError

SHORT_TIMEOUT_MS = 5_000
"""For calls that the service answers at once: it sits on the same machine."""


@dataclass(frozen=True, slots=True)
class Request:
    """A call to be sent. `timeout_ms` is how long its answer may take; None: for ever (the environment freezes)."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    timeout_ms: int | None = SHORT_TIMEOUT_MS


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. Header names are in lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


def require_status(answer: Answer, status: int, call: str) -> None:
    """Raise RemoteProtocolError when the answer has another status."""
    if answer.status != status:
        text = answer.body[:500].decode("utf-8", "replace")
        raise RemoteProtocolError(f"{call} was answered {answer.status}, not {status}: {text}")


def require_header(answer: Answer, name: str, call: str) -> str:
    """A header that the documents promise; RemoteProtocolError when it is not there."""
    value = answer.headers.get(name.lower(), "")
    if not value:
        raise RemoteProtocolError(f"{call} was answered without {name}")
    return value


def require_object(answer: Answer, call: str) -> dict[str, Any]:
    """The body as a JSON object; RemoteProtocolError when it is none."""
    try:
        value = json.loads(answer.body)
    except ValueError as error:
        raise RemoteProtocolError(f"{call} was answered with a body that is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise RemoteProtocolError(f"{call} was answered with JSON that is not an object")
    return value
