"""The way of a photo's event with many cameras: router, queue, dispatcher, function."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ReadTimeoutError

from infra.dispatcher import dispatch, route
from tests.infra.conftest import Stack
from timelapse_runtime.emulator.s3_server import REGION
from timelapse_runtime.timelapse.events import Sweep, parse_event

CONTEXT = SimpleNamespace(aws_request_id="8f2ec2f6-58b6-4a04-a6a5-7c2b5d0b4e5b")


def upload(key: str, sequencer: str = "617f08299329d189") -> dict[str, Any]:
    """S3's event over EventBridge (S3 user guide, 'EventBridge event message structure', read November 2026)."""
    return {
        "version": "0",
        "id": "17793124-05d4-b198-2fde-7ededc63b103",
        "detail-type": "Object Created",
        "source": "aws.s3",
        "account": "123456789012",
        "time": "2026-11-12T00:00:00Z",
        "region": "us-east-1",
        "resources": ["arn:aws:s3:::photos"],
        "detail": {
            "version": "0",
            "bucket": {"name": "photos"},
            "object": {"key": key, "size": 5, "etag": "b1946ac92492d2347c6235b4d2611184", "sequencer": sequencer},
            "request-id": "N4N7GDK58NMKJ12R",
            "requester": "123456789012",
            "source-ip-address": "1.2.3.4",
            "reason": "PutObject",
        },
    }


def record(message: str, group: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """A FIFO queue's record (Lambda developer guide, 'Using Lambda with Amazon SQS', read November 2026)."""
    return {
        "messageId": message,
        "receiptHandle": "AQEBBX8nesZEXmkhsmZeyIE8iQAMig7qw...",
        "body": json.dumps(body),
        "attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": "1573251510774",
            "SequenceNumber": "18849496460467696128",
            "MessageGroupId": group,
            "SenderId": "AIDAIO23YVJENQZJOL4VO",
            "MessageDeduplicationId": "1",
            "ApproximateFirstReceiveTimestamp": "1573251510774",
        },
        "messageAttributes": {},
        "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-2:123456789012:fifo.fifo",
        "awsRegion": "us-east-2",
    }


# ---- the router, with a queue of moto's


@pytest.fixture
def received(cameras: Stack, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[dict[str, Any]]]:
    """The router's place: the stack's variables and queue. The records that the queue gave to the dispatcher."""
    variables = cameras.function("Router")["Environment"]["Variables"]
    at = {"AWS_ENDPOINT_URL": cameras.server.endpoint_url, "AWS_DEFAULT_REGION": REGION}
    for name, value in {**variables, **cameras.server.variables(), **at}.items():
        monkeypatch.setenv(name, value)
    before = len(cameras.invocations())

    def receive() -> list[dict[str, Any]]:
        news = [one for one in cameras.invocations()[before:] if one["function"] == cameras.resources["Dispatcher"]]
        return [record for one in news for record in one["event"]["Records"]]

    return receive


def test_a_photos_event_goes_into_its_streams_group_as_it_is(received: Callable[[], list[dict[str, Any]]]) -> None:
    events = [upload("frames/garden/1.jpg"), upload("frames/roof/1.jpg"), upload("frames/garden/2.jpg")]
    assert [route.handler(event, CONTEXT) for event in events] == [{"sent": 1}] * 3
    records = received()
    assert [one["attributes"]["MessageGroupId"] for one in records] == ["garden", "roof", "garden"]
    assert [json.loads(one["body"]) for one in records] == events


def test_an_event_that_comes_twice_is_one_message_and_a_new_photo_of_that_name_another(
    received: Callable[[], list[dict[str, Any]]],
) -> None:
    for sequencer in ("01", "01", "02"):
        route.handler(upload("frames/yard/1.jpg", sequencer), CONTEXT)
    once, twice, new = (one["attributes"]["MessageDeduplicationId"] for one in received())
    assert once == twice != new  # SQS drops what has the id of an earlier message


@pytest.mark.parametrize("key", ["frames/1.jpg", "frames/garden/"])
def test_a_key_without_a_streams_folder_is_left_out(key: str, received: Callable[[], list[dict[str, Any]]]) -> None:
    assert route.handler(upload(key), CONTEXT) == {"sent": 0}
    assert received() == []


def test_a_sweep_becomes_one_for_each_stream(cameras: Stack, received: Callable[[], list[dict[str, Any]]]) -> None:
    s3, bucket = cameras.client("s3"), cameras.resources["FramesBucket"]
    streams = {f"camera-{number:02d}" for number in range(12)}
    for stream in streams:
        s3.put_object(Bucket=bucket, Key=f"frames/{stream}/1.jpg", Body=b"")
    route.handler({"sweep": True}, CONTEXT)
    records = {one["attributes"]["MessageGroupId"]: json.loads(one["body"]) for one in received()}
    assert streams <= set(records)  # more than one batch of ten
    assert all(parse_event(body).sweeps == (Sweep(group),) for group, body in records.items())


