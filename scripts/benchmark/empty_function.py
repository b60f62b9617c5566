"""A handler that does nothing, and the smallest loop that serves one with http.client: what the Runtime API costs."""

from __future__ import annotations

import http.client
import json
import os
from typing import Any

_API = "/2018-06-01/runtime/invocation/"


def handler(_event: Any, _context: object) -> Any:
    """Nothing."""


def bare_http_loop() -> None:
    """Serve `handler` until the process is killed: no errors, no context, no signals."""
    connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    while True:
        connection.request("GET", _API + "next")
        answer = connection.getresponse()
        request_id = answer.headers["Lambda-Runtime-Aws-Request-Id"]
        result = json.dumps(handler(json.loads(answer.read()), None)).encode()
        connection.request("POST", f"{_API}{request_id}/response", result)
        connection.getresponse().read()


if __name__ == "__main__":
    bare_http_loop()
