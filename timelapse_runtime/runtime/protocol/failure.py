"""An error as Lambda wants to be told of it."""

from __future__ import annotations

import json
import re
import traceback
from dataclasses import dataclass

_LAMBDA_FORM = re.compile(r"(Runtime|Function|Extension)\.[A-Z][A-Za-z0-9]*")
"""An exception class may have an `error_type` of this form; it is then the one that Lambda is told."""
STACK_LIMIT = 50
"""Frames kept of a stack, the innermost: enough to see a recursion, far from any limit on the body."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Type, message and stack of an error. `error_type` has the form `Runtime.Xyz` or `Function.Xyz`."""

    error_type: str
    message: str
    stack_trace: tuple[str, ...] = ()

    @classmethod
    def of(cls, error: BaseException, error_type: str | None = None) -> Failure:
        """Describe an exception, by `error_type` where the caller knows better than the exception's class."""
        if error_type is None:
            own = getattr(error, "error_type", None)
            has_own = isinstance(own, str) and _LAMBDA_FORM.fullmatch(own)
            error_type = str(own) if has_own else _function_error(type(error))
        trace = traceback.TracebackException.from_exception(error, limit=-STACK_LIMIT)
        lines = tuple(line.rstrip("\n") for line in trace.format())
        return cls(error_type, _text(error), lines)

    def body(self) -> bytes:
        """The JSON that goes with every kind of error call."""
        return json.dumps(
            {"errorMessage": self.message, "errorType": self.error_type, "stackTrace": self.stack_trace}
        ).encode()


def _function_error(cls: type[BaseException]) -> str:
    # Lambda keeps the types that match `Function.Xyz`, ASCII letters and digits, and replaces others.
    name = re.sub(r"[^A-Za-z0-9]", "", cls.__name__).lstrip("0123456789")
    return f"Function.{name[:1].upper()}{name[1:]}" if name else "Function.Unknown"


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001  a foreign __str__ may do anything, and must not hide the error itself
        return f"<{type(error).__name__}, whose text cannot be made>"
