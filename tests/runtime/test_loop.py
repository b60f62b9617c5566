"""The runtime's life against a scripted Lambda: what is called, what is sent, how it ends."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from tests.runtime.scripted_client import ScriptedTransport, Step
from timelapse_runtime.runtime.clock import ManualClock
from timelapse_runtime.runtime.errors import ConnectionRefused, HandlerError, TransportError
from timelapse_runtime.runtime.function import Context, Deadline, Environment
from timelapse_runtime.runtime.interrupts import DeadlineReached, SigtermReceived, Termination
from timelapse_runtime.runtime.log import LogScope
from timelapse_runtime.runtime.loop import (
    BAD_RESPONSE_LIMIT,
    DEADLINE_ERROR_TYPE,
    EXIT_FAILED,
    EXIT_OK,
    TRACE_VARIABLE,
    Runtime,
)
from timelapse_runtime.runtime.outbox import Outbox
from timelapse_runtime.runtime.protocol.messages import Request, Response
from timelapse_runtime.runtime.result import Result
from timelapse_runtime.runtime.retry import ATTEMPTS
from timelapse_runtime.runtime.state.errors import Fenced

ACCEPTED = Response(202)
OUTBOX = Outbox(Path("/outbox"), ManualClock())
INVOCATION = "/2018-06-01/runtime/invocation"


def invocation(number: int, event: bytes = b"{}", **headers: str) -> Response:
    names = {"aws-request-id": f"id-{number}", "deadline-ms": "1790000001500", "invoked-function-arn": "arn"} | headers
    return Response(200, {f"lambda-runtime-{name.replace('_', '-')}": value for name, value in names.items()}, event)


def terminate(_request: Request) -> Response:
    raise SigtermReceived


class Recorder:
    """A stateful function that keeps what it was called with; `act` answers invocations."""

    def __init__(self, act: Callable[[Any, Any], Any] = lambda event, _context: event) -> None:
        self.calls: list[tuple[str, Any]] = []
        self._act = act

    def open(self, environment: Environment) -> None:
        self.calls.append(("open", environment))

    def invoke(self, event: Any, context: Context) -> Any:
        self.calls.append(("invoke", event))
        return self._act(event, context)

    def flush(self, deadline: Deadline) -> None:
        self.calls.append(("flush", deadline))

    def close(self, deadline: Deadline) -> None:
        self.calls.append(("close", deadline))

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.calls]


class RuntimeHarness:
    """A runtime with everything around it in the test's hands."""

    def __init__(
        self,
        function: Recorder,
        *steps: Step,
        **variables: str,
    ) -> None:
        self.transport = ScriptedTransport(steps)
        self.variables = dict(variables)
        self.clock = ManualClock(1_790_000_000_000)
        self.termination = Termination(self.clock)
        self.scope = LogScope()
        self.pauses: list[float] = []
        self.function = function
        self.runtime = Runtime(
            transport=self.transport,
            resolve=self.resolve,
            prepare=lambda: OUTBOX,
            variables=self.variables,
            scope=self.scope,
            clock=self.clock,
            termination=self.termination,
            pause=self.pauses.append,
        )

    def resolve(self) -> Recorder:
        return self.function

    def run(self) -> int:
        return self.runtime.run()

    @property
    def sent(self) -> list[tuple[str, str]]:
        return [
            (request.path, request.headers.get("Lambda-Runtime-Function-Error-Type", ""))
            for request in self.transport.requests
            if request.method == "POST"
        ]

    def body(self, index: int) -> Any:
        return json.loads([request for request in self.transport.requests if request.method == "POST"][index].body)


def test_function_is_opened_once_and_each_answer_goes_to_its_invocation() -> None:
    harness = RuntimeHarness(Recorder(), invocation(1, b"1"), ACCEPTED, invocation(2, b"[2]"), ACCEPTED, terminate)
    assert harness.run() == EXIT_OK
    assert harness.function.names == ["open", "invoke", "invoke", "flush", "close"]
    assert harness.sent == [(f"{INVOCATION}/id-1/response", ""), (f"{INVOCATION}/id-2/response", "")]
    assert [harness.body(0), harness.body(1)] == [1, [2]]