def test_what_the_queue_does_not_take_fails_the_invocation(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = {"Failed": [{"Id": "0", "Code": "Throttled", "Message": "slow down", "SenderFault": False}]}
    sqs = SimpleNamespace(send_message_batch=lambda **_: answer)
    monkeypatch.setattr(boto3, "client", lambda _service: sqs)
    monkeypatch.setenv("FRAMES_PREFIX", "frames/")
    monkeypatch.setenv("QUEUE_URL", "queue")
    with pytest.raises(RuntimeError, match="slow down"):
        route.handler(upload("frames/garden/1.jpg"), CONTEXT)


@pytest.mark.parametrize("stream", ["garden", "cam.1_a@b:c=d+e-f"])
def test_a_plain_name_is_its_group_and_tenant(stream: str) -> None:
    assert route.group_of(stream) == stream


@pytest.mark.parametrize("stream", ["Garten hinten", "käfer", "a" * 101, "100%"])
def test_a_name_that_lambda_or_sqs_refuses_is_named_by_its_digest(stream: str) -> None:
    shape = boto3.session.Session().client("lambda", region_name="us-east-1").meta.service_model
    group = route.group_of(stream)
    assert group.startswith("sha256-")
    assert len(group) <= 100
    assert group != route.group_of(stream + "2")
    assert shape.operation_model("Invoke").input_shape.members["TenantId"].metadata["max"] >= 100


# ---- the dispatcher


class Function:
    """As much of Lambda's client as the dispatcher uses; fails for the bodies that `fails` names."""

    def __init__(self, fails: Callable[[Mapping[str, Any]], bool] = lambda _body: False) -> None:
        self.fails, self.calls = fails, list[tuple[str, Any]]()

    def invoke(self, *, FunctionName: str, TenantId: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803
        assert FunctionName == "timelapse"
        body = json.loads(Payload)
        self.calls.append((TenantId, body))
        answer = {"StatusCode": 200, "Payload": io.BytesIO(b'{"errorType": "Function.StorageUnavailable"}')}
        return {**answer, "FunctionError": "Unhandled"} if self.fails(body) else answer


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], None]:
    monkeypatch.setenv("FUNCTION_NAME", "timelapse")
    return lambda function: monkeypatch.setattr(dispatch, "_client", lambda: function)


def batch() -> dict[str, Any]:
    order = ["garden", "roof", "garden", "garden", "roof"]
    return {
        "Records": [record(f"m{number}", group, {"sweep": f"{group}{number}"}) for number, group in enumerate(order)]
    }


def test_each_message_invokes_its_streams_tenant_in_order(install: Callable[[Any], None]) -> None:
    function = Function()
    install(function)
    assert dispatch.handler(batch(), None) == {"batchItemFailures": []}
    by_tenant = {
        name: [body["sweep"] for tenant, body in function.calls if tenant == name] for name in ("garden", "roof")
    }
    assert by_tenant == {"garden": ["garden0", "garden2", "garden3"], "roof": ["roof1", "roof4"]}


def test_after_a_failure_the_rest_of_the_group_comes_again_and_other_groups_go_on(
    install: Callable[[Any], None],
) -> None:
    function = Function(lambda body: body["sweep"] == "garden2")
    install(function)
    assert dispatch.handler(batch(), None) == {
        "batchItemFailures": [{"itemIdentifier": "m2"}, {"itemIdentifier": "m3"}]
    }
    assert "garden3" not in [body["sweep"] for _, body in function.calls]
    assert "roof4" in [body["sweep"] for _, body in function.calls]


def test_no_answer_is_a_failure_as_well(install: Callable[[Any], None]) -> None:
    def time_out(_body: Mapping[str, Any]) -> bool:
        raise ReadTimeoutError(endpoint_url="https://lambda")

    install(Function(time_out))
    failed = dispatch.handler(batch(), None)["batchItemFailures"]
    assert {one["itemIdentifier"] for one in failed} == {"m0", "m1", "m2", "m3", "m4"}


def test_the_client_outwaits_the_function_and_tries_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FUNCTION_TIMEOUT_SECONDS", "300")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    config = dispatch._client.__wrapped__().meta.config
    assert config.read_timeout > 300
    assert config.retries["total_max_attempts"] == 1


def test_a_photos_event_reaches_the_function_with_its_stream_as_tenant(
    cameras: Stack, received: Callable[[], list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """S3, EventBridge, router, queue, dispatcher, function: each link is moto's or the code that is deployed."""
    for name, value in cameras.function("Dispatcher")["Environment"]["Variables"].items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.setattr(dispatch, "_client", lambda: cameras.client("lambda"))
    bucket, key = cameras.resources["FramesBucket"], "frames/gate/000001.jpg"
    cameras.client("s3").put_object(Bucket=bucket, Key=key, Body=b"photo")
    route.handler(cameras.invocations()[-1]["event"], CONTEXT)
    assert dispatch.handler({"Records": received()}, None) == {"batchItemFailures": []}
    last = cameras.invocations()[-1]
    assert (last["function"], last["tenant"]) == (cameras.resources["TimelapseFunction"], "gate")
    (hint,) = parse_event(last["event"]).frames
    assert (hint.bucket, hint.key, hint.is_exact) == (bucket, key, True)
