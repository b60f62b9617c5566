"""A stateful function behind AWS's own client: what it is given, and how it ends."""

from __future__ import annotations

import dataclasses
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from timelapse_runtime.runtime import Result
from timelapse_runtime.runtime.aws_runtime import MAIN_THREAD_MS, ManagedFunction
from timelapse_runtime.runtime.clock import ManualClock
from timelapse_runtime.runtime.errors import HandlerError, MarshalError
from timelapse_runtime.runtime.function import Context, Deadline, Environment
from timelapse_runtime.runtime.interrupts import DeadlineReached, SigtermReceived


@dataclasses.dataclass
class Price:
    amount: Decimal


class Recorder:
    """Returns or raises what the event says, and keeps what it is called with."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Any]] = []

    def open(self, environment: Environment) -> None:
        self.calls.append(("open", environment.cold_start_id))

    def invoke(self, event: Any, context: Context) -> Any:
        self.calls.append(("invoke", context))
        if isinstance(event, BaseException):
            raise event
        return event

    def flush(self, deadline: Deadline) -> None:
        self.calls.append(("flush", deadline))
        raise ValueError("of flush")

    def close(self, deadline: Deadline) -> None:
        self.calls.append(("close", deadline))


class TheirContext(SimpleNamespace):
    """As awslambdaric makes one."""

    def get_remaining_time_in_millis(self) -> int:
        return 3_000

    def w3c(self) -> dict[str, str]:
        return {"traceparent": "00-1"}


def their_context() -> TheirContext:
    return TheirContext(
        function_name="shop",
        function_version="$LATEST",
        invoked_function_arn="arn",
        memory_limit_in_mb="512",
        aws_request_id="id",
        log_group_name="group",
        log_stream_name="stream",
        identity=None,
        client_context=None,
    )


@pytest.fixture
def left() -> list[int]:
    """The codes with which the process would have ended."""
    return []


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def handler(recorder: Recorder, left: list[int]) -> ManagedFunction:
    made = ManagedFunction(recorder, ManualClock(epoch_ms=1_000_000), left.append)
    made.open(Environment({}, None, "first"))
    return made


def contexts(recorder: Recorder) -> list[Context]:
    return [one for name, one in recorder.calls if name == "invoke"]


def test_it_is_opened_before_the_first_event_and_gets_the_runtimes_context(
    handler: ManagedFunction, recorder: Recorder
) -> None:
    assert handler({"a": 1}, their_context()) == {"a": 1}
    assert recorder.calls[0] == ("open", "first")
    (context,) = contexts(recorder)
    assert (context.aws_request_id, context.function_name, context.tenant_id) == ("id", "shop", None)
    assert context.deadline == Deadline(1_003_000)
    assert context.w3c() == {"traceparent": "00-1"}
    assert not context.follows_interruption


@pytest.mark.parametrize(
    ("result", "sent"),
    [
        (Price(Decimal("1.5")), {"amount": 1.5}),
        ((1, None), [1, None]),
        (b"raw", b"raw"),
        (Result(b"<p>", "text/html"), b"<p>"),
    ],
)
def test_a_result_is_made_plain_for_awss_client(result: Any, sent: Any, handler: ManagedFunction) -> None:
    assert handler(result, their_context()) == sent


def test_a_stream_is_refused(handler: ManagedFunction) -> None:
    with pytest.raises(MarshalError, match="does not stream"):
        handler(iter([b"one"]), their_context())


def test_the_alarm_fails_the_invocation_alone_and_the_next_one_is_told(
    handler: ManagedFunction, recorder: Recorder
) -> None:
    with pytest.raises(TimeoutError, match="near"):
        handler(DeadlineReached("near"), their_context())
    with pytest.raises(KeyError):
        handler(KeyError("own"), their_context())
    handler(1, their_context())
    assert [one.follows_interruption for one in contexts(recorder)] == [False, True, False]


def test_a_shutdown_flushes_and_closes_once_even_if_flush_fails(
    handler: ManagedFunction, recorder: Recorder, left: list[int]
) -> None:
    handler.shut_down()
    handler.shut_down()
    assert [name for name, _ in recorder.calls] == ["open", "flush", "close"]
    assert recorder.calls[1][1] == Deadline(1_000_280)
    assert left == [0]


def test_a_shutdown_in_an_invocation_says_that_it_was_interrupted(
    handler: ManagedFunction, recorder: Recorder, left: list[int]
) -> None:
    with pytest.raises(SigtermReceived):
        handler(SigtermReceived(), their_context())
    assert recorder.calls[-1] == ("close", Deadline(1_000_280, follows_interruption=True))
    assert left == [0]


def test_sigterm_between_invocations_shuts_down_in_the_main_thread(
    handler: ManagedFunction, recorder: Recorder, left: list[int]
) -> None:
    handler.termination._handle(15, None)
    assert [name for name, _ in recorder.calls] == ["open", "flush", "close"]
    assert handler._has_begun()
    assert left == [0]


def test_the_watchdog_shuts_down_if_the_main_thread_does_not(recorder: Recorder, left: list[int]) -> None:
    clock = ManualClock(epoch_ms=1_000_000)
    made = ManagedFunction(recorder, clock, left.append)
    made.termination.arrival_epoch_ms()
    clock.advance(MAIN_THREAD_MS - 1)
    assert not made._has_begun()
    assert left == []
    clock.advance(1)
    assert made._has_begun()
    assert [name for name, _ in recorder.calls] == ["flush", "close"]
    assert left == [0]


def test_a_slow_handler_of_the_functions_own_is_not_cut_off_by_a_repeated_signal_or_the_watchdog(
    recorder: Recorder, left: list[int]
) -> None:
    clock = ManualClock(epoch_ms=1_000_000)
    made = ManagedFunction(recorder, clock, left.append)

    def slow(number: int, _frame: object) -> None:
        clock.advance(MAIN_THREAD_MS)
        made.termination._handle(number, None)
        assert not made._has_begun()
        recorder.calls.append(("own handler", number))

    made.termination._handler_of_function = slow
    made.termination._handle(15, None)
    assert [name for name, _ in recorder.calls] == ["own handler", "flush", "close"]


def test_the_watchdog_calls_the_functions_own_handler_first(recorder: Recorder, left: list[int]) -> None:
    clock = ManualClock(epoch_ms=1_000_000)
    made = ManagedFunction(recorder, clock, left.append)
    made.termination._handler_of_function = lambda number, _: recorder.calls.append(("own handler", number))
    made.termination.arrival_epoch_ms()
    clock.advance(MAIN_THREAD_MS)
    assert made._has_begun()
    made.termination._handle(15, None)
    assert [name for name, _ in recorder.calls] == ["own handler", "flush", "close"]
    assert left == [0]


def test_what_is_no_function_is_refused() -> None:
    with pytest.raises(HandlerError) as caught:
        ManagedFunction(SimpleNamespace, ManualClock())
    assert str(caught.value) == "managed(SimpleNamespace): class SimpleNamespace has no open, invoke"
    with pytest.raises(HandlerError, match=r"^managed\(…\): that is of type int, and neither"):
        ManagedFunction(3, ManualClock())
