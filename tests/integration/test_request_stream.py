"""A request in chunks over a real socket: framing, back-pressure, time-outs, and signals at any moment."""

from __future__ import annotations

import itertools
import random
import signal
import socket
import socketserver
import threading
from collections.abc import Callable, Iterable, Iterator
from types import FrameType

import pytest

from timelapse_runtime.emulator.chunked_body import ChunkedBody, read_chunked
from timelapse_runtime.runtime.errors import AnsweredEarly, ConnectionRefused, TransportError
from timelapse_runtime.runtime.protocol.messages import Request, StreamEnd
from timelapse_runtime.runtime.request_stream import CHUNK_BYTES, RequestStream

HEAD = Request("POST", "/response", {"Transfer-Encoding": "chunked", "Trailer": "X-Why"})
ACCEPTED = b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\nok"
TOO_LARGE = b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n"
LARGE = bytes(8 << 20)
"""More than the two sockets' buffers."""


class Server(socketserver.ThreadingTCPServer):
    """Reads one request per connection and answers it with `answer`, before the body if `answers_early`.

    It reads the body when `may_read` is set.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer = ACCEPTED
        self.answers_early = False
        self.may_read = threading.Event()
        self.may_read.set()
        self.heads: list[list[bytes]] = []
        self.bodies: list[ChunkedBody] = []
        self.read = threading.Semaphore(0)


class Handler(socketserver.StreamRequestHandler):
    server: Server

    def handle(self) -> None:
        self.server.heads.append(list(iter(self.rfile.readline, b"\r\n")))
        self.server.may_read.wait()
        if self.server.answers_early:
            self.wfile.write(self.server.answer)
            self.rfile.read(1)
            return
        self.server.bodies.append(read_chunked(self.rfile, "X-Why", 1 << 40))
        self.server.read.release()
        self.wfile.write(self.server.answer)


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as made:
        thread = threading.Thread(target=made.serve_forever, args=(0.01,))
        thread.start()
        yield made
        made.may_read.set()
        made.shutdown()
        thread.join()


@pytest.fixture
def stream(server: Server) -> Iterator[RequestStream]:
    made = RequestStream("127.0.0.1", server.server_address[1])
    made.begin(HEAD)
    yield made
    made.close()


def body_of(server: Server) -> ChunkedBody:
    assert server.read.acquire(timeout=30)
    return server.bodies[-1]


def test_chunks_arrive_one_by_one_with_trailers_behind_them(server: Server, stream: RequestStream) -> None:
    stream.write(b"a")
    stream.write(b"")
    stream.write(b"b" * (CHUNK_BYTES + 1))
    response = stream.end(StreamEnd({"X-Why": "because"}), 30_000)
    assert (response.status, response.headers["content-length"], response.body) == (202, "2", b"ok")
    body = body_of(server)
    assert [len(chunk) for chunk in body.chunks] == [1, CHUNK_BYTES, 1]
    assert (body.is_complete, body.trailers) == (True, {"x-why": "because"})
    assert stream.size_bytes == CHUNK_BYTES + 2
    port = server.server_address[1]
    assert server.heads[0][:2] == [b"POST /response HTTP/1.1\r\n", b"Host: 127.0.0.1:%d\r\n" % port]
    assert b"Connection: close\r\n" in server.heads[0]


def test_an_empty_stream_is_a_complete_body(server: Server, stream: RequestStream) -> None:
    assert stream.end(StreamEnd(), 30_000).status == 202
    assert body_of(server) == ChunkedBody((), 0, True)


def test_a_write_waits_until_the_service_takes_the_chunk(server: Server, stream: RequestStream) -> None:
    server.may_read.clear()
    writer = threading.Thread(target=stream.write, args=(LARGE,))
    writer.start()
    writer.join(0.2)
    assert writer.is_alive()
    server.may_read.set()
    writer.join(30)
    stream.end(StreamEnd(), 30_000)
    assert body_of(server).size_bytes == len(LARGE)


def test_the_end_has_a_time_out(server: Server, stream: RequestStream) -> None:
    server.may_read.clear()
    with pytest.raises(TransportError, match="time-out"):
        stream.end(StreamEnd(), 20)


def test_a_service_that_answers_early_ends_the_stream(server: Server, stream: RequestStream) -> None:
    server.answers_early, server.answer = True, TOO_LARGE
    with pytest.raises(AnsweredEarly) as caught:
        stream.write(LARGE * 2)
    assert caught.value.response.status == 413


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 202 Accepted\r\n", b"HTTP/1.1 202 Acc", b"SSH-2.0\r\n\r\n"])
def test_a_broken_answer_is_a_transport_error(server: Server, stream: RequestStream, answer: bytes) -> None:
    server.answer = answer
    with pytest.raises(TransportError):
        stream.end(StreamEnd(), 30_000)


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 202 Acc"])
def test_a_service_that_leaves_early_is_a_transport_error(server: Server, stream: RequestStream, answer: bytes) -> None:
    server.answers_early, server.answer = True, answer
    with pytest.raises(TransportError):
        stream.write(LARGE * 2)


def test_a_service_that_is_not_there_refuses_the_connection() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        with pytest.raises(ConnectionRefused):
            RequestStream("127.0.0.1", free.getsockname()[1])


def test_a_request_without_an_end_is_not_complete(server: Server, stream: RequestStream) -> None:
    stream.write(b"a")
    stream.close()
    assert body_of(server) == ChunkedBody((b"a",), 1, False)


class Interrupted(BaseException):
    """As SIGTERM and the deadline alarm raise theirs."""


@pytest.fixture
def interrupt_after() -> Iterator[Callable[[float], None]]:
    def ring(_number: int, _frame: FrameType | None) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        raise Interrupted

    before = signal.signal(signal.SIGALRM, ring)
    yield lambda seconds: signal.setitimer(signal.ITIMER_REAL, seconds) and None
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def write_all(stream: RequestStream, sizes_bytes: Iterable[int]) -> None:
    for size_bytes in sizes_bytes:
        stream.write(bytes(size_bytes))


def test_a_stream_can_end_with_trailers_wherever_a_signal_interrupted_it(
    server: Server, interrupt_after: Callable[[float], None]
) -> None:
    generator = random.Random(7)
    unlucky = 0
    for _ in range(40):
        stream = RequestStream("127.0.0.1", server.server_address[1])
        stream.begin(HEAD)
        stream.write(b"a")
        sizes_bytes = itertools.repeat(generator.choice([1, 1000, CHUNK_BYTES, 3 * CHUNK_BYTES]))
        interrupt_after(generator.uniform(1e-3, 5e-3))
        with pytest.raises(Interrupted):
            write_all(stream, sizes_bytes)
        try:
            stream.end(StreamEnd({"X-Why": "SIGALRM"}), 30_000)
        except TransportError:  # the signal came inside h11, which then refuses to go on
            unlucky += 1
            assert not body_of(server).is_complete
            continue
        body = body_of(server)
        assert body.is_complete
        assert body.trailers == {"x-why": "SIGALRM"}
        assert set(b"".join(body.chunks)) <= set(b"a\0")
    assert unlucky < 20


def test_a_stream_that_is_blocked_can_end_when_the_service_reads_again(
    server: Server, stream: RequestStream, interrupt_after: Callable[[float], None]
) -> None:
    server.may_read.clear()
    interrupt_after(0.05)
    with pytest.raises(Interrupted):
        stream.write(LARGE)
    threading.Timer(0.05, server.may_read.set).start()
    assert stream.end(StreamEnd({"X-Why": "SIGALRM"}), 30_000).status == 202
    assert body_of(server).trailers == {"x-why": "SIGALRM"}
