"""An error in the format that Lambda expects, bounded in size.

A body over 6 MB would be refused (413), and AWS's emulator drops such an invocation, so each part has its own limit.

`xray_cause` is a `cause` object of an X-Ray segment (AWS X-Ray developer guide, 'X-Ray segment documents', read
November 2026). Lambda puts it into the segment of a traced invocation. AWS's runtimes send it in a header that the
documents do not name.
"""

from __future__ import annotations

import re
import traceback
from dataclasses import dataclass, replace
from json import dumps  # by name: a function that replaces json.dumps must not change what Lambda is told

from timelapse_runtime.runtime.protocol.stack import stack_of

MESSAGE_LIMIT_BYTES = 64 * 1024
STACK_LIMIT_BYTES = 128 * 1024
LINE_LIMIT_BYTES = 8 * 1024
"""As JSON. A message can be as long as an event; whoever reads it needs its beginning."""
XRAY_LIMIT_BYTES = 48 * 1024
"""X-Ray takes no segment document above 64 kB, and the cause is a part of one. A longer cause is left out."""
XRAY_MESSAGE_LIMIT_BYTES = 16 * 1024

_LAMBDA_FORM = re.compile(r"(Runtime|Function|Extension)\.[A-Z][A-Za-z0-9]*")
"""An exception class may have an `error_type` of this form; it is then sent in the header."""


@dataclass(frozen=True, slots=True)
class ErrorReport:
    """An error to be told to Lambda.

    `error_type` goes into the header and has the form `Runtime.Xyz` or `Function.Xyz`. `exception_name` is the body's
    `errorType`, which callers and Step Functions match on: the exception's own name, or `Runtime.Xyz` for an error of
    the runtime, as in AWS's runtimes. `xray_cause` is ASCII and fit for a header, or empty.
    """

    error_type: str
    exception_name: str
    message: str
    stack_trace: tuple[str, ...] = ()
    xray_cause: str = ""

    @classmethod
    def of(cls, error: BaseException, error_type: str | None = None, failed: str = "") -> ErrorReport:
        """Describe an exception; with `error_type`, as that type, in the body too. `failed` says what it stopped."""
        if error_type is None:
            own = getattr(error, "error_type", None)
            has_own = isinstance(own, str) and _LAMBDA_FORM.fullmatch(own)
            error_type = str(own) if has_own else _function_error(type(error))
            name = error_type if error_type.startswith("Runtime.") else type(error).__name__
        else:
            name = error_type
        text = _text(error)
        message = f"{failed}: {text}" if failed else text
        trace = stack_of(error)
        cause = _xray_cause(name, message, trace.stack)
        return cls(error_type, name, bounded(message, MESSAGE_LIMIT_BYTES), _stack(trace, text), cause)

    def body(self, request_id: str = "") -> bytes:
        """The JSON that goes with every kind of error call, at most about 256 KiB. `request_id` is empty in init."""
        value = {
            "errorMessage": self.message,
            "errorType": self.exception_name,
            "requestId": request_id,
            "stackTrace": self.stack_trace,
        }
        return encoded(value)

    def short_body(self, limit_bytes: int, request_id: str) -> bytes:
        """`body` in at most `limit_bytes` (1,000 or more): the message comes first, then the innermost frames."""
        name, message = bounded(self.exception_name, limit_bytes // 8), bounded(self.message, limit_bytes // 2)
        short = replace(self, exception_name=name, message=message, stack_trace=())
        for frame in reversed(self.stack_trace):
            longer = replace(short, stack_trace=(frame, *short.stack_trace))
            if len(longer.body(request_id)) > limit_bytes:
                break
            short = longer
        return short.body(request_id)


def encoded(value: object) -> bytes:
    """JSON in UTF-8. Lone surrogates, which UTF-8 lacks, are escaped as JSON escapes them."""
    return dumps(value, ensure_ascii=False).encode("utf-8", "backslashreplace")


def bounded(text: str, limit_bytes: int) -> str:
    """`text`, cut so that it takes at most `limit_bytes` as JSON, with a note of what was cut."""
    cut = text[:limit_bytes]
    while (size_bytes := len(encoded(cut))) > limit_bytes:
        cut = cut[: len(cut) * limit_bytes // (size_bytes + 1)]
    return text if len(cut) == len(text) else f"{cut} … ({len(text) - len(cut)} more characters)"


def _stack(trace: traceback.TracebackException, text: str) -> tuple[str, ...]:
    """The stack's lines, without the message, which has a place of its own."""
    lines = [line.rstrip("\n") for line in trace.format()]
    last = [line.rstrip("\n") for line in trace.format_exception_only()]
    if text and lines[-len(last) :] == last:  # not so for a group, whose lines are indented
        lines[-len(last) :] = [line for line in last if not line.endswith(text)]
    kept, left_bytes = list[str](), STACK_LIMIT_BYTES
    for line in reversed(lines):
        short = bounded(line, LINE_LIMIT_BYTES)
        left_bytes -= len(encoded(short))
        if left_bytes < 0:
            break
        kept.append(short)
    return tuple(reversed(kept))


def _xray_cause(name: str, message: str, frames: traceback.StackSummary) -> str:
    cause = {
        "exceptions": [
            {
                "type": name,
                "message": bounded(message, XRAY_MESSAGE_LIMIT_BYTES),
                "stack": [{"path": one.filename, "line": one.lineno, "label": one.name} for one in frames],
            }
        ],
        "paths": sorted({one.filename for one in frames}),
    }
    text = dumps(cause, separators=(",", ":")).replace("\x7f", "\\u007f")  # no control character may be in a header
    return text if len(text) <= XRAY_LIMIT_BYTES else ""


def _function_error(cls: type[BaseException]) -> str:
    # Lambda keeps the types that match `Function.Xyz`, ASCII letters and digits, and replaces others.
    name = re.sub(r"[^A-Za-z0-9]", "", cls.__name__).lstrip("0123456789")
    return f"Function.{name[:1].upper()}{name[1:]}" if name else "Function.Unknown"


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001  a foreign __str__ may do anything, and must not hide the error itself
        return f"<{type(error).__name__}, whose text cannot be made>"
