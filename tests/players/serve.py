"""Serves a stream over HTTP while it grows: what `play.mjs` and other players are pointed at.

    python -m tests.players.serve [--pace 5] [--photos 300] [--days 2] [--record FOLDER]

The photos of each day are uploaded at this pace (per second) once `/start` was asked for; then the day changes. At the
end the reel is closed. Each photo carries its number. `/lib/` is the folder of npm's packages. With `--rate`, a
connection gets so many bytes a second. Every version of every playlist is written to FOLDER.
"""

from __future__ import annotations

import argparse
import json
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.photos import make_photos
from tests.world import STREAM, World

_TYPES = {".m3u8": "application/vnd.apple.mpegurl", ".mp4": "video/mp4", ".m4s": "video/iso.segment"}
_PAGE = Path(__file__).with_name("page.html")
_DAY_MS = 24 * 3600 * 1000


class Show:
    """The stream, and how far it is. `state` is what `/state` answers."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.arguments = arguments
        self.world = World({"TIMELAPSE_REEL": "day", "TIMELAPSE_ORDER": "arrival"})
        self.started = threading.Event()
        self.state: dict[str, Any] = {"uploaded": 0, "day": 0, "is_over": False}
        self._versions = 0
        self.world.video.around = self._around

    def run(self) -> None:
        """The camera's days."""
        arguments, number = self.arguments, 0
        settings = {"flush_every": str(arguments.flush_every), "keyframe_interval": str(arguments.interval)}
        function = self.world.environment(preset="veryfast", reorder_window="0", **settings)
        self.started.wait()
        size = (arguments.width, arguments.width * 9 // 16)
        for day in range(arguments.days):
            self.state["day"] = day
            for body in make_photos(arguments.photos, size, first=number):
                due = time.monotonic() + 1 / arguments.pace
                self.world.deliver(function, self.world.upload(number, body))
                number += 1
                self.state["uploaded"] = number
                time.sleep(max(0.0, due - time.monotonic()))
            self.world.clock.advance(_DAY_MS)
        self.world.sweep(function, close=True)
        self.state["is_over"] = True

    def _around(self, operation: str, key: str, effect: Any) -> Any:
        answer = effect()
        if operation == "PutObject" and key.endswith(".m3u8") and self.arguments.record:
            name = f"{self._versions:05d}-{key.removeprefix(self.world.keys.folder).replace('/', '_')}"
            (Path(self.arguments.record) / name).write_bytes(self.world.video.peek(key) or b"")
            self._versions += 1
        return answer


class Handler(BaseHTTPRequestHandler):
    """Objects as S3 behind CloudFront gives them: ranges, ETags, CORS."""

    show: Show
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """An object, or a word of control."""
        path = self.path.partition("?")[0]
        if path == "/start":
            self.show.started.set()
        if path in ("/start", "/state"):
            self._send(200, json.dumps(self.show.state).encode(), "application/json")
        elif path == "/page.html":
            self._send(200, _PAGE.read_bytes(), "text/html")
        elif path.startswith("/lib/"):
            self._send(200, (Path(self.show.arguments.lib) / path[5:]).read_bytes(), "text/javascript")
        else:
            self._send_object(f"video/{STREAM}{path}", Path(path).suffix)

    do_HEAD = do_GET  # noqa: N815

    def _send_object(self, key: str, suffix: str) -> None:
        body = self.show.world.video.peek(key)
        if body is None:
            self._send(404, b"there is no such object", "text/plain")
            return
        headers = {"ETag": self.show.world.video.head(key).etag, "Accept-Ranges": "bytes"}
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if wanted is None:
            self._send(200, body, _TYPES.get(suffix, "image/jpeg"), headers)
            return
        start, end = int(wanted[1]), min(int(wanted[2] or len(body) - 1), len(body) - 1)
        headers["Content-Range"] = f"bytes {start}-{end}/{len(body)}"
        self._send(206, body[start : end + 1], _TYPES.get(suffix, "image/jpeg"), headers)

    def _send(self, status: int, body: bytes, content_type: str, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        described = {"Content-Type": content_type, "Content-Length": str(len(body)), "Cache-Control": "no-cache"}
        cors = {"Access-Control-Allow-Origin": "*"}
        for name, value in {**described, **cors, **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        step = self.show.arguments.rate // 50 if self.show.arguments.rate else len(body) or 1
        for start in range(0, len(body), step):
            self.wfile.write(body[start : start + step])
            time.sleep(0.02 if self.show.arguments.rate else 0)

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    """Players close connections as they like."""

    daemon_threads = True

    def handle_error(self, *_arguments: object) -> None:
        """It was the player's decision."""


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser()
    for name, default in (("port", 8800), ("photos", 300), ("days", 2), ("rate", 0), ("width", 640)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--flush-every", type=int, default=30)
    parser.add_argument("--interval", type=int, default=60)
    parser.add_argument("--pace", type=float, default=5)
    parser.add_argument("--record")
    parser.add_argument("--lib", default="node_modules")
    arguments = parser.parse_args()
    if arguments.record:
        Path(arguments.record).mkdir(parents=True, exist_ok=True)
    Handler.show = Show(arguments)
    threading.Thread(target=Handler.show.run, daemon=True).start()
    Server(("127.0.0.1", arguments.port), Handler).serve_forever()


if __name__ == "__main__":
    main()
