"""Which messages an event is, and what is answered if some of them failed."""

from __future__ import annotations

from typing import Any

import pytest

from timelapse_runtime.timelapse.batch import Batch


def sqs(*names: str) -> dict[str, Any]:
    return {"Records": [{"eventSource": "aws:sqs", "messageId": name, "body": "{}"} for name in names]}


def batch_of(**streams: str) -> Batch:
    """Messages by their ids, each with the streams that it asks for."""
    batch = Batch.of(sqs(*streams))
    for message in batch.messages:
        message.streams |= set(streams[message.id].split())
    return batch


def test_each_message_of_sqs_is_an_event_of_its_own() -> None:
    event = sqs("1", "2")
    messages = Batch.of(event).messages
    assert [(one.id, one.event) for one in messages] == [
        ("1", {"Records": [event["Records"][0]]}),
        ("2", {"Records": [event["Records"][1]]}),
    ]


@pytest.mark.parametrize(
    "event",
    [
        {"sweep": True},
        {"Records": []},
        {"Records": [{"eventSource": "aws:s3"}]},
        {"Records": [*sqs("1")["Records"], {"eventSource": "aws:s3"}]},
        {"Records": [{"eventSource": "aws:sqs", "messageId": ""}]},
        {"Records": "none"},
        None,
        3,
    ],
)
def test_any_other_event_is_one_message(event: Any) -> None:
    batch = Batch.of(event)
    assert [(one.id, one.event) for one in batch.messages] == [("", event)]
    assert (batch.fatal_error(), batch.answer()) == (None, {})
    error = ValueError()
    batch.messages[0].fail(error)
    assert batch.fatal_error() is error


def test_the_messages_of_a_failed_stream_are_to_be_sent_again() -> None:
    batch = batch_of(a="garden", b="roof", c="garden roof", d="")
    assert batch.answer() == {"batchItemFailures": []}
    error = ValueError()
    batch.fail("roof", error)
    assert batch.answer() == {"batchItemFailures": [{"itemIdentifier": "b"}, {"itemIdentifier": "c"}]}
    assert batch.fatal_error() is None
    assert list(batch.failures()) == [({"stream": "roof"}, error)]


def test_the_invocation_fails_if_no_message_succeeded() -> None:
    batch, first, second = batch_of(a="garden", b="roof"), ValueError(), KeyError()
    batch.messages[1].fail(second)
    batch.fail("garden", first)
    assert batch.fatal_error() is first
    assert list(batch.failures()) == [({"stream": "garden"}, first), ({"messageId": "b"}, second)]
