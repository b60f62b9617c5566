"""The Runtime API, version 2018-06-01, seen from the runtime.

`RuntimeApi` makes the requests and reads the responses; it sends nothing. A transition that TABLE does not allow raises
LocalProtocolError and changes nothing. A response that the documents do not allow raises RemoteProtocolError and
changes nothing. Sending the same Request again after a lost response is not a transition.

A streamed response is a request that is sent in pieces: `begin_stream` is its head, `end_stream` its end. An error in
between is an end with trailers.

Source: Lambda developer guide, 'Using the Lambda runtime API for custom runtimes', and its OpenAPI file, read
November 2026; streams from 'Building a custom runtime', 'Implementing response streaming in a custom runtime'.
`restore` is not here: SnapStart is for AWS's own runtimes (`modes.py`).
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from enum import Enum

from timelapse_runtime.runtime.errors import RemoteProtocolError
from timelapse_runtime.runtime.protocol.error_report import ErrorReport
from timelapse_runtime.runtime.protocol.invocation import Invocation, parse_invocation
from timelapse_runtime.runtime.protocol.messages import Request, Response, StreamEnd
from timelapse_runtime.runtime.protocol.state_table import after

PREFIX = "/2018-06-01/runtime"
ERROR_TYPE_HEADER = "Lambda-Runtime-Function-Error-Type"
XRAY_CAUSE_HEADER = "Lambda-Runtime-Function-XRay-Error-Cause"
ERROR_BODY_TRAILER = "Lambda-Runtime-Function-Error-Body"
TRAILER_BODY_LIMIT_BYTES = 2_700
"""As base64 it leaves 400 bytes of 4,096 for names and type. Go's HTTP server, which AWS's emulator uses, takes longer
trailers for an attack: it drops the response, and the environment ends (tried)."""
INVOCATION_ID_HEADER = "Lambda-Runtime-Invocation-Id"


class RuntimeState(Enum):
    """The runtime's state."""

    INIT = "init"
    WAITING = "waiting"
    INVOKED = "invoked"
    STREAMING = "streaming"
    ANSWERED = "answered"
    READY = "ready"
    FAILING = "failing"
    FAILED = "failed"


class RuntimeTransition(Enum):
    """What the runtime can send, and what can come back."""

    ASK_NEXT = "ask invocation/next"
    GET_INVOCATION = "get an invocation"
    SEND_RESPONSE = "send a response"
    BEGIN_STREAM = "begin a streamed response"
    END_STREAM = "end a streamed response"
    SEND_ERROR = "send an error"
    SEND_INIT_ERROR = "send init/error"
    GET_ACK = "get an acknowledgement"


_S, _T = RuntimeState, RuntimeTransition

TABLE: Mapping[RuntimeState, Mapping[RuntimeTransition, RuntimeState]] = {
    _S.INIT: {_T.ASK_NEXT: _S.WAITING, _T.SEND_INIT_ERROR: _S.FAILING},
    # Asking again while waiting: the connection was lost, or the response was not usable.
    _S.WAITING: {_T.ASK_NEXT: _S.WAITING, _T.GET_INVOCATION: _S.INVOKED},
    _S.INVOKED: {_T.SEND_RESPONSE: _S.ANSWERED, _T.SEND_ERROR: _S.ANSWERED, _T.BEGIN_STREAM: _S.STREAMING},
    _S.STREAMING: {
        _T.END_STREAM: _S.ANSWERED,
        _T.SEND_ERROR: _S.ANSWERED,  # as trailers
        _T.GET_ACK: _S.READY,  # the service refused it before its end
        _T.ASK_NEXT: _S.WAITING,  # its connection was lost
    },
    # Asking for the next one without an acknowledgement: it was lost for good.
    _S.ANSWERED: {_T.GET_ACK: _S.READY, _T.ASK_NEXT: _S.WAITING},
    _S.READY: {_T.ASK_NEXT: _S.WAITING},
    _S.FAILING: {_T.GET_ACK: _S.FAILED},
    _S.FAILED: {},
}


class Ack(Enum):
    """How the service answers a response or an error."""

    ACCEPTED = "accepted"
    TOO_LARGE = "too large"
    """413: the service has failed the invocation itself; an error posted after it would get 403."""
    REFUSED = "refused"
    """Another 4xx: the invocation is over (it timed out, or our first response did arrive)."""


