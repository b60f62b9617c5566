"""The result of an invocation in the local environment, and the resources that its processes used."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from timelapse_runtime.emulator.control_plane import Failure
from timelapse_runtime.emulator.process import ChildProcess
from timelapse_runtime.emulator.sandbox import TIMED_OUT


@dataclass(frozen=True, slots=True)
class InvocationResult:
    """How an invocation ended.

    `body` is what the caller gets, as it was sent. `payload` is the response: JSON, or its text if it is not JSON.
    `error_type` and `error` are the function's error or the environment's; `timed_out` or `crashed` is True if the
    environment ended. `duration_ms` does not count the init phase; `init` tells whether there was one.
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

    @classmethod
    def of(
        cls, request_id: str, result: bytes | Failure | None, failure: Failure | None, *, duration_ms: float, init: bool
    ) -> InvocationResult:
        """Prefers the function's own response or error, if there is one: the environment may have failed later."""
        error = result if isinstance(result, Failure) else failure
        timed_out = failure is not None and failure.error_type == TIMED_OUT
        return cls(
            request_id=request_id,
            payload=_json_or_text(result) if isinstance(result, bytes) else None,
            error_type=None if error is None else error.error_type,
            error=None if error is None else _json_or_text(error.body),
            timed_out=timed_out,
            crashed=failure is not None and not timed_out,
            duration_ms=duration_ms,
            init=init,
            body=error.body if error is not None else result if isinstance(result, bytes) else b"",
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


def _json_or_text(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body.decode("utf-8", "replace") or None
