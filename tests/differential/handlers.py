"""About a hundred small handlers, and what each is sent. One process of either runtime runs all of them. Not a test.

The request id of an invocation names its case. Imports the standard library alone: it is a function's module.
"""

import asyncio
import collections
import dataclasses
import datetime
import decimal
import enum
import functools
import json
import os
import sys
import types
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any

Act = Callable[[Any, Any], Any]


@dataclasses.dataclass(frozen=True)
class Case:
    """What the handler does, and what the service sends. `headers` without the prefix Lambda-Runtime-."""

    act: Act
    event: bytes = b"{}"
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    content_type: str = "application/json"


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


class Word(str):
    __slots__ = ()


Point = collections.namedtuple("Point", "x y")


@dataclasses.dataclass
class Photo:
    key: str
    size: int


class WithAsdict:
    def _asdict(self) -> dict[str, int]:
        return {"a": 1}


class Custom(Exception):
    pass


class My_Custom(Exception):  # noqa: N801
    pass


class Silent(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


class Typed(Exception):
    error_type = "Function.TypedByItself"


class Stop(BaseException):
    pass


def returns(value: Any) -> Act:
    return lambda _event, _context: value


def raises(error: BaseException) -> Act:
    def act(_event: Any, _context: Any) -> Any:
        raise error

    return act


def chained(_event: Any, _context: Any) -> Any:
    try:
        raise KeyError("inner")
    except KeyError as error:
        raise ValueError("outer") from error


def noted(_event: Any, _context: Any) -> Any:
    error = ValueError("bad")
    error.add_note("at frame 7")
    raise error


def deep(_event: Any, _context: Any) -> Any:
    return deep(_event, _context)


def three_deep(_event: Any, _context: Any) -> Any:
    return json.loads("{broken")


def nested(depth: int) -> Any:
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


def cyclic() -> Any:
    value: list[Any] = []
    value.append(value)
    return value


async def coroutine(_event: Any, _context: Any) -> Any:
    await asyncio.sleep(0)
    return "awaited"


def generate(*chunks: Any) -> Iterator[Any]:
    yield from chunks


def show(event: Any, _context: Any) -> Any:
    return repr(event)


def show_context(_event: Any, context: Any) -> Any:
    client = context.client_context
    inner = client and client.client
    return {
        "client": client and [client.custom, client.env, inner and [inner.installation_id, inner.app_title]],
        "identity": [context.identity.cognito_identity_id, context.identity.cognito_identity_pool_id],
        "w3c": context.w3c(),
    }


def fields(_event: Any, context: Any) -> Any:
    names = "function_name function_version invoked_function_arn memory_limit_in_mb log_group_name tenant_id"
    return {name: getattr(context, name) for name in names.split()}


def settable(_event: Any, context: Any) -> Any:
    context.note, context.function_name = "mine", "renamed"
    context.client_context.custom = 7
    context.identity.cognito_identity_id = "changed"
    return [context.note, context.function_name, context.client_context.custom, context.identity.cognito_identity_id]


def remaining(_event: Any, context: Any) -> Any:
    left = context.get_remaining_time_in_millis()
    return [type(left).__name__, 0 < left <= 601_000]


def trace(_event: Any, _context: Any) -> Any:
    return os.environ.get("_X_AMZN_TRACE_ID")


def replace_json(_event: Any, _context: Any) -> Any:
    json.dumps = json.loads = None  # type: ignore[assignment]
    return {"replaced": True}


def restore_json(_event: Any, _context: Any) -> Any:
    from json import encoder

    json.dumps = lambda value, **options: encoder.JSONEncoder(**options).encode(value)
    return "restored"


def write_without_stdout(_event: Any, _context: Any) -> Any:
    sys.stdout = None
    return "no stdout"


def restore_stdout(_event: Any, _context: Any) -> Any:
    sys.stdout = sys.__stdout__
    return "restored"


def _client_context(value: str) -> Case:
    return Case(show_context, headers={"Client-Context": value})


def _identity(value: str) -> Case:
    return Case(show_context, headers={"Cognito-Identity": value})


RESULTS: dict[str, Any] = {
    "none": None,
    "true": True,
    "integer": 7,
    "long-integer": 2**70,
    "float": 1.5,
    "exponent": 1e300,
    "negative-zero": -0.0,
    "text": "plain",
    "empty-text": "",
    "unicode": "é ☃ \U0001f4f7",
    "controls": "\x00\x1f\x7f\u2028",
    "lone-surrogate": "\ud800",
    "list": [1, [2, {"a": None}]],
    "tuple": (1, 2),
    "object": {"b": 1, "a": [1, 2]},
    "integer-key": {1: "a"},
    "float-key": {1.5: "a"},
    "none-key": {None: "a"},
    "true-key": {True: "a"},
    "tuple-key": {(1, 2): "a"},
    "bytes-key": {b"a": "a"},
    "nested-900": nested(900),
    "nested-100000": nested(100_000),
    "cyclic": cyclic(),
    "bytes": b"\x89PNG",
    "empty-bytes": b"",
    "bytearray": bytearray(b"abc"),
    "memoryview": memoryview(b"abc"),
    "bytes-inside": {"a": b"abc"},
    "nan": float("nan"),
    "infinity": float("inf"),
    "decimal": decimal.Decimal("1.5"),
    "decimal-integer": decimal.Decimal(12),
    "decimal-trailing-zero": decimal.Decimal("1.10"),
    "decimal-inexact": decimal.Decimal("0.1000000000000000000000001"),
    "decimal-nan": decimal.Decimal("NaN"),
    "decimal-infinity": decimal.Decimal("Infinity"),
    "datetime": datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC),
    "date": datetime.date(2026, 1, 2),
    "uuid": uuid.UUID(int=7),
    "enum": Colour.RED,
    "integer-enum": Level.HIGH,
    "text-subclass": Word("w"),
    "dataclass": Photo("a.jpg", 7),
    "dataclass-class": Photo,
    "named-tuple": Point(1, 2),
    "asdict": WithAsdict(),
    "ordered-dict": collections.OrderedDict(a=1),
    "default-dict": collections.defaultdict(int, a=1),
    "mapping-proxy": types.MappingProxyType({"a": 1}),
    "user-dict": collections.UserDict(a=1),
    "set": {1},
    "range": range(3),
    "complex": 1j,
    "function": returns,
    "partial": functools.partial(returns),
    "ellipsis": ...,
    "exception": ValueError("returned"),
    "long-text": "x" * 1_000_000,
    "api-gateway": {
        "statusCode": 201,
        "headers": {"Content-Type": "image/png"},
        "multiValueHeaders": {"Set-Cookie": ["a=1", "b=2"], "Vary": ["Accept"]},
        "body": "iVBORw0KGgo=",
        "isBase64Encoded": True,
    },
    "load-balancer": {
        "statusCode": 200,
        "statusDescription": "200 OK",
        "multiValueHeaders": {"Set-Cookie": ["a=1", "b=2"]},
        "body": "<p>é</p>",
        "isBase64Encoded": False,
    },
    "function-url": {"statusCode": 204, "headers": {}, "cookies": ["a=1", "b=2"], "body": None},
}

