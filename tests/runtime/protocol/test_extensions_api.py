"""The Extensions API's state table, cell by cell, and what its requests and answers look like."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from timelapse_runtime.runtime.errors import LocalProtocolError, RemoteProtocolError
from timelapse_runtime.runtime.protocol.error_report import ErrorReport
from timelapse_runtime.runtime.protocol.extensions_api import (
    TABLE,
    ExtensionsApi,
    ExtensionState,
    ExtensionTransition,
    Invoke,
    Shutdown,
)
from timelapse_runtime.runtime.protocol.messages import Response

S, M = ExtensionState, ExtensionTransition
REGISTERED = Response(200, {"lambda-extension-identifier": "key"}, b"{}")
INVOKE = Response(200, {}, b'{"eventType":"INVOKE","deadlineMs":1790000000000,"requestId":"id-1"}')
SHUTDOWN = Response(200, {}, b'{"eventType":"SHUTDOWN","deadlineMs":1790000000000,"shutdownReason":"SPINDOWN"}')
FAILURE = ErrorReport("Extension.OutboxFailed", "ValueError", "no room")

MAKE: dict[ExtensionTransition, Callable[[ExtensionsApi], object]] = {
    M.REGISTER: lambda api: api.register(["SHUTDOWN"]),
    M.GET_IDENTIFIER: lambda api: api.registered(REGISTERED),
    M.ASK_NEXT: lambda api: api.next(),
    M.GET_INVOKE: lambda api: api.event(INVOKE),
    M.GET_SHUTDOWN: lambda api: api.event(SHUTDOWN),
    M.SEND_INIT_ERROR: lambda api: api.init_error(FAILURE),
    M.SEND_EXIT_ERROR: lambda api: api.exit_error(FAILURE),
    M.GET_ACK: lambda api: api.ack(Response(202)),
}
WAY = {
    S.NEW: [],
    S.REGISTERING: [M.REGISTER],
    S.REGISTERED: [M.REGISTER, M.GET_IDENTIFIER],
    S.WAITING: [M.REGISTER, M.GET_IDENTIFIER, M.ASK_NEXT],
    S.INVOKED: [M.REGISTER, M.GET_IDENTIFIER, M.ASK_NEXT, M.GET_INVOKE],
    S.SHUTTING_DOWN: [M.REGISTER, M.GET_IDENTIFIER, M.ASK_NEXT, M.GET_SHUTDOWN],
    S.FAILING: [M.REGISTER, M.GET_IDENTIFIER, M.SEND_INIT_ERROR],
    S.FAILED: [M.REGISTER, M.GET_IDENTIFIER, M.SEND_INIT_ERROR, M.GET_ACK],
}
LEGAL = {
    (S.NEW, M.REGISTER): S.REGISTERING,
    (S.REGISTERING, M.GET_IDENTIFIER): S.REGISTERED,
    (S.REGISTERED, M.ASK_NEXT): S.WAITING,
    (S.REGISTERED, M.SEND_INIT_ERROR): S.FAILING,
    (S.WAITING, M.ASK_NEXT): S.WAITING,
    (S.WAITING, M.GET_INVOKE): S.INVOKED,
    (S.WAITING, M.GET_SHUTDOWN): S.SHUTTING_DOWN,
    (S.WAITING, M.SEND_EXIT_ERROR): S.FAILING,
    (S.INVOKED, M.ASK_NEXT): S.WAITING,
    (S.INVOKED, M.SEND_EXIT_ERROR): S.FAILING,
    (S.SHUTTING_DOWN, M.SEND_EXIT_ERROR): S.FAILING,
    (S.FAILING, M.GET_ACK): S.FAILED,
}


def api_in(state: ExtensionState) -> ExtensionsApi:
    api = ExtensionsApi("timelapse-shutdown")
    for transition in WAY[state]:
        MAKE[transition](api)
    assert api.state is state
    return api


@pytest.mark.parametrize("state", S, ids=lambda state: state.value)
@pytest.mark.parametrize("transition", M, ids=lambda transition: transition.value)
def test_each_cell_of_the_table_is_taken_or_raises_and_changes_nothing(
    state: ExtensionState, transition: ExtensionTransition
) -> None:
    api = api_in(state)
    if (state, transition) in LEGAL:
        MAKE[transition](api)
        assert api.state is LEGAL[state, transition]
    else:
        with pytest.raises(LocalProtocolError):
            MAKE[transition](api)
        assert api.state is state


def test_every_state_has_a_row() -> None:
    assert set(TABLE) == set(S)


def test_register_gives_name_and_events() -> None:
    request = api_in(S.NEW).register(["SHUTDOWN"])
    assert (request.method, request.path) == ("POST", "/2020-01-01/extension/register")
    assert request.headers["Lambda-Extension-Name"] == "timelapse-shutdown"
    assert json.loads(request.body) == {"events": ["SHUTDOWN"]}


def test_identifier_goes_with_every_later_call() -> None:
    for request in (
        api_in(S.REGISTERED).next(),
        api_in(S.REGISTERED).init_error(FAILURE),
        api_in(S.WAITING).exit_error(FAILURE),
    ):
        assert request.headers["Lambda-Extension-Identifier"] == "key"


def test_next_has_no_timeout() -> None:
    assert api_in(S.REGISTERED).next().timeout_ms is None


def test_errors_carry_their_type() -> None:
    request = api_in(S.SHUTTING_DOWN).exit_error(FAILURE)
    assert request.path == "/2020-01-01/extension/exit/error"
    assert request.headers["Lambda-Extension-Function-Error-Type"] == "Extension.OutboxFailed"
    assert json.loads(request.body)["errorMessage"] == "no room"
    assert api_in(S.REGISTERED).init_error(FAILURE).path == "/2020-01-01/extension/init/error"


def test_events_are_read() -> None:
    assert api_in(S.WAITING).event(INVOKE) == Invoke("id-1", 1790000000000)
    assert api_in(S.WAITING).event(SHUTDOWN) == Shutdown("SPINDOWN", 1790000000000)


@pytest.mark.parametrize("answer", [Response(403, {}, b"{}"), Response(200, {}, b"{}")], ids=["403", "no identifier"])
def test_bad_registration_raises_and_changes_nothing(answer: Response) -> None:
    api = api_in(S.REGISTERING)
    with pytest.raises(RemoteProtocolError):
        api.registered(answer)
    assert api.state is S.REGISTERING


@pytest.mark.parametrize(
    "answer",
    [
        Response(500, {}, INVOKE.body),
        Response(200, {}, b"not json"),
        Response(200, {}, b"[]"),
        Response(200, {}, b'{"eventType":"SHUTDOWN"}'),
        Response(200, {}, b'{"eventType":"PARTY","deadlineMs":1}'),
    ],
    ids=["500", "not JSON", "not an object", "no deadline", "unknown type"],
)
def test_bad_event_raises_and_leaves_the_extension_waiting(answer: Response) -> None:
    api = api_in(S.WAITING)
    with pytest.raises(RemoteProtocolError):
        api.event(answer)
    assert api.state is S.WAITING


def test_refused_error_is_no_receipt() -> None:
    api = api_in(S.FAILING)
    with pytest.raises(RemoteProtocolError):
        api.ack(Response(403))
    assert api.state is S.FAILING