def test_environment_says_what_the_process_was_started_with() -> None:
    harnesses = [RuntimeHarness(Recorder(), terminate, FLAVOUR="mint") for _ in range(2)]
    for harness in harnesses:
        harness.run()
    first, second = (harness.function.calls[0][1] for harness in harnesses)
    assert first.variables["FLAVOUR"] == "mint"
    assert first.outbox is OUTBOX
    assert first.cold_start_id != second.cold_start_id


def test_context_has_what_aws_gives() -> None:
    seen: list[Any] = []
    harness = RuntimeHarness(
        Recorder(lambda _event, context: seen.append(context)),
        invocation(1, client_context='{"custom": {"k": 1}}', cognito_identity="{}", aws_tenant_id="gate"),
        ACCEPTED,
        terminate,
        AWS_LAMBDA_FUNCTION_NAME="lapse",
        AWS_LAMBDA_FUNCTION_VERSION="7",
        AWS_LAMBDA_FUNCTION_MEMORY_SIZE="1769",
        AWS_LAMBDA_LOG_GROUP_NAME="group",
        AWS_LAMBDA_LOG_STREAM_NAME="stream",
    )
    harness.run()
    (context,) = seen
    assert (context.function_name, context.function_version) == ("lapse", "7")
    assert (context.aws_request_id, context.invoked_function_arn) == ("id-1", "arn")
    assert (context.memory_limit_in_mb, context.log_group_name, context.log_stream_name) == ("1769", "group", "stream")
    assert (context.tenant_id, context.client_context.custom) == ("gate", {"k": 1})
    assert context.identity.cognito_identity_id is None
    assert context.get_remaining_time_in_millis() == 1500
    harness.clock.advance(2000)
    assert context.get_remaining_time_in_millis() == 0


def test_trace_id_is_set_for_its_invocation_and_gone_in_one_without() -> None:
    seen: list[str | None] = []
    harness = RuntimeHarness(
        Recorder(lambda _event, _context: seen.append(harness.variables.get(TRACE_VARIABLE))),
        invocation(1, trace_id="Root=1"),
        ACCEPTED,
        invocation(2),
        ACCEPTED,
        terminate,
    )
    harness.run()
    assert seen == ["Root=1", None]


def test_log_scope_is_the_invocation_and_nothing_between() -> None:
    scopes: list[dict[str, str]] = []

    def look(_request: Request) -> Response:
        scopes.append(harness.scope.fields())
        raise SigtermReceived

    harness = RuntimeHarness(
        Recorder(lambda _event, _context: scopes.append(harness.scope.fields())),
        invocation(1, aws_tenant_id="gate"),
        ACCEPTED,
        look,
    )
    harness.run()
    assert scopes == [{"requestId": "id-1", "tenantId": "gate"}, {}]


class Stop(BaseException):
    """Some libraries cancel with such errors."""


class Fickle(Mapping[str, int]):
    """A result that fails while it is read."""

    def __getitem__(self, _key: str) -> int:
        raise ZeroDivisionError("no such row")

    def __iter__(self) -> Iterator[str]:
        return iter(["row"])

    def __len__(self) -> int:
        return 1


def fail(error: BaseException) -> Callable[[Any, Any], Any]:
    def act(_event: Any, _context: Any) -> Any:
        raise error

    return act


