"""HTTP on this machine: hands each GET to a `Site`, and answers no one else's pages.

Whoever runs it has credentials that the browser's other pages do not have. So it listens on the loopback address alone,
and answers only to its own host name: a page of another host that has its name point to this machine (DNS rebinding)
comes with that name in `Host`.
"""

from __future__ import annotations

import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import urlsplit

from timelapse_runtime.runtime.state.errors import StorageError
from timelapse_runtime.watch.site import Site

_OWN_NAMES = {"127.0.0.1", "localhost"}


class WatchServer(ThreadingHTTPServer):
    """Listens on 127.0.0.1; port 0 takes a free one. Raises OSError if the port cannot be had.

    During a `with` block it serves, in threads of its own.
    """

    daemon_threads = True  # a player that reads a long video does not hold up the end

    def __init__(self, site: Site, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.site = site
        self.has_ended = False
        self._thread = threading.Thread(
            target=self.serve_forever, kwargs={"poll_interval": 0.1}, name="watch", daemon=True
        )

    @property
    def url(self) -> str:
        """The page's address."""
        return f"http://127.0.0.1:{self.server_port}/"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.has_ended = True
        self.shutdown()
        self._thread.join()
        self.server_close()

    def wait(self) -> None:
        """Until an exception, such as KeyboardInterrupt."""
        self._thread.join()

    def handle_error(self, *_: object) -> None:
        """A browser that closes its connection is no error."""


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server_version, sys_version = "timelapse-watch", ""
    server: WatchServer

    def do_GET(self) -> None:
        """Send the site's answer."""
        if self.server.has_ended:  # this connection was kept alive
            self.close_connection = True
            return
        if urlsplit(f"//{self.headers.get('Host', '')}").hostname not in _OWN_NAMES:
            self.send_error(HTTPStatus.MISDIRECTED_REQUEST)
            return
        answer = self.server.site.answer(self.path, {name.title(): value for name, value in self.headers.items()})
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.status != HTTPStatus.NOT_MODIFIED:
            self.send_header("Content-Length", str(answer.size_bytes))
        self.end_headers()
        if self.command == "HEAD":
            return
        try:
            for piece in answer.body:
                self.wfile.write(piece)
        except StorageError:  # the length is announced: only the connection's end tells that bytes are missing
            self.close_connection = True

    do_HEAD = do_GET  # noqa: N815  the name that the standard library calls

    def log_message(self, *_: object) -> None:
        """Nothing: the page tells what is wrong."""
