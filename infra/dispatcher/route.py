"""Puts each photo's event into the FIFO queue, in its stream's message group; a sweep becomes one message a stream.

An EventBridge rule has one fixed MessageGroupId for all that it sends, and S3 cannot send to a FIFO queue at all: so
this function stands between. The event's text is passed on as it came; what it means is the runtime's business.

Sources: EventBridge API reference, 'SqsParameters'; SQS API reference, 'SendMessage'; Lambda API reference, 'Invoke'
(TenantId), read November 2026.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
from collections.abc import Iterator
from typing import Any

import boto3

_log = logging.getLogger(__name__)

_BATCH = 10  # SendMessageBatch takes no more
_PLAIN = re.compile(r"[A-Za-z0-9._:=+@-]{1,100}")
"""What both a MessageGroupId (128 characters, no space) and a TenantId (256, few signs) take."""


def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    """Route one event. An error is for Lambda to try again, and then for the failure queue."""
    if "sweep" in event:
        wanted = event["sweep"] if isinstance(event["sweep"], dict) else {}
        messages = [
            _message(stream, {"sweep": {**wanted, "stream": stream}}, context.aws_request_id) for stream in _streams()
        ]
    else:
        found = event["detail"]["object"]
        name, slash, rest = found["key"].removeprefix(os.environ["FRAMES_PREFIX"]).partition("/")
        if not (name and slash and rest):
            _log.warning("ignored: no stream's folder in its key", extra={"frame": found["key"]})
            return {"sent": 0}
        # An object's sequencer grows with each write to its key: an event that comes twice is sent once.
        messages = [_message(name, event, f"{found['key']}\n{found.get('sequencer', event['id'])}")]
    for start in range(0, len(messages), _BATCH):
        _send(messages[start : start + _BATCH])
    return {"sent": len(messages)}


def group_of(stream: str) -> str:
    """The message group and tenant of a stream: its name, or a digest of a name that they would not take."""
    return stream if _PLAIN.fullmatch(stream) else "sha256-" + _digest(stream)


def _message(stream: str, body: dict[str, Any], once: str) -> dict[str, str]:
    return {
        "MessageBody": json.dumps(body),
        "MessageGroupId": group_of(stream),
        "MessageDeduplicationId": _digest(f"{stream}\n{once}"),
    }


def _send(messages: list[dict[str, str]]) -> None:
    entries = [{"Id": str(number), **message} for number, message in enumerate(messages)]
    answer = boto3.client("sqs").send_message_batch(QueueUrl=os.environ["QUEUE_URL"], Entries=entries)
    if failed := answer.get("Failed"):
        raise RuntimeError(f"{len(failed)} of {len(entries)} messages were not taken: {failed[0]['Message']}")


def _streams() -> Iterator[str]:
    prefix = os.environ["FRAMES_PREFIX"]
    pages = boto3.client("s3").get_paginator("list_objects_v2")
    for page in pages.paginate(Bucket=os.environ["FRAMES_BUCKET"], Prefix=prefix, Delimiter="/"):
        for folder in page.get("CommonPrefixes", ()):
            yield folder["Prefix"].removeprefix(prefix)[:-1]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
