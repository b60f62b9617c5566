"""A durable function under the real bootstrap, with AWS's SDK and a stand-in for the service that keeps checkpoints.

Sources: Lambda developer guide, 'Supported runtimes for durable functions'; Lambda API reference,
'CheckpointDurableExecution'; aws-durable-execution-sdk-python 3.0.0; all read November 2026.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.programs import BENCH_PYTHON, require_bench
from timelapse_runtime.emulator.deployment import INSTALLED, Deployment
from timelapse_runtime.emulator.environment import LocalLambda

ARN = "arn:aws:lambda:us-east-1:123456789012:function:orders:7/durable-execution/name/id"
SOURCE = """
import time
from aws_durable_execution_sdk_python import durable_execution
from aws_durable_execution_sdk_python.config import Duration

runs = 0


def double(number):
    global runs
    runs += 1
    return 2 * number


@durable_execution
def handler(event, context):
    if event["order"] < 0:
        time.sleep(60)
    doubled = context.step(lambda _context: double(event["order"]), name="double")
    context.wait(Duration.from_seconds(5))
    return {"doubled": doubled, "runs": runs, "request": context.lambda_context.aws_request_id}
"""


class Executions:
    """What the service keeps of one execution: its operations, and the token that the next checkpoint must have."""

    def __init__(self, order: int) -> None:
        name = ARN.rpartition("/")[2]
        execution = {"Id": name, "Type": "EXECUTION", "Status": "STARTED", "StartTimestamp": 1}
        self._operations: dict[str, dict[str, Any]] = {
            name: {**execution, "ExecutionDetails": {"InputPayload": json.dumps({"order": order})}}
        }
        self._token = 0

    def event(self) -> dict[str, Any]:
        """What Lambda invokes the function with."""
        state = {"Operations": list(self._operations.values()), "NextMarker": ""}
        return {"DurableExecutionArn": ARN, "CheckpointToken": str(self._token), "InitialExecutionState": state}

    def checkpoint(self, request: dict[str, Any]) -> dict[str, Any]:
        assert request["CheckpointToken"] == str(self._token)
        self._token += 1
        for update in request["Updates"]:
            operation = self._operations.setdefault(update["Id"], {"StartTimestamp": 1})
            operation |= {key: update[key] for key in ("Id", "Name", "Type", "SubType") if key in update}
            operation["Status"] = {"START": "STARTED", "SUCCEED": "SUCCEEDED"}[update["Action"]]
            if update["Type"] == "STEP":
                operation["StepDetails"] = {"Result": update.get("Payload")}
        changed = [self._operations[update["Id"]] for update in request["Updates"]]
        return {"CheckpointToken": str(self._token), "NewExecutionState": {"Operations": changed}}

    def wait_is_over(self) -> None:
        for operation in self._operations.values():
            if operation["Type"] == "WAIT":
                operation["Status"] = "SUCCEEDED"


@pytest.fixture
def service() -> Iterator[ThreadingHTTPServer]:
    """Lambda's API for durable executions. `executions` is the test's."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            assert self.path.endswith("/checkpoint")
            body = json.dumps(self.server.executions.checkpoint(request)).encode()  # type: ignore[attr-defined]
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_durable_function_waits_is_replayed_and_keeps_its_process(
    service: Any, tmp_path: Path, journal: Any, ending: ExitStack
) -> None:
    require_bench()
    (tmp_path / "app.py").write_text(SOURCE)
    environment = ending.enter_context(
        LocalLambda(
            deployment=Deployment(
                bootstrap=INSTALLED.bootstrap, extensions=None, task_root=tmp_path, handler="app.handler"
            ),
            variables={
                "STATEFUL_RUNTIME_PYTHON": str(BENCH_PYTHON),
                "AWS_ENDPOINT_URL_LAMBDA": f"http://127.0.0.1:{service.server_port}",
                "AWS_ACCESS_KEY_ID": "key",
                "AWS_SECRET_ACCESS_KEY": "secret",
            },
            temp_folder=tmp_path / "temporary",
            timeout_seconds=3,
            on_log=journal,
        )
    )
    service.executions = kept = Executions(order=6)
    assert environment.invoke(kept.event()).payload == {"Status": "PENDING"}, journal.said
    kept.wait_is_over()
    replayed = environment.invoke(kept.event())
    result = {"doubled": 12, "runs": 1, "request": replayed.request_id}
    assert replayed.payload == {"Status": "SUCCEEDED", "Result": json.dumps(result)}, journal.said
    # The alarm interrupts an execution as it does any invocation, though the SDK runs it in another thread.
    service.executions = Executions(order=-1)
    late = environment.invoke(service.executions.event())
    assert (late.error_type, late.timed_out) == ("Function.DeadlineTooClose", False)
    assert environment.cold_starts == 1
    service.executions = kept
    again = environment.invoke(kept.event())
    assert again.payload == {"Status": "SUCCEEDED", "Result": json.dumps({**result, "request": again.request_id})}
