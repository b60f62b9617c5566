"""What a function may return, and what is said of the rest."""

from __future__ import annotations

import json
from collections import OrderedDict, namedtuple
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
from timelapse_runtime.runtime.result import BYTES, JSON, Result, marshal

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
    assert marshal(result) == Result(body.encode(), JSON)


@pytest.mark.parametrize("result", [b"\x89PNG", bytearray(b"\x89PNG"), memoryview(b"\x89PNG")])
def test_bytes_are_sent_as_they_are(result: Any) -> None:
    assert marshal(result) == Result(b"\x89PNG", BYTES)


def test_a_result_may_say_its_own_content_type() -> None:
    page = Result(b"<p>", "text/html; charset=utf-8")
    assert marshal(page) is page


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (float("nan"), "not JSON compliant"),
        ({"a": [float("inf")]}, "not JSON compliant"),
        (Decimal("NaN"), "the Decimal NaN has no JSON form"),
        (Decimal("sNaN"), "has no JSON form"),
        (Decimal("-Infinity"), "the Decimal -Infinity has no JSON form"),
        (Decimal("0.1234567890123456789"), "is no double"),
        ({1, 2}, "Object of type set is not JSON serializable"),
        ([b"nested"], "Object of type bytes is not JSON serializable"),
        ((number for number in range(3)), "Object of type generator is not JSON serializable"),
        (Order, "Object of type type is not JSON serializable"),
        ("\ud800", "surrogates not allowed"),
        ({(1, 2): 3}, "keys must be"),
    ],
)
def test_what_has_no_exact_form_is_an_error(result: Any, said: str) -> None:
    with pytest.raises((TypeError, ValueError), match=said):
        marshal(result)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**9), max_value=10**9))
def test_a_decimal_is_sent_as_it_is_or_not_at_all(value: Decimal) -> None:
    try:
        body = marshal(value).body
    except ValueError:
        return
    assert Decimal(body.decode()) == value


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text('aä\n"', max_size=3), st.lists))
def test_what_json_knows_comes_back(value: Any) -> None:
    assert json.loads(marshal(value).body) == value


def test_the_package_has_every_name_that_a_function_needs() -> None:
    for name in runtime.__all__:
        assert getattr(runtime, name).__name__ == name
    with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
        runtime.Nothing  # noqa: B018
