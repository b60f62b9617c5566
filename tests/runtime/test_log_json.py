"""Whatever is logged, a record is one line, and in JSON a line that a strict parser reads."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NoReturn

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from timelapse_runtime.runtime.log import JsonFormatter, LogScope, TextFormatter
from timelapse_runtime.runtime.log_json import encoded


class Silent:
    """Has no text."""

    def __str__(self) -> str:
        raise RuntimeError("no text today")

    __repr__ = __str__


class Unreadable(Mapping[str, int]):
    """Fails when it is read."""

    def __getitem__(self, key: str) -> int:
        raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        return iter("a")

    def __len__(self) -> int:
        return 1


class SilentError(Exception):
    """Has no text, either."""

    def __str__(self) -> str:
        raise RuntimeError("no text today")


CYCLE: list[Any] = [1]
CYCLE.append({"again": CYCLE})
texts = st.text(st.characters(exclude_categories=()), max_size=20)  # lone surrogates among them
atoms = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.builds(lambda: 10**5000)
    | st.builds(Silent)
    | st.builds(Unreadable)
    | st.floats()
    | texts
    | st.binary(max_size=9)
    | st.decimals()
    | st.sampled_from([CYCLE, {1, 2}, datetime(2026, 1, 1, tzinfo=UTC), Decimal("NaN"), int])
)
keys = texts | st.integers() | st.floats() | st.booleans() | st.none() | st.tuples(st.integers()) | st.builds(Silent)
values = st.recursive(
    atoms,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3) | st.tuples(inner),
    max_leaves=8,
)


def refuse(constant: str) -> NoReturn:
    raise AssertionError(f"{constant} is not JSON")


def parsed(text: str) -> Any:
    assert text.isascii()
    assert len(text.splitlines()) == 1
    value = json.loads(text, parse_constant=refuse)
    json.dumps(value, ensure_ascii=False).encode()  # no lone surrogates
    return value


@given(values)
def test_any_object_is_one_line_of_valid_json(value: object) -> None:
    parsed(encoded(value))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(json_values)
def test_what_json_knows_is_kept(value: object) -> None:
    assert parsed(encoded(value)) == value


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ({"a": float("nan"), "b": [float("-inf")]}, {"a": "nan", "b": ["-inf"]}),
        ("half \ud800, whole 😀", "half \\ud800, whole 😀"),
        ({(1, 2): 3, None: 4, True: 5, 6: 7}, {"(1, 2)": 3, "null": 4, "true": 5, "6": 7}),
        ([CYCLE], [[1, {"again": "…"}]]),
        (Silent(), "<Silent, whose text cannot be made>"),
        ({"a": Unreadable(), "b": float("nan")}, {"a": "<Unreadable, whose text cannot be made>", "b": "nan"}),
        ([10**5000], [hex(10**5000)]),
    ],
)
def test_what_json_does_not_know_becomes_text(value: object, kept: object) -> None:
    if isinstance(value, dict) and "a" in value and isinstance(value["a"], Unreadable):
        kept = {**kept, "a": str(value["a"])}  # type: ignore[dict-item]
    assert parsed(encoded(value)) == kept


def test_what_is_nested_too_deeply_is_cut() -> None:
    value: list[Any] = []
    for _ in range(100_000):
        value = [value]
    assert encoded(value).endswith('"\\u2026"' + "]" * 20)


errors = st.builds(ValueError, texts) | st.builds(SilentError) | st.builds(KeyError, values)
names = st.text("abcdefgh_", min_size=1, max_size=8) | st.sampled_from(["level", "timestamp", "requestId", "_aws"])


@settings(max_examples=60)
@given(
    message=values,
    arguments=st.lists(values, max_size=2),
    extra=st.dictionaries(names, values, max_size=3),
    error=st.none() | errors,
    level=st.integers(0, 60),
)
def test_each_record_is_one_line_in_both_formats(
    message: object, arguments: list[Any], extra: dict[str, Any], error: Exception | None, level: int
) -> None:
    scope = LogScope()
    scope.enter("id-1", None, None)
    exc_info = None if error is None else (type(error), error, None)
    record = logging.LogRecord("app", level, __file__, 1, message, tuple(arguments), exc_info, "f")
    vars(record).update({name: value for name, value in extra.items() if name not in vars(record)})
    value = parsed(JsonFormatter(scope).format(record))
    assert value["requestId"] == "id-1"
    if "_aws" in extra:
        return
    assert {"timestamp", "level", "message", "logger"} <= value.keys()
    assert ("errorType" in value) >= (error is not None)
    line = TextFormatter(scope).format(record)
    assert "\n" not in line
    io.TextIOWrapper(io.BytesIO(), "utf-8").write(line)


@pytest.mark.parametrize("broken", [{"exc_info": True}, {"levelno": "high"}, {"created": "now"}, {"stack_info": 7}])
@pytest.mark.parametrize("formatter", [JsonFormatter, TextFormatter])
def test_a_record_made_by_hand_does_not_raise(formatter: Any, broken: dict[str, Any]) -> None:
    line = formatter(LogScope()).format(logging.makeLogRecord({"name": "app", "msg": "text", **broken}))
    assert "\n" not in line
    assert "cannot be written" in line or "stack_info" in broken
