"""The proxy by itself, before a server that counts."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.recovery.http.proxy import FaultProxy, HttpFault, Request

BODY = b"0123456789" * 100
FOLDER = "/camera/"
TARGET = "/bucket/video/camera/a%20b.jpg?x=1"


@dataclass
class Upstream:
    """What arrived there; `deaths` counts what the proxy took for kills."""

    url: str
    requests: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    deaths: list[int] = field(default_factory=list)


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            found.requests.append((self.command, self.path, dict(self.headers.items()), body))
            answer = b"" if self.command == "PUT" else BODY
            self.send_response(200)
            self.send_header("ETag", f'"{len(found.requests)}"')
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(b"" if self.command == "HEAD" else answer)

        do_HEAD = do_PUT = do_GET  # noqa: N815 - http.server finds them by these names

        def log_message(self, *_: object) -> None:
            """Nothing to the terminal."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found = Upstream(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield found
        server.shutdown()
        thread.join()


@pytest.fixture
def proxy(upstream: Upstream) -> Iterator[FaultProxy]:
    with FaultProxy(upstream.url, lambda: upstream.deaths.append(len(upstream.requests))) as running:
        running.watch(FOLDER, {})
        yield running


@pytest.fixture
def client(proxy: FaultProxy) -> Iterator[http.client.HTTPConnection]:
    address = proxy.url.removeprefix("http://")
    with closing(http.client.HTTPConnection(address, timeout=0.5)) as connection:
        yield connection


def ask(client: http.client.HTTPConnection, method: str = "GET", body: bytes | None = None) -> tuple[int, bytes]:
    client.request(method, TARGET, body, {"If-None-Match": "*"} if body else {})
    answer = client.getresponse()
    return answer.status, answer.read()


def test_what_is_forwarded_is_unchanged(
    proxy: FaultProxy, upstream: Upstream, client: http.client.HTTPConnection
) -> None:
    assert ask(client, "PUT", b"photo") == (200, b"")
    assert ask(client) == (200, BODY)
    method, target, headers, body = upstream.requests[0]
    assert (method, target, body) == ("PUT", TARGET, b"photo")
    assert headers["Host"] == proxy.url.removeprefix("http://")  # it is signed
    assert headers["If-None-Match"] == "*"


def test_a_head_keeps_the_length_of_what_it_does_not_send(client: http.client.HTTPConnection) -> None:
    client.request("HEAD", TARGET)
    answer = client.getresponse()
    assert (answer.status, answer.headers["Content-Length"], answer.read()) == (200, str(len(BODY)), b"")
    assert ask(client) == (200, BODY)


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (HttpFault.INTERNAL_ERROR, 500),
        (HttpFault.SLOW_DOWN, 503),
        (HttpFault.CONFLICT, 409),
        (HttpFault.CONDITION_FAILED, 412),
    ],
)
def test_a_refused_request_does_not_happen(
    fault: HttpFault, status: int, proxy: FaultProxy, upstream: Upstream, client: http.client.HTTPConnection
) -> None:
    proxy.watch(FOLDER, {2: fault})
    assert ask(client)[0] == 200
    refused, body = ask(client)
    assert (refused, b"<Code>" in body) == (status, True)
    assert ask(client)[0] == 200
    assert (len(upstream.requests), len(proxy.requests), proxy.fired) == (2, 3, [fault])


@pytest.mark.parametrize(("fault", "done_before"), [(HttpFault.KILLED_BEFORE, 0), (HttpFault.KILLED_AFTER, 1)])
def test_the_sender_is_killed_before_or_after_its_request_happened(
    fault: HttpFault, done_before: int, proxy: FaultProxy, upstream: Upstream, client: http.client.HTTPConnection
) -> None:
    proxy.watch(FOLDER, {1: fault})
    with pytest.raises(http.client.RemoteDisconnected):
        ask(client, "PUT", b"photo")
    assert upstream.deaths == [done_before]
    assert len(upstream.requests) == done_before


@pytest.mark.parametrize(("fault", "done"), [(HttpFault.NO_ANSWER, 1), (HttpFault.HANGS, 0)])
def test_no_answer_comes_and_the_request_has_happened_or_not(
    fault: HttpFault, done: int, proxy: FaultProxy, upstream: Upstream, client: http.client.HTTPConnection
) -> None:
    proxy.watch(FOLDER, {1: fault})
    with pytest.raises(TimeoutError):
        ask(client, "PUT", b"photo")
    assert len(upstream.requests) == done


def test_an_answer_is_cut_in_the_middle_of_its_body(
    proxy: FaultProxy, upstream: Upstream, client: http.client.HTTPConnection
) -> None:
    proxy.watch(FOLDER, {1: HttpFault.CUT_SHORT})
    with pytest.raises(http.client.IncompleteRead) as caught:
        ask(client)
    assert caught.value.partial == BODY[: len(BODY) // 2]
    assert len(upstream.requests) == 1


@pytest.mark.parametrize(("fault", "is_line"), [(HttpFault.CUT_SHORT, False), (HttpFault.CUT_IN_HEAD, True)])
def test_an_answer_is_cut_in_its_head(fault: HttpFault, is_line: bool, proxy: FaultProxy, upstream: Upstream) -> None:
    proxy.watch(FOLDER, {1: fault})
    with socket.create_connection(("127.0.0.1", int(proxy.url.rpartition(":")[2]))) as connection:
        connection.sendall(f"PUT {TARGET} HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nphoto".encode())
        answer = b"".join(iter(lambda: connection.recv(1000), b""))
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\n\r\n" not in answer
    assert (answer == b"HTTP/1.1 200 OK\r\n") is is_line
    assert len(upstream.requests) == 1


def test_a_repeated_request_happens_twice_and_has_the_second_answer(
    proxy: FaultProxy, upstream: Upstream, client: http.client.HTTPConnection
) -> None:
    proxy.watch(FOLDER, {1: HttpFault.REPEATED})
    client.request("PUT", TARGET, b"photo")
    answer = client.getresponse()
    answer.read()
    assert answer.headers["ETag"] == '"2"'
    assert [body for *_, body in upstream.requests] == [b"photo", b"photo"]
    assert len(proxy.requests) == 1


def test_only_requests_for_the_watched_stream_are_numbered(
    proxy: FaultProxy, client: http.client.HTTPConnection
) -> None:
    proxy.watch("/another/", {1: HttpFault.INTERNAL_ERROR})
    assert ask(client)[0] == 200
    assert proxy.requests == []


def test_healed_requests_do_not_fail(proxy: FaultProxy, client: http.client.HTTPConnection) -> None:
    proxy.watch(FOLDER, {1: HttpFault.INTERNAL_ERROR})
    proxy.heal()
    assert ask(client)[0] == 200


@pytest.mark.parametrize(
    ("method", "target", "body", "concerned"),
    [
        ("GET", "/bucket/video/camera/checkpoint.json", b"", True),
        ("GET", "/bucket?list-type=2&prefix=frames%2Fcamera%2F&encoding-type=url", b"", True),
        ("POST", "/bucket?delete", b"<Delete><Object><Key>video/camera/x.m4s</Key></Object></Delete>", True),
        ("POST", "/bucket?delete", b"<Delete><Object><Key>video/camera2/x.m4s</Key></Object></Delete>", False),
        ("PUT", "/bucket/video/camera2/x.m4s", b"a video with /camera/ in it", False),
    ],
)
def test_a_request_concerns_the_stream_that_it_names(method: str, target: str, body: bytes, concerned: bool) -> None:
    assert Request(method, target, (), body).concerns(FOLDER) is concerned
