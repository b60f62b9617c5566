"""A transport that answers from a list: for tests of what speaks to Lambda, without Lambda."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

from timelapse_runtime.runtime.errors import TransportError
from timelapse_runtime.runtime.protocol.messages import Answer, Request

Step: TypeAlias = Answer | TransportError | Callable[[Request], Answer]
"""An answer, a lost connection, or something that looks at the request first (and may raise what it likes)."""


class ScriptedTransport:
    """Takes one step of the script per request and keeps the requests. A request past its end is an error."""

    def __init__(self, steps: Iterable[Step]) -> None:
        self._steps = list(steps)
        self.requests: list[Request] = []

    @property
    def left(self) -> int:
        """How many steps were not taken."""
        return len(self._steps)

    def send(self, request: Request) -> Answer:
        """Take the next step; see `exchange.Transport`."""
        self.requests.append(request)
        if not self._steps:
            raise AssertionError(f"the script has no answer to {request.method} {request.path}")
        step = self._steps.pop(0)
        if isinstance(step, TransportError):
            raise step
        return step if isinstance(step, Answer) else step(request)
