"""One request that is sent in chunks, over a connection of its own, and may end with trailers.

h11 frames it: httpx cannot send trailers. SIGTERM and the deadline alarm may raise an exception in the main thread
between any two instructions, and the stream must still be able to end. So whole chunks go into a `BufferedWriter` over
a socket that does not block: its C code keeps what the socket has not taken yet, and no signal's handler runs between
a write and the count of its bytes.

Back-pressure: `write` returns when the socket has taken the chunk. It has no time-out, because Lambda slows long
streams down to 2 MB/s: the deadline alarm ends it.
"""

from __future__ import annotations

import io
import select
import socket
import time
from contextlib import suppress

import h11

from timelapse_runtime.runtime.errors import AnsweredEarly, ConnectionRefused, TransportError
from timelapse_runtime.runtime.protocol.messages import USER_AGENT, Request, Response, StreamEnd

CONNECT_TIMEOUT_SECONDS = 5.0
CHUNK_BYTES = 64 * 1024
_BUFFER_BYTES = 2 * CHUNK_BYTES
"""A chunk with its frame, and what an interrupted one left: head or trailers."""
_READ_BYTES = 64 * 1024


class RequestStream:
    """One request from its connection to its response. Connects when it is made. Raises TransportError, as `write`."""

    def __init__(self, host: str, port: int) -> None:
        try:
            self._socket = socket.create_connection((host, port), CONNECT_TIMEOUT_SECONDS)
        except ConnectionRefusedError as error:
            raise ConnectionRefused(str(error)) from error
        except OSError as error:
            raise TransportError(str(error)) from error
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.setblocking(False)
        self._raw = io.FileIO(self._socket.fileno(), "wb", closefd=False)
        self._writer = io.BufferedWriter(self._raw, _BUFFER_BYTES)
        self._poll = select.poll()
        self._http = h11.Connection(h11.CLIENT)
        self._host = f"{host}:{port}"
        self.size_bytes = 0
        """Of the body, so far."""

    def begin(self, request: Request) -> None:
        """Take the head; it is sent with the first chunk, or the end."""
        # Lambda's documents: 'Close the underlying connection after it has successfully written the response.'
        headers = {"Host": self._host, "User-Agent": USER_AGENT, **request.headers, "Connection": "close"}
        self._put(h11.Request(method=request.method, target=request.path, headers=list(headers.items())))

    def write(self, data: bytes) -> None:
        """Send data as chunks. Raises AnsweredEarly if the service answers early; errors close the connection."""
        self.size_bytes += len(data)
        view = memoryview(data)
        try:
            for start in range(0, len(view), CHUNK_BYTES):
                self._put(h11.Data(data=bytes(view[start : start + CHUNK_BYTES])))
                self._flush(None)
        except TransportError:
            self.close()
            raise

    def end(self, end: StreamEnd, timeout_ms: int) -> Response:
        """Send the end and wait for the response, for `timeout_ms` in all. Closes the connection, whatever happens."""
        until = time.monotonic() + timeout_ms / 1000
        try:
            self._put(h11.EndOfMessage(headers=list(end.trailers.items())))
            self._flush(until)
            return self._response(until)
        except h11.LocalProtocolError as error:  # an interruption came in the middle of h11's work
            raise TransportError(f"the stream cannot be ended: {error}") from error
        finally:
            self.close()

    def close(self) -> None:
        """Close the connection. A request without its end is refused as truncated."""
        with suppress(OSError):
            self._raw.close()  # first: the writer then drops what is left
            self._socket.close()

    def _put(self, event: h11.Event) -> None:
        try:
            self._writer.write(self._http.send(event) or b"")
        except OSError as error:
            raise TransportError(f"{type(error).__name__}: {error}") from error

    def _flush(self, until: float | None) -> None:
        while True:
            self._wait(select.POLLOUT | select.POLLIN, until)
            try:
                self._writer.flush()
            except BlockingIOError:
                continue
            except OSError as error:
                raise TransportError(f"{type(error).__name__}: {error}") from error
            return

    def _wait(self, events: int, until: float | None) -> None:
        self._poll.register(self._socket, events)
        left_ms = None if until is None else max(0.0, until - time.monotonic()) * 1000
        ready = self._poll.poll(left_ms)
        if not ready:
            raise TransportError("time-out")
        if events & select.POLLOUT and ready[0][1] & select.POLLIN:
            raise AnsweredEarly(self._response(until))

    def _response(self, until: float | None) -> Response:
        head: h11.Response | None = None
        body = b""
        while True:
            try:
                event = self._http.next_event()
            except h11.RemoteProtocolError as error:
                raise TransportError(str(error)) from error
            match event:
                case h11.NEED_DATA:
                    self._http.receive_data(self._receive(until))
                case h11.Response():
                    head = event
                case h11.Data(data=data):
                    body = (body + data)[:_READ_BYTES]  # of an error: its beginning says enough
                case h11.EndOfMessage() if head is not None:
                    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in head.headers}
                    return Response(head.status_code, headers, body)
                case h11.ConnectionClosed() | h11.PAUSED:
                    raise TransportError("the connection was closed without a response")

    def _receive(self, until: float | None) -> bytes:
        while True:
            try:
                return self._socket.recv(_READ_BYTES)
            except BlockingIOError:
                self._wait(select.POLLIN, until)
            except OSError as error:
                raise TransportError(f"{type(error).__name__}: {error}") from error
