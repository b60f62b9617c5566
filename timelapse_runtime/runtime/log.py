"""Log lines as Lambda reads them: one line per record, JSON or text, on stderr.

`AWS_LAMBDA_LOG_FORMAT` (JSON, Text) and `AWS_LAMBDA_LOG_LEVEL` (TRACE … FATAL) are honoured here because the platform
does not do it for custom runtimes; it reads a JSON line's `level` and RFC 3339 `timestamp` to filter. Fields given as
`extra={…}` stay fields. A record with the field `_aws` is a document in CloudWatch's embedded metric format: it is a
line of JSON in both formats, and has no level, so that no filter drops it. Source: Lambda developer guide, 'Log formats
and log levels', read November 2026.
"""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import IO, Any

from timelapse_runtime.runtime.protocol.error_report import (
    MESSAGE_LIMIT_BYTES,
    STACK_LIMIT_BYTES,
    ErrorReport,
    bounded,
)

TRACE = 5
LEVELS = {
    "TRACE": TRACE,
    "DEBUG": logging.DEBUG,
    "INFO": logging.INFO,
    "WARN": logging.WARNING,
    "ERROR": logging.ERROR,
    "FATAL": logging.CRITICAL,
}
_NOISY_LOGGERS = ("botocore", "boto3", "urllib3", "httpx", "httpcore")
"""At DEBUG these write requests with their headers: signatures, and the session token, which is a secret. httpx writes
a line per request at INFO."""
_OWN_ATTRIBUTES = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class LogScope:
    """Which invocation the lines of this moment belong to: one at a time per process, whatever the thread."""

    def __init__(self) -> None:
        self.request_id: str | None = None
        self.tenant_id: str | None = None

    def fields(self) -> dict[str, str]:
        """The ids as fields of a line."""
        fields = {"requestId": self.request_id, "tenantId": self.tenant_id}
        return {name: value for name, value in fields.items() if value is not None}


def configure(variables: Mapping[str, str], stream: IO[str]) -> LogScope:
    """Send all logging of this process to `stream`. A value that Lambda does not know counts as not set."""
    scope = LogScope()
    is_json = variables.get("AWS_LAMBDA_LOG_FORMAT", "").upper() == "JSON"
    handler = _Handler(stream)
    handler.setFormatter(JsonFormatter(scope) if is_json else TextFormatter(scope))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(LEVELS.get(variables.get("AWS_LAMBDA_LOG_LEVEL", "").upper(), logging.INFO))
    for name in _NOISY_LOGGERS:
        logging.getLogger(name).setLevel(max(root.level, logging.WARNING if name == "httpx" else logging.INFO))
    return scope


class _Handler(logging.StreamHandler[IO[str]]):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  logging's name
        """A function may close stderr. Then its lines are lost, but no call of a logger fails."""
        with contextlib.suppress(Exception):
            super().handleError(record)


class JsonFormatter(logging.Formatter):
    """A record as one JSON object."""

    def __init__(self, scope: LogScope) -> None:
        super().__init__()
        self._scope = scope

    def format(self, record: logging.LogRecord) -> str:
        """The record's line."""
        if _is_metrics(record):
            return _metrics(record, self._scope)
        line: dict[str, Any] = {
            "timestamp": _timestamp(record),
            "level": _level(record),
            "message": bounded(record.getMessage(), MESSAGE_LIMIT_BYTES),
            "logger": record.name,
            **self._scope.fields(),
        }
        for name, value in {**_exception(record), **_extra(record)}.items():
            line.setdefault(name, value)  # an extra field never hides one of ours
        return json.dumps(line, default=str)


class TextFormatter(logging.Formatter):
    """A record as `[LEVEL]` time, request id, message and `name=value` fields, separated by tabs."""

    def __init__(self, scope: LogScope) -> None:
        super().__init__()
        self._scope = scope

    def format(self, record: logging.LogRecord) -> str:
        """The record's line."""
        if _is_metrics(record):
            return _metrics(record, self._scope)
        message = bounded(record.getMessage(), MESSAGE_LIMIT_BYTES)
        parts = [f"[{_level(record)}]", _timestamp(record), self._scope.request_id or "-", message]
        parts += [f"{name}={value}" for name, value in _extra(record).items()]
        if record.exc_info:
            parts.append(bounded(self.formatException(record.exc_info), STACK_LIMIT_BYTES))
        # A newline would make two log events of one record.
        return "\t".join(parts).replace("\r", "\\r").replace("\n", "\\n")


def _is_metrics(record: logging.LogRecord) -> bool:
    return "_aws" in vars(record)


def _metrics(record: logging.LogRecord, scope: LogScope) -> str:
    return json.dumps({**scope.fields(), **_extra(record)}, default=str)


def _timestamp(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _level(record: logging.LogRecord) -> str:
    return next((name for name, number in reversed(LEVELS.items()) if record.levelno >= number), "TRACE")


def _extra(record: logging.LogRecord) -> dict[str, Any]:
    return {name: value for name, value in vars(record).items() if name not in _OWN_ATTRIBUTES}


def _exception(record: logging.LogRecord) -> dict[str, Any]:
    if not record.exc_info or record.exc_info[1] is None:
        return {}
    report = ErrorReport.of(record.exc_info[1])
    return {"errorType": report.exception_name, "errorMessage": report.message, "stackTrace": report.stack_trace}