ERRORS: dict[str, Act] = {
    "value-error": raises(ValueError("bad")),
    "empty-message": raises(ValueError()),
    "two-arguments": raises(ValueError("a", 2)),
    "key-error": raises(KeyError("k")),
    "os-error": raises(FileNotFoundError(2, "No such file", "a.jpg")),
    "custom": raises(Custom("mine")),
    "custom-with-underscore": raises(My_Custom("mine")),
    "error-type-of-its-own": raises(Typed("mine")),
    "unicode-message": raises(ValueError("é ☃")),
    "control-message": raises(ValueError("a\nb\x00\x7f")),
    "surrogate-message": raises(ValueError("\ud800")),
    "long-message": raises(ValueError("x" * 1_000_000)),
    "silent": raises(Silent()),
    "chained": chained,
    "noted": noted,
    "in-library": three_deep,
    "recursion": deep,
    "group": raises(ExceptionGroup("several", [KeyError("a"), ValueError("b")])),
    "stop-iteration": raises(StopIteration(3)),
    "assertion": raises(AssertionError()),
    "memory-error": raises(MemoryError("full")),
    "base-exception": raises(Stop("stop")),
    "cancelled": raises(asyncio.CancelledError()),
    "keyboard-interrupt": raises(KeyboardInterrupt()),
    "exit-0": lambda _event, _context: sys.exit(0),
    "os-exit": lambda _event, _context: os._exit(0),
}

