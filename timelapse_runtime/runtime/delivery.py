"""Sends what answers an invocation: a response, an error, or a stream from its head to its end.

It owns the connection of the stream that is open. Whatever becomes of an answer, the runtime's next step is the same,
so nothing is raised but RemoteProtocolError, for a service that cannot go on, and what ends a stream early.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeAlias

from timelapse_runtime.runtime.clock import Clock
from timelapse_runtime.runtime.errors import TransportError
from timelapse_runtime.runtime.function import Deadline
from timelapse_runtime.runtime.protocol.messages import Request, Response, StreamEnd
from timelapse_runtime.runtime.protocol.runtime_api import Ack, RuntimeApi
from timelapse_runtime.runtime.result import Stream
from timelapse_runtime.runtime.retry import OutgoingStream, RuntimeTransport, call

Answer: TypeAlias = Request | StreamEnd | Response
"""What is to be sent; or a response, if the service has answered a stream before its end."""

logger = logging.getLogger("timelapse_runtime.runtime.delivery")


class StreamedResponse:
    """One streamed response. Nothing is sent before the first chunk: an error until then is an ordinary one."""

    def __init__(self, result: Stream, open_stream: Callable[[str], OutgoingStream]) -> None:
        self._result, self._open = result, open_stream
        self._stream: OutgoingStream | None = None

    def begin(self) -> OutgoingStream:
        """Send the head, if it is not sent yet. Raises TransportError."""
        if self._stream is None:
            self._stream = self._open(self._result.content_type)
            self._stream.write(self._result.prelude)
        return self._stream

    def write(self, data: bytes) -> None:
        """Send a chunk. Raises TransportError."""
        self.begin().write(data)


class Delivery:
    """The answers of one runtime, one after another."""

    def __init__(
        self, api: RuntimeApi, transport: RuntimeTransport, clock: Clock, pause: Callable[[float], None]
    ) -> None:
        self._api, self._transport, self._clock, self._pause = api, transport, clock, pause
        self._stream: OutgoingStream | None = None

    def streamed(self, result: Stream) -> StreamedResponse:
        """The current invocation's response, to be written in chunks and ended by `deliver`."""
        return StreamedResponse(result, self._open)

    def deliver(self, answer: Answer, deadline: Deadline | None = None) -> None:
        """Send an answer; the end of a stream until `deadline`."""
        name, size_bytes = "the streamed response", 0 if self._stream is None else self._stream.size_bytes
        if isinstance(answer, Request):
            name, size_bytes = answer.path, len(answer.body)
        try:
            ack = self._api.ack(self._response_to(answer, deadline))
        except TransportError as error:
            logger.error("%s was not delivered: %s", name, error)  # noqa: TRY400  its stack says nothing
            return
        if ack is Ack.TOO_LARGE:
            logger.error("Lambda failed the invocation: a response of %d bytes is too large", size_bytes)
        elif ack is Ack.REFUSED:
            logger.warning("Lambda refused %s: the invocation is over", name)

    def _open(self, content_type: str) -> OutgoingStream:
        self._stream = None
        head = self._api.begin_stream(content_type)
        self._stream = self._transport.open_stream()
        self._stream.begin(head)
        return self._stream

    def _response_to(self, answer: Answer, deadline: Deadline | None) -> Response:
        if isinstance(answer, Request):
            return call(self._transport, answer, self._pause)
        if isinstance(answer, Response):
            return answer
        if self._stream is None or deadline is None:  # interrupted before it was connected
            raise TransportError("the stream has no connection")
        return self._stream.end(answer, deadline.remaining_ms(self._clock.now_epoch_ms()))