@pytest.mark.parametrize(
    ("act", "event", "headers", "error_type"),
    [
        (fail(KeyError("k")), b"{}", {}, "Function.KeyError"),
        (fail(Fenced("newer")), b"{}", {}, "Function.Fenced"),
        (fail(DeadlineReached()), b"{}", {}, DEADLINE_ERROR_TYPE),
        (fail(RecursionError()), b"{}", {}, "Function.RecursionError"),
        (lambda _e, _c: {1, 2}, b"{}", {}, "Runtime.MarshalError"),
        (lambda _e, _c: float("nan"), b"{}", {}, "Runtime.MarshalError"),
        (lambda _e, _c: "\ud800", b"{}", {}, "Runtime.MarshalError"),
        (lambda _e, _c: 1, b"{bad", {}, "Runtime.UnmarshalError"),
        (lambda _e, _c: 1, b"\xff\xfe\x00", {}, "Runtime.UnmarshalError"),
        (lambda _e, _c: 1, b"[" * 100_000, {}, "Runtime.UnmarshalError"),
        (lambda _e, _c: 1, b"NaN", {}, "Runtime.UnmarshalError"),
        (lambda _e, _c: 1, b"[-Infinity]", {}, "Runtime.UnmarshalError"),
        (lambda _e, _c: 1, b"{}", {"client_context": "{bad"}, "Runtime.LambdaContextUnmarshalError"),
        (lambda _e, _c: 1, b"{}", {"cognito_identity": "[]"}, "Runtime.LambdaContextUnmarshalError"),
        (lambda _e, _c: Fickle(), b"{}", {}, "Runtime.MarshalError"),
        (lambda _e, _c: Result(7, "text/plain"), b"{}", {}, "Runtime.MarshalError"),  # type: ignore[arg-type]
        (lambda _e, _c: Result(b"", "text/plain\r\nX-Own: 1"), b"{}", {}, "Runtime.MarshalError"),
        (fail(asyncio.CancelledError()), b"{}", {}, "Function.CancelledError"),
        (fail(GeneratorExit()), b"{}", {}, "Function.GeneratorExit"),
        (fail(Stop()), b"{}", {}, "Function.Stop"),
        (fail(BaseExceptionGroup("tasks", [KeyError(), Stop()])), b"{}", {}, "Function.BaseExceptionGroup"),
        (fail(BaseExceptionGroup("tasks", [KeyError(), DeadlineReached()])), b"{}", {}, DEADLINE_ERROR_TYPE),
    ],
)
def test_error_fails_its_invocation_and_the_loop_goes_on(
    act: Callable[[Any, Any], Any], event: bytes, headers: dict[str, str], error_type: str
) -> None:
    harness = RuntimeHarness(Recorder(act), invocation(1, event, **headers), ACCEPTED, terminate)
    assert harness.run() == EXIT_OK
    assert harness.sent == [(f"{INVOCATION}/id-1/error", error_type)]
    assert harness.body(0)["errorType"] in (error_type, error_type.removeprefix("Function."))
    assert harness.body(0)["stackTrace"]


@pytest.mark.parametrize(
    "error",
    [MemoryError("full"), SystemExit(0), KeyboardInterrupt(), BaseExceptionGroup("tasks", [Stop(), SystemExit(1)])],
)
def test_process_reports_and_ends_where_memory_is_not_to_be_trusted(error: BaseException) -> None:
    harness = RuntimeHarness(Recorder(fail(error)), invocation(1), ACCEPTED)
    assert harness.run() == EXIT_FAILED
    assert harness.sent == [(f"{INVOCATION}/id-1/error", f"Function.{type(error).__name__}")]
    assert harness.function.names == ["open", "invoke"]


def test_response_that_is_too_large_is_logged_and_not_answered_again(caplog: pytest.LogCaptureFixture) -> None:
    harness = RuntimeHarness(Recorder(), invocation(1), Response(413), terminate)
    assert harness.run() == EXIT_OK
    assert len(harness.sent) == 1
    assert "too large" in caplog.text


def test_refused_response_is_logged_and_the_loop_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    harness = RuntimeHarness(Recorder(), invocation(1), Response(403), invocation(2), ACCEPTED, terminate)
    assert harness.run() == EXIT_OK
    assert "refused" in caplog.text
    assert len(harness.sent) == 2


def test_response_that_cannot_be_delivered_does_not_end_the_runtime() -> None:
    lost = [TransportError("reset")] * ATTEMPTS
    harness = RuntimeHarness(Recorder(), invocation(1), *lost, invocation(2), ACCEPTED, terminate)
    assert harness.run() == EXIT_OK
    assert harness.function.names.count("invoke") == 2


def test_broken_service_ends_the_runtime() -> None:
    assert RuntimeHarness(Recorder(), invocation(1), Response(500)).run() == EXIT_FAILED


