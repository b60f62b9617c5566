"""Streamed responses against a scripted Lambda: what is sent, what fails how, and that each stream is closed."""

from __future__ import annotations

import asyncio
import base64
import contextvars
import json
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from tests.runtime.scripted_client import Step
from tests.runtime.test_loop import ACCEPTED, INVOCATION, Recorder, RuntimeHarness, invocation, terminate
from timelapse_runtime.runtime.errors import AnsweredEarly, TransportError
from timelapse_runtime.runtime.interrupts import DeadlineReached, SigtermReceived
from timelapse_runtime.runtime.loop import (
    DEADLINE_ERROR_TYPE,
    EXIT_FAILED,
    EXIT_OK,
    TERMINATED_ERROR_TYPE,
    TERMINATED_STREAM_MS,
)
from timelapse_runtime.runtime.protocol.messages import Response, StreamEnd
from timelapse_runtime.runtime.result import BYTES, Result

TYPE, BODY = "Lambda-Runtime-Function-Error-Type", "Lambda-Runtime-Function-Error-Body"


class Chunks:
    """Yields its items, raising those that are exceptions; an iterator that says whether it was closed."""

    def __init__(self, *items: Any) -> None:
        self._items = iter(items)
        self.is_closed = False

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        item = next(self._items)
        if isinstance(item, BaseException):
            raise item
        return item

    def close(self) -> None:
        self.is_closed = True


class AsyncChunks:
    """The same, asynchronously."""

    def __init__(self, *items: Any) -> None:
        self._chunks = Chunks(*items)
        self.is_closed = False

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        await asyncio.sleep(0)
        for item in self._chunks:
            return item
        raise StopAsyncIteration

    async def aclose(self) -> None:
        await asyncio.sleep(0)
        self.is_closed = True


kinds = pytest.mark.parametrize("kind", [Chunks, AsyncChunks])


def streaming(result: Any, *steps: Step, on_chunk: Callable[[int], None] = lambda _number: None) -> RuntimeHarness:
    harness = RuntimeHarness(Recorder(lambda _event, _context: result), invocation(1), *steps)
    harness.transport.on_chunk = on_chunk
    return harness


def error_of(end: StreamEnd | None) -> tuple[str, Any]:
    assert end is not None
    return end.trailers[TYPE], json.loads(base64.b64decode(end.trailers[BODY]))


@kinds
def test_each_chunk_is_sent_as_it_comes_and_the_stream_is_closed(kind: type[Chunks | AsyncChunks]) -> None:
    chunks = kind(b"a", "é", b"", bytearray(b"c"))
    harness = streaming(chunks, ACCEPTED, terminate)
    assert harness.run() == EXIT_OK
    (stream,) = harness.transport.streams
    assert stream.chunks == [b"a", "é".encode(), b"c"]
    assert stream.head is not None
    assert (stream.head.path, stream.head.headers["Content-Type"]) == (f"{INVOCATION}/id-1/response", BYTES)
    assert (stream.end_of_stream, stream.timeout_ms) == (StreamEnd(), 1500)
    assert chunks.is_closed


@pytest.mark.parametrize("how", ["generator", "async generator", "coroutine"])
def test_a_handler_may_yield_its_response(how: str) -> None:
    async def asynchronously() -> AsyncIterator[bytes]:
        for number in range(3):
            yield b"%d" % number

    async def later() -> Iterator[bytes]:
        return iter([b"0", b"1", b"2"])

    results = {"generator": (b"%d" % number for number in range(3)), "async generator": asynchronously()}
    harness = streaming(later() if how == "coroutine" else results[how], ACCEPTED, terminate)
    assert harness.run() == EXIT_OK
    assert harness.transport.streams[0].chunks == [b"0", b"1", b"2"]


