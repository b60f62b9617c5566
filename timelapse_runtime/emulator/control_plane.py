"""The state of the Runtime API and the Extensions API for one sandbox: registrations, pending `next` calls, results.

The HTTP server calls it from its threads, one per connection. `sandbox.py` begins invocations and waits for their end.
It knows no sockets and no processes. A reset makes a new sandbox with a new `ControlPlane`.

Sources: 'Lambda Runtime API' and 'Lambda Extensions API' in the Lambda developer guide, read November 2026; error
types, and which call is refused when: the source of AWS's runtime interface emulator, and trials with it.
"""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import TypeAlias

STREAM_LIMIT_BYTES = 200 * 1024**2
"""The longest streamed response ('Response streaming for Lambda functions', read November 2026)."""
RESPONSE_LIMIT_BYTES = 6 * 1024**2 + 100
"""The longest response of a synchronous invocation; a longer one gets 413 (seen from AWS's emulator)."""
INVOCATION_ID_HEADER = "Lambda-Runtime-Invocation-Id"
"""With each invocation; a runtime sends it back with the result (awslambdaric 4.0.2, July 2026)."""
EXTENSION_LIMIT = 10
"""Extensions per function, external and internal together (Lambda developer guide)."""


@dataclass(frozen=True, slots=True)
class Response:
    """An HTTP response: status, JSON body and headers."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Event:
    """The result of a `next` call: an invocation for the runtime; INVOKE or SHUTDOWN for an extension."""

    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class InvocationEvents:
    """One invocation, as the two APIs deliver it. `invocation_id` tells attempts with one request id apart."""

    request_id: str
    invocation_id: str
    for_runtime: Event
    for_extensions: Event


@dataclass(frozen=True, slots=True)
class Failure:
    """An error with its JSON body, of one invocation or of the sandbox."""

    error_type: str
    body: bytes

    @classmethod
    def of(cls, error_type: str, message: str) -> Failure:
        """A failure that the emulator itself reports."""
        return cls(error_type, json.dumps({"errorType": error_type, "errorMessage": message}).encode())


@dataclass(frozen=True, slots=True)
class Streamed:
    """A response that came in chunks. `failure` is what its trailers say, or that it was cut off."""

    content_type: str
    chunks: tuple[bytes, ...]
    failure: Failure | None


Result: TypeAlias = bytes | Streamed | Failure
"""What a runtime sends for an invocation."""

ACCEPTED = Response(202, b'{"status":"OK"}\n')


def refused(status: int, error_type: str, message: str) -> Response:
    """An error response in the format of both APIs."""
    return Response(status, Failure.of(error_type, message).body)


class _Subscriber:
    """A client that asks for events, one at a time: the runtime or an extension."""

    def __init__(self, events: frozenset[str] = frozenset()) -> None:
        self.events = events
        self._poll: SimpleQueue[Event | None] | None = None
        self._held: Event | None = None

    @property
    def waits(self) -> bool:
        """Whether a `next` is pending. It becomes False when an event is given, before the response is sent."""
        return self._poll is not None

    def ask(self) -> SimpleQueue[Event | None]:
        """A new `next`. An older one that is pending ends with None: its client has given up."""
        self.end()
        poll: SimpleQueue[Event | None] = SimpleQueue()
        if self._held is None:
            self._poll = poll
        else:
            poll.put(self._held)
            self._held = None
        return poll

    def give(self, event: Event) -> None:
        """Deliver an event to the pending `next`, or to the following one."""
        if self._poll is None:
            self._held = event
        else:
            self._poll.put(event)
            self._poll = None

    def end(self) -> None:
        """End a pending `next` without an event."""
        if self._poll is not None:
            self._poll.put(None)
            self._poll = None


class ControlPlane:
    """The two APIs' state. All methods may be called from any thread."""

    def __init__(self, *, external_extensions: frozenset[str], handler: str, function_name: str) -> None:
        self._external_names = external_extensions
        self._about_function = json.dumps(
            {"functionName": function_name, "functionVersion": "$LATEST", "handler": handler}
        ).encode()
        self._changed = threading.Condition()
        self._closed = False
        self._runtime = _Subscriber()
        self._extensions: dict[str, _Subscriber] = {}
        self._identifiers: dict[str, str] = {}
        self._registration_open = True
        self._request_id: str | None = None
        self._invocation_id: str | None = None
        self._result: Result | None = None
        self._failure: Failure | None = None

    # ---- for the sandbox

    @property
    def failure(self) -> Failure | None:
        """The first failure of this sandbox, if there was one; it ends the sandbox."""
        return self._failure

    @property
    def result(self) -> Result | None:
        """The runtime's response or error for the last invocation; None until it has come."""
        return self._result

    @property
    def has_extensions(self) -> bool:
        """Whether any extension registered, external or internal."""
        return bool(self._extensions)

    def all_registered(self) -> bool:
        """Whether every external extension has registered."""
        return self._external_names <= self._identifiers.keys()

    def ready(self) -> bool:
        """Whether init is over: the runtime and every extension have a `next` pending."""
        return self._runtime.waits and all(extension.waits for extension in self._extensions.values())

    def finished(self) -> bool:
        """Whether the invocation has a result, and the runtime and all INVOKE extensions have a `next` pending."""
        return (
            self._result is not None
            and self._runtime.waits
            and all(extension.waits for extension in self._extensions.values() if "INVOKE" in extension.events)
        )

    def wait(self, condition: Callable[[], bool], timeout_seconds: float) -> bool:
        """Block until `condition` (a method above) is true or the sandbox has failed; False on a time-out."""
        with self._changed:
            return self._changed.wait_for(lambda: self._failure is not None or condition(), max(0.0, timeout_seconds))

    def begin(self, invocation: InvocationEvents) -> None:
        """Deliver an invocation. The one before must be finished."""
        with self._changed:
            self._request_id, self._invocation_id = invocation.request_id, invocation.invocation_id
            self._result = None
            for extension in self._extensions.values():
                if "INVOKE" in extension.events:
                    extension.give(invocation.for_extensions)
            self._runtime.give(invocation.for_runtime)

    def fail(self, failure: Failure) -> None:
        """End the sandbox for this reason; later reasons are ignored."""
        with self._changed:
            self._failure = self._failure or failure
            self._changed.notify_all()

    def send_shutdown(self, event: Event) -> frozenset[str]:
        """Deliver SHUTDOWN to the extensions that registered for it, and return their names."""
        with self._changed:
            notified = frozenset(
                name for name, key in self._identifiers.items() if "SHUTDOWN" in self._extensions[key].events
            )
            for name in notified:
                self._extensions[self._identifiers[name]].give(event)
            return notified

    def close(self) -> None:
        """End every pending `next` without an event; later ones end at once."""
        with self._changed:
            self._closed = True
            for subscriber in (self._runtime, *self._extensions.values()):
                subscriber.end()

    # ---- for the runtime

    def runtime_next(self) -> Event | None:
        """Block until there is an invocation; None if the connection is to be closed instead."""
        with self._changed:
            if self._closed:
                return None
            self._registration_open = False
            poll = self._runtime.ask()
            self._changed.notify_all()
        return poll.get()

    def runtime_result(self, request_id: str, result: Result, invocation_id: str | None = None) -> Response:
        """Take the response or the error of the current invocation. Refuses a second one, and other ids.

        A runtime that sends no invocation id is not checked for it. Lambda's status for a wrong one is not documented.
        """
        with self._changed:
            if request_id != self._request_id:
                return refused(400, "InvalidRequestID", "Invalid request ID")
            if invocation_id not in (None, self._invocation_id):
                return refused(400, "InvalidInvocationID", "Invalid invocation ID")
            if self._result is not None:
                return refused(403, "InvalidStateTransition", "the invocation already has a result")
            self._result = result
            self._changed.notify_all()
        return ACCEPTED

    def runtime_result_too_large(self, request_id: str, invocation_id: str | None = None) -> Response:
        """Fail the invocation because of a response over RESPONSE_LIMIT_BYTES; a later `error` for it is refused."""
        message = f"Response payload size exceeded maximum allowed payload size ({RESPONSE_LIMIT_BYTES} bytes)."
        response = self.runtime_result(request_id, Failure.of("Function.ResponseSizeTooLarge", message), invocation_id)
        if response is not ACCEPTED:
            return response
        return refused(
            413, "RequestEntityTooLarge", f"Exceeded maximum allowed payload size ({RESPONSE_LIMIT_BYTES} bytes)."
        )

    def runtime_init_error(self, failure: Failure) -> Response:
        """Fail the sandbox during init; refused once init is over."""
        with self._changed:
            if not self._registration_open:
                return refused(403, "InvalidStateTransition", "init is over")
        self.fail(failure)
        return ACCEPTED

    # ---- for extensions

    def register(self, name: str, body: bytes) -> Response:
        """Register an extension: external if an executable of that name was started, else internal."""
        try:
            events = frozenset(json.loads(body)["events"])
        except (ValueError, KeyError, TypeError) as error:
            return refused(403, "InvalidRequestFormat", f'the body must be {{"events": [...]}}: {error!r}')
        refusal = _registration_refusal(name, events, external=name in self._external_names)
        if refusal is not None:
            return refusal
        with self._changed:
            if name in self._identifiers:
                return refused(403, "Extension.InvalidExtensionState", "Extension with this name already registered")
            if not self._registration_open:
                return refused(403, "Extension.RegistrationClosed", "Extension registration closed already")
            if len(self._identifiers) >= EXTENSION_LIMIT:
                return refused(403, "Extension.TooManyExtensions", f"Extension limit ({EXTENSION_LIMIT}) reached")
            identifier = self._identifiers[name] = str(uuid.uuid4())
            self._extensions[identifier] = _Subscriber(events)
            self._changed.notify_all()
        return Response(200, self._about_function, {"Lambda-Extension-Identifier": identifier})

    def extension_next(self, identifier: str | None) -> Event | Response | None:
        """Block until there is an event for this extension; None if the connection is to be closed instead."""
        with self._changed:
            extension = self._extensions.get(identifier or "")
            if extension is None:
                return _unknown_extension(identifier)
            if self._closed:
                return None
            poll = extension.ask()
            self._changed.notify_all()
        return poll.get()

    def extension_error(self, identifier: str | None, failure: Failure) -> Response:
        """`init/error` and `exit/error`: both end the sandbox."""
        with self._changed:
            if (identifier or "") not in self._extensions:
                return _unknown_extension(identifier)
        if not failure.error_type:
            return refused(403, "Extension.MissingHeader", "Lambda-Extension-Function-Error-Type not found")
        self.fail(failure)
        return ACCEPTED


def _registration_refusal(name: str, events: frozenset[object], *, external: bool) -> Response | None:
    if not name:
        return refused(403, "Extension.InvalidExtensionName", "Empty extension name")
    for event in events:
        if event not in {"INVOKE", "SHUTDOWN"}:
            return refused(403, "Extension.InvalidEventType", f"{event}: InvalidEventType")
        if event == "SHUTDOWN" and not external:
            message = f"{event}: ShutdownEventNotSupportedForInternalExtension"
            return refused(403, "Extension.InvalidEventType", message)
    return None


def _unknown_extension(identifier: str | None) -> Response:
    if identifier is None:
        message = "Missing Lambda-Extension-Identifier header"
        return refused(403, "Extension.MissingExtensionIdentifier", message)
    return refused(403, "Extension.UnknownExtensionIdentifier", f"Unknown extension {identifier}")
