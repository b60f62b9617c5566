"""Events to hints: which frames were uploaded, which streams are to be swept. Pure.

An event is a hint; the listing is the truth. So an envelope that is not understood is an error of the invocation
(somebody connected the wrong source), while a record that is understood and not needed is logged and ignored.

A record with an `s3` object is a notification, whatever its source: MinIO, Ceph's radosgw, Wasabi, StorageGRID and
others send AWS's form. AWS and MinIO encode the key as in a URL (MinIO the slashes too), radosgw does not; of others it
is not known, nor of EventBridge: public code disagrees. Where the two readings differ, no key is guessed: the stream is
listed.

Sources: Amazon S3 user guide, 'Event message structure' (keys are URL-encoded, `+` is a space; the console sends
`s3:TestEvent`) and 'EventBridge event message structure'; Lambda developer guide, 'Using Lambda with Amazon SQS', '…
SNS' and '… Kinesis' (what wraps a message); minio/minio issues 7665 and 11665; Ceph, 'Bucket notifications', and
suitenumerique/meet pull request 1455; Cloudflare R2, 'Event notifications'; Backblaze B2, 'Event notifications
reference guide'. Read November 2026.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

from timelapse_runtime.timelapse.errors import UnknownEvent

_PLAN, _RANGE = re.compile(r"[0-9a-f-]{1,64}"), re.compile(r"[0-9]{1,12}-[0-9]{1,12}")
_QUOTE = '"'
_ENCODED_BY = frozenset({"aws:s3", "minio:s3", None})
"""Sources whose keys are URL-encoded for sure. None: RustFS names none (rustfs/rustfs issue 2647)."""
_R2_CREATES = frozenset({"PutObject", "CopyObject", "CompleteMultipartUpload"})
_SWEEP_FLAGS = ("drain", "close", "all_reels", "scheduled")


@dataclass(frozen=True, slots=True)
class FrameHint:
    """An object was created. With `is_exact` False, `key` only tells the stream: list to find the frame.

    `etag` has quotes, as in S3's answers (events have none). It and `version_id` are None if the event does not say,
    and so is `version_id` in a bucket without versioning.
    """

    bucket: str
    key: str
    is_exact: bool = True
    etag: str | None = None
    version_id: str | None = None


@dataclass(frozen=True, slots=True)
class Sweep:
    """Finish what is unfinished, of one stream or (None) of all.

    `drain` takes the last frames out of the encoder even while the stream is busy; `close` ends the reel; `all_reels`
    looks for leftovers in every reel there ever was. With `scheduled`, streams that have been idle for long are swept
    less often (sweep_pauses.py).
    """

    stream: str | None
    drain: bool = False
    close: bool = False
    all_reels: bool = False
    scheduled: bool = False


@dataclass(frozen=True, slots=True)
class Poll:
    """Take the photos that a listing shows, of one stream or (None) of all: for stores that send no notifications."""

    stream: str | None


@dataclass(frozen=True, slots=True)
class Retry:
    """Try the rejected frames of a stream again: those of one reason, or (None) all."""

    stream: str
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """What one event asks for. `ignored` says, for the log, what was understood and left out."""

    frames: tuple[FrameHint, ...] = ()
    polls: tuple[Poll, ...] = ()
    sweeps: tuple[Sweep, ...] = ()
    retries: tuple[Retry, ...] = ()
    ignored: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PlanRanges:
    """The first step of a backfill by many functions (`backfill.py`): the photos of a stream to ranges."""

    stream: str


@dataclass(frozen=True, slots=True)
class EncodeRange:
    """Encode one range of a plan."""

    stream: str
    plan: str
    range: str


@dataclass(frozen=True, slots=True)
class JoinRanges:
    """Commit what was encoded of a plan."""

    stream: str
    plan: str


def parse_backfill(event: Any) -> PlanRanges | EncodeRange | JoinRanges | None:
    """A step of a backfill; None if the event is something else. Raises UnknownEvent."""
    match event:
        case {"backfill": {"plan": str(stream), **rest}} if stream and not rest:
            return PlanRanges(stream)
        case {"backfill": {"encode": {"stream": str(stream), "plan": str(plan), "range": str(name), **rest}}}:
            if stream and _PLAN.fullmatch(plan) and _RANGE.fullmatch(name) and not rest:
                return EncodeRange(stream, plan, name)
        case {"backfill": {"join": {"stream": str(stream), "plan": str(plan), **rest}}}:
            if stream and _PLAN.fullmatch(plan) and not rest:
                return JoinRanges(stream, plan)
        case {"backfill": _}:
            pass
        case _:
            return None
    raise UnknownEvent(
        f'backfill is {event["backfill"]!r}; allowed: {{"plan": STREAM}}, {{"encode": {{"stream": STREAM, "plan": ID, '
        '"range": NAME}}, {"join": {"stream": STREAM, "plan": ID}}'
    )


def parse_event(event: Any) -> Request:
    """S3's notification, that of EventBridge, R2 or B2, S3's test event, `{"poll": …}`, `{"sweep": …}` or
    `{"retry_rejected": …}`; each bare, or in messages of SQS, SNS or Kinesis. Raises UnknownEvent."""
    match event:
        case {"Type": "Notification", **rest}:  # SNS's envelope, in a message of SQS
            return _parse_message(rest.get("Message"))
        case {"poll": value}:
            return Request(polls=(_parse_poll(value),))
        case {"sweep": value}:
            return Request(sweeps=(_parse_sweep(value),))
        case {"retry_rejected": value}:
            return Request(retries=(_parse_retry(value),))
        case {"Event": "s3:TestEvent"}:
            return Request(ignored=("s3:TestEvent",))
        case _:
            return _parse_notification(event)


def _parse_notification(event: Any) -> Request:
    parse: Callable[[Any], Request]
    match event:
        case {"source": "aws.s3", "detail-type": _}:
            parse, records = _parse_eventbridge, [event]
        case {"Records": [*records]}:
            parse = _parse_record
        case {"events": [*records]}:
            parse = _parse_b2
        case {"action": _, "bucket": _, "object": _}:
            parse, records = _parse_r2, [event]
        case _:
            raise UnknownEvent(
                f'this function takes S3 events and {{"sweep": "STREAM"}}; this is {_describe(event)}: '
                "connect it to the frames bucket's notifications (or EventBridge's 'Object Created' of aws.s3)"
            )
    try:
        return _together([parse(record) for record in records])
    except (KeyError, TypeError, AttributeError) as error:
        raise UnknownEvent(f"a record that is not an S3 notification ({error!r} is missing or wrong)") from error


def _parse_record(record: Any) -> Request:
    source = record.get("EventSource", record.get("eventSource"))  # SNS writes the first
    match source:
        case "aws:sqs":
            return _parse_message(record["body"])
        case "aws:sns":
            return _parse_message(record["Sns"]["Message"])
        case "aws:kinesis":
            return _parse_message(b64decode(record["kinesis"]["data"]))
    if source != "aws:s3" and "s3" not in record:
        raise UnknownEvent(f"a record from {source!r}: this function takes S3's notifications")
    name, s3 = record["eventName"], record["s3"]
    if not name.removeprefix("s3:").startswith("ObjectCreated:"):
        return Request(ignored=(name,))
    bucket, found = s3["bucket"]["name"], s3["object"]
    return _created(
        bucket,
        found["key"],
        is_encoded=source in _ENCODED_BY,
        etag=found.get("eTag"),
        version_id=found.get("versionId"),
    )


def _parse_eventbridge(event: Any) -> Request:
    if event["detail-type"] != "Object Created":
        return Request(ignored=(str(event["detail-type"]),))
    bucket, found = event["detail"]["bucket"]["name"], event["detail"]["object"]
    return _created(bucket, found["key"], etag=found.get("etag"), version_id=found.get("version-id"))


def _parse_r2(event: Any) -> Request:
    if event["action"] not in _R2_CREATES:
        return Request(ignored=(str(event["action"]),))
    return _created(event["bucket"], event["object"]["key"], etag=event["object"].get("eTag"))


def _parse_b2(event: Any) -> Request:
    """One of B2's events. Its version is B2's own, not that of an S3 API: it is left out."""
    if not event["eventType"].startswith("b2:ObjectCreated:"):
        return Request(ignored=(event["eventType"],))
    return _created(event["bucketName"], event["objectName"])


def _created(bucket: str, key: str, *, is_encoded: bool = False, etag: Any = None, version_id: Any = None) -> Request:
    """A hint to the object. Without `is_encoded`, the key is taken as it is, but for encoded slashes; it is exact if
    decoding would not change it."""
    decoded = unquote_plus(key)
    reading = decoded if is_encoded or ("/" not in key and "/" in decoded) else key
    is_exact = is_encoded or decoded == key
    return Request((FrameHint(bucket, reading, is_exact, _etag(etag), _version_id(version_id)),))


def _etag(value: Any) -> str | None:
    return f'"{value.strip(_QUOTE)}"' if isinstance(value, str) and value.strip(_QUOTE) else None


def _version_id(value: Any) -> str | None:
    """Objects from before versioning have the version `null`. Without versions, radosgw sends "", and MinIO sent "1"
    until 2018."""
    return value if isinstance(value, str) and value not in ("", "null", "1") else None


def _parse_message(message: Any) -> Request:
    """What a queue, a topic or a stream carries: an event as text."""
    try:
        event = json.loads(message)
    except (ValueError, TypeError) as error:
        raise UnknownEvent(f"invalid JSON in a message ({error}): S3's notifications are JSON") from error
    return parse_event(event)


def _together(requests: list[Request]) -> Request:
    return Request(
        tuple(frame for request in requests for frame in request.frames),
        tuple(poll for request in requests for poll in request.polls),
        tuple(sweep for request in requests for sweep in request.sweeps),
        tuple(retry for request in requests for retry in request.retries),
        tuple(ignored for request in requests for ignored in request.ignored),
    )


def _parse_poll(value: Any) -> Poll:
    if value is True or (isinstance(value, str) and value):
        return Poll(None if value is True else value)
    raise UnknownEvent(f"poll is {value!r}; allowed: true (all streams), or a stream's name")


def _parse_sweep(value: Any) -> Sweep:
    if value is True:
        return Sweep(None)
    if isinstance(value, str) and value:
        return Sweep(value)
    if isinstance(value, dict) and set(value) <= {"stream", *_SWEEP_FLAGS}:
        stream, flags = value.get("stream"), {name: value.get(name, False) for name in _SWEEP_FLAGS}
        if (stream is None or (isinstance(stream, str) and stream)) and set(map(type, flags.values())) == {bool}:
            return Sweep(stream, **flags)
    raise UnknownEvent(
        f"sweep is {value!r}; allowed: true (all streams), a stream's name, or "
        '{"stream": NAME, "drain": BOOL, "close": BOOL, "all_reels": BOOL, "scheduled": BOOL}'
    )


def _parse_retry(value: Any) -> Retry:
    if isinstance(value, str) and value:
        return Retry(value)
    if isinstance(value, dict) and set(value) <= {"stream", "reason"}:
        stream, reason = value.get("stream"), value.get("reason")
        if isinstance(stream, str) and stream and (reason is None or isinstance(reason, str)):
            return Retry(stream, reason)
    raise UnknownEvent(
        f'retry_rejected is {value!r}; allowed: a stream\'s name, or {{"stream": NAME, "reason": REASON}}'
    )


def _describe(event: Any) -> str:
    if isinstance(event, dict):
        return "an object with the keys " + (", ".join(sorted(map(str, event))[:8]) or "(none)")
    return f"a {type(event).__name__}"
