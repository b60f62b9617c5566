"""A transport that answers from a list: for tests of what speaks to Lambda, without Lambda."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

from timelapse_runtime.runtime.errors import TransportError
from timelapse_runtime.runtime.protocol.messages import Request, Response

Step: TypeAlias = Response | TransportError | Callable[[Request], Response]
"""A response, a lost connection, or a function that sees the request first (and may raise anything)."""


class ScriptedTransport:
    """Takes one step of the script per request and keeps the requests. A request past its end is an error."""

    def __init__(self, steps: Iterable[Step]) -> None:
        self._steps = list(steps)
        self.requests: list[Request] = []

    @property
    def steps_left(self) -> int:
        """How many steps were not taken."""
        return len(self._steps)

    def send(self, request: Request) -> Response:
        """Take the next step; see `retry.Transport`."""
        self.requests.append(request)
        if not self._steps:
            raise AssertionError(f"the script has no response to {request.method} {request.path}")
        step = self._steps.pop(0)
        if isinstance(step, TransportError):
            raise step
        return step if isinstance(step, Response) else step(request)
