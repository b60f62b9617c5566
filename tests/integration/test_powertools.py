"""Powertools for AWS Lambda under the real bootstrap: what it writes, measures and traces."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.programs import BENCH_PYTHON, require_bench
from timelapse_runtime.emulator.deployment import INSTALLED, Deployment
from timelapse_runtime.emulator.environment import FUNCTION_NAME, LocalLambda

ROOT = "1-5759e988-bd862e3fe1be46a994272793"
TRACE = f"Root={ROOT};Parent=53995c3f42cd8ad8;Sampled=1"
SOURCE = """
import logging
from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.metrics import MetricUnit

logger = Logger(service="toy")
metrics = Metrics(namespace="Toys", service="toy")
tracer = Tracer(service="toy")


@tracer.capture_method
def half(value):
    return value // 2


@metrics.log_metrics(capture_cold_start_metric=True)
@logger.inject_lambda_context(log_event=True)
@tracer.capture_lambda_handler
def handler(event, context):
    logger.append_keys(order=event["order"])
    logger.info({"half": half(event["order"])})
    logging.getLogger("app").warning("of the standard library")
    metrics.add_metric(name="Orders", unit=MetricUnit.Count, value=1)
    if event["order"] < 0:
        raise ValueError("no such order")
    return {"half": half(event["order"])}
"""


@pytest.fixture
def daemon() -> Iterator[socket.socket]:
    """Where X-Ray's daemon listens."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.bind(("127.0.0.1", 0))
        made.settimeout(30)
        yield made


def test_logger_metrics_and_tracer_work(daemon: socket.socket, tmp_path: Path, journal: Any, ending: ExitStack) -> None:
    require_bench()
    (tmp_path / "app.py").write_text(SOURCE)
    environment = ending.enter_context(
        LocalLambda(
            deployment=Deployment(
                bootstrap=INSTALLED.bootstrap,
                extensions=None,
                task_root=tmp_path,
                handler="app.handler",
            ),
            variables={
                "STATEFUL_RUNTIME_PYTHON": str(BENCH_PYTHON),
                "AWS_LAMBDA_LOG_FORMAT": "JSON",
                "AWS_XRAY_DAEMON_ADDRESS": f"127.0.0.1:{daemon.getsockname()[1]}",
            },
            temp_folder=tmp_path / "temporary",
            on_log=journal,
        )
    )
    first = environment.invoke({"order": 6}, trace_id=TRACE)
    assert (first.payload, first.error_type) == ({"half": 3}, None)
    failed = environment.invoke({"order": -6}, trace_id=TRACE)
    assert failed.error_type == "Function.ValueError"
    environment.close()

    lines = [json.loads(line) for line in journal.said if line.startswith("{")]
    of_logger = [line for line in lines if line.get("service") == "toy" and "_aws" not in line and "level" in line]
    told = [line for line in of_logger if line["message"] == {"half": 3}]
    assert len(told) == 1
    assert (told[0]["function_request_id"], told[0]["function_name"]) == (first.request_id, FUNCTION_NAME)
    assert (told[0]["xray_trace_id"], told[0]["order"], told[0]["cold_start"]) == (ROOT, 6, True)
    assert [line["message"] for line in of_logger].count({"order": 6}) == 1  # the event

    ours = [line for line in lines if line.get("logger") == "app"]
    assert [line["requestId"] for line in ours] == [first.request_id, failed.request_id]
    assert {(line["level"], line["xray_trace_id"]) for line in ours} == {("WARN", ROOT)}

    measured = [line for line in lines if "Orders" in line]
    assert [line["_aws"]["CloudWatchMetrics"][0]["Namespace"] for line in measured] == ["Toys", "Toys"]
    assert [line["ColdStart"] for line in lines if "ColdStart" in line] == [[1.0]]

    segments = [json.loads(daemon.recv(1 << 16).partition(b"\n")[2]) for _ in range(3)]
    assert [segment["name"] for segment in segments] == ["## app.half", "## app.half", "## handler"]
    assert {segment["trace_id"] for segment in segments} == {ROOT}