class RuntimeApi:
    """One runtime's side of the Runtime API."""

    def __init__(self) -> None:
        self._state = RuntimeState.INIT
        self._request_id = ""
        self._headers: dict[str, str] = {}

    @property
    def state(self) -> RuntimeState:
        """The runtime's state."""
        return self._state

    def next(self) -> Request:
        """Ask for an invocation."""
        self._go(RuntimeTransition.ASK_NEXT)
        return Request("GET", f"{PREFIX}/invocation/next", timeout_ms=None)

    def invocation(self, response: Response) -> Invocation:
        """Read the response to `next`."""
        state = after(TABLE, self._state, RuntimeTransition.GET_INVOCATION)
        invocation = parse_invocation(response)
        self._state, self._request_id = state, invocation.request_id
        self._headers = {} if invocation.invocation_id is None else {INVOCATION_ID_HEADER: invocation.invocation_id}
        return invocation

    def response(self, body: bytes, content_type: str = "application/json") -> Request:
        """Answer the current invocation."""
        self._go(RuntimeTransition.SEND_RESPONSE)
        return Request(
            "POST",
            f"{PREFIX}/invocation/{self._request_id}/response",
            {"Content-Type": content_type, **self._headers},
            body,
        )

    def begin_stream(self, content_type: str) -> Request:
        """The head of a streamed response to the current invocation; its body is sent in chunks."""
        self._go(RuntimeTransition.BEGIN_STREAM)
        headers = {
            "Content-Type": content_type,
            "Lambda-Runtime-Function-Response-Mode": "streaming",
            "Transfer-Encoding": "chunked",
            "Trailer": f"{ERROR_TYPE_HEADER}, {ERROR_BODY_TRAILER}",
            **self._headers,
        }
        return Request("POST", f"{PREFIX}/invocation/{self._request_id}/response", headers)

    def end_stream(self) -> StreamEnd:
        """The end of a streamed response that is complete."""
        self._go(RuntimeTransition.END_STREAM)
        return StreamEnd()

    def error(self, report: ErrorReport) -> Request | StreamEnd:
        """Fail the current invocation; in the middle of a streamed response, end it with the error in trailers."""
        is_streaming = self._state is RuntimeState.STREAMING
        self._go(RuntimeTransition.SEND_ERROR)
        if is_streaming:
            body = base64.b64encode(report.short_body(TRAILER_BODY_LIMIT_BYTES, self._request_id)).decode()
            return StreamEnd({ERROR_TYPE_HEADER: report.error_type[:128], ERROR_BODY_TRAILER: body})
        headers = {XRAY_CAUSE_HEADER: report.xray_cause} if report.xray_cause else {}
        path = f"{PREFIX}/invocation/{self._request_id}/error"
        return _error_request(path, report, report.body(self._request_id), {**headers, **self._headers})

    def init_error(self, report: ErrorReport) -> Request:
        """Report that init failed. The process must then exit with a code other than 0."""
        self._go(RuntimeTransition.SEND_INIT_ERROR)
        return _error_request(f"{PREFIX}/init/error", report, report.body())

    def ack(self, response: Response) -> Ack:
        """Read how a response or any kind of error was answered.

        Raises RemoteProtocolError for a 5xx: 'non-recoverable state; the runtime should exit promptly'.
        """
        state = after(TABLE, self._state, RuntimeTransition.GET_ACK)
        if 200 <= response.status < 300:
            ack = Ack.ACCEPTED
        elif response.status == 413:
            ack = Ack.TOO_LARGE
        elif 400 <= response.status < 500:
            ack = Ack.REFUSED
        else:
            raise RemoteProtocolError(f"the service answered a response or an error with status {response.status}")
        self._state = state
        return ack

    def _go(self, transition: RuntimeTransition) -> None:
        self._state = after(TABLE, self._state, transition)


def _error_request(path: str, report: ErrorReport, body: bytes, headers: Mapping[str, str] | None = None) -> Request:
    own = {"Content-Type": "application/json", ERROR_TYPE_HEADER: report.error_type}
    return Request("POST", path, {**own, **(headers or {})}, body)
