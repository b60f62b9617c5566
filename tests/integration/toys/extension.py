"""An external extension that prints a JSON line for each thing that happens. Not a test.

Arguments: its name, the events to register for (comma-separated), and how it misbehaves, if it does.
"""

import http.client
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

EXTENSION = "/2020-01-01/extension"
name, events, behaviour = sys.argv[1:4]
connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])


def say(action: str, **facts: Any) -> None:
    print(
        json.dumps({"process": name, "action": action, "at": time.monotonic(), "pid": os.getpid(), **facts}), flush=True
    )


def call(method: str, path: str, body: bytes | None, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
    connection.request(method, EXTENSION + path, body, headers)
    response = connection.getresponse()
    return response.status, dict(response.headers), response.read()


say("start", variables=dict(os.environ))
if behaviour == "register late":
    time.sleep(0.3)
status, headers, answer = call(
    "POST",
    "/register",
    json.dumps({"events": events.split(",") if events else []}).encode(),
    {"Lambda-Extension-Name": name},
)
say("registered", status=status, body=json.loads(answer))
identifier = {"Lambda-Extension-Identifier": headers["Lambda-Extension-Identifier"]}
if behaviour == "init error":
    error = identifier | {"Lambda-Extension-Function-Error-Type": "Extension.Toy"}
    answered = call("POST", "/init/error", b'{"errorType":"Extension.Toy"}', error)
    say("init error", status=answered[0])
    sys.exit(1)
while True:
    event = json.loads(call("GET", "/event/next", None, identifier)[2])
    left = (Path(os.environ["TMPDIR"]) / "left-by-runtime").exists()
    say(event["eventType"], event=event, plan_found=left, epoch_ms=time.time() * 1000)
    if event["eventType"] == "INVOKE" and behaviour == "crash at invoke":
        sys.exit(5)
    if event["eventType"] == "INVOKE" and behaviour == "slow at invoke":
        time.sleep(0.2)
        say("ready again")
    if event["eventType"] == "SHUTDOWN" and behaviour != "ignore shutdown":
        sys.exit(0)
