"""The Runtime API's state table, cell by cell, and what its requests and answers look like."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from timelapse_runtime.runtime.errors import LocalProtocolError, RemoteProtocolError
from timelapse_runtime.runtime.protocol.failure import Failure
from timelapse_runtime.runtime.protocol.messages import Answer
from timelapse_runtime.runtime.protocol.runtime_api import TABLE, Receipt, RuntimeApi, RuntimeMove, RuntimeState

S, M = RuntimeState, RuntimeMove
NEXT = Answer(200, {"lambda-runtime-aws-request-id": "id-1", "lambda-runtime-deadline-ms": "1790000000000"}, b"{}")
ACCEPTED = Answer(202)
FAILURE = Failure("Function.KeyError", "no such key", ("line 1",))

MAKE: dict[RuntimeMove, Callable[[RuntimeApi], object]] = {
    M.ASK_RESTORE: lambda api: api.restore_next(),
    M.GET_RESTORE: lambda api: api.restored(Answer(200)),
    M.ASK_NEXT: lambda api: api.next(),
    M.GET_INVOCATION: lambda api: api.invocation(NEXT),
    M.SEND_RESPONSE: lambda api: api.response(b"null"),
    M.SEND_ERROR: lambda api: api.error(FAILURE),
    M.SEND_INIT_ERROR: lambda api: api.init_error(FAILURE),
    M.SEND_RESTORE_ERROR: lambda api: api.restore_error(FAILURE),
    M.GET_RECEIPT: lambda api: api.receipt(ACCEPTED),
}
WAY = {
    S.INIT: [],
    S.RESTORING: [M.ASK_RESTORE],
    S.RESTORED: [M.ASK_RESTORE, M.GET_RESTORE],
    S.WAITING: [M.ASK_NEXT],
    S.INVOKED: [M.ASK_NEXT, M.GET_INVOCATION],
    S.ANSWERED: [M.ASK_NEXT, M.GET_INVOCATION, M.SEND_RESPONSE],
    S.READY: [M.ASK_NEXT, M.GET_INVOCATION, M.SEND_RESPONSE, M.GET_RECEIPT],
    S.FAILING: [M.SEND_INIT_ERROR],
    S.FAILED: [M.SEND_INIT_ERROR, M.GET_RECEIPT],
}
LEGAL = {
    (S.INIT, M.ASK_NEXT): S.WAITING,
    (S.INIT, M.ASK_RESTORE): S.RESTORING,
    (S.INIT, M.SEND_INIT_ERROR): S.FAILING,
    (S.RESTORING, M.ASK_RESTORE): S.RESTORING,
    (S.RESTORING, M.GET_RESTORE): S.RESTORED,
    (S.RESTORED, M.ASK_NEXT): S.WAITING,
    (S.RESTORED, M.SEND_RESTORE_ERROR): S.FAILING,
    (S.WAITING, M.ASK_NEXT): S.WAITING,
    (S.WAITING, M.GET_INVOCATION): S.INVOKED,
    (S.INVOKED, M.SEND_RESPONSE): S.ANSWERED,
    (S.INVOKED, M.SEND_ERROR): S.ANSWERED,
    (S.ANSWERED, M.GET_RECEIPT): S.READY,
    (S.ANSWERED, M.ASK_NEXT): S.WAITING,
    (S.READY, M.ASK_NEXT): S.WAITING,
    (S.FAILING, M.GET_RECEIPT): S.FAILED,
}


def api_in(state: RuntimeState) -> RuntimeApi:
    api = RuntimeApi()
    for move in WAY[state]:
        MAKE[move](api)
    assert api.state is state
    return api


@pytest.mark.parametrize("state", S, ids=lambda state: state.value)
@pytest.mark.parametrize("move", M, ids=lambda move: move.value)
def test_each_cell_of_the_table_moves_or_raises_and_changes_nothing(state: RuntimeState, move: RuntimeMove) -> None:
    api = api_in(state)
    if (state, move) in LEGAL:
        MAKE[move](api)
        assert api.state is LEGAL[state, move]
    else:
        with pytest.raises(LocalProtocolError, match=move.value):
            MAKE[move](api)
        assert api.state is state


def test_every_state_has_a_row() -> None:
    assert set(TABLE) == set(S)


def test_next_has_no_timeout_and_the_others_have_one() -> None:
    assert api_in(S.INIT).next().timeout_ms is None
    assert api_in(S.INIT).restore_next().timeout_ms is None
    assert api_in(S.INVOKED).response(b"").timeout_ms is not None


def test_response_goes_to_the_invocation_in_hand() -> None:
    api = api_in(S.READY)
    api.next()
    api.invocation(Answer(200, {**NEXT.headers, "lambda-runtime-aws-request-id": "id-2"}, b"{}"))
    request = api.response(b"[1]")
    assert (request.method, request.path) == ("POST", "/2018-06-01/runtime/invocation/id-2/response")
    assert request.body == b"[1]"


@pytest.mark.parametrize(
    ("state", "send", "path"),
    [
        (S.INVOKED, RuntimeApi.error, "/2018-06-01/runtime/invocation/id-1/error"),
        (S.INIT, RuntimeApi.init_error, "/2018-06-01/runtime/init/error"),
        (S.RESTORED, RuntimeApi.restore_error, "/2018-06-01/runtime/restore/error"),
    ],
)
def test_errors_carry_type_message_and_stack(state: RuntimeState, send: Callable[..., object], path: str) -> None:
    request = send(api_in(state), FAILURE)
    assert getattr(request, "path", None) == path
    assert getattr(request, "headers", {})["Lambda-Runtime-Function-Error-Type"] == "Function.KeyError"
    assert json.loads(getattr(request, "body", b"")) == {
        "errorMessage": "no such key",
        "errorType": "Function.KeyError",
        "stackTrace": ["line 1"],
    }


@pytest.mark.parametrize(
    ("status", "receipt"),
    [
        (200, Receipt.ACCEPTED),
        (202, Receipt.ACCEPTED),
        (413, Receipt.TOO_LARGE),
        (400, Receipt.REFUSED),
        (403, Receipt.REFUSED),
    ],
)
def test_receipt_follows_the_status_and_the_runtime_is_ready_again(status: int, receipt: Receipt) -> None:
    api = api_in(S.ANSWERED)
    assert api.receipt(Answer(status)) is receipt
    assert api.state is S.READY


def test_broken_service_is_no_receipt() -> None:
    api = api_in(S.ANSWERED)
    with pytest.raises(RemoteProtocolError, match="500"):
        api.receipt(Answer(500))
    assert api.state is S.ANSWERED


@pytest.mark.parametrize(
    "answer",
    [
        Answer(403, NEXT.headers, b"{}"),
        Answer(500),
        Answer(200, {}, b"{}"),
        Answer(200, {"lambda-runtime-aws-request-id": "id-1"}, b"{}"),
        Answer(200, {**NEXT.headers, "lambda-runtime-deadline-ms": "soon"}, b"{}"),
        Answer(200, {**NEXT.headers, "lambda-runtime-aws-request-id": "../init"}, b"{}"),
    ],
    ids=["403", "500", "no request id", "no deadline", "deadline not a number", "request id leaves its path"],
)
def test_bad_answer_to_next_raises_and_leaves_the_runtime_waiting(answer: Answer) -> None:
    api = api_in(S.WAITING)
    with pytest.raises(RemoteProtocolError):
        api.invocation(answer)
    assert api.state is S.WAITING


def test_bad_answer_to_restore_leaves_the_runtime_restoring() -> None:
    api = api_in(S.RESTORING)
    with pytest.raises(RemoteProtocolError):
        api.restored(Answer(500))
    assert api.state is S.RESTORING