@kinds
def test_a_stream_without_a_chunk_is_an_empty_response(kind: type[Chunks | AsyncChunks]) -> None:
    harness = streaming(Result(kind(), "text/plain"), ACCEPTED, terminate)
    assert harness.run() == EXIT_OK
    (stream,) = harness.transport.streams
    assert (stream.chunks, stream.end_of_stream) == ([], StreamEnd())


def test_status_and_headers_come_before_the_first_chunk() -> None:
    harness = streaming(Result(Chunks("hi"), "text/html", status=404), ACCEPTED, terminate)
    harness.run()
    prelude, *chunks = harness.transport.streams[0].chunks
    assert prelude == b'{"statusCode": 404, "headers": {"Content-Type": "text/html"}, "cookies": []}' + bytes(8)
    assert chunks == [b"hi"]


@kinds
@pytest.mark.parametrize(
    ("item", "error_type"),
    [
        (ValueError("why"), "Function.ValueError"),
        (7, "Runtime.MarshalError"),
        ("\ud800", "Runtime.MarshalError"),
        (DeadlineReached(), DEADLINE_ERROR_TYPE),
    ],
)
def test_an_error_before_the_first_chunk_is_an_ordinary_one(
    kind: type[Chunks | AsyncChunks], item: Any, error_type: str
) -> None:
    chunks = kind(item)
    harness = streaming(chunks, ACCEPTED, invocation(2), ACCEPTED, terminate)
    assert harness.run() == EXIT_OK
    assert harness.sent[0] == (f"{INVOCATION}/id-1/error", error_type)
    assert chunks.is_closed


@kinds
@pytest.mark.parametrize(
    ("item", "error_type"),
    [
        (ValueError("why"), "Function.ValueError"),
        (7, "Runtime.MarshalError"),
        ("\ud800", "Runtime.MarshalError"),
        (DeadlineReached(), DEADLINE_ERROR_TYPE),
        (TimeoutError("upstream"), "Function.TimeoutError"),
    ],
)
def test_an_error_in_the_middle_is_in_the_trailers_and_the_loop_goes_on(
    kind: type[Chunks | AsyncChunks], item: Any, error_type: str
) -> None:
    chunks = kind(b"a", item, b"never")
    harness = streaming(chunks, ACCEPTED, invocation(2), ACCEPTED, terminate)
    assert harness.run() == EXIT_OK
    stream = harness.transport.streams[0]
    assert stream.chunks == [b"a"]
    said, body = error_of(stream.end_of_stream)
    assert said == error_type
    assert body["errorType"] in (error_type, error_type.removeprefix("Function."))
    assert chunks.is_closed
    assert harness.function.names.count("invoke") == 2


@pytest.mark.parametrize("error", [MemoryError(), SystemExit(3), KeyboardInterrupt()])
def test_an_error_that_ends_the_process_ends_the_stream_first(error: BaseException) -> None:
    harness = streaming(Chunks(b"a", error), ACCEPTED)
    assert harness.run() == EXIT_FAILED
    assert error_of(harness.transport.streams[0].end_of_stream)[0] == f"Function.{type(error).__name__}"


@kinds
@pytest.mark.parametrize("where", ["in the function", "while a chunk is sent"])
def test_sigterm_ends_the_stream_at_once_and_then_flushes(kind: type[Chunks | AsyncChunks], where: str) -> None:
    def interrupt(number: int) -> None:
        if number == 1:
            raise SigtermReceived

    items = [b"a", SigtermReceived()] if where == "in the function" else [b"a", b"b", b"never"]
    chunks = kind(*items)
    harness = streaming(chunks, ACCEPTED, on_chunk=interrupt)
    assert harness.run() == EXIT_OK
    (stream,) = harness.transport.streams
    assert stream.chunks == [b"a"]
    assert error_of(stream.end_of_stream)[0] == TERMINATED_ERROR_TYPE
    assert stream.timeout_ms == TERMINATED_STREAM_MS
    assert chunks.is_closed
    assert harness.function.names[-2:] == ["flush", "close"]
    assert dict(harness.function.calls)["flush"].follows_interruption


