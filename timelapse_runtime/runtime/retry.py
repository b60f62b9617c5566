"""How often a request to the Lambda service is sent.

A call without a time-out (`next`) is repeated without end: after a freeze its connection may be dead, and there is
nobody else to report to. If connections are *refused* for a minute of waking time, the service has gone (a local
emulator that ended), and so must the process. Other calls get ATTEMPTS tries. All of them may be repeated: a response
or an error that arrives twice is refused the second time, and `RuntimeApi.ack` takes that for an acknowledgement.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable
from typing import Protocol

from timelapse_runtime.runtime.errors import ConnectionRefused, ServiceGone, TransportError
from timelapse_runtime.runtime.protocol.messages import Request, Response, StreamEnd

ATTEMPTS = 3
FIRST_PAUSE_SECONDS = 0.01
LONGEST_PAUSE_SECONDS = 1.0
REFUSED_LIMIT_SECONDS = 60.0
"""Counted in pauses, not by a clock: a process must not come to its end because it was frozen."""

logger = logging.getLogger("timelapse_runtime.runtime.retry")


class Transport(Protocol):
    """Sends a request once."""

    def send(self, request: Request) -> Response:
        """The response, whatever its status. Raises TransportError if there is none, or only a part of one."""
        ...


class OutgoingStream(Protocol):
    """A request that is sent in chunks; `request_stream.py` has it over a socket."""

    @property
    def size_bytes(self) -> int:
        """Of the body, so far."""
        ...

    def begin(self, request: Request) -> None:
        """Its head."""
        ...

    def write(self, data: bytes) -> None:
        """A chunk. Returns when the connection has taken it. Raises TransportError; AnsweredEarly if it is refused."""
        ...

    def end(self, end: StreamEnd, timeout_ms: int) -> Response:
        """Its end, and the response. Raises TransportError."""
        ...

    def close(self) -> None:
        """Close the connection, whatever was sent."""
        ...


class RuntimeTransport(Transport, Protocol):
    """What the runtime needs beyond what an extension does."""

    def open_stream(self) -> OutgoingStream:
        """Connect. Raises TransportError."""
        ...


def call(transport: Transport, request: Request, pause: Callable[[float], None]) -> Response:
    """Send until there is a response.

    Raises TransportError (only for calls that have a time-out) or ServiceGone (only for those that have none).
    """
    refused_seconds = 0.0
    for attempt in itertools.count(1):
        try:
            return transport.send(request)
        except TransportError as error:
            if request.timeout_ms is not None and attempt == ATTEMPTS:
                raise
            # The first failure is usually a connection that died in a freeze: try again at once.
            level = logging.DEBUG if attempt == 1 else logging.WARNING
            logger.log(level, "%s %s: attempt %d: %s", request.method, request.path, attempt, error)
            seconds = 0.0 if attempt == 1 else min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** min(attempt, 10))
            refused_seconds = refused_seconds + seconds if isinstance(error, ConnectionRefused) else 0.0
            if refused_seconds > REFUSED_LIMIT_SECONDS:
                raise ServiceGone(f"connections were refused for {refused_seconds:.0f} s: {error}") from error
            if seconds:
                pause(seconds)
    raise AssertionError("itertools.count ended")
