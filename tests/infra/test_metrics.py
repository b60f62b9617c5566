"""What CloudWatch makes of the metric lines: the published schema, and the alarms of the templates in ministack."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.infra.conftest import OF_CAMERAS, PROGRAMS, Infra, infra_program
from tests.programs import MINISTACK, require_ministack
from tests.timelapse.metric_lines import recorded, values
from tests.world import InvocationContext, World
from timelapse_runtime.emulator.s3_server import REGION, EmbeddedS3
from timelapse_runtime.runtime.clock import SystemClock

SCHEMA = json.loads(Path(__file__).with_name("embedded_metric_format.json").read_text())


def wrong(documents: list[dict[str, Any]]) -> list[str]:
    command = [infra_program("python"), str(PROGRAMS / "validate.py")]
    given = json.dumps({"schema": SCHEMA, "documents": documents})
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=True)
    found: list[str] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("level", ["basic", "all"])
def test_each_line_is_valid_by_the_published_schema(level: str) -> None:
    world = World(settings={"TIMELAPSE_ORDER": "arrival"})
    function = world.environment(metrics=level)
    with recorded() as documents:
        world.shoot(function, range(12))
        world.deliver(function, world.upload(12, b"no photo"))
        world.deliver(function, "Thumbs.db")
        world.sweep(function, close=True)
        world.clock.advance(10**10)
        world.sweep(world.environment(metrics=level))
    assert len(documents) == 3
    assert wrong(documents) == []
    for document in documents:
        assert len(json.dumps(document)) < 256_000
        (directive,) = document["_aws"]["CloudWatchMetrics"]
        named = {name for dimensions in directive["Dimensions"] for name in dimensions}
        assert all(isinstance(document[name], str) for name in named)
        assert all(isinstance(value, (int, float)) for value in values(document).values())
        assert wrong([{**document, "_aws": {}}])


@pytest.fixture
def cloudwatch() -> Iterator[Any]:
    require_ministack()
    with EmbeddedS3((str(MINISTACK),)) as server:
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        make: Any = boto3.client
        yield make("cloudwatch", endpoint_url=server.endpoint_url, region_name=REGION, **keys)


def publish(cloudwatch: Any, documents: list[dict[str, Any]]) -> None:
    """As CloudWatch Logs does: each declared metric, once for each of its sets of dimensions."""
    for document in documents:
        for directive in document["_aws"]["CloudWatchMetrics"]:
            data = [
                {
                    "MetricName": metric["Name"],
                    "Unit": metric["Unit"],
                    "Value": document[metric["Name"]],
                    "Timestamp": datetime.fromtimestamp(document["_aws"]["Timestamp"] / 1000, UTC),
                    "Dimensions": [{"Name": name, "Value": document[name]} for name in dimensions],
                }
                for metric in directive["Metrics"]
                for dimensions in directive["Dimensions"]
            ]
            cloudwatch.put_metric_data(Namespace=directive["Namespace"], MetricData=data)


@pytest.mark.parametrize("name", OF_CAMERAS)
def test_the_alarm_of_a_silent_camera_sounds_after_an_hour(name: str, infra: Infra, cloudwatch: Any) -> None:
    described = infra.resources(name)["SilentCameraAlarm"]["Properties"]
    alarm = {key: value for key, value in described.items() if not key.endswith("Actions")}
    assert alarm["Namespace"] == "Timelapse/TimelapseFunction"
    cloudwatch.put_metric_alarm(AlarmName="silent", **{**alarm, "Threshold": float(alarm["Threshold"])})
    world = World(settings={"TIMELAPSE_ORDER": "arrival", "AWS_LAMBDA_FUNCTION_NAME": "TimelapseFunction"})
    now = SystemClock().now_epoch_ms()
    states = []
    world.clock.advance(now - 61 * 60_000 - world.clock.now_epoch_ms())
    world.deliver(world.environment(), world.upload(0))
    for minutes in (59, 2):
        world.clock.advance(minutes * 60_000)
        with recorded() as documents:
            world.environment().invoke({"sweep": True}, InvocationContext())
        publish(cloudwatch, documents)
        states.append(cloudwatch.describe_alarms(AlarmNames=["silent"])["MetricAlarms"][0]["StateValue"])
    assert states == ["OK", "ALARM"]