def test_sigterm_before_the_first_chunk_answers_nothing() -> None:
    harness = streaming(Chunks(SigtermReceived()))
    assert harness.run() == EXIT_OK
    assert harness.transport.streams == []


def raises(error: BaseException, at: int = 1) -> Callable[[int], None]:
    def on_chunk(number: int) -> None:
        if number == at:
            raise error

    return on_chunk


@kinds
def test_a_lost_connection_ends_the_invocation_only(
    kind: type[Chunks | AsyncChunks], caplog: pytest.LogCaptureFixture
) -> None:
    chunks = kind(b"a", b"b", b"never")
    lost = raises(TransportError("reset"))
    harness = streaming(chunks, terminate, on_chunk=lost)
    assert harness.run() == EXIT_OK
    assert chunks.is_closed
    assert "not delivered: reset" in caplog.text
    assert not dict(harness.function.calls)["flush"].follows_interruption


@pytest.mark.parametrize(("status", "said"), [(413, "2 bytes is too large"), (403, "refused the streamed response")])
def test_a_refused_stream_ends_its_generator(status: int, said: str, caplog: pytest.LogCaptureFixture) -> None:
    chunks = Chunks(b"a", b"b", b"never", b"never")
    harness = streaming(chunks, terminate, on_chunk=raises(AnsweredEarly(Response(status)), at=2))
    assert harness.run() == EXIT_OK
    assert harness.transport.streams[0].chunks == [b"a", b"b"]
    assert chunks.is_closed
    assert said in caplog.text


def test_an_end_that_is_not_acknowledged_does_not_end_the_runtime(caplog: pytest.LogCaptureFixture) -> None:
    harness = streaming(Chunks(b"a"), TransportError("time-out"), terminate)
    assert harness.run() == EXIT_OK
    assert "not delivered: time-out" in caplog.text


class Unclosable(Chunks):
    """Cannot be closed."""

    def close(self) -> None:
        super().close()
        raise OSError("still in use")


def test_an_error_of_close_is_one_of_the_stream() -> None:
    harness = streaming(Unclosable(b"a"), ACCEPTED, terminate)
    assert harness.run() == EXIT_OK
    assert error_of(harness.transport.streams[0].end_of_stream)[0] == "Function.OSError"


def test_an_error_of_close_does_not_hide_the_one_before(caplog: pytest.LogCaptureFixture) -> None:
    harness = streaming(Unclosable(b"a", DeadlineReached()), ACCEPTED, terminate)
    assert harness.run() == EXIT_OK
    assert error_of(harness.transport.streams[0].end_of_stream)[0] == DEADLINE_ERROR_TYPE
    assert "was not closed" in caplog.text


def test_an_async_stream_runs_in_one_task() -> None:
    variable = contextvars.ContextVar("variable", default=0)
    tasks = set[Any]()

    async def chunks() -> AsyncIterator[bytes]:
        async with asyncio.timeout(60):
            for number in range(3):
                tasks.add(asyncio.current_task())
                variable.set(variable.get() + 1)
                await asyncio.sleep(0)
                yield b"%d" % number
        assert variable.get() == 3

    harness = streaming(chunks(), ACCEPTED, terminate)
    assert harness.run() == EXIT_OK
    assert harness.transport.streams[0].end_of_stream == StreamEnd()
    assert len(tasks) == 1


@pytest.mark.parametrize("item", [b"a", DeadlineReached()])
def test_the_next_invocation_is_told_of_an_interruption_in_the_stream(item: Any) -> None:
    seen = list[bool]()

    def act(event: Any, context: Any) -> Any:
        seen.append(context.follows_interruption)
        return Chunks(b"a", item) if event == 1 else None

    steps = (invocation(1, b"1"), ACCEPTED, invocation(2), ACCEPTED, terminate)
    assert RuntimeHarness(Recorder(act), *steps).run() == EXIT_OK
    assert seen == [False, isinstance(item, DeadlineReached)]
