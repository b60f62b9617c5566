"""A transport that answers from a list: for tests of what speaks to Lambda, without Lambda."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TypeAlias

from timelapse_runtime.runtime.errors import TransportError
from timelapse_runtime.runtime.protocol.messages import Request, Response, StreamEnd

Step: TypeAlias = Response | TransportError | Callable[[Request], Response]
"""A response, a lost connection, or a function that sees the request first (and may raise anything)."""


class ScriptedStream:
    """Keeps what is streamed. `on_chunk` is called with the number of each chunk, and may raise anything."""

    def __init__(self, send: Callable[[Request], Response], on_chunk: Callable[[int], None]) -> None:
        self._send, self._on_chunk = send, on_chunk
        self.head: Request | None = None
        self.chunks: list[bytes] = []
        self.end_of_stream: StreamEnd | None = None
        self.timeout_ms: int | None = None
        self.is_closed = False

    @property
    def size_bytes(self) -> int:
        """Of all chunks."""
        return sum(map(len, self.chunks))

    def begin(self, request: Request) -> None:
        """Keep the head."""
        self.head = request

    def write(self, data: bytes) -> None:
        """Keep a chunk."""
        assert self.head is not None
        assert self.end_of_stream is None
        self._on_chunk(len(self.chunks))
        self.chunks += [data] if data else []

    def end(self, end: StreamEnd, timeout_ms: int) -> Response:
        """Keep the end; the response is the script's next step."""
        assert self.head is not None
        self.end_of_stream, self.timeout_ms = end, timeout_ms
        return self._send(replace(self.head, body=b"".join(self.chunks)))

    def close(self) -> None:
        """Say that it was closed."""
        self.is_closed = True


class ScriptedTransport:
    """Takes one step of the script per request and keeps the requests. A request past its end is an error.

    `streams` are the requests that were streamed; each takes its step at its end. `on_chunk`: see ScriptedStream.
    """

    def __init__(self, steps: Iterable[Step]) -> None:
        self._steps = list(steps)
        self.on_chunk: Callable[[int], None] = lambda _number: None
        self.requests: list[Request] = []
        self.streams: list[ScriptedStream] = []

    def open_stream(self) -> ScriptedStream:
        """See `retry.RuntimeTransport`."""
        self.streams.append(ScriptedStream(self.send, self.on_chunk))
        return self.streams[-1]

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