def test_next_that_makes_no_sense_is_asked_again_a_few_times_only() -> None:
    nonsense = [Response(200)] * (BAD_RESPONSE_LIMIT - 1)
    harness = RuntimeHarness(Recorder(), *nonsense, invocation(1), ACCEPTED, *nonsense, Response(500))
    assert harness.run() == EXIT_FAILED
    assert harness.function.names == ["open", "invoke"]


def test_lost_connection_of_next_is_no_event_at_all() -> None:
    harness = RuntimeHarness(Recorder(), *[TransportError("stale")] * 50, invocation(1), ACCEPTED, terminate)
    assert harness.run() == EXIT_OK
    assert harness.function.names.count("invoke") == 1


class Unopenable(Recorder):
    def open(self, environment: Environment) -> None:
        super().open(environment)
        raise ValueError("no lens")


def test_error_in_open_becomes_init_error_and_a_failing_exit_code() -> None:
    harness = RuntimeHarness(Unopenable(), ACCEPTED)
    assert harness.run() == EXIT_FAILED
    assert harness.sent == [("/2018-06-01/runtime/init/error", "Function.ValueError")]
    assert harness.body(0)["errorMessage"] == "no lens"
    assert harness.function.names == ["open"]


def test_handler_that_is_not_found_becomes_init_error() -> None:
    harness = RuntimeHarness(Recorder(), ACCEPTED)

    def resolve() -> Recorder:
        raise HandlerError("there is none")

    harness.runtime._resolve = resolve
    assert harness.run() == EXIT_FAILED
    assert harness.sent == [("/2018-06-01/runtime/init/error", "Runtime.HandlerNotFound")]


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("AWS_LAMBDA_MAX_CONCURRENCY", "16", "up to 16 invocations at once"),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "snap-start", "Turn SnapStart off"),
    ],
)
def test_mode_that_is_not_supported_fails_init_before_the_function_is_opened(
    variable: str, value: str, said: str
) -> None:
    harness = RuntimeHarness(Recorder(), ACCEPTED, **{variable: value})
    assert harness.run() == EXIT_FAILED
    assert harness.sent == [("/2018-06-01/runtime/init/error", "Runtime.UnsupportedMode")]
    assert said in harness.body(0)["errorMessage"]
    assert harness.function.names == []


@pytest.mark.parametrize(
    "variables", [{"AWS_LAMBDA_MAX_CONCURRENCY": "1"}, {"AWS_LAMBDA_INITIALIZATION_TYPE": "provisioned-concurrency"}]
)
def test_other_modes_are_served(variables: dict[str, str]) -> None:
    harness = RuntimeHarness(Recorder(), invocation(1), ACCEPTED, terminate, **variables)
    assert harness.run() == EXIT_OK


def test_sigterm_in_an_invocation_flushes_and_closes_with_the_budget() -> None:
    harness = RuntimeHarness(Recorder(fail(SigtermReceived())), invocation(1))
    assert harness.run() == EXIT_OK
    assert harness.sent == []
    assert harness.function.calls[-2:] == [
        ("flush", Deadline(1_790_000_000_280, follows_interruption=True)),
        ("close", Deadline(1_790_000_000_280, follows_interruption=True)),
    ]


def test_sigterm_that_a_task_group_wrapped_is_not_lost() -> None:
    def act(_event: Any, _context: Any) -> None:
        with pytest.raises(SigtermReceived) as caught:
            harness.termination._handle(15, None)
        raise BaseExceptionGroup("tasks", [caught.value])

    harness = RuntimeHarness(Recorder(act), invocation(1), ACCEPTED)
    assert harness.run() == EXIT_OK
    assert harness.sent == [(f"{INVOCATION}/id-1/error", "Function.BaseExceptionGroup")]
    assert harness.function.names == ["open", "invoke", "flush", "close"]
    assert dict(harness.function.calls)["flush"].follows_interruption


def test_sigterm_during_init_leaves_at_once() -> None:
    class Slow(Recorder):
        def open(self, environment: Environment) -> None:
            super().open(environment)
            raise SigtermReceived

    harness = RuntimeHarness(Slow())
    assert harness.run() == EXIT_OK
    assert harness.function.names == ["open"]


