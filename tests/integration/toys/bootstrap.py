"""A bootstrap that obeys its events, and prints a JSON line for each thing that happens. Not a test."""

import http.client
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

RUNTIME = "/2018-06-01/runtime"
ADDRESS = os.environ["AWS_LAMBDA_RUNTIME_API"]
connection = http.client.HTTPConnection(ADDRESS)


def say(action: str, **facts: Any) -> None:
    print(
        json.dumps({"process": "runtime", "action": action, "at": time.monotonic(), "pid": os.getpid(), **facts}),
        flush=True,
    )


def call(
    method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
) -> tuple[int, dict[str, str], bytes]:
    connection.request(method, path, body, headers or {})
    response = connection.getresponse()
    return response.status, dict(response.headers), response.read()


def post_error(path: str, error_type: str) -> int:
    body = json.dumps({"errorType": error_type, "errorMessage": "as the test wished"}).encode()
    return call("POST", path, body, {"Lambda-Runtime-Function-Error-Type": error_type})[0]


def on_sigterm(behaviour: str) -> None:
    def handle(_number: int, _frame: object) -> None:
        say("sigterm")
        if behaviour == "leave":
            (Path(os.environ["TMPDIR"]) / "left-by-runtime").write_text("job")
            say("leaves")
            os._exit(0)

    signal.signal(signal.SIGTERM, handle)


def register_internal(events: str) -> None:
    """Register as an internal extension and poll for events, as a runtime does to get SIGTERM."""
    status, headers, body = call(
        "POST",
        "/2020-01-01/extension/register",
        json.dumps({"events": events.split(",") if events else []}).encode(),
        {"Lambda-Extension-Name": "internal"},
    )
    say("registered", status=status, body=body.decode())
    if status != 200:
        return

    def poll() -> None:
        # Otherwise the kernel may deliver SIGTERM to this thread after a thaw, and the main thread stays in `next`.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        own = http.client.HTTPConnection(ADDRESS)
        identifier = {"Lambda-Extension-Identifier": headers["Lambda-Extension-Identifier"]}
        while True:
            own.request("GET", "/2020-01-01/extension/event/next", headers=identifier)
            response = own.getresponse()
            say("internal event", event=json.loads(response.read()))

    threading.Thread(target=poll, daemon=True).start()


def init() -> None:
    say("init", variables=dict(os.environ), folder=str(Path.cwd()))
    behaviour = os.environ.get("TOY_INIT", "")
    first = Path(os.environ["TMPDIR"]) / "first-init-was-here"
    if behaviour == "error":
        say("init error", status=post_error(f"{RUNTIME}/init/error", "Runtime.ToyInit"))
        sys.exit(1)
    elif behaviour == "exit":
        sys.exit(7)
    elif behaviour == "hang at first" and not first.exists():
        first.touch()
        time.sleep(3600)
    if "TOY_INTERNAL" in os.environ:
        register_internal(os.environ["TOY_INTERNAL"])


def act(event: dict[str, Any], request_id: str, headers: dict[str, str]) -> None:
    respond, fail = (f"{RUNTIME}/invocation/{request_id}/{kind}" for kind in ("response", "error"))
    match event.get("do"):
        case "error":
            say("answered", status=post_error(fail, "Function.Toy"))
        case "sleep":
            say("sleeps")
            time.sleep(event["seconds"])
        case "exit":
            sys.exit(event["code"])
        case "answer and exit":
            call("POST", respond, b'"before"')
            sys.exit(3)
        case "answer twice":
            first = call("POST", f"{RUNTIME}/invocation/another-id/response", b"1")[0]
            second = call("POST", respond, b"2")[0]
            third = call("POST", respond, b"3")[0]
            say("answered", statuses=[first, second, third, post_error(fail, "Function.TooLate")])
        case "answer in bytes":
            status = call("POST", respond, b'"' + b"x" * (event["size_bytes"] - 2) + b'"')[0]
            say("answered", statuses=[status, post_error(fail, "Function.TooLate")])
        case "use memory":
            call("POST", respond, str(len(b"x" * event["size_bytes"])).encode())
        case "burn":
            end = time.process_time() + event["seconds"]
            while time.process_time() < end:
                pass
            call("POST", respond, b"null")
        case _:
            found = sorted(path.name for path in Path(os.environ["TMPDIR"]).iterdir())
            (Path(os.environ["TMPDIR"]) / f"written-in-{os.getpid()}").touch()
            answer = {"event": event, "headers": headers, "pid": os.getpid(), "temporary files": found}
            call("POST", respond, json.dumps(answer).encode())


on_sigterm(os.environ.get("TOY_SIGTERM", "leave"))
init()
while True:
    _, headers, body = call("GET", f"{RUNTIME}/invocation/next")
    event = json.loads(body)
    act(event if isinstance(event, dict) else {}, headers["Lambda-Runtime-Aws-Request-Id"], headers)
