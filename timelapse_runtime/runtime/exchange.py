"""An exchange: one request, sent until there is an answer.

A call without a time-out (`next`) is asked again for ever: after a freeze its connection may be dead, and there
is nobody to report to but the same service. Other calls get ATTEMPTS tries. All of them may be repeated: a
response or an error that arrived twice is refused the second time, which `RuntimeApi.receipt` takes as a receipt.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable
from typing import Protocol

from timelapse_runtime.runtime.errors import TransportError
from timelapse_runtime.runtime.protocol.messages import Answer, Request

ATTEMPTS = 3
FIRST_PAUSE_SECONDS = 0.01
LONGEST_PAUSE_SECONDS = 1.0

logger = logging.getLogger("timelapse_runtime.runtime.exchange")


class Transport(Protocol):
    """Sends a request once."""

    def send(self, request: Request) -> Answer:
        """The answer, whatever its status. Raises TransportError when there is none, or only a part of one."""
        ...


def exchange(transport: Transport, request: Request, pause: Callable[[float], None]) -> Answer:
    """Send until there is an answer. Raises TransportError only for calls that have a time-out."""
    for attempt in itertools.count(1):
        try:
            return transport.send(request)
        except TransportError as error:
            if request.timeout_ms is not None and attempt == ATTEMPTS:
                raise
            # The first failure is the ordinary one, a connection that died in a freeze: try again at once.
            level = logging.DEBUG if attempt == 1 else logging.WARNING
            logger.log(level, "%s %s: attempt %d: %s", request.method, request.path, attempt, error)
            if attempt > 1:
                pause(min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** min(attempt, 10)))
    raise AssertionError("itertools.count ended")
