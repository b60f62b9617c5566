"""What a function returns, as the body of a response.

JSON for everything but bytes. Beyond what `json` knows, as in the table of docs/runtime.md: Decimal, date and time,
UUID, Enum, dataclasses. What has no exact form is an error of the invocation, not something like it: NaN, a Decimal
that no double equals, a lone surrogate, a set.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from json import dumps  # by name: a function that replaces json.dumps must not change its own results
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from decimal import Decimal

JSON = "application/json"
BYTES = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Result:
    """A result with a content type of its own: returned by a function that answers neither JSON nor plain bytes."""

    body: bytes
    content_type: str


def marshal(result: Any) -> Result:
    """The response's body and content type. Raises TypeError, ValueError or RecursionError."""
    if isinstance(result, Result):
        return _sendable(result)
    if isinstance(result, bytes | bytearray | memoryview):
        return Result(bytes(result), BYTES)
    # NaN and lone surrogates have no JSON form: our error is better than a response that the caller cannot read.
    text = dumps(result, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_plain)
    return Result(text.encode(), JSON)


def _sendable(result: Result) -> Result:
    """`result`, if it can be sent: its types are not checked where a function is not."""
    if not isinstance(result.body, bytes):
        raise TypeError(f"the body of a Result is bytes, not {type(result.body).__name__}")
    if not re.fullmatch(r"[!-~]+(?: +[!-~]+)*", result.content_type):
        raise ValueError(f"{result.content_type!r} cannot be the content type of a Result")
    return result


def _plain(value: object) -> object:
    """What stands for a value that `json` does not know."""
    # Few functions return such values: the others do not pay for these imports (8 ms).
    from dataclasses import fields, is_dataclass  # noqa: PLC0415
    from datetime import date, datetime, time  # noqa: PLC0415
    from decimal import Decimal  # noqa: PLC0415
    from uuid import UUID  # noqa: PLC0415

    match value:
        case Decimal():
            return _number(value)
        case datetime() | date() | time():
            return value.isoformat()
        case UUID():
            return str(value)
        case Enum():
            return value.value
        case Mapping():
            return dict(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def _number(value: Decimal) -> int | float:
    if not value.is_finite():
        raise ValueError(f"the Decimal {value} has no JSON form")
    if value == value.to_integral_value():
        return int(value)
    double = float(value)
    if type(value)(repr(double)) != value:
        raise ValueError(f"the Decimal {value} is no double: return str(…) of it, or round it")
    return double
