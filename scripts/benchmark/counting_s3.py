"""The S3 server of the benchmark: moto's, which also counts requests and, if asked, waits as S3 would. It runs in its
own process.

`python -m scripts.benchmark.counting_s3 PORT FIRST_BYTE_MS BYTES_PER_SECOND`: each request waits for the
first byte's time, and for its bodies at that rate (0: no wait). What the camera sends is neither counted nor delayed:
its user agent says who it is. GET /-/counts gives the counts so far.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

import httpx

from timelapse_runtime.emulator.s3_server import EmbeddedS3

CAMERA = "timelapse-bench-camera"
_COUNTS_PATH = "/-/counts"
Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


@dataclass(frozen=True, slots=True)
class S3Latency:
    """How S3 is imitated: milliseconds to the first byte, bytes per second after it (0: no limit)."""

    first_byte_ms: float = 0
    bytes_per_second: float = 0

    def seconds(self, body_bytes: int) -> float:
        """Seconds that a request with this many bytes of bodies takes."""
        transfer = body_bytes / self.bytes_per_second if self.bytes_per_second else 0.0
        return self.first_byte_ms / 1000 + transfer


class BenchS3(EmbeddedS3):
    """The server, from the driver's side."""

    def __init__(self, latency: S3Latency) -> None:
        module = (sys.executable, "-m", "scripts.benchmark.counting_s3")
        super().__init__((*module, "{port}", str(latency.first_byte_ms), str(latency.bytes_per_second)))

    def counts(self) -> Counter[str]:
        """Requests by kind (GET, HEAD, LIST, PUT, POST, DELETE), `bytes_in` and `bytes_out` of their bodies."""
        return Counter(httpx.get(self.endpoint_url + _COUNTS_PATH, trust_env=False).json())


class Counting:
    """WSGI middleware that counts and delays."""

    def __init__(self, application: Application, latency: S3Latency) -> None:
        self._application, self._latency = application, latency
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """One request."""
        if environ["PATH_INFO"] == _COUNTS_PATH:
            body = json.dumps(self._counts).encode()
            start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
            return [body]
        if CAMERA in environ.get("HTTP_USER_AGENT", ""):
            return self._application(environ, start_response)

        def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            sent = sum(int(value) for name, value in headers if name.lower() == "content-length")
            received = int(environ.get("CONTENT_LENGTH") or 0)
            head = environ["REQUEST_METHOD"] == "HEAD"
            with self._lock:
                self._counts += Counter({kind_of(environ): 1, "bytes_in": received, "bytes_out": 0 if head else sent})
            time.sleep(self._latency.seconds(received + (0 if head else sent)))
            return start_response(status, headers, *rest)

        return self._application(environ, start)


def kind_of(environ: dict[str, Any]) -> str:
    """The kind of request in S3's price list: the method, or LIST."""
    method = str(environ["REQUEST_METHOD"])
    return "LIST" if method == "GET" and "list-type" in parse_qs(environ.get("QUERY_STRING", "")) else method


def main(port: int, latency: S3Latency) -> None:
    """Serve until the process is ended."""
    from moto.moto_server.werkzeug_app import (  # noqa: PLC0415 - the driver needs none of it
        DomainDispatcherApplication,
        MotoRequestHandler,
        create_backend_app,
    )
    from werkzeug.serving import run_simple  # noqa: PLC0415

    application = Counting(DomainDispatcherApplication(create_backend_app), latency)
    run_simple("127.0.0.1", port, application, threaded=True, request_handler=MotoRequestHandler)


if __name__ == "__main__":
    main(int(sys.argv[1]), S3Latency(float(sys.argv[2]), float(sys.argv[3])))
