"""Events to hints: what is taken, what is ignored, what is an error, and what the error says."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable
from typing import Any

import pytest

from timelapse_runtime.timelapse.errors import UnknownEvent
from timelapse_runtime.timelapse.events import FrameHint, Poll, Request, Retry, Sweep, parse_event


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


@pytest.mark.parametrize(
    ("sent", "version_id"), [("096f", "096f"), ("null", None), ("", None), ("1", None), (None, None)]
)
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


# ---- other stores, each as its own documents have it

# minio/minio issue 7665, May 2019; the part below `bucket` from issue 11665 and minio-dotnet issue 332
MINIO = """{
  "EventName": "s3:ObjectCreated:Put",
  "Key": "mybucket/5cdfb588cea4de1db3034a87/colors.jpg",
  "Records": [{
    "eventVersion": "2.0", "eventSource": "minio:s3", "awsRegion": "", "eventTime": "2019-05-18T07:34:32Z",
    "eventName": "s3:ObjectCreated:Put",
    "userIdentity": {"principalId": "minio"},
    "requestParameters": {"accessKey": "minio", "region": "", "sourceIPAddress": "172.18.0.1"},
    "responseElements": {
      "x-amz-request-id": "159FB6B233B08AF0",
      "x-minio-deployment-id": "cd7a0eb7-a1f9-48d9-b21a-56366d75cfdd",
      "x-minio-origin-endpoint": "http://172.18.0.6:9000"
    },
    "s3": {
      "s3SchemaVersion": "1.0", "configurationId": "Config",
      "bucket": {"name": "mybucket", "ownerIdentity": {"principalId": "minio"}, "arn": "arn:aws:s3:::mybucket"},
      "object": {
        "key": "5cdfb588cea4de1db3034a87%2Fcolors+1.jpg", "size": 5, "eTag": "d8e8fca2dc0f896fd7cb4cb0031ba249",
        "contentType": "image/jpeg", "userMetadata": {"content-type": "image/jpeg"}, "sequencer": "159FB6B233B4B2E0"
      }
    },
    "source": {"host": "172.18.0.1", "port": "", "userAgent": "MinIO (linux; amd64) minio-go/v6.0.23"}
  }]
}"""

# Ceph, 'Bucket notifications', read November 2026; until Nautilus, the event's name had the prefix `s3:`
CEPH = """{"Records":[{
  "eventVersion":"2.1", "eventSource":"ceph:s3", "awsRegion":"us-east-1", "eventTime":"2019-11-22T13:47:35.124724Z",
  "eventName":"ObjectCreated:Put",
  "userIdentity":{"principalId":"tester"},
  "requestParameters":{"sourceIPAddress":""},
  "responseElements":{
    "x-amz-request-id":"503a4c37-85eb-47cd-8681-2817e80b4281.5330.903595", "x-amz-id-2":"14d2-zone1-zonegroup1"
  },
  "s3":{
    "s3SchemaVersion":"1.0", "configurationId":"mynotif1",
    "bucket":{
      "name":"mybucket1", "ownerIdentity":{"principalId":"tester"}, "arn":"arn:aws:s3:us-east-1::mybucket1",
      "id":"503a4c37-85eb-47cd-8681-2817e80b4281.5332.38"
    },
    "object":{
      "key":"myimage1.jpg", "size":"1024", "eTag":"37b51d194a7513e45b56f6524f2d51f2", "versionId":"",
      "sequencer":"F7E6D75DC742D108", "metadata":[], "tags":[]
    }
  },
  "eventId":"", "opaqueData":"me@example.com"
}]}"""

# NetApp StorageGRID's notification, from its users' Kafka topic, February 2024
STORAGEGRID = """{"Records": [{
  "eventVersion": "2.0", "eventSource": "sgws:s3", "eventTime": "2024-02-16T00:22:42Z",
  "eventName": "ObjectCreated:Put",
  "s3": {
    "s3SchemaVersion": "1.0", "configurationId": "Image-created",
    "bucket": {"name": "3copies", "arn": "urn:sgws:s3:::3copies"},
    "object": {"key": "kafka/garden.jpg", "size": 20, "eTag": "4444444444444444", "sequencer": "17B4"}
  }
}]}"""

# Cloudflare R2, 'Event notifications', read November 2026
R2 = """{
  "account": "3f4b7e3dcab231cbfdaa90a6a28bd548", "action": "CopyObject", "bucket": "my-bucket",
  "object": {"key": "my-new-object", "size": 65536, "eTag": "c846ff7a18f28c2e262116d6e8719ef0"},
  "eventTime": "2024-05-24T19:36:44.379Z", "copySource": {"bucket": "my-bucket", "object": "my-original-object"}
}"""

# Backblaze B2's notification, as its tool b2listen shows it, July 2024
B2 = """{"events": [{
  "accountId": "15f935cf4dcb", "bucketId": "21a5bf29a395fc7f84dd0c1b", "bucketName": "my-bucket",
  "eventId": "19f154fa574c68f60ea362f8e2a4272a63aefc094889d8985740c93d2710dcbe", "eventTimestamp": 1721711606884,
  "eventType": "b2:ObjectCreated:Upload", "eventVersion": 1, "matchedRuleName": "frames",
  "objectName": "images/raw/smiley.png", "objectSize": 23889,
  "objectVersionId":
    "4_z21a5bf29a395fc7f84dd0c1b_f102737ab881484be_d20240723_m051326_c004_v0402010_t0003_u01721711606612"
}]}"""


@pytest.mark.parametrize(
    ("body", "hint"),
    [
        (
            MINIO,
            FrameHint("mybucket", "5cdfb588cea4de1db3034a87/colors 1.jpg", etag='"d8e8fca2dc0f896fd7cb4cb0031ba249"'),
        ),
        (CEPH, FrameHint("mybucket1", "myimage1.jpg", etag='"37b51d194a7513e45b56f6524f2d51f2"')),
        (
            CEPH.replace('"ObjectCreated:Put"', '"s3:ObjectCreated:Put"'),
            FrameHint("mybucket1", "myimage1.jpg", etag='"37b51d194a7513e45b56f6524f2d51f2"'),
        ),
        (STORAGEGRID, FrameHint("3copies", "kafka/garden.jpg", etag='"4444444444444444"')),
        (R2, FrameHint("my-bucket", "my-new-object", etag='"c846ff7a18f28c2e262116d6e8719ef0"')),
        (B2, FrameHint("my-bucket", "images/raw/smiley.png")),
    ],
    ids=["MinIO", "Ceph", "Ceph, Nautilus", "StorageGRID", "R2", "B2"],
)
def test_the_bodies_of_other_stores_are_understood(body: str, hint: FrameHint) -> None:
    event = json.loads(body)
    assert parse_event(event) == Request((hint,))
    assert parse_event({"Records": [in_sqs(event), in_sns(event)]}) == Request((hint, hint))


def test_what_other_stores_say_of_other_events_is_ignored() -> None:
    assert parse_event(json.loads(MINIO.replace(":ObjectCreated:Put", ":ObjectRemoved:Delete"))).ignored == (
        "s3:ObjectRemoved:Delete",
    )
    assert parse_event(json.loads(R2.replace("CopyObject", "DeleteObject"))) == Request(ignored=("DeleteObject",))
    removed, test = "b2:ObjectDeleted:Deleted", "b2:TestEvent"
    assert parse_event({"events": [{"eventType": removed}, {"eventType": test}]}) == Request(ignored=(removed, test))


@pytest.mark.parametrize(
    ("source", "sent", "key", "is_exact"),
    [
        ("minio:s3", "cam%2Fa+b%2Bc.jpg", "cam/a b+c.jpg", True),
        (None, "cam%2Fa.jpg", "cam/a.jpg", True),  # RustFS
        ("ceph:s3", "cam/a b.jpg", "cam/a b.jpg", True),
        ("ceph:s3", "cam/a+b.jpg", "cam/a+b.jpg", False),
        ("ceph:s3", "cam/100%25.jpg", "cam/100%25.jpg", False),
        ("wasabi:s3", "cam%2Fa.jpg", "cam/a.jpg", False),
    ],
)
def test_a_key_is_exact_if_it_is_known_how_the_store_writes_it(
    source: str | None, sent: str, key: str, is_exact: bool
) -> None:
    sent_record = record(sent) | {"eventSource": source}
    if source is None:
        del sent_record["eventSource"]
    assert parse_event({"Records": [sent_record]}) == Request((FrameHint("b", key, is_exact),))


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
        {"poll": "camera"},
        {"sweep": "camera"},
        {"retry_rejected": "camera"},
    ]
    request = parse_event({"Records": [wrapped(event) for event in events]})
    assert request == Request(
        frames=tuple(FrameHint("b", key) for key in ("a b", "c", "d")),
        polls=(Poll("camera"),),
        sweeps=(Sweep("camera"),),
        retries=(Retry("camera"),),
        ignored=("s3:TestEvent",),
    )


@pytest.mark.parametrize(
    ("body", "said"), [("{", "invalid JSON"), (None, "invalid JSON"), ('{"hello": 1}', "hello"), ("[]", "a list")]
)
def test_a_message_that_holds_no_event_says_so(body: Any, said: str) -> None:
    with pytest.raises(UnknownEvent, match=said):
        parse_event({"Records": [{"eventSource": "aws:sqs", "body": body}]})


@pytest.mark.parametrize(("value", "stream"), [(True, None), ("camera", "camera")])
def test_a_poll_is_asked_for_in_these_forms(value: Any, stream: str | None) -> None:
    assert parse_event({"poll": value}) == Request(polls=(Poll(stream),))


@pytest.mark.parametrize(
    ("value", "sweep"),
    [
        (True, Sweep(None)),
        ("camera", Sweep("camera")),
        ({}, Sweep(None)),
        ({"stream": "camera", "drain": True}, Sweep("camera", drain=True)),
        ({"stream": "camera", "close": True}, Sweep("camera", close=True)),
        ({"scheduled": True}, Sweep(None, scheduled=True)),
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
        ({"poll": False}, "allowed"),
        ({"poll": ""}, "allowed"),
        ({"poll": {"stream": "camera"}}, "allowed"),
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
