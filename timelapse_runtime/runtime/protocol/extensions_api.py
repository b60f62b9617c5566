"""The Extensions API, version 2020-01-01, seen from one extension, external or internal.

The same rules as in `runtime_api.py`. An internal extension may not register for SHUTDOWN (403). One that registers for
no events must still ask for the next one, and never gets it.

Source: Lambda developer guide, 'Using the Lambda Extensions API to create extensions', read November 2026, and
AWS's runtime interface emulator (tried).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from timelapse_runtime.runtime.errors import RemoteProtocolError
from timelapse_runtime.runtime.protocol.error_report import ErrorReport
from timelapse_runtime.runtime.protocol.messages import (
    Request,
    Response,
    require_header,
    require_object,
    require_status,
)
from timelapse_runtime.runtime.protocol.state_table import after

PREFIX = "/2020-01-01/extension"
NAME_HEADER = "Lambda-Extension-Name"
IDENTIFIER_HEADER = "Lambda-Extension-Identifier"
ERROR_TYPE_HEADER = "Lambda-Extension-Function-Error-Type"


class ExtensionState(Enum):
    """The extension's state."""

    NEW = "new"
    REGISTERING = "registering"
    REGISTERED = "registered"
    WAITING = "waiting"
    INVOKED = "invoked"
    SHUTTING_DOWN = "shutting down"
    FAILING = "failing"
    FAILED = "failed"


class ExtensionTransition(Enum):
    """What the extension can send, and what can come back."""

    REGISTER = "register"
    GET_IDENTIFIER = "get an identifier"
    ASK_NEXT = "ask event/next"
    GET_INVOKE = "get INVOKE"
    GET_SHUTDOWN = "get SHUTDOWN"
    SEND_INIT_ERROR = "send init/error"
    SEND_EXIT_ERROR = "send exit/error"
    GET_ACK = "get an acknowledgement"


_S, _T = ExtensionState, ExtensionTransition

TABLE: Mapping[ExtensionState, Mapping[ExtensionTransition, ExtensionState]] = {
    _S.NEW: {_T.REGISTER: _S.REGISTERING},
    _S.REGISTERING: {_T.GET_IDENTIFIER: _S.REGISTERED},
    _S.REGISTERED: {_T.ASK_NEXT: _S.WAITING, _T.SEND_INIT_ERROR: _S.FAILING},
    _S.WAITING: {
        _T.ASK_NEXT: _S.WAITING,  # the connection was lost
        _T.GET_INVOKE: _S.INVOKED,
        _T.GET_SHUTDOWN: _S.SHUTTING_DOWN,
        _T.SEND_EXIT_ERROR: _S.FAILING,
    },
    _S.INVOKED: {_T.ASK_NEXT: _S.WAITING, _T.SEND_EXIT_ERROR: _S.FAILING},
    _S.SHUTTING_DOWN: {_T.SEND_EXIT_ERROR: _S.FAILING},
    _S.FAILING: {_T.GET_ACK: _S.FAILED},
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
        """The extension's state."""
        return self._state

    def register(self, events: Sequence[str]) -> Request:
        """Register for `events` (INVOKE, SHUTDOWN). An external extension's name is that of its file."""
        self._go(ExtensionTransition.REGISTER)
        body = json.dumps({"events": list(events)}).encode()
        headers = {NAME_HEADER: self._name, "Content-Type": "application/json"}
        return Request("POST", f"{PREFIX}/register", headers, body)

    def registered(self, response: Response) -> None:
        """Read the response to `register`."""
        state = after(TABLE, self._state, ExtensionTransition.GET_IDENTIFIER)
        require_status(response, 200, "POST extension/register")
        self._identifier = require_header(response, IDENTIFIER_HEADER, "POST extension/register")
        self._state = state

    def next(self) -> Request:
        """Ask for an event."""
        self._go(ExtensionTransition.ASK_NEXT)
        return Request("GET", f"{PREFIX}/event/next", {IDENTIFIER_HEADER: self._identifier}, timeout_ms=None)

    def event(self, response: Response) -> Invoke | Shutdown:
        """Read the response to `next`."""
        shut_down = after(TABLE, self._state, ExtensionTransition.GET_SHUTDOWN)
        invoked = after(TABLE, self._state, ExtensionTransition.GET_INVOKE)
        call = "GET extension/event/next"
        require_status(response, 200, call)
        value = require_object(response, call)
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

    def init_error(self, report: ErrorReport) -> Request:
        """Report that this extension cannot start. Its process must then exit with a code other than 0."""
        return self._error(ExtensionTransition.SEND_INIT_ERROR, "init/error", report)

    def exit_error(self, report: ErrorReport) -> Request:
        """Report that this extension ends with an error. Its process must then exit with a code other than 0."""
        return self._error(ExtensionTransition.SEND_EXIT_ERROR, "exit/error", report)

    def ack(self, response: Response) -> None:
        """Read how either error was answered."""
        state = after(TABLE, self._state, ExtensionTransition.GET_ACK)
        require_status(response, 202, "POST extension error")
        self._state = state

    def _error(self, transition: ExtensionTransition, path: str, report: ErrorReport) -> Request:
        self._go(transition)
        headers = {
            IDENTIFIER_HEADER: self._identifier,
            ERROR_TYPE_HEADER: report.error_type,
            "Content-Type": "application/json",
        }
        return Request("POST", f"{PREFIX}/{path}", headers, report.body())

    def _go(self, transition: ExtensionTransition) -> None:
        self._state = after(TABLE, self._state, transition)
