"""One file over HTTP at a limited rate, and what a player reads of it: the ranges, and how many bytes were sent."""

from __future__ import annotations

import itertools
import re
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

_PIECE_BYTES = 25_000


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes that were sent: the number of their request, where they lie in the file, and how many."""

    request: int
    start: int
    size_bytes: int


def ranges(pieces: Sequence[Piece]) -> list[tuple[int, int]]:
    """What was read by each request: the first byte, and how many."""
    found: dict[int, tuple[int, int]] = {}
    for piece in pieces:
        start, size_bytes = found.get(piece.request, (piece.start, 0))
        found[piece.request] = start, size_bytes + piece.size_bytes
    return [*found.values()]


class ByteLogServer:
    """Serves `video` as `/video.mp4` and `pages` by their paths, at `rate` bytes a second for each connection."""

    def __init__(self, video: Path, pages: Mapping[str, bytes], *, rate: int) -> None:
        self.pieces: list[Piece] = []
        """All that was sent of the video, in order."""
        sent = self.pieces

        class Handler(_Handler):
            served = video, pages, rate, sent
            numbers = itertools.count()

        self._server = _Server(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        """Where the pages are."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, *_arguments: object) -> None:
        """Players close connections as they like."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    served: ClassVar[tuple[Path, Mapping[str, bytes], int, list[Piece]]]
    numbers: ClassVar[Iterator[int]]

    def do_GET(self) -> None:
        video, pages, _, _ = self.served
        path = self.path.partition("?")[0]
        if path in pages:
            self._begin(200, "text/html", len(pages[path]))
            self.wfile.write(pages[path])
        elif path != "/video.mp4":
            self._begin(404, "text/plain", 0)
        else:
            size = video.stat().st_size
            asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
            start, last = (int(asked[1]), min(int(asked[2] or size - 1), size - 1)) if asked else (0, size - 1)
            content_range = {"Content-Range": f"bytes {start}-{last}/{size}"} if asked else {}
            self._begin(206 if asked else 200, "video/mp4", last + 1 - start, content_range)
            if self.command == "GET":
                self._send(start, last + 1)

    do_HEAD = do_GET  # noqa: N815

    def _begin(self, status: int, content_type: str, size: int, more: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        described = {"Content-Type": content_type, "Content-Length": str(size), "Accept-Ranges": "bytes"}
        for name, value in {**described, "ETag": '"video"', **(more or {})}.items():
            self.send_header(name, value)
        self.end_headers()

    def _send(self, start: int, end: int) -> None:
        video, _, rate, pieces = self.served
        request, began = next(self.numbers), time.monotonic()
        with video.open("rb") as file:
            file.seek(start)
            for position in range(start, end, _PIECE_BYTES):
                body = file.read(min(_PIECE_BYTES, end - position))
                self.wfile.write(body)
                pieces.append(Piece(request, position, len(body)))
                time.sleep(max(0.0, began + (position + len(body) - start) / rate - time.monotonic()))

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""
