"""The Runtime API (2018-06-01) and the Extensions API (2020-01-01) over HTTP, on a free port of 127.0.0.1.

It turns requests into calls of the current `ControlPlane`, which has the rules; only the paths are here. A connection
keeps the control plane that was current when it was made. Each connection has a thread, so a `next` blocks its own
thread only.
"""

from __future__ import annotations

import socket
import threading
from base64 import b64decode
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from timelapse_runtime.emulator.chunked_body import ChunkedBody, read_chunked
from timelapse_runtime.emulator.control_plane import (
    ACCEPTED,
    INVOCATION_ID_HEADER,
    RESPONSE_LIMIT_BYTES,
    STREAM_LIMIT_BYTES,
    ControlPlane,
    Event,
    Failure,
    Response,
    Streamed,
    refused,
)

_RUNTIME = "/2018-06-01/runtime/"
_EXTENSION = "/2020-01-01/extension/"
_CLOSE_POLL_SECONDS = 0.1


class RuntimeApiServer:
    """Serves from construction to `close`. `address` is the value for `AWS_LAMBDA_RUNTIME_API`."""

    def __init__(self, plane: ControlPlane) -> None:
        self._server = _Server(plane)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_CLOSE_POLL_SECONDS,), name="runtime-api"
        )
        self._thread.start()
        self.address = f"127.0.0.1:{self._server.server_address[1]}"

    def serve(self, plane: ControlPlane) -> None:
        """Use `plane` for connections made from now on."""
        self._server.plane = plane

    def drop_connections(self) -> None:
        """Close all connections. The plane's blocked calls must have ended (`ControlPlane.close`)."""
        with self._server.connections_lock:
            for connection in self._server.connections:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Stop listening and end all threads."""
        self._server.shutdown()
        self.drop_connections()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # server_close then joins the connections' threads

    def __init__(self, plane: ControlPlane) -> None:
        self.plane = plane
        self.connections: set[socket.socket] = set()
        self.connections_lock = threading.Lock()
        super().__init__(("127.0.0.1", 0), _Handler)

    def server_bind(self) -> None:
        # HTTPServer would look up the name of this host, which can take seconds without a DNS server.
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server
    plane: ControlPlane

    def setup(self) -> None:
        super().setup()
        self.plane = self.server.plane
        with self.server.connections_lock:
            self.server.connections.add(self.connection)

    def finish(self) -> None:
        with self.server.connections_lock:
            self.server.connections.discard(self.connection)
        super().finish()

    def handle(self) -> None:
        # A process that was killed resets its connections. That is expected here: no stack trace.
        with suppress(ConnectionError):
            super().handle()

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: the log shows the lines of the processes only."""

    def do_GET(self) -> None:
        if self.path == _RUNTIME + "invocation/next":
            self._send(self.plane.runtime_next())
        elif self.path == _EXTENSION + "event/next":
            self._send(self.plane.extension_next(self.headers.get("Lambda-Extension-Identifier")))
        else:
            self._send(refused(404, "NotFound", f"no such path: GET {self.path}"))

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length")
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            self._send(self._post_chunked())
        elif length is None:
            self.close_connection = True  # the body cannot be told from the next request
            self._send(refused(411, "LengthRequired", "Content-Length is needed"))
        elif int(length) > RESPONSE_LIMIT_BYTES:
            self._discard(int(length))
            self._send(self._too_large())
        else:
            self._send(self._post(self.rfile.read(int(length))))

    def _post_chunked(self) -> Response:
        mode = self.headers.get("Lambda-Runtime-Function-Response-Mode")
        limit_bytes = STREAM_LIMIT_BYTES if mode == "streaming" else RESPONSE_LIMIT_BYTES
        body = read_chunked(self.rfile, self.headers.get("Trailer", ""), limit_bytes)
        self.close_connection = not body.is_complete
        match self.path.split("/")[1:]:
            case ["2018-06-01", "runtime", "invocation", request_id, "response"] if mode is not None:
                return self._streamed(request_id, mode, body)
        return self._post(b"".join(body.chunks)) if body.size_bytes <= limit_bytes else self._too_large()

    def _streamed(self, request_id: str, mode: str, body: ChunkedBody) -> Response:
        refusal, failure = None, None
        if mode != "streaming":
            refusal = refused(400, "InvalidFunctionResponseMode", "Invalid function response mode")
            failure = Failure.of("Runtime.InvalidResponseModeHeader", f"{mode!r} is not a response mode")
        elif not body.is_complete:
            refusal = refused(400, "TruncatedHTTPRequest", "HTTP request detected as truncated")
            failure = Failure.of("Runtime.TruncatedResponse", "the stream has no end")
        elif body.size_bytes > STREAM_LIMIT_BYTES:
            refusal = refused(413, "RequestEntityTooLarge", f"more than {STREAM_LIMIT_BYTES} bytes")
            failure = Failure.of("Function.ResponseSizeTooLarge", f"more than {STREAM_LIMIT_BYTES} bytes")
        elif error_type := body.trailers.get("lambda-runtime-function-error-type"):
            failure = Failure(error_type, b64decode(body.trailers.get("lambda-runtime-function-error-body", "")))
        result = Streamed(self.headers.get("Content-Type", ""), body.chunks, failure)
        response = self.plane.runtime_result(request_id, result, self.headers.get(INVOCATION_ID_HEADER))
        return refusal if refusal is not None and response is ACCEPTED else response

    def _post(self, body: bytes) -> Response:
        match self.path.split("/")[1:]:
            case ["2018-06-01", "runtime", "invocation", request_id, "response"]:
                return self.plane.runtime_result(request_id, body, self.headers.get(INVOCATION_ID_HEADER))
            case ["2018-06-01", "runtime", "invocation", request_id, "error"]:
                return self.plane.runtime_result(
                    request_id, self._failure("Runtime", body), self.headers.get(INVOCATION_ID_HEADER)
                )
            case ["2018-06-01", "runtime", "init", "error"]:
                return self.plane.runtime_init_error(self._failure("Runtime", body))
            case ["2020-01-01", "extension", "register"]:
                return self.plane.register(self.headers.get("Lambda-Extension-Name", ""), body)
            case ["2020-01-01", "extension", "init" | "exit", "error"]:
                identifier = self.headers.get("Lambda-Extension-Identifier")
                return self.plane.extension_error(identifier, self._failure("Extension", body))
        return refused(404, "NotFound", f"no such path: POST {self.path}")

    def _too_large(self) -> Response:
        match self.path.split("/")[1:]:
            case ["2018-06-01", "runtime", "invocation", request_id, "response"]:
                return self.plane.runtime_result_too_large(request_id, self.headers.get(INVOCATION_ID_HEADER))
        return refused(413, "RequestEntityTooLarge", f"more than {RESPONSE_LIMIT_BYTES} bytes")

    def _failure(self, sender: str, body: bytes) -> Failure:
        return Failure(self.headers.get(f"Lambda-{sender}-Function-Error-Type", ""), body)

    def _discard(self, size_bytes: int) -> None:
        # Read the body all the same: a client that is still sending would get a reset, not the response.
        while size_bytes > 0 and (chunk := self.rfile.read(min(size_bytes, 1 << 16))):
            size_bytes -= len(chunk)

    def _send(self, response: Response | Event | None) -> None:
        """Send head and body in one write, without Date and Server: benchmarks measure this path."""
        if response is None:
            self.close_connection = True
            return
        status = HTTPStatus(response.status if isinstance(response, Response) else 200)
        head = [
            f"HTTP/1.1 {status.value} {status.phrase}",
            "Content-Type: application/json",
            f"Content-Length: {len(response.body)}",
            *(f"{name}: {value}" for name, value in response.headers.items()),
            "\r\n",
        ]
        self.wfile.write("\r\n".join(head).encode("latin-1") + response.body)
