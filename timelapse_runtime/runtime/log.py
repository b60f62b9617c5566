"""Log lines as Lambda reads them: one line per record, JSON or text, on stderr.

`AWS_LAMBDA_LOG_FORMAT` (JSON, Text) and `AWS_LAMBDA_LOG_LEVEL` (TRACE … FATAL) are honoured here because the platform
does not do it for custom runtimes; it reads a JSON line's `level` and RFC 3339 `timestamp` to filter. Fields given as
`extra={…}` stay fields, and a message that is a dict stays an object. A record with the field `_aws` is a document in
CloudWatch's embedded metric format: it is a line of JSON in both formats, and has no level, so that no filter drops it.

No record is lost and none raises, whatever is in it. In text, lines inside a record end with a carriage return, which
CloudWatch shows as a line and does not take for the end of an event.

Sources: Lambda developer guide, 'Log formats and log levels', read November 2026; names of fields and the carriage
return: awslambdaric 4.2.2; `xray_trace_id`: Powertools for AWS Lambda.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import IO, Any

from timelapse_runtime.runtime.log_json import encoded, text_of
from timelapse_runtime.runtime.protocol.error_report import (
    MESSAGE_LIMIT_BYTES,
    STACK_LIMIT_BYTES,
    ErrorReport,
    bounded,
)
from timelapse_runtime.runtime.protocol.stack import stack_of

TRACE = 5
LEVELS = {
    "TRACE": TRACE,
    "DEBUG": logging.DEBUG,
    "INFO": logging.INFO,
    "WARN": logging.WARNING,
    "ERROR": logging.ERROR,
    "FATAL": logging.CRITICAL,
}
FIELDS_LIMIT_BYTES = 64 * 1024
"""Of all `extra` fields together. With the limits of message and stack it keeps a line in the order of 256 KiB, the
size of an event that CloudWatch has long taken."""
_NOISY_LOGGERS = ("botocore", "boto3", "urllib3", "httpx", "httpcore")
"""At DEBUG these write requests with their headers: signatures, and the session token, which is a secret. httpx writes
a line per request at INFO."""
_OWN_ATTRIBUTES = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class LogScope:
    """Which invocation the lines of this moment belong to: one at a time per process, whatever the thread."""

    def __init__(self) -> None:
        self.request_id: str | None = None
        self.tenant_id: str | None = None
        self.trace_id: str | None = None
        """Of X-Ray: the root alone, as its console takes it."""

    def enter(self, request_id: str, tenant_id: str | None, trace_header: str | None) -> None:
        """An invocation begins. `trace_header` is like `Root=1-…;Parent=…;Sampled=1`."""
        self.request_id, self.tenant_id = request_id, tenant_id
        roots = [part[5:] for part in (trace_header or "").split(";") if part.startswith("Root=")]
        self.trace_id = roots[0] if roots else None

    def leave(self) -> None:
        """The invocation has ended."""
        self.request_id = self.tenant_id = self.trace_id = None

    def fields(self) -> dict[str, str]:
        """The ids as fields of a line."""
        fields = {"requestId": self.request_id, "tenantId": self.tenant_id, "xray_trace_id": self.trace_id}
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


class _Formatter(logging.Formatter):
    """What both formats share: a record becomes a line, whatever is in it."""

    def __init__(self, scope: LogScope) -> None:
        super().__init__()
        self._scope = scope

    def format(self, record: logging.LogRecord) -> str:
        """The record's line."""
        try:
            if "_aws" in vars(record):
                return encoded({**_extra(record), **self._scope.fields()})
            return self._line(record)
        except Exception as error:  # noqa: BLE001  a record made by hand may have anything in its attributes
            told = f"A record of {text_of(record.name)} cannot be written: {text_of(error)}"
            return self._line(logging.LogRecord(__name__, logging.ERROR, __file__, 0, told, None, None))

    def _line(self, record: logging.LogRecord) -> str:
        raise NotImplementedError


class JsonFormatter(_Formatter):
    """A record as one JSON object."""

    def _line(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "timestamp": _timestamp(record),
            "level": _level(record),
            "message": _object_or_text(record),
            "logger": record.name,
            **self._scope.fields(),
        }
        for name, value in {**_exception(record), **_extra(record)}.items():
            line.setdefault(name, value)  # an extra field never hides one of ours
        return encoded(line)


class TextFormatter(_Formatter):
    """A record as `[LEVEL]` time, request id, message and `name=value` fields, separated by tabs."""

    def _line(self, record: logging.LogRecord) -> str:
        parts = [f"[{_level(record)}]", _timestamp(record), self._scope.request_id or "-", _message(record)]
        parts += [f"{name}={text_of(value)}" for name, value in _extra(record).items()]
        if record.exc_info and record.exc_info[1] is not None:
            stack = "".join(stack_of(record.exc_info[1]).format()).rstrip("\n")
            parts.append(bounded(stack, STACK_LIMIT_BYTES))
        if record.stack_info:
            parts.append(text_of(record.stack_info))
        return text_of("\t".join(parts)).replace("\r\n", "\r").replace("\n", "\r")


def _message(record: logging.LogRecord) -> str:
    try:
        text = record.getMessage()
    except Exception as error:  # noqa: BLE001  arguments that do not fit the message, or cannot be written
        text = f"{text_of(record.msg)} (arguments {text_of(record.args)}: {text_of(error)})"
    return bounded(text, MESSAGE_LIMIT_BYTES)


def _object_or_text(record: logging.LogRecord) -> object:
    if isinstance(record.msg, dict) and not record.args and len(encoded(record.msg)) <= MESSAGE_LIMIT_BYTES:
        return record.msg
    return _message(record)


def _timestamp(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _level(record: logging.LogRecord) -> str:
    return next((name for name, number in reversed(LEVELS.items()) if record.levelno >= number), "TRACE")


def _extra(record: logging.LogRecord) -> dict[str, Any]:
    """The fields that were given with the record. Those that do not fit any more are named in `omitted`."""
    fields = {name: value for name, value in vars(record).items() if name not in _OWN_ATTRIBUTES}
    if not fields or len(encoded(fields)) <= FIELDS_LIMIT_BYTES:
        return fields
    kept, left_bytes = dict[str, Any](), FIELDS_LIMIT_BYTES
    for name, value in fields.items():
        size_bytes = len(encoded({name: value}))
        if size_bytes <= left_bytes:
            kept[name], left_bytes = value, left_bytes - size_bytes
    return {**kept, "omitted": bounded(", ".join(name for name in fields if name not in kept), 1024)}


def _exception(record: logging.LogRecord) -> dict[str, Any]:
    fields = {"stackInfo": record.stack_info} if record.stack_info else {}
    if not record.exc_info or record.exc_info[1] is None:
        return fields
    report = ErrorReport.of(record.exc_info[1])
    return {
        "errorType": report.exception_name,
        "errorMessage": report.message,
        "stackTrace": report.stack_trace,
        "location": f"{record.pathname}:{record.funcName}:{record.lineno}",
        **fields,
    }
