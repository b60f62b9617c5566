"""The Runtime API's state table, cell by cell, and what its requests and answers look like."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable

import pytest

from timelapse_runtime.runtime.errors import LocalProtocolError, RemoteProtocolError
from timelapse_runtime.runtime.protocol.error_report import ErrorReport
from timelapse_runtime.runtime.protocol.messages import Request, Response, StreamEnd
from timelapse_runtime.runtime.protocol.runtime_api import TABLE, Ack, RuntimeApi, RuntimeState, RuntimeTransition

S, M = RuntimeState, RuntimeTransition
NEXT = Response(200, {"lambda-runtime-aws-request-id": "id-1", "lambda-runtime-deadline-ms": "1790000000000"}, b"{}")
ACCEPTED = Response(202)
FAILURE = ErrorReport("Function.KeyError", "ValueError", "no such key", ("line 1",))

MAKE: dict[RuntimeTransition, Callable[[RuntimeApi], object]] = {
    M.ASK_NEXT: lambda api: api.next(),
    M.GET_INVOCATION: lambda api: api.invocation(NEXT),
    M.SEND_RESPONSE: lambda api: api.response(b"null"),
    M.BEGIN_STREAM: lambda api: api.begin_stream("text/plain"),
    M.END_STREAM: lambda api: api.end_stream(),
    M.SEND_ERROR: lambda api: api.error(FAILURE),
    M.SEND_INIT_ERROR: lambda api: api.init_error(FAILURE),
    M.GET_ACK: lambda api: api.ack(ACCEPTED),
}
WAY = {
    S.INIT: [],
    S.WAITING: [M.ASK_NEXT],
    S.INVOKED: [M.ASK_NEXT, M.GET_INVOCATION],
    S.STREAMING: [M.ASK_NEXT, M.GET_INVOCATION, M.BEGIN_STREAM],
    S.ANSWERED: [M.ASK_NEXT, M.GET_INVOCATION, M.SEND_RESPONSE],
    S.READY: [M.ASK_NEXT, M.GET_INVOCATION, M.SEND_RESPONSE, M.GET_ACK],
    S.FAILING: [M.SEND_INIT_ERROR],
    S.FAILED: [M.SEND_INIT_ERROR, M.GET_ACK],
}
LEGAL = {
    (S.INIT, M.ASK_NEXT): S.WAITING,
    (S.INIT, M.SEND_INIT_ERROR): S.FAILING,
    (S.WAITING, M.ASK_NEXT): S.WAITING,
    (S.WAITING, M.GET_INVOCATION): S.INVOKED,
    (S.INVOKED, M.SEND_RESPONSE): S.ANSWERED,
    (S.INVOKED, M.SEND_ERROR): S.ANSWERED,
    (S.INVOKED, M.BEGIN_STREAM): S.STREAMING,
    (S.STREAMING, M.END_STREAM): S.ANSWERED,
    (S.STREAMING, M.SEND_ERROR): S.ANSWERED,
    (S.STREAMING, M.GET_ACK): S.READY,
    (S.STREAMING, M.ASK_NEXT): S.WAITING,
    (S.ANSWERED, M.GET_ACK): S.READY,
    (S.ANSWERED, M.ASK_NEXT): S.WAITING,
    (S.READY, M.ASK_NEXT): S.WAITING,
    (S.FAILING, M.GET_ACK): S.FAILED,
}


def api_in(state: RuntimeState) -> RuntimeApi:
    api = RuntimeApi()
    for transition in WAY[state]:
        MAKE[transition](api)
    assert api.state is state
    return api


@pytest.mark.parametrize("state", S, ids=lambda state: state.value)
@pytest.mark.parametrize("transition", M, ids=lambda transition: transition.value)
def test_each_cell_of_the_table_is_taken_or_raises_and_changes_nothing(
    state: RuntimeState, transition: RuntimeTransition
) -> None:
    api = api_in(state)
    if (state, transition) in LEGAL:
        MAKE[transition](api)
        assert api.state is LEGAL[state, transition]
    else:
        with pytest.raises(LocalProtocolError, match=transition.value):
            MAKE[transition](api)
        assert api.state is state


def test_every_state_has_a_row() -> None:
    assert set(TABLE) == set(S)


def test_next_has_no_timeout_and_the_others_have_one() -> None:
    assert api_in(S.INIT).next().timeout_ms is None
    assert api_in(S.INVOKED).response(b"").timeout_ms is not None


def test_response_goes_to_the_invocation_in_hand() -> None:
    api = api_in(S.READY)
    api.next()
    api.invocation(Response(200, {**NEXT.headers, "lambda-runtime-aws-request-id": "id-2"}, b"{}"))
    request = api.response(b"[1]")
    assert (request.method, request.path) == ("POST", "/2018-06-01/runtime/invocation/id-2/response")
    assert request.body == b"[1]"


@pytest.mark.parametrize(
    ("state", "send", "path", "request_id"),
    [
        (S.INVOKED, RuntimeApi.error, "/2018-06-01/runtime/invocation/id-1/error", "id-1"),
        (S.INIT, RuntimeApi.init_error, "/2018-06-01/runtime/init/error", ""),
    ],
)
def test_errors_carry_type_message_request_id_and_stack(
    state: RuntimeState, send: Callable[..., object], path: str, request_id: str
) -> None:
    request = send(api_in(state), FAILURE)
    assert getattr(request, "path", None) == path
    assert getattr(request, "headers", {})["Lambda-Runtime-Function-Error-Type"] == "Function.KeyError"
    assert json.loads(getattr(request, "body", b"")) == {
        "errorMessage": "no such key",
        "errorType": "ValueError",
        "requestId": request_id,
        "stackTrace": ["line 1"],
    }


def test_xray_gets_the_cause_of_a_failed_invocation() -> None:
    report = ErrorReport("Function.KeyError", "KeyError", "'k'", (), xray_cause='{"paths":[]}')
    header = "Lambda-Runtime-Function-XRay-Error-Cause"
    with_cause, without = (api_in(S.INVOKED).error(one) for one in (report, FAILURE))
    assert isinstance(with_cause, Request)
    assert isinstance(without, Request)
    assert with_cause.headers[header] == '{"paths":[]}'
    assert header not in api_in(S.INIT).init_error(report).headers
    assert header not in without.headers


def test_a_stream_is_announced_as_chunked_with_both_trailers() -> None:
    head = api_in(S.INVOKED).begin_stream("text/html")
    assert (head.method, head.path, head.body) == ("POST", "/2018-06-01/runtime/invocation/id-1/response", b"")
    assert head.headers == {
        "Content-Type": "text/html",
        "Lambda-Runtime-Function-Response-Mode": "streaming",
        "Transfer-Encoding": "chunked",
        "Trailer": "Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body",
    }


def test_a_complete_stream_ends_without_trailers() -> None:
    assert api_in(S.STREAMING).end_stream() == StreamEnd({})


@pytest.mark.parametrize("name", ["ValueError", "Long" * 10_000])
@pytest.mark.parametrize("text", ["no such key", "é" * 100_000, "\x00" * 100_000, "\ud800" * 100_000])
def test_an_error_in_a_stream_is_in_trailers_that_gos_server_takes(name: str, text: str) -> None:
    stack = tuple(f"frame {number} {text}" for number in range(100))
    end = api_in(S.STREAMING).error(ErrorReport(f"Function.{name}", name, text, stack))
    assert isinstance(end, StreamEnd)
    assert sum(len(f"{name}: {value}\r\n") for name, value in end.trailers.items()) < 4096 - len("0\r\n\r\n")
    assert end.trailers["Lambda-Runtime-Function-Error-Type"] == f"Function.{name}"[:128]
    value = json.loads(base64.b64decode(end.trailers["Lambda-Runtime-Function-Error-Body"]))
    assert value["errorType"].startswith(name[:100])
    assert value["errorMessage"].startswith(text[:100])
    assert value["stackTrace"][-1:] in ([], [stack[-1]])
    assert value["stackTrace"] or len(text) > 100


@pytest.mark.parametrize(
    ("status", "receipt"),
    [
        (200, Ack.ACCEPTED),
        (202, Ack.ACCEPTED),
        (413, Ack.TOO_LARGE),
        (400, Ack.REFUSED),
        (403, Ack.REFUSED),
    ],
)
def test_receipt_follows_the_status_and_the_runtime_is_ready_again(status: int, receipt: Ack) -> None:
    api = api_in(S.ANSWERED)
    assert api.ack(Response(status)) is receipt
    assert api.state is S.READY


def test_broken_service_is_no_receipt() -> None:
    api = api_in(S.ANSWERED)
    with pytest.raises(RemoteProtocolError, match="500"):
        api.ack(Response(500))
    assert api.state is S.ANSWERED


@pytest.mark.parametrize(
    "answer",
    [
        Response(403, NEXT.headers, b"{}"),
        Response(500),
        Response(200, {}, b"{}"),
        Response(200, {"lambda-runtime-aws-request-id": "id-1"}, b"{}"),
        Response(200, {**NEXT.headers, "lambda-runtime-deadline-ms": "soon"}, b"{}"),
        Response(200, {**NEXT.headers, "lambda-runtime-aws-request-id": "../init"}, b"{}"),
    ],
    ids=["403", "500", "no request id", "no deadline", "deadline not a number", "request id leaves its path"],
)
def test_bad_answer_to_next_raises_and_leaves_the_runtime_waiting(answer: Response) -> None:
    api = api_in(S.WAITING)
    with pytest.raises(RemoteProtocolError):
        api.invocation(answer)
    assert api.state is S.WAITING
