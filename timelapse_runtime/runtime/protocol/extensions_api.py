"""The Extensions API, version 2020-01-01, seen from one extension, external or internal.

The same rules as in `runtime_api.py`. An internal extension may not register for SHUTDOWN (403); one that
registers for no events must ask for the next one all the same, and never gets it.

Source: Lambda developer guide, 'Using the Lambda Extensions API to create extensions', read November 2026, and
AWS's runtime interface emulator (tried).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from timelapse_runtime.runtime.errors import RemoteProtocolError
from timelapse_runtime.runtime.protocol.failure import Failure
from timelapse_runtime.runtime.protocol.messages import Answer, Request, require_header, require_object, require_status
from timelapse_runtime.runtime.protocol.state_table import after

PREFIX = "/2020-01-01/extension"
NAME_HEADER = "Lambda-Extension-Name"
IDENTIFIER_HEADER = "Lambda-Extension-Identifier"
ERROR_TYPE_HEADER = "Lambda-Extension-Function-Error-Type"


class ExtensionState(Enum):
    """Where the extension stands."""

    NEW = "new"
    REGISTERING = "registering"
    REGISTERED = "registered"
    WAITING = "waiting"
    INVOKED = "invoked"
    SHUTTING_DOWN = "shutting down"
    FAILING = "failing"
    FAILED = "failed"


class ExtensionMove(Enum):
    """What the extension can send, and what can come back."""

    REGISTER = "register"
    GET_IDENTIFIER = "get an identifier"
    ASK_NEXT = "ask event/next"
    GET_INVOKE = "get INVOKE"
    GET_SHUTDOWN = "get SHUTDOWN"
    SEND_INIT_ERROR = "send init/error"
    SEND_EXIT_ERROR = "send exit/error"
    GET_RECEIPT = "get a receipt"


_S, _M = ExtensionState, ExtensionMove

TABLE: Mapping[ExtensionState, Mapping[ExtensionMove, ExtensionState]] = {
    _S.NEW: {_M.REGISTER: _S.REGISTERING},
    _S.REGISTERING: {_M.GET_IDENTIFIER: _S.REGISTERED},
    _S.REGISTERED: {_M.ASK_NEXT: _S.WAITING, _M.SEND_INIT_ERROR: _S.FAILING},
    _S.WAITING: {
        _M.ASK_NEXT: _S.WAITING,  # the connection was lost
        _M.GET_INVOKE: _S.INVOKED,
        _M.GET_SHUTDOWN: _S.SHUTTING_DOWN,
        _M.SEND_EXIT_ERROR: _S.FAILING,
    },
    _S.INVOKED: {_M.ASK_NEXT: _S.WAITING, _M.SEND_EXIT_ERROR: _S.FAILING},
    _S.SHUTTING_DOWN: {_M.SEND_EXIT_ERROR: _S.FAILING},
    _S.FAILING: {_M.GET_RECEIPT: _S.FAILED},
    _S.FAILED: {},
}


@dataclass(frozen=True, slots=True)
class Invoke:
    """An invocation has begun."""

    request_id: str
    deadline_epoch_ms: int


@dataclass(frozen=True, slots=True)
class Shutdown:
    """The environment ends at `deadline_epoch_ms`. `reason` is for the log: its text differs between services."""

    reason: str
    deadline_epoch_ms: int


class ExtensionsApi:
    """One extension's side of the Extensions API."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._state = ExtensionState.NEW
        self._identifier = ""

    @property
    def state(self) -> ExtensionState:
        """Where the extension stands."""
        return self._state

    def register(self, events: Sequence[str]) -> Request:
        """Register for `events` (INVOKE, SHUTDOWN). An external extension's name is that of its file."""
        self._move(ExtensionMove.REGISTER)
        body = json.dumps({"events": list(events)}).encode()
        headers = {NAME_HEADER: self._name, "Content-Type": "application/json"}
        return Request("POST", f"{PREFIX}/register", headers, body)

    def registered(self, answer: Answer) -> None:
        """Read the answer to `register`."""
        state = after(TABLE, self._state, ExtensionMove.GET_IDENTIFIER)
        require_status(answer, 200, "POST extension/register")
        self._identifier = require_header(answer, IDENTIFIER_HEADER, "POST extension/register")
        self._state = state

    def next(self) -> Request:
        """Ask for an event."""
        self._move(ExtensionMove.ASK_NEXT)
        return Request("GET", f"{PREFIX}/event/next", {IDENTIFIER_HEADER: self._identifier}, timeout_ms=None)

    def event(self, answer: Answer) -> Invoke | Shutdown:
        """Read the answer to `next`."""
        shut_down = after(TABLE, self._state, ExtensionMove.GET_SHUTDOWN)
        invoked = after(TABLE, self._state, ExtensionMove.GET_INVOKE)
        call = "GET extension/event/next"
        require_status(answer, 200, call)
        value = require_object(answer, call)
        deadline = value.get("deadlineMs")
        if not isinstance(deadline, int):
            raise RemoteProtocolError(f"{call} gave the deadline {deadline!r}")
        event: Invoke | Shutdown
        match value.get("eventType"):
            case "INVOKE":
                event = Invoke(str(value.get("requestId", "")), deadline)
                self._state = invoked
            case "SHUTDOWN":
                event = Shutdown(str(value.get("shutdownReason", "")), deadline)
                self._state = shut_down
            case other:
                raise RemoteProtocolError(f"{call} gave the event type {other!r}")
        return event

    def init_error(self, failure: Failure) -> Request:
        """Say that this extension cannot start; its process is then to exit, not with 0."""
        return self._error(ExtensionMove.SEND_INIT_ERROR, "init/error", failure)

    def exit_error(self, failure: Failure) -> Request:
        """Say that this extension ends by an error; its process is then to exit, not with 0."""
        return self._error(ExtensionMove.SEND_EXIT_ERROR, "exit/error", failure)

    def receipt(self, answer: Answer) -> None:
        """Read the answer to either error."""
        state = after(TABLE, self._state, ExtensionMove.GET_RECEIPT)
        require_status(answer, 202, "POST extension error")
        self._state = state

    def _error(self, move: ExtensionMove, path: str, failure: Failure) -> Request:
        self._move(move)
        headers = {
            IDENTIFIER_HEADER: self._identifier,
            ERROR_TYPE_HEADER: failure.error_type,
            "Content-Type": "application/json",
        }
        return Request("POST", f"{PREFIX}/{path}", headers, failure.body())

    def _move(self, move: ExtensionMove) -> None:
        self._state = after(TABLE, self._state, move)
