"""What a function may return, and what is said of the rest."""

from __future__ import annotations

import io
import json
from collections import OrderedDict, namedtuple
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from enum import Enum, IntEnum
from types import MappingProxyType
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timelapse_runtime import runtime
from timelapse_runtime.runtime.errors import MarshalError
from timelapse_runtime.runtime.result import BYTES, HTTP_RESPONSE, JSON, Result, Stream, Whole, chunk_bytes, marshal

Point = namedtuple("Point", "x y")


class Colour(Enum):
    RED = "red"


class Level(IntEnum):
    HIGH = 3


@dataclass
class Order:
    number: int
    price: Decimal
    placed: datetime


@pytest.mark.parametrize(
    ("result", "body"),
    [
        (None, "null"),
        ({"a": [1, 2.5, "ü"]}, '{"a":[1,2.5,"ü"]}'),
        (Decimal("1.10"), "1.1"),
        (Decimal("3"), "3"),
        (Decimal("1E+3"), "1000"),
        (Decimal("12345678901234567890123456789012345678"), "12345678901234567890123456789012345678"),
        (Decimal("-0.5"), "-0.5"),
        (datetime(2026, 11, 26, 6, 30, tzinfo=UTC), '"2026-11-26T06:30:00+00:00"'),
        (date(2026, 11, 26), '"2026-11-26"'),
        (time(6, 30), '"06:30:00"'),
        (UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
        (Colour.RED, '"red"'),
        (Level.HIGH, "3"),
        (Point(1, 2), "[1,2]"),
        (OrderedDict(b=1, a=2), '{"b":1,"a":2}'),
        (MappingProxyType({"a": 1}), '{"a":1}'),
        (
            Order(7, Decimal("9.99"), datetime(2026, 1, 1)),
            '{"number":7,"price":9.99,"placed":"2026-01-01T00:00:00"}',
        ),
        ([Order(1, Decimal(2), datetime(2026, 1, 1))], '[{"number":1,"price":2,"placed":"2026-01-01T00:00:00"}]'),
    ],
)
def test_a_result_becomes_json(result: Any, body: str) -> None:
    assert marshal(result) == Whole(body.encode(), JSON)


@pytest.mark.parametrize("result", [b"\x89PNG", bytearray(b"\x89PNG"), memoryview(b"\x89PNG")])
def test_bytes_are_sent_as_they_are(result: Any) -> None:
    assert marshal(result) == Whole(b"\x89PNG", BYTES)


@pytest.mark.parametrize("body", [b"<p>\xc3\xa9", "<p>é"])
def test_a_result_may_say_its_own_content_type(body: Any) -> None:
    assert marshal(Result(body, "text/html; charset=utf-8")) == Whole(b"<p>\xc3\xa9", "text/html; charset=utf-8")


async def asynchronous() -> AsyncIterator[bytes]:
    yield b"chunk"


@pytest.mark.parametrize(
    ("make", "content_type"),
    [
        (lambda: iter([b"a"]), BYTES),
        (lambda: (text for text in "ab"), BYTES),
        (lambda: map(str, range(3)), BYTES),
        (asynchronous, BYTES),
        (lambda: Result(["a", b"b"], "text/plain"), "text/plain"),
        (lambda: Result(asynchronous(), "text/plain"), "text/plain"),
        (lambda: Result(io.BytesIO(b"a")), BYTES),
    ],
)
def test_iterators_and_results_with_chunks_are_streams(make: Callable[[], Any], content_type: str) -> None:
    stream = marshal(make())
    assert isinstance(stream, Stream)
    assert (stream.content_type, stream.prelude) == (content_type, b"")


@pytest.mark.parametrize(
    ("result", "head"),
    [
        (Result(b"", "text/html", status=404), (404, {"Content-Type": "text/html"}, [])),
        (Result([b""], headers={"X-A": "ü"}), (200, {"Content-Type": BYTES, "X-A": "ü"}, [])),
        (Result(iter(""), headers={"content-type": "text/csv"}), (200, {"content-type": "text/csv"}, [])),
        (Result("", cookies=("a=b", "c=d")), (200, {"Content-Type": BYTES}, ["a=b", "c=d"])),
    ],
)
def test_status_headers_and_cookies_go_before_the_stream(result: Result, head: tuple[Any, ...]) -> None:
    stream = marshal(result)
    assert isinstance(stream, Stream)
    assert stream.content_type == HTTP_RESPONSE
    text, end = stream.prelude[:-8], stream.prelude[-8:]
    assert end == bytes(8)
    assert tuple(json.loads(text)[name] for name in ("statusCode", "headers", "cookies")) == head


@pytest.mark.parametrize(
    "result",
    [
        Result(7),  # type: ignore[arg-type]
        Result({"a": 1}),
        Result(None, "text/plain"),  # type: ignore[arg-type]
        Result(b"", "text/html\r\nX-Evil: 1"),
        Result(b"", "text/ü"),
        Result(b"", status=42),
        Result(b"", status="404"),  # type: ignore[arg-type]
        Result(b"", headers={"X-Count": 1}),  # type: ignore[dict-item]
        Result("\ud800"),
    ],
)
def test_a_result_that_cannot_be_sent_is_an_error(result: Result) -> None:
    with pytest.raises(MarshalError):
        marshal(result)


@pytest.mark.parametrize(("chunk", "data"), [("é", b"\xc3\xa9"), (bytearray(b"a"), b"a"), (memoryview(b"a"), b"a")])
def test_a_chunk_is_text_or_bytes(chunk: Any, data: bytes) -> None:
    assert chunk_bytes(chunk) == data


@pytest.mark.parametrize("chunk", [7, None, {"a": 1}, "\ud800", [b"a"]])
def test_no_other_chunk_is_sent(chunk: Any) -> None:
    with pytest.raises(MarshalError):
        chunk_bytes(chunk)


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (float("nan"), "not JSON compliant"),
        ({"a": [float("inf")]}, "not JSON compliant"),
        (Decimal("NaN"), "the Decimal NaN has no JSON form"),
        (Decimal("sNaN"), "has no JSON form"),
        (Decimal("-Infinity"), "the Decimal -Infinity has no JSON form"),
        (Decimal("0.1234567890123456789"), "is not a double"),
        ({1, 2}, "Object of type set is not JSON serializable"),
        ([b"nested"], "Object of type bytes is not JSON serializable"),
        ([map(str, "")], "Object of type map is not JSON serializable"),
        (Order, "Object of type type is not JSON serializable"),
        ("\ud800", "surrogates not allowed"),
        ({(1, 2): 3}, "keys must be"),
    ],
)
def test_what_has_no_exact_form_is_an_error(result: Any, said: str) -> None:
    with pytest.raises(MarshalError, match=said):
        marshal(result)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**9), max_value=10**9))
def test_a_decimal_is_sent_as_it_is_or_not_at_all(value: Decimal) -> None:
    try:
        whole = marshal(value)
    except MarshalError:
        return
    assert isinstance(whole, Whole)
    assert Decimal(whole.body.decode()) == value


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text('aä\n"', max_size=3), st.lists))
def test_what_json_knows_comes_back(value: Any) -> None:
    whole = marshal(value)
    assert isinstance(whole, Whole)
    assert json.loads(whole.body) == value


def test_the_package_has_every_name_that_a_function_needs() -> None:
    for name in runtime.__all__:
        assert getattr(runtime, name).__name__ == name
    with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
        runtime.Nothing  # noqa: B018
