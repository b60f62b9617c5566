"""Partial batch responses: which records come again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from timelapse_runtime.runtime.batch import BatchRecords, batch_response, record_id
from timelapse_runtime.runtime.interrupts import DeadlineReached

QUEUE = "arn:aws:sqs:eu-west-1:1:photos"


def sqs(name: str) -> dict[str, Any]:
    return {"messageId": name, "body": name, "eventSource": "aws:sqs", "eventSourceARN": QUEUE}


def fifo(name: str) -> dict[str, Any]:
    return sqs(name) | {"eventSourceARN": f"{QUEUE}.fifo"}


def kinesis(name: str) -> dict[str, Any]:
    return {"eventSource": "aws:kinesis", "eventID": f"shard:{name}", "kinesis": {"sequenceNumber": name}}


def dynamodb(name: str) -> dict[str, Any]:
    return {"eventSource": "aws:dynamodb", "eventID": "e", "dynamodb": {"SequenceNumber": name}}


def take(make: Callable[[str], Any], *fails: str) -> tuple[list[str], list[str]]:
    """Of the records a, b and c: which were attempted, and which come again."""
    batch = BatchRecords({"Records": [make(name) for name in "abc"]})
    attempted = []
    for record in batch:
        with batch.attempt(record):
            attempted.append(record_id(record))
            if attempted[-1] in fails:
                raise ValueError(attempted[-1])
    return attempted, [one["itemIdentifier"] for one in batch.response()["batchItemFailures"]]


everywhere = pytest.mark.parametrize("make", [sqs, fifo, kinesis, dynamodb])


@everywhere
def test_a_batch_that_succeeds_leaves_nothing(make: Callable[[str], Any]) -> None:
    assert take(make) == (["a", "b", "c"], [])


def test_a_message_that_fails_comes_again_alone() -> None:
    assert take(sqs, "b") == (["a", "b", "c"], ["b"])


@pytest.mark.parametrize("make", [fifo, kinesis, dynamodb])
def test_behind_a_failure_in_order_nothing_is_attempted_and_all_comes_again(make: Callable[[str], Any]) -> None:
    assert take(make, "b") == (["a", "b"], ["b", "c"])


@everywhere
def test_an_invocation_without_a_success_fails_with_the_first_error(make: Callable[[str], Any]) -> None:
    with pytest.raises(ValueError, match="a"):
        take(make, "a", "b", "c")


def test_what_was_not_attempted_comes_again() -> None:
    batch = BatchRecords({"Records": [sqs("a"), sqs("b")]})
    for record in batch:
        with batch.attempt(record):
            pass
        break
    assert batch.response() == batch_response(["b"])


def test_a_record_that_fails_at_its_second_attempt_comes_again() -> None:
    batch = BatchRecords({"Records": [sqs("a"), sqs("b")]})
    for record in batch:
        with batch.attempt(record):
            pass
    with batch.attempt(sqs("b")):
        raise ValueError("again")
    assert batch.response() == batch_response(["b"])


@pytest.mark.parametrize(("make", "again"), [(sqs, ["b"]), (fifo, ["b", "c"]), (kinesis, ["b", "c"])])
def test_a_record_that_fails_after_it_succeeded_comes_again_with_those_behind_it_in_order(
    make: Callable[[str], Any], again: list[str]
) -> None:
    batch = BatchRecords({"Records": [make(name) for name in "abc"]})
    for record in batch:
        with batch.attempt(record):
            pass
    batch.fail([make("b")], ValueError("not saved"))
    assert batch.response() == batch_response(again)
    batch.fail([make("a"), make("c")], KeyError("nor these"))
    with pytest.raises(ValueError, match="not saved"):
        batch.response()


def test_an_interruption_passes_through() -> None:
    batch = BatchRecords({"Records": [sqs("a")]})
    with pytest.raises(DeadlineReached), batch.attempt(sqs("a")):
        raise DeadlineReached


@pytest.mark.parametrize(
    "event",
    [
        {},
        [],
        "text",
        {"Records": []},
        {"Records": "text"},
        {"Records": [sqs("a"), {"s3": {}}]},
        {"Records": [sqs("")]},
        {"Records": [{"eventSource": "aws:sqs", "messageId": 7}]},
    ],
)
def test_an_event_without_records_that_can_fail_alone_is_an_error(event: Any) -> None:
    with pytest.raises(ValueError, match="no records"):
        BatchRecords(event)
