"""Partial batch responses: of the records of one event, those that failed come again, and the others do not.

For SQS, Kinesis and DynamoDB streams, if the event source mapping has `ReportBatchItemFailures`; without it a response
means that all records succeeded. Records of a FIFO queue and of streams are in order: behind the first one that fails
none is taken, and all of those come again.

Source: Lambda developer guide, 'Handling errors for an SQS event source in Lambda' and 'Configuring partial batch
response with Kinesis Data Streams and Lambda', read November 2026.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import TracebackType
from typing import Any

logger = logging.getLogger("timelapse_runtime.runtime.batch")


def record_id(record: Any) -> str:
    """What Lambda calls a record in a partial batch response; empty if it is not a record of such a source."""
    match record:
        case (
            {"eventSource": "aws:sqs", "messageId": str(name)}
            | {"eventSource": "aws:kinesis", "kinesis": {"sequenceNumber": str(name)}}
            | {"eventSource": "aws:dynamodb", "dynamodb": {"SequenceNumber": str(name)}}
        ):
            return name
    return ""


def batch_response(failed_ids: Iterable[str]) -> dict[str, list[dict[str, str]]]:
    """The response that names the records that are to come again."""
    return {"batchItemFailures": [{"itemIdentifier": name} for name in failed_ids]}


class BatchRecords:
    """The records of one event:

        batch = BatchRecords(event)
        for record in batch:
            with batch.attempt(record):
                handle(record)
        return batch.response()

    An error in `attempt` is logged and fails its record only; `fail` fails records afterwards. What is not attempted,
    because the loop was left or an earlier record in order failed, comes again, too. Interruptions (`interrupts.py`)
    pass through: then the invocation fails, and all records come again.
    """

    def __init__(self, event: Mapping[str, Any]) -> None:
        """Raises ValueError if the event is not one of records that can fail alone."""
        records = event.get("Records") if isinstance(event, Mapping) else None
        self._records = {record_id(record): record for record in records} if isinstance(records, list) else {}
        if not self._records or "" in self._records:
            raise ValueError("the event has no records of SQS, Kinesis or a DynamoDB stream")
        self._in_order = any(map(_is_in_order, self._records.values()))
        self._done = set[str]()
        self._errors = dict[str, Exception]()

    def __iter__(self) -> Iterator[Any]:
        """The records that are to be attempted."""
        for record in self._records.values():
            if self._in_order and self._errors:
                return
            yield record

    def attempt(self, record: Any) -> AbstractContextManager[None, bool]:
        """Handle one record in this block. An Exception ends the block, and fails the record."""
        return _Attempt(record, self._done, self.fail)

    def fail(self, records: Iterable[Any], error: Exception) -> None:
        """These records come again, whatever was said of them before: what they changed could not be saved."""
        names = [record_id(record) for record in records]
        logger.error("Record %s failed", ", ".join(names), exc_info=error)
        self._errors.update(dict.fromkeys(names, error))

    def response(self) -> dict[str, list[dict[str, str]]]:
        """What `invoke` returns. Raises the first error if no record succeeded: Lambda then counts an error."""
        names, again = list(self._records), [name not in self._done or name in self._errors for name in self._records]
        if self._in_order and True in again:
            again[again.index(True) :] = [True] * (len(again) - again.index(True))
        if self._errors and all(again):
            raise next(iter(self._errors.values()))
        return batch_response(name for name, comes_again in zip(names, again, strict=True) if comes_again)


@dataclass(frozen=True, slots=True)
class _Attempt(AbstractContextManager[None, bool]):
    """A class, not a generator: its type says that it keeps exceptions."""

    record: Any
    done: set[str]
    fail: Callable[[Iterable[Any], Exception], None]

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> bool:
        if error is None:
            self.done.add(record_id(self.record))
        elif isinstance(error, Exception):
            self.fail([self.record], error)
        return isinstance(error, Exception)


def _is_in_order(record: Mapping[str, Any]) -> bool:
    return record["eventSource"] != "aws:sqs" or str(record.get("eventSourceARN", "")).endswith(".fifo")
