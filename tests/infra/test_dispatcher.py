"""The way of a photo's event with many cameras: router, queue, dispatcher, function."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

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
    route.handler({"sweep": {"scheduled": True}}, CONTEXT)
    records = {one["attributes"]["MessageGroupId"]: json.loads(one["body"]) for one in received()}
    assert streams <= set(records)  # more than one batch of ten
    assert all(parse_event(body).sweeps == (Sweep(group, scheduled=True),) for group, body in records.items())


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


class Events:
    """Of a client: the hook that the dispatcher registers."""

    def register(self, event: str, hook: Callable[..., None]) -> None:
        assert event == "before-call.lambda.Invoke"
        self.hook = hook


class Function:
    """As much of Lambda's client as the dispatcher uses. `outcomes`, by the body's sweep: what comes before success."""

    def __init__(self, **outcomes: list[Exception | str]) -> None:
        self.meta = SimpleNamespace(events=Events())
        self.outcomes, self.calls = outcomes, list[tuple[str, Any]]()

    def invoke(self, *, FunctionName: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803
        assert FunctionName == "timelapse"
        body, params = json.loads(Payload), dict[str, Any](headers={})
        self.meta.events.hook(params=params, model=None)
        self.calls.append((params["headers"]["X-Amz-Tenant-Id"], body["sweep"]))
        outcomes = self.outcomes.get(body["sweep"], [])
        outcome = outcomes.pop(0) if outcomes else None
        if isinstance(outcome, Exception):
            raise outcome
        answer = {"StatusCode": 200, "Payload": io.BytesIO(b'{"errorType": "StorageUnavailable"}')}
        return {**answer, "FunctionError": outcome} if outcome else answer


class Queue:
    """As much of SQS's client as the dispatcher uses; `error` is raised."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error, self.returned = error, list[tuple[str, int]]()

    def change_message_visibility(self, *, QueueUrl: str, ReceiptHandle: str, VisibilityTimeout: int) -> None:  # noqa: N803
        assert QueueUrl == "queue"
        if self.error:
            raise self.error
        self.returned.append((ReceiptHandle, VisibilityTimeout))


class Bench:
    """A dispatcher with its neighbours. Pauses are the longest that may be, and take that of its time."""

    def __init__(self, function: Function, queue: Queue | None = None, remaining_seconds: float = 900) -> None:
        self.function, self.queue = function, queue or Queue()
        self.paused, self.remaining_ms = list[float](), 1_000 * remaining_seconds
        self._dispatcher = dispatch.Dispatcher(
            function,
            self.queue,
            function_name="timelapse",
            function_timeout_seconds=300,
            queue_url="queue",
            sleep=self._sleep,
            uniform=lambda _low, high: high,
        )

    def carry_out(self, sweep: str = "garden", received: int = 1) -> bool:
        message = record("m1", "garden", {"sweep": sweep})
        message["attributes"]["ApproximateReceiveCount"] = str(received)
        return self._dispatcher.carry_out(message, lambda: int(self.remaining_ms))

    def _sleep(self, seconds: float) -> None:
        self.paused.append(seconds)
        self.remaining_ms -= 1_000 * seconds


def refused(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "Invoke")


def test_a_message_invokes_its_streams_tenant() -> None:
    bench = Bench(Function())
    assert bench.carry_out()
    assert (bench.function.calls, bench.queue.returned, bench.paused) == ([("garden", "garden")], [], [])


@pytest.mark.parametrize("code", ["TooManyRequestsException", "EC2ThrottledException"])
def test_what_lambda_throttles_is_tried_again_after_growing_pauses(code: str) -> None:
    bench = Bench(Function(garden=[refused(code)] * 4))
    assert bench.carry_out()
    assert bench.paused == [0.2, 0.4, 0.8, 1.6]
    assert bench.queue.returned == []


def test_what_is_throttled_for_long_goes_back_to_the_queue() -> None:
    bench = Bench(Function(garden=[refused("TooManyRequestsException")] * 100))
    assert not bench.carry_out()
    assert dispatch.THROTTLE_PATIENCE_SECONDS <= sum(bench.paused) <= dispatch.THROTTLE_PATIENCE_SECONDS + 4
    assert len(bench.queue.returned) == 1


