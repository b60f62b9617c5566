"""Events to hints: what is taken, what is ignored, what is an error, and what the error says."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable
from typing import Any

import pytest

from timelapse_runtime.timelapse.errors import UnknownEvent
from timelapse_runtime.timelapse.events import FrameHint, Request, Retry, Sweep, parse_event


def record(key: str, name: str = "ObjectCreated:Put") -> dict[str, Any]:
    return {"eventSource": "aws:s3", "eventName": name, "s3": {"bucket": {"name": "b"}, "object": {"key": key}}}


@pytest.mark.parametrize(
    ("encoded", "key"),
    [
        ("frames/a.jpg", "frames/a.jpg"),
        ("a+b%2Bc.jpg", "a b+c.jpg"),
        ("caf%C3%A9/%F0%9F%8C%8D.jpg", "café/\U0001f30d.jpg"),
        ("two%0Alines", "two\nlines"),
        ("100%25.jpg", "100%.jpg"),
    ],
)
def test_a_notifications_key_is_url_decoded(encoded: str, key: str) -> None:
    assert parse_event({"Records": [record(encoded)]}) == Request((FrameHint("b", key),))


@pytest.mark.parametrize(
    ("sent", "etag"), [("0c5a", '"0c5a"'), ('"0c5a"', '"0c5a"'), ("0c5a-3", '"0c5a-3"'), ("", None), (None, None)]
)
def test_an_etag_has_the_quotes_that_the_store_gives(sent: str | None, etag: str | None) -> None:
    notification = record("a")
    notification["s3"]["object"]["eTag"] = sent
    bridged = eventbridge("a")
    bridged["detail"]["object"]["etag"] = sent
    for event in ({"Records": [notification]}, bridged):
        assert parse_event(event) == Request((FrameHint("b", "a", etag=etag),))


@pytest.mark.parametrize(("sent", "version_id"), [("096f", "096f"), ("null", None), ("", None), (None, None)])
def test_a_version_is_named_only_where_there_are_versions(sent: str | None, version_id: str | None) -> None:
    notification = record("a")
    notification["s3"]["object"]["versionId"] = sent
    bridged = eventbridge("a")
    bridged["detail"]["object"]["version-id"] = sent
    for event in ({"Records": [notification]}, bridged):
        assert parse_event(event) == Request((FrameHint("b", "a", version_id=version_id),))


def test_each_record_is_a_frame_and_other_types_are_ignored() -> None:
    records = [
        record("1", "ObjectCreated:Put"),
        record("2", "ObjectRemoved:Delete"),
        record("3", "s3:ObjectCreated:CompleteMultipartUpload"),
        record("4", "ObjectTagging:Put"),
    ]
    request = parse_event({"Records": records})
    assert [hint.key for hint in request.frames] == ["1", "3"]
    assert request.ignored == ("ObjectRemoved:Delete", "ObjectTagging:Put")


def test_the_consoles_test_event_is_ignored() -> None:
    event = {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "b"}
    assert parse_event(event) == Request(ignored=("s3:TestEvent",))


def eventbridge(key: str, kind: str = "Object Created") -> dict[str, Any]:
    return {"source": "aws.s3", "detail-type": kind, "detail": {"bucket": {"name": "b"}, "object": {"key": key}}}


def test_eventbridges_key_is_taken_where_both_readings_agree() -> None:
    assert parse_event(eventbridge("a/é.jpg")) == Request((FrameHint("b", "a/é.jpg", is_exact=True),))
    for key in ("a+b.jpg", "a%20b.jpg"):
        assert parse_event(eventbridge(key)) == Request((FrameHint("b", key, is_exact=False),))
    assert parse_event(eventbridge("a", "Object Deleted")) == Request(ignored=("Object Deleted",))


def in_sqs(event: Any) -> dict[str, Any]:
    return {"eventSource": "aws:sqs", "messageId": "id", "body": json.dumps(event)}


def in_sns(event: Any) -> dict[str, Any]:
    return {
        "EventSource": "aws:sns",
        "EventVersion": "1.0",
        "Sns": {"Type": "Notification", "Message": json.dumps(event)},
    }


def in_kinesis(event: Any) -> dict[str, Any]:
    return {"eventSource": "aws:kinesis", "kinesis": {"data": b64encode(json.dumps(event).encode()).decode()}}


def in_sns_in_sqs(event: Any) -> dict[str, Any]:
    return in_sqs({"Type": "Notification", "MessageId": "id", "Message": json.dumps(event)})


@pytest.mark.parametrize("wrapped", [in_sqs, in_sns, in_kinesis, in_sns_in_sqs])
def test_an_event_may_come_in_the_messages_of_another_service(wrapped: Callable[[Any], dict[str, Any]]) -> None:
    events = [
        {"Records": [record("a+b"), record("c")]},
        eventbridge("d"),
        {"Event": "s3:TestEvent"},
        {"sweep": "camera"},
        {"retry_rejected": "camera"},
    ]
    request = parse_event({"Records": [wrapped(event) for event in events]})
    assert request == Request(
        tuple(FrameHint("b", key) for key in ("a b", "c", "d")),
        (Sweep("camera"),),
        (Retry("camera"),),
        ("s3:TestEvent",),
    )


@pytest.mark.parametrize(
    ("body", "said"), [("{", "invalid JSON"), (None, "invalid JSON"), ('{"hello": 1}', "hello"), ("[]", "a list")]
)
def test_a_message_that_holds_no_event_says_so(body: Any, said: str) -> None:
    with pytest.raises(UnknownEvent, match=said):
        parse_event({"Records": [{"eventSource": "aws:sqs", "body": body}]})


@pytest.mark.parametrize(
    ("value", "sweep"),
    [
        (True, Sweep(None)),
        ("camera", Sweep("camera")),
        ({}, Sweep(None)),
        ({"stream": "camera", "drain": True}, Sweep("camera", drain=True)),
        ({"stream": "camera", "close": True}, Sweep("camera", close=True)),
    ],
)
def test_a_sweep_is_asked_for_in_these_forms(value: Any, sweep: Sweep) -> None:
    assert parse_event({"sweep": value}) == Request(sweeps=(sweep,))


def test_a_retry_is_asked_for_in_these_forms() -> None:
    assert parse_event({"retry_rejected": "camera"}) == Request(retries=(Retry("camera"),))
    event = {"retry_rejected": {"stream": "camera", "reason": "late"}}
    assert parse_event(event) == Request(retries=(Retry("camera", "late"),))


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (None, "NoneType"),
        ([], "list"),
        ({}, r"\(none\)"),
        ({"hello": 1}, "hello"),
        ({"Records": [{"eventSource": "aws:dynamodb", "eventName": "x"}]}, "aws:dynamodb"),
        ({"Records": [{"eventSource": "aws:sqs", "eventName": "x"}]}, "body"),
        ({"Records": [{"eventSource": "aws:s3"}]}, "eventName"),
        ({"Records": ["text"]}, "not an S3 notification"),
        ({"Records": [record("k") | {"s3": {}}]}, "bucket"),
        (eventbridge("k") | {"detail": {}}, "bucket"),
        ({"sweep": False}, "allowed"),
        ({"sweep": ""}, "allowed"),
        ({"sweep": {"stream": 3}}, "allowed"),
        ({"sweep": {"drain": "yes"}}, "allowed"),
        ({"sweep": {"strem": "camera"}}, "allowed"),
        ({"retry_rejected": True}, "allowed"),
        ({"retry_rejected": {"reason": "late"}}, "allowed"),
    ],
)
def test_what_is_not_understood_is_an_error_that_says_what_is(event: Any, said: str) -> None:
    with pytest.raises(UnknownEvent, match=said):
        parse_event(event)
