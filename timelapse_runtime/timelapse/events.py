"""Events to hints: which frames were uploaded, which streams are to be swept. Pure.

An event is a hint; the listing is the truth. So an envelope that is not understood is an error of the invocation
(somebody connected the wrong source), while a record that is understood and not needed is logged and ignored.

Sources: Amazon S3 user guide, 'Event message structure' (keys are URL-encoded, `+` is a space; the console sends
`s3:TestEvent`) and 'EventBridge event message structure'; Lambda developer guide, 'Using Lambda with Amazon SQS', '…
SNS' and '… Kinesis' (what wraps a message), read November 2026. Public code disagrees on whether
EventBridge's keys are URL-encoded; where the two readings differ, no key is guessed: the stream is listed.
"""

from __future__ import annotations

import json
from base64 import b64decode
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

from timelapse_runtime.timelapse.errors import UnknownEvent

_QUOTE = '"'
_SWEEP_FLAGS = ("drain", "close", "all_reels")


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
    looks for leftovers in every reel there ever was.
    """

    stream: str | None
    drain: bool = False
    close: bool = False
    all_reels: bool = False


@dataclass(frozen=True, slots=True)
class Retry:
    """Try the rejected frames of a stream again: those of one reason, or (None) all."""

    stream: str
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """What one event asks for. `ignored` says, for the log, what was understood and left out."""

    frames: tuple[FrameHint, ...] = ()
    sweeps: tuple[Sweep, ...] = ()
    retries: tuple[Retry, ...] = ()
    ignored: tuple[str, ...] = ()


def parse_event(event: Any) -> Request:
    """S3's notification, the same from EventBridge, S3's test event, or `{"sweep": …}`; each bare, or in messages of
    SQS, SNS or Kinesis. Raises UnknownEvent."""
    if isinstance(event, dict):
        if event.get("Type") == "Notification":  # SNS's envelope, in a message of SQS
            return _parse_message(event.get("Message"))
        if "sweep" in event:
            return Request(sweeps=(_parse_sweep(event["sweep"]),))
        if "retry_rejected" in event:
            return Request(retries=(_parse_retry(event["retry_rejected"]),))
        if event.get("Event") == "s3:TestEvent":
            return Request(ignored=("s3:TestEvent",))
        if event.get("source") == "aws.s3" and "detail-type" in event:
            return _parse_eventbridge(event)
        if isinstance(event.get("Records"), list):
            return _parse_notification(event["Records"])
    raise UnknownEvent(
        f'this function takes S3 events and {{"sweep": "STREAM"}}; this is {_describe(event)}: '
        "connect it to the frames bucket's notifications (or EventBridge's 'Object Created' of aws.s3)"
    )


def _parse_notification(records: list[Any]) -> Request:
    try:
        return _together([_parse_record(record) for record in records])
    except (KeyError, TypeError, AttributeError) as error:
        raise UnknownEvent(f"a record that is not an S3 notification ({error!r} is missing or wrong)") from error


def _parse_record(record: Any) -> Request:
    source = record["EventSource"] if "EventSource" in record else record["eventSource"]  # SNS writes it so
    match source:
        case "aws:sqs":
            return _parse_message(record["body"])
        case "aws:sns":
            return _parse_message(record["Sns"]["Message"])
        case "aws:kinesis":
            return _parse_message(b64decode(record["kinesis"]["data"]))
        case "aws:s3":
            name, s3 = record["eventName"], record["s3"]
            if name.removeprefix("s3:").startswith("ObjectCreated:"):
                return Request((_parse_object(s3["bucket"]["name"], s3["object"]),))
            return Request(ignored=(name,))
    raise UnknownEvent(f"a record from {source!r}: this function takes S3's notifications")


def _parse_object(bucket: str, found: dict[str, Any]) -> FrameHint:
    return FrameHint(
        bucket,
        unquote_plus(found["key"]),
        etag=_etag(found.get("eTag")),
        version_id=_version_id(found.get("versionId")),
    )


def _etag(value: Any) -> str | None:
    return f'"{value.strip(_QUOTE)}"' if isinstance(value, str) and value.strip(_QUOTE) else None


def _version_id(value: Any) -> str | None:
    """Objects from before versioning have the version `null`; some servers send that, or "", for want of versions."""
    return value if isinstance(value, str) and value not in ("", "null") else None


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
        tuple(sweep for request in requests for sweep in request.sweeps),
        tuple(retry for request in requests for retry in request.retries),
        tuple(ignored for request in requests for ignored in request.ignored),
    )


def _parse_eventbridge(event: dict[str, Any]) -> Request:
    kind = event["detail-type"]
    if kind != "Object Created":
        return Request(ignored=(str(kind),))
    try:
        bucket, found = event["detail"]["bucket"]["name"], event["detail"]["object"]
        hint = FrameHint(
            bucket,
            found["key"],
            is_exact=unquote_plus(found["key"]) == found["key"],
            etag=_etag(found.get("etag")),
            version_id=_version_id(found.get("version-id")),
        )
        return Request((hint,))
    except (KeyError, TypeError, AttributeError) as error:
        raise UnknownEvent(f"EventBridge's 'Object Created' without its bucket or key ({error!r})") from error


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
        '{"stream": NAME, "drain": BOOL, "close": BOOL, "all_reels": BOOL}'
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
