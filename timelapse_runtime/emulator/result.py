"""The result of an invocation in the local environment, and the resources that its processes used."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from timelapse_runtime.emulator.control_plane import Failure, Result, Streamed
from timelapse_runtime.emulator.process import ChildProcess
from timelapse_runtime.emulator.sandbox import TIMED_OUT
from timelapse_runtime.runtime.result import HTTP_RESPONSE, PRELUDE_END


@dataclass(frozen=True, slots=True)
class InvocationResult:
    """How an invocation ended.

    `body` is what the caller gets, as it was sent. `payload` is the response: JSON, or its text if it is not JSON.
    `error_type` and `error` are the function's error or the environment's; `timed_out` or `crashed` is True if the
    environment ended. `duration_ms` does not count the init phase; `init` tells whether there was one. `streamed` is
    the response as it came, if it came in chunks; an error in the middle of it leaves `payload` what came before.
    """

    request_id: str
    payload: Any | None
    error_type: str | None
    error: Any | None
    timed_out: bool
    crashed: bool
    duration_ms: float
    init: bool
    body: bytes = b""
    streamed: Streamed | None = None

    @property
    def http_head(self) -> Any | None:
        """Status, headers and cookies of a stream that has them: what a function URL makes of its first bytes."""
        if self.streamed is None or self.streamed.content_type != HTTP_RESPONSE:
            return None
        return _json_or_text(b"".join(self.streamed.chunks).partition(PRELUDE_END)[0])

    @classmethod
    def of(
        cls, request_id: str, result: Result | None, failure: Failure | None, *, duration_ms: float, init: bool
    ) -> InvocationResult:
        """Prefers the function's own response or error, if there is one: the environment may have failed later."""
        streamed = result if isinstance(result, Streamed) else None
        body = result if isinstance(result, bytes) else None if streamed is None else _without_prelude(streamed)
        own_error = result if isinstance(result, Failure) else None if streamed is None else streamed.failure
        error = own_error or failure
        timed_out = failure is not None and failure.error_type == TIMED_OUT
        return cls(
            request_id=request_id,
            payload=None if body is None else _json_or_text(body),
            error_type=None if error is None else error.error_type,
            error=None if error is None else _json_or_text(error.body),
            timed_out=timed_out,
            crashed=failure is not None and not timed_out,
            duration_ms=duration_ms,
            init=init,
            body=body if body is not None else b"" if error is None else error.body,
            streamed=streamed,
        )


@dataclass(slots=True)
class ProcessUsage:
    """Resources of the runtime's processes: the sum of CPU time, the maximum of memory. Without extensions."""

    cpu_seconds: float = 0.0
    peak_rss_bytes: int = 0

    def add(self, process: ChildProcess) -> None:
        """Include one process."""
        self.cpu_seconds += process.cpu_seconds
        self.peak_rss_bytes = max(self.peak_rss_bytes, process.peak_rss_bytes)


def _without_prelude(streamed: Streamed) -> bytes:
    body = b"".join(streamed.chunks)
    return body.partition(PRELUDE_END)[2] if streamed.content_type == HTTP_RESPONSE else body


def _json_or_text(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body.decode("utf-8", "replace") or None
