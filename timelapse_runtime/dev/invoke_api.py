"""Lambda's Invoke API for one function, over HTTP on this machine: the address that AWS's emulator has.

`aws lambda invoke --endpoint-url http://127.0.0.1:PORT` and an SDK with that endpoint work, under any function name.

Source: Lambda API reference, 'Invoke', read November 2026.
"""

from __future__ import annotations

import base64
import json
import re
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from timelapse_runtime.emulator.result import InvocationResult

PATH = "/2015-03-31/functions/function/invocations"
_INVOCATIONS = re.compile(r"/2015-03-31/functions/[^/]+/invocations(\?.*)?")
_REQUEST_LIMIT_BYTES = 6 * 1024**2
"""Of a synchronous invocation (Lambda quotas, read November 2026)."""
_POLL_SECONDS = 0.1

Invoke = Callable[[Any, Any | None], InvocationResult]
"""Of an event and a client context."""


class InvokeApi:
    """Listens from construction to `close`. Raises OSError if it cannot have the port; 0 is a free one."""

    def __init__(self, port: int, invoke: Invoke) -> None:
        self._server = _Server(port, invoke)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(_POLL_SECONDS,), name="invoke-api")
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}{PATH}"

    def close(self) -> None:
        """Stop listening. Requests that wait for an invocation must have been answered, or lose their connection."""
        self._server.shutdown()
        self._server.drop_connections()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # server_close then joins the connections' threads

    def __init__(self, port: int, invoke: Invoke) -> None:
        self.invoke = invoke
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(("127.0.0.1", port), _Handler)

    def server_bind(self) -> None:
        # HTTPServer would look up the name of this host, which can take seconds without a DNS server.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()

    def note(self, connection: socket.socket, *, is_open: bool) -> None:
        with self._lock:
            (self._connections.add if is_open else self._connections.discard)(connection)

    def drop_connections(self) -> None:
        with self._lock:
            for connection in self._connections:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.server.note(self.connection, is_open=True)

    def finish(self) -> None:
        self.server.note(self.connection, is_open=False)
        with suppress(OSError):
            super().finish()

    def handle(self) -> None:
        with suppress(ConnectionError):  # the caller has gone
            super().handle()

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: the session says what was invoked."""

    def do_GET(self) -> None:
        self._refuse(404, "ResourceNotFoundException", f"POST the event to {PATH}")

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > _REQUEST_LIMIT_BYTES:
            self.close_connection = True  # the body is not read, and would be taken for the next request
            self._refuse(
                413, "RequestTooLargeException", f"Content-Length must be given, {_REQUEST_LIMIT_BYTES} at most"
            )
            return
        body = self.rfile.read(int(length))
        if _INVOCATIONS.fullmatch(self.path) is None:
            self._refuse(404, "ResourceNotFoundException", f"POST the event to {PATH}, not to {self.path}")
            return
        try:
            event = json.loads(body or b"{}")
            context = self.headers.get("X-Amz-Client-Context")
            client_context = None if context is None else json.loads(base64.b64decode(context, validate=True))
        except ValueError as error:
            self._refuse(400, "InvalidRequestContentException", f"Could not parse request body into json: {error}")
            return
        self._run(event, client_context)

    def _run(self, event: Any, client_context: Any | None) -> None:
        match self.headers.get("X-Amz-Invocation-Type", "RequestResponse"):
            case "DryRun":
                self._send(204, b"")
            case "Event":  # answered before it runs; Lambda would also repeat it after an error
                self._send(202, b"")
                self.server.invoke(event, client_context)
            case _:
                result = self.server.invoke(event, client_context)
                failed = {} if result.error_type is None else {"X-Amz-Function-Error": "Unhandled"}
                self._send(200, result.body, {"X-Amzn-RequestId": result.request_id, **failed})

    def _refuse(self, status: int, error_type: str, message: str) -> None:
        self._send(status, json.dumps({"Type": "User", "Message": message}).encode(), {"X-Amzn-ErrorType": error_type})

    def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()