EVENTS: dict[str, bytes] = {
    "null": b"null",
    "number": b"1.0",
    "long-number": b"1" * 400,
    "too-long-number": b"1" * 5000,
    "overflow": b"1e999",
    "text": '"é☃"'.encode(),
    "escaped-surrogate": b'"\\ud800"',
    "duplicate-key": b'{"a": 1, "a": 2}',
    "white-space": b" \n{}\t",
    "trailing-comma": b"[1,]",
    "two-values": b"{} {}",
    "empty": b"",
    "broken": b"{",
    "nan": b"NaN",
    "infinity": b"[-Infinity]",
    "bom": b"\xef\xbb\xbf{}",
    "latin-1": b'"\xe9"',
    "utf-16": '"a"'.encode("utf-16"),
    "control-character": b'"\n"',
    "nested-900": b"[" * 900 + b"]" * 900,
    "nested-100000": b"[" * 100_000 + b"]" * 100_000,
}

CLIENT_CONTEXTS: dict[str, str] = {
    "full": '{"client": {"installation_id": "i", "app_title": "Cam"}, "custom": {"k": 1}, "env": {"e": 2}}',
    "empty": "{}",
    "null": "null",
    "list": "[]",
    "number": "3",
    "broken": "{bad",
    "client-number": '{"client": 3}',
    "client-null": '{"client": null, "custom": null}',
    "w3c": '{"w3c": {"traceparent": "00-1", "tracestate": 7, "baggage": "b", "other": "x"}}',
    "w3c-number": '{"w3c": 3}',
}

IDENTITIES: dict[str, str] = {
    "full": '{"cognitoIdentityId": "i", "cognitoIdentityPoolId": "p"}',
    "empty": "{}",
    "null": "null",
    "list": "[]",
    "broken": "{bad",
}

CASES: dict[str, Case] = {
    **{f"result-{name}": Case(returns(value)) for name, value in RESULTS.items()},
    "result-coroutine": Case(coroutine),
    "result-generator": Case(lambda _event, _context: generate("a", b"b")),
    "result-generator-of-integers": Case(lambda _event, _context: generate(1)),
    **{f"error-{name}": Case(act) for name, act in ERRORS.items()},
    **{f"event-{name}": Case(show, event) for name, event in EVENTS.items()},
    "event-type-bytes": Case(show, b"\x89PNG", content_type="image/png"),
    "event-type-with-charset": Case(show, b"{}", content_type="application/json; charset=utf-8"),
    **{f"client-context-{name}": _client_context(value) for name, value in CLIENT_CONTEXTS.items()},
    **{f"identity-{name}": _identity(value) for name, value in IDENTITIES.items()},
    "context-fields": Case(fields, headers={"Aws-Tenant-Id": "gate"}),
    "context-missing-variable": Case(lambda _event, context: context.log_stream_name),
    "context-settable": Case(settable, headers={"Client-Context": "{}"}),
    "context-remaining": Case(remaining),
    "context-log": Case(lambda _event, context: context.log("a line")),
    "context-trace": Case(trace, headers={"Trace-Id": "Root=1"}),
    "context-no-trace": Case(trace),
    "context-invocation-id": Case(returns(1), headers={"Invocation-Id": "try-1"}),
    "context-invocation-id-of-an-error": Case(raises(ValueError("bad")), headers={"Invocation-Id": "try-2"}),
    "hostile-json": Case(replace_json),
    "hostile-json-then-an-error": Case(raises(ValueError("bad"))),
    "hostile-json-restored": Case(restore_json),
    "hostile-stdout": Case(write_without_stdout),
    "hostile-stdout-then-a-result": Case(returns(1)),
    "hostile-stdout-restored": Case(restore_stdout),
}


def handler(event: Any, context: Any) -> Any:
    return CASES[context.aws_request_id].act(event, context)