@pytest.mark.parametrize(
    "outcome",
    [
        "Unhandled",
        refused("ServiceException"),
        refused("AccessDeniedException"),
        ReadTimeoutError(endpoint_url="https://lambda"),
    ],
)
def test_a_failure_is_left_to_the_queue_at_once(outcome: Exception | str) -> None:
    bench = Bench(Function(garden=[outcome]))
    assert not bench.carry_out()
    assert len(bench.function.calls) == 1  # a second attempt might run beside the first
    assert bench.queue.returned == [("AQEBBX8nesZEXmkhsmZeyIE8iQAMig7qw...", 5)]


def test_each_attempt_waits_twice_as_long_as_the_one_before_and_five_minutes_at_most() -> None:
    bench = Bench(Function(garden=["Unhandled"] * 12))
    for received in (*range(1, 9), 40):
        bench.carry_out(received=received)
    assert [seconds for _, seconds in bench.queue.returned] == [5, 10, 20, 40, 80, 160, 300, 300, 300]


def test_nothing_is_invoked_whose_answer_would_come_after_the_dispatchers_end() -> None:
    bench = Bench(Function(), remaining_seconds=304)
    assert not bench.carry_out()
    assert (bench.function.calls, len(bench.queue.returned)) == ([], 1)
    late = Bench(Function(garden=[refused("TooManyRequestsException")] * 100), remaining_seconds=306)
    assert not late.carry_out()
    assert len(late.function.calls) == len(late.paused) == 3


def test_if_the_queue_refuses_the_message_still_counts_as_failed(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench(Function(garden=["Unhandled"]), Queue(refused("InvalidParameterValue")))
    assert not bench.carry_out()
    assert "the message comes again late" in caplog.text


def test_after_a_failure_the_rest_of_the_batch_comes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    function = Function(second=["Unhandled"])
    bench = Bench(function)
    monkeypatch.setattr(dispatch, "_dispatcher", lambda: bench._dispatcher)
    records = [record(name, "garden", {"sweep": name}) for name in ("first", "second", "third")]
    context = SimpleNamespace(get_remaining_time_in_millis=lambda: 900_000)
    assert dispatch.handler({"Records": records}, context) == {
        "batchItemFailures": [{"itemIdentifier": "second"}, {"itemIdentifier": "third"}]
    }
    assert [sweep for _, sweep in function.calls] == ["first", "second"]


def deployed_dispatcher(monkeypatch: pytest.MonkeyPatch, **variables: str) -> dispatch.Dispatcher:
    usual = {"FUNCTION_NAME": "timelapse", "FUNCTION_TIMEOUT_SECONDS": "300", "QUEUE_URL": "queue"}
    for name, value in {"AWS_DEFAULT_REGION": REGION, **usual, **variables}.items():
        monkeypatch.setenv(name, value)
    return dispatch._dispatcher.__wrapped__()


def test_the_client_outwaits_the_function_and_tries_once(monkeypatch: pytest.MonkeyPatch) -> None:
    config = deployed_dispatcher(monkeypatch)._function.meta.config
    assert config.read_timeout > 300
    assert config.retries["total_max_attempts"] == 1


def test_a_photos_event_reaches_the_function_with_its_stream_as_tenant(
    cameras: Stack, received: Callable[[], list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """S3, EventBridge, router, queue, dispatcher, function: each link is moto's or the code that is deployed."""
    variables = cameras.function("Dispatcher")["Environment"]["Variables"]
    dispatcher = deployed_dispatcher(monkeypatch, **{name: str(value) for name, value in variables.items()})
    monkeypatch.setattr(dispatch, "_dispatcher", lambda: dispatcher)
    bucket, key = cameras.resources["FramesBucket"], "frames/gate/000001.jpg"
    cameras.client("s3").put_object(Bucket=bucket, Key=key, Body=b"photo")
    route.handler(cameras.invocations()[-1]["event"], CONTEXT)
    context = SimpleNamespace(get_remaining_time_in_millis=lambda: 900_000)
    assert dispatch.handler({"Records": received()}, context) == {"batchItemFailures": []}
    last = cameras.invocations()[-1]
    assert (last["function"], last["tenant"]) == (cameras.resources["TimelapseFunction"], "gate")
    (hint,) = parse_event(last["event"]).frames
    assert (hint.bucket, hint.key, hint.is_exact) == (bucket, key, True)