def test_close_comes_even_when_flush_fails() -> None:
    class Leaky(Recorder):
        def flush(self, deadline: Deadline) -> None:
            super().flush(deadline)
            sys.exit(9)

    harness = RuntimeHarness(Leaky(), terminate)
    assert harness.run() == EXIT_OK
    assert harness.function.names == ["open", "flush", "close"]


def test_sigterm_that_a_function_swallowed_is_raised_before_the_next_invocation() -> None:
    def swallow(_event: Any, _context: Any) -> None:
        with pytest.raises(SigtermReceived):
            harness.termination._handle(15, None)

    harness = RuntimeHarness(Recorder(swallow), invocation(1), ACCEPTED)
    assert harness.run() == EXIT_OK
    assert harness.function.names == ["open", "invoke", "flush", "close"]
    assert harness.transport.steps_left == 0


def test_failed_invocation_is_one_line_with_its_stack(caplog: pytest.LogCaptureFixture) -> None:
    RuntimeHarness(Recorder(fail(KeyError("k"))), invocation(1), ACCEPTED, terminate).run()
    (record,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert record.exc_info is not None


def test_invocation_id_is_sent_back_with_response_and_error() -> None:
    act = Recorder(lambda event, _context: 1 / event)
    first, second = invocation(1, b"1", invocation_id="try-1"), invocation(2, b"0", invocation_id="try-2")
    harness = RuntimeHarness(act, first, ACCEPTED, second, ACCEPTED, invocation(3, b"1"), ACCEPTED, terminate)
    assert harness.run() == EXIT_OK
    posts = [request for request in harness.transport.requests if request.method == "POST"]
    assert [post.headers.get("Lambda-Runtime-Invocation-Id") for post in posts] == ["try-1", "try-2", None]


def test_stack_begins_in_the_function() -> None:
    harness = RuntimeHarness(Recorder(fail(KeyError("k"))), invocation(1), ACCEPTED, terminate)
    harness.run()
    frames = [line for line in harness.body(0)["stackTrace"] if line.lstrip().startswith("File")]
    assert frames
    assert not any("timelapse_runtime/runtime/" in frame for frame in frames)


def test_service_that_is_gone_ends_the_process() -> None:
    harness = RuntimeHarness(Recorder(), *[ConnectionRefused("refused")] * 1000)
    assert harness.run() == EXIT_FAILED
    assert harness.function.names == ["open"]


def test_null_as_client_context_is_none() -> None:
    seen: list[Any] = []
    act = Recorder(lambda _event, context: seen.append((context.client_context, context.identity.cognito_identity_id)))
    harness = RuntimeHarness(act, invocation(1, client_context="null", cognito_identity="null"), ACCEPTED, terminate)
    assert harness.run() == EXIT_OK
    assert seen == [(None, None)]


def test_event_of_another_content_type_is_bytes() -> None:
    harness = RuntimeHarness(
        Recorder(lambda event, _context: repr(event)),
        replace(invocation(1, b"\x89PNG"), headers={**invocation(1).headers, "content-type": "image/png"}),
        ACCEPTED,
        replace(invocation(2), headers={**invocation(2).headers, "content-type": "application/json; charset=utf-8"}),
        ACCEPTED,
        terminate,
    )
    assert harness.run() == EXIT_OK
    assert [harness.body(0), harness.body(1)] == ["b'\\x89PNG'", "{}"]


def test_context_has_the_w3c_trace_context_and_takes_attributes() -> None:
    seen: list[Any] = []

    def act(_event: Any, context: Context) -> None:
        context.note = "of the function"  # type: ignore[attr-defined]
        assert context.client_context is not None
        context.client_context.custom = {"changed": True}
        context.identity.cognito_identity_id = "changed"
        context.log("a line")
        seen.append(context)

    trace = {"traceparent": "00-1-2-01", "tracestate": 7, "other": "x"}
    sent = json.dumps({"custom": {}, "w3c": trace})
    first, second = invocation(1, client_context=sent), invocation(2, client_context='{"w3c": 3}')
    harness = RuntimeHarness(Recorder(act), first, ACCEPTED, second, ACCEPTED, terminate)
    assert harness.run() == EXIT_OK
    assert [context.w3c() for context in seen] == [{"traceparent": "00-1-2-01"}, {}]
    assert not hasattr(seen[0].client_context, "w3c")


def test_bytes_and_a_content_type_of_its_own_are_sent() -> None:
    answers = iter([b"\x89PNG", Result(b"<p>", "text/html")])
    harness = RuntimeHarness(
        Recorder(lambda _event, _context: next(answers)), invocation(1), ACCEPTED, invocation(2), ACCEPTED, terminate
    )
    assert harness.run() == EXIT_OK
    posted = [request for request in harness.transport.requests if request.method == "POST"]
    assert [(one.body, one.headers["Content-Type"]) for one in posted] == [
        (b"\x89PNG", "application/octet-stream"),
        (b"<p>", "text/html"),
    ]


class AsyncFunction:
    """Everything async; each call must run on the loop of the first."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.loops: set[int] = set()

    async def _note(self, name: str) -> None:
        await asyncio.sleep(0)
        self.calls.append(name)
        self.loops.add(id(asyncio.get_running_loop()))

    async def open(self, _environment: Environment) -> None:
        await self._note("open")

    async def invoke(self, event: Any, _context: Context) -> Any:
        await self._note("invoke")
        if event == "fail":
            raise KeyError("async")
        return event

    async def flush(self, _deadline: Deadline) -> None:
        await self._note("flush")

    async def close(self, _deadline: Deadline) -> None:
        await self._note("close")


def test_async_functions_run_on_one_loop() -> None:
    function = AsyncFunction()
    harness = RuntimeHarness(
        cast("Recorder", function), invocation(1, b'"a"'), ACCEPTED, invocation(2, b'"fail"'), ACCEPTED, terminate
    )
    assert harness.run() == EXIT_OK
    assert harness.sent == [(f"{INVOCATION}/id-1/response", ""), (f"{INVOCATION}/id-2/error", "Function.KeyError")]
    assert harness.body(0) == "a"
    assert function.calls == ["open", "invoke", "invoke", "flush", "close"]
    assert len(function.loops) == 1


def test_an_async_invocation_that_hangs_ends_before_its_deadline_and_goes_no_further() -> None:
    reached: list[str] = []

    async def hang(event: Any) -> str:
        if event == "hang":
            try:
                await asyncio.sleep(3600)
            finally:
                reached.append("cleaned up")
            reached.append("went on")
        await asyncio.sleep(0.01)
        return "after it"

    first, second = invocation(1, b'"hang"', deadline_ms="1790000000100"), invocation(2, b"1")
    recorder = Recorder(lambda event, _context: hang(event))
    harness = RuntimeHarness(recorder, first, ACCEPTED, second, ACCEPTED, terminate)
    assert harness.run() == EXIT_OK
    assert harness.sent[0] == (f"{INVOCATION}/id-1/error", DEADLINE_ERROR_TYPE)
    assert harness.body(1) == "after it"
    assert reached == ["cleaned up"]


def test_an_interruption_is_told_to_the_next_invocation_and_to_the_shutdown() -> None:
    told: list[bool] = []

    def act(event: Any, context: Context) -> None:
        told.append(context.follows_interruption)
        if event == "late":
            raise DeadlineReached
        if event == "wrong":
            raise KeyError(event)
        if event == "killed":
            raise SigtermReceived

    events = [b"1", b'"late"', b'"wrong"', b"2", b'"killed"']
    steps = [step for number, event in enumerate(events) for step in (invocation(number, event), ACCEPTED)]
    harness = RuntimeHarness(Recorder(act), *steps)
    assert harness.run() == EXIT_OK
    assert told == [False, False, True, False, False]
    shutdown = dict(harness.function.calls)
    assert [shutdown[name].follows_interruption for name in ("flush", "close")] == [True, True]


def test_a_quiet_shutdown_follows_no_interruption() -> None:
    harness = RuntimeHarness(Recorder(), invocation(1), ACCEPTED, terminate)
    harness.run()
    assert not dict(harness.function.calls)["flush"].follows_interruption
