"""What carries requests and PUTs, against a real socket."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from timelapse_runtime import __version__
from timelapse_runtime.runtime.client import HttpxTransport
from timelapse_runtime.runtime.errors import ConnectionRefused, TransportError
from timelapse_runtime.runtime.outbox import OutboxPut
from timelapse_runtime.runtime.outbox_sender import NotSent
from timelapse_runtime.runtime.protocol.messages import Request
from timelapse_runtime.runtime.put_sender import HttpxPutSender
from timelapse_runtime.runtime.retry import call
from timelapse_runtime.runtime.stdlib_client import StdlibTransport


class Server(ThreadingHTTPServer):
    """Echoes. `/drop` closes the connection without a response; `/part` sends half of one, `/never` none; `/headers`
    sends a header of a megabyte, `/endless` a body without end."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen: list[tuple[str, str, bytes]] = []
        self.connections: set[tuple[str, int]] = set()
        self.agents: set[str | None] = set()
        self.release = threading.Event()
        self.close_after_answer = False

    @property
    def authority(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def do_GET(self) -> None:
        self.echo()

    def do_POST(self) -> None:
        self.echo()

    def do_PUT(self) -> None:
        self.echo()

    def echo(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.seen.append((self.command, self.path, body))
        self.server.agents.add(self.headers.get("User-Agent"))
        self.server.connections.add(self.client_address)
        if self.path == "/never":
            self.server.release.wait()
        if self.path in ("/drop", "/never"):
            self.close_connection = True
            return
        if self.path == "/part":
            self.close_connection = True
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
            return
        if self.path == "/headers":
            self.close_connection = True
            self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 1_000_000 + b"\r\nContent-Length: 0\r\n\r\n")
            return
        if self.path == "/endless":
            self.close_connection = True
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999\r\n\r\n")
            with contextlib.suppress(OSError):
                while True:
                    self.wfile.write(bytes(1 << 20))
        self.send_response(404 if self.path == "/missing" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Echo", self.headers.get("X-Test", ""))
        self.end_headers()
        self.wfile.write(body)
        # Without a word, as a server does that has let an idle connection go: the client learns it at its next call.
        self.close_connection = self.close_connection or self.server.close_after_answer

    def log_message(self, format: str, *args: object) -> None:
        """Silent."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as made:
        thread = threading.Thread(target=made.serve_forever, args=(0.01,))
        thread.start()
        yield made
        made.release.set()
        made.shutdown()
        thread.join()


@pytest.fixture(params=[HttpxTransport, StdlibTransport])
def transport(request: pytest.FixtureRequest, server: Server) -> Iterator[HttpxTransport | StdlibTransport]:
    made = request.param(server.authority)
    yield made
    if isinstance(made, HttpxTransport):
        made.close()


AnyTransport = HttpxTransport | StdlibTransport


def test_request_arrives_whole_and_its_answer_comes_back(transport: AnyTransport, server: Server) -> None:
    answer = transport.send(Request("POST", "/a", {"X-Test": "yes"}, b"body"))
    assert (answer.status, answer.body, answer.headers["x-echo"]) == (200, b"body", "yes")
    assert transport.send(Request("GET", "/b", timeout_ms=None)).body == b""
    assert server.seen == [("POST", "/a", b"body"), ("GET", "/b", b"")]


def test_each_request_says_which_runtime_it_is(transport: AnyTransport, server: Server) -> None:
    transport.send(Request("GET", "/a"))
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert server.agents == {f"timelapse-runtime/{__version__} python/{version}"}


def test_any_status_is_an_answer(transport: AnyTransport) -> None:
    assert transport.send(Request("GET", "/missing")).status == 404


@pytest.mark.parametrize("path", ["/drop", "/part"])
def test_broken_answer_is_a_transport_error(transport: AnyTransport, path: str) -> None:
    with pytest.raises(TransportError):
        transport.send(Request("GET", path))


def test_no_answer_in_time_is_a_transport_error(transport: AnyTransport) -> None:
    with pytest.raises(TransportError):
        transport.send(Request("GET", "/never", timeout_ms=20))


@pytest.mark.parametrize("make", [HttpxTransport, StdlibTransport])
def test_service_that_is_not_there_is_a_transport_error(make: Callable[[str], AnyTransport]) -> None:
    with pytest.raises(TransportError):
        make("127.0.0.1:1").send(Request("GET", "/"))


@pytest.mark.parametrize("path", ["/headers", "/endless"])
def test_response_without_measure_is_a_transport_error(server: Server, path: str) -> None:
    transport = HttpxTransport(server.authority)
    with pytest.raises(TransportError):
        transport.send(Request("GET", path, timeout_ms=None))
    assert transport.send(Request("GET", "/a", timeout_ms=None)).status == 200
    transport.close()


@pytest.mark.parametrize("make", [HttpxTransport, StdlibTransport])
def test_refused_connection_is_told_from_a_lost_one(make: Callable[[str], AnyTransport], server: Server) -> None:
    with pytest.raises(ConnectionRefused):
        make("127.0.0.1:1").send(Request("GET", "/"))
    with pytest.raises(TransportError) as caught:
        make(server.authority).send(Request("GET", "/drop"))
    assert not isinstance(caught.value, ConnectionRefused)


def test_proxy_of_the_environment_never_stands_before_the_runtime_api(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    transport = HttpxTransport(server.authority)
    assert transport.send(Request("GET", "/a", timeout_ms=None)).status == 200
    transport.close()


def test_puts_go_through_the_proxy_of_the_environment(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://{server.authority}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    sender = HttpxPutSender({})
    assert sender.put(OutboxPut("http://bucket.s3.invalid/k?signed=1", {}, b"x", ""), 5) == 200
    sender.close()
    assert server.seen == [("PUT", "http://bucket.s3.invalid/k?signed=1", b"x")]


@pytest.mark.parametrize("path", ["/a/../b.jpg", "/a//b", "/a/./b", "/%2E%2E/x", "/k%20ey%2Bplus~'()"])
def test_put_goes_to_the_url_exactly_as_it_was_signed(server: Server, path: str) -> None:
    sender = HttpxPutSender({})
    assert sender.put(OutboxPut(f"http://{server.authority}{path}?X-Amz-Signature=a%2Fb", {}, b"x", ""), 5) == 200
    sender.close()
    assert server.seen == [("PUT", f"{path}?X-Amz-Signature=a%2Fb", b"x")]


def test_runtime_keeps_its_connection(server: Server) -> None:
    transport = HttpxTransport(server.authority)
    for number in range(5):
        transport.send(Request("POST", "/a", body=b"%d" % number))
    transport.close()
    assert len(server.connections) == 1


def test_connection_that_the_service_let_go_is_replaced(transport: AnyTransport, server: Server) -> None:
    server.close_after_answer = True
    for _ in range(3):
        assert call(transport, Request("GET", "/a", timeout_ms=None), lambda _seconds: None).status == 200


def test_puts_carry_headers_and_query_over_one_connection(server: Server) -> None:
    sender = HttpxPutSender({})
    for _ in range(3):
        url = f"http://{server.authority}/k%20ey?X-Amz-Signature=a%2Fb"
        assert sender.put(OutboxPut(url, {"X-Test": "1"}, b"x" * 9, ""), 5) == 200
    sender.close()
    assert server.seen == [("PUT", "/k%20ey?X-Amz-Signature=a%2Fb", b"x" * 9)] * 3
    assert len(server.connections) == 1


def test_what_is_read_back_is_the_body_of_a_success(server: Server) -> None:
    sender = HttpxPutSender({})
    assert sender.read(f"http://{server.authority}/k?signed", 5) == b""
    assert sender.read(f"http://{server.authority}/missing", 5) is None
    sender.close()


def test_put_without_a_connection_was_not_sent() -> None:
    with pytest.raises(NotSent):
        HttpxPutSender({}).put(OutboxPut("http://127.0.0.1:1/", {}, b"", ""), 1)


@pytest.mark.parametrize("path", ["/drop", "/part", "/never"])
def test_put_without_an_answer_is_unclear_and_the_next_one_gets_a_new_connection(server: Server, path: str) -> None:
    sender = HttpxPutSender({})
    with pytest.raises(OSError, match=r".+") as caught:
        sender.put(OutboxPut(f"http://{server.authority}{path}", {}, b"", ""), 0.05)
    assert not isinstance(caught.value, NotSent)
    assert sender.put(OutboxPut(f"http://{server.authority}/a", {}, b"", ""), 5) == 200
    sender.close()
