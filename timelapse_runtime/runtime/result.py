"""What a function returns, as the body of a response.

JSON for everything but bytes and streams. Beyond what `json` knows, as in the table of docs/runtime.md: Decimal, date
and time, UUID, Enum, dataclasses. What has no exact form is an error of the invocation, not something like it: NaN, a
Decimal that no double equals, a lone surrogate, a set.

An iterator, async or not, is a stream: what it yields is sent as it comes. Sources: Lambda developer guide, 'Response
streaming for Lambda functions'; of the prelude: API Gateway developer guide, 'Set up a Lambda proxy integration with
payload response streaming', both read November 2026.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from json import dumps  # by name: a function that replaces json.dumps must not change its own results
from typing import TYPE_CHECKING, Any, TypeAlias, TypeGuard

from timelapse_runtime.runtime.errors import MarshalError

if TYPE_CHECKING:
    from decimal import Decimal

JSON = "application/json"
BYTES = "application/octet-stream"
HTTP_RESPONSE = "application/vnd.awslambda.http-integration-response"
"""A stream that begins with its HTTP status and headers: JSON, and eight NUL bytes behind it."""
PRELUDE_END = bytes(8)

Chunk: TypeAlias = bytes | bytearray | memoryview | str
"""Text is sent as UTF-8."""
Chunks: TypeAlias = Iterable[Chunk] | AsyncIterable[Chunk]
"""Closed when it has been sent, or cannot be, if it has a method `close` or `aclose`."""


@dataclass(frozen=True, slots=True)
class Result:
    """A result with a content type of its own: returned by a function that answers neither JSON nor plain bytes.

    If `body` is an iterable of chunks, it is streamed. `status`, `headers` (one value each: HTTP joins several with
    commas) and `cookies` (the values of Set-Cookie) are for HTTP clients behind a function URL or API Gateway; such a
    response is always streamed, and the URL's invoke mode must be RESPONSE_STREAM.
    """

    body: Chunk | Chunks
    content_type: str = BYTES
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    cookies: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Whole:
    """A response that is sent at once."""

    body: bytes
    content_type: str


@dataclass(frozen=True, slots=True)
class Stream:
    """A response that is sent in chunks, behind `prelude`."""

    chunks: Chunks
    content_type: str
    prelude: bytes = b""


def marshal(result: Any) -> Whole | Stream:
    """The response. Raises MarshalError."""
    if isinstance(result, Result):
        return _own(result)
    if _is_chunk(result) and not isinstance(result, str):
        return Whole(chunk_bytes(result), BYTES)
    if isinstance(result, Iterator | AsyncIterator):
        return Stream(result, BYTES)
    try:
        # NaN and lone surrogates have no JSON form: our error is better than a response that the caller cannot read.
        text = dumps(result, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_plain)
        return Whole(text.encode(), JSON)
    except MemoryError:
        raise
    except Exception as error:  # a mapping of the function's own may raise anything
        raise MarshalError(*error.args) from error


def chunk_bytes(chunk: object) -> bytes:
    """A chunk as bytes. Raises MarshalError."""
    if not _is_chunk(chunk):
        raise MarshalError(f"a stream has bytes or text, not a {type(chunk).__name__}")
    try:
        return chunk.encode() if isinstance(chunk, str) else bytes(chunk)
    except UnicodeEncodeError as error:
        raise MarshalError(str(error)) from error


def _is_chunk(value: object) -> TypeGuard[Chunk]:
    return isinstance(value, bytes | bytearray | memoryview | str)


def _own(result: Result) -> Whole | Stream:
    body = result.body
    if not isinstance(result.content_type, str) or not re.fullmatch(r"[!-~]+(?: +[!-~]+)*", result.content_type):
        raise MarshalError(f"{result.content_type!r} cannot be the content type of a Result")
    if result.status is None and not result.headers and not result.cookies:
        return Whole(chunk_bytes(body), result.content_type) if _is_chunk(body) else _stream(body, result.content_type)
    return _stream([body] if _is_chunk(body) else body, HTTP_RESPONSE, _prelude(result))


def _stream(chunks: object, content_type: str, prelude: bytes = b"") -> Stream:
    if not isinstance(chunks, Iterable | AsyncIterable) or isinstance(chunks, Mapping):
        raise MarshalError(f"a body is bytes, text or an iterable of them, not a {type(chunks).__name__}")
    return Stream(chunks, content_type, prelude)


def _prelude(result: Result) -> bytes:
    status = 200 if result.status is None else result.status
    texts = [result.content_type, *result.headers, *result.headers.values(), *result.cookies]
    if not isinstance(status, int) or not 100 <= status <= 599 or not all(isinstance(text, str) for text in texts):
        raise MarshalError(
            f"no HTTP status with headers and cookies as text: {result.status!r}, {result.headers!r}; join a header's "
            "values with commas, and give each Set-Cookie in cookies"
        )
    has_type = any(name.lower() == "content-type" for name in result.headers)
    headers = {**({} if has_type else {"Content-Type": result.content_type}), **result.headers}
    value = {"statusCode": int(status), "headers": headers, "cookies": list(result.cookies)}
    return dumps(value).encode() + PRELUDE_END


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
        raise ValueError(f"the Decimal {value} is not a double: return str(…) of it, or round it")
    return double
