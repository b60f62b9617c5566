"""The Runtime API, version 2018-06-01, seen from the runtime.

`RuntimeApi` makes the requests and reads the answers; it sends nothing. A move that TABLE does not allow raises
LocalProtocolError and changes nothing; so does an answer that says what the documents do not, with
RemoteProtocolError. To send the same Request again after a lost answer is no move.

Source: Lambda developer guide, 'Using the Lambda runtime API for custom runtimes', and its OpenAPI file, read
November 2026; `restore` from 'SnapStart runtime hooks' there.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from timelapse_runtime.runtime.errors import RemoteProtocolError
from timelapse_runtime.runtime.protocol.failure import Failure
from timelapse_runtime.runtime.protocol.invocation import Invocation, parse_invocation
from timelapse_runtime.runtime.protocol.messages import Answer, Request, require_status
from timelapse_runtime.runtime.protocol.state_table import after

PREFIX = "/2018-06-01/runtime"
ERROR_TYPE_HEADER = "Lambda-Runtime-Function-Error-Type"


class RuntimeState(Enum):
    """Where the runtime stands."""

    INIT = "init"
    RESTORING = "restoring"
    RESTORED = "restored"
    WAITING = "waiting"
    INVOKED = "invoked"
    ANSWERED = "answered"
    READY = "ready"
    FAILING = "failing"
    FAILED = "failed"


class RuntimeMove(Enum):
    """What the runtime can send, and what can come back."""

    ASK_RESTORE = "ask restore/next"
    GET_RESTORE = "get restored"
    ASK_NEXT = "ask invocation/next"
    GET_INVOCATION = "get an invocation"
    SEND_RESPONSE = "send a response"
    SEND_ERROR = "send an error"
    SEND_INIT_ERROR = "send init/error"
    SEND_RESTORE_ERROR = "send restore/error"
    GET_RECEIPT = "get a receipt"


_S, _M = RuntimeState, RuntimeMove

TABLE: Mapping[RuntimeState, Mapping[RuntimeMove, RuntimeState]] = {
    _S.INIT: {_M.ASK_NEXT: _S.WAITING, _M.ASK_RESTORE: _S.RESTORING, _M.SEND_INIT_ERROR: _S.FAILING},
    _S.RESTORING: {_M.ASK_RESTORE: _S.RESTORING, _M.GET_RESTORE: _S.RESTORED},
    _S.RESTORED: {_M.ASK_NEXT: _S.WAITING, _M.SEND_RESTORE_ERROR: _S.FAILING},
    # Asking again while waiting: the connection was lost, or its answer was none.
    _S.WAITING: {_M.ASK_NEXT: _S.WAITING, _M.GET_INVOCATION: _S.INVOKED},
    _S.INVOKED: {_M.SEND_RESPONSE: _S.ANSWERED, _M.SEND_ERROR: _S.ANSWERED},
    # Asking for the next one without a receipt: it was lost for good.
    _S.ANSWERED: {_M.GET_RECEIPT: _S.READY, _M.ASK_NEXT: _S.WAITING},
    _S.READY: {_M.ASK_NEXT: _S.WAITING},
    _S.FAILING: {_M.GET_RECEIPT: _S.FAILED},
    _S.FAILED: {},
}


class Receipt(Enum):
    """What the service says to a response or an error."""

    ACCEPTED = "accepted"
    TOO_LARGE = "too large"
    """413: the service has failed the invocation itself; an error posted after it would get 403."""
    REFUSED = "refused"
    """Another 4xx: the invocation is no longer ours to answer (it timed out, or our first answer did arrive)."""


class RuntimeApi:
    """One runtime's side of the Runtime API."""

    def __init__(self) -> None:
        self._state = RuntimeState.INIT
        self._request_id = ""

    @property
    def state(self) -> RuntimeState:
        """Where the runtime stands."""
        return self._state

    def next(self) -> Request:
        """Ask for an invocation."""
        self._move(RuntimeMove.ASK_NEXT)
        return Request("GET", f"{PREFIX}/invocation/next", timeout_ms=None)

    def invocation(self, answer: Answer) -> Invocation:
        """Read the answer to `next`."""
        state = after(TABLE, self._state, RuntimeMove.GET_INVOCATION)
        invocation = parse_invocation(answer)
        self._state, self._request_id = state, invocation.request_id
        return invocation

    def response(self, body: bytes) -> Request:
        """Answer the invocation in hand with JSON."""
        self._move(RuntimeMove.SEND_RESPONSE)
        return Request(
            "POST",
            f"{PREFIX}/invocation/{self._request_id}/response",
            {"Content-Type": "application/json"},
            body,
        )

    def error(self, failure: Failure) -> Request:
        """Fail the invocation in hand."""
        self._move(RuntimeMove.SEND_ERROR)
        return _error_request(f"{PREFIX}/invocation/{self._request_id}/error", failure)

    def init_error(self, failure: Failure) -> Request:
        """Say that init failed; the process is then to exit with a code that is not 0."""
        self._move(RuntimeMove.SEND_INIT_ERROR)
        return _error_request(f"{PREFIX}/init/error", failure)

    def restore_next(self) -> Request:
        """End init under SnapStart: the snapshot is taken while this call waits."""
        self._move(RuntimeMove.ASK_RESTORE)
        return Request("GET", f"{PREFIX}/restore/next", timeout_ms=None)

    def restored(self, answer: Answer) -> None:
        """Read the answer to `restore_next`: this process is now a copy from the snapshot."""
        state = after(TABLE, self._state, RuntimeMove.GET_RESTORE)
        require_status(answer, 200, "GET restore/next")
        self._state = state

    def restore_error(self, failure: Failure) -> Request:
        """Say that what was to be done after the restore failed; the process is then to exit, not with 0."""
        self._move(RuntimeMove.SEND_RESTORE_ERROR)
        return _error_request(f"{PREFIX}/restore/error", failure)

    def receipt(self, answer: Answer) -> Receipt:
        """Read the answer to a response or to any kind of error.

        Raises RemoteProtocolError for a 5xx: 'non-recoverable state; the runtime should exit promptly'.
        """
        state = after(TABLE, self._state, RuntimeMove.GET_RECEIPT)
        if 200 <= answer.status < 300:
            receipt = Receipt.ACCEPTED
        elif answer.status == 413:
            receipt = Receipt.TOO_LARGE
        elif 400 <= answer.status < 500:
            receipt = Receipt.REFUSED
        else:
            raise RemoteProtocolError(f"a response or an error was answered {answer.status}")
        self._state = state
        return receipt

    def _move(self, move: RuntimeMove) -> None:
        self._state = after(TABLE, self._state, move)


def _error_request(path: str, failure: Failure) -> Request:
    headers = {"Content-Type": "application/json", ERROR_TYPE_HEADER: failure.error_type}
    return Request("POST", path, headers, failure.body())
