"""The messages of one event, which of them failed, and what is answered.

SQS gives a function several messages at once, and can send those that failed again alone. Any other event is one
message. Messages that ask for one stream succeed or fail together: their photos are taken in one go.

An error is raised if it leaves nothing that succeeded: so it is counted and reported as that of any function. A
partial answer needs the event source's `ReportBatchItemFailures`; without it SQS deletes all messages, and the next
sweep takes the photos.

Source: Lambda developer guide, 'Handling errors for an SQS event source in Lambda', read November 2026.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from timelapse_runtime.runtime.batch import batch_response, record_id


@dataclass(slots=True)
class Message:
    """One message: its `event`, and the `streams` that it asks for, once they are known. `id` is that of SQS, or empty
    for an event that is not a batch. `error`: why it failed, or None."""

    event: Any
    id: str = ""
    streams: set[str] = field(default_factory=set)
    error: Exception | None = None

    def fail(self, error: Exception) -> None:
        """Only the first error counts."""
        self.error = self.error or error


class Batch:
    """The messages of one event."""

    def __init__(self, messages: Sequence[Message]) -> None:
        self.messages = messages
        self._stream_errors: dict[str, Exception] = {}

    @classmethod
    def of(cls, event: Any) -> Batch:
        """The event as messages. Its shape is checked no further than that."""
        match event:
            case {"Records": [_, *_] as records} if all(map(_is_message, records)):
                return cls([Message({"Records": [record]}, record["messageId"]) for record in records])
        return cls([Message(event)])

    def fail(self, stream: str, error: Exception) -> None:
        """The messages that ask for this stream have failed."""
        self._stream_errors.setdefault(stream, error)
        for message in self.messages:
            if stream in message.streams:
                message.fail(error)

    def failures(self) -> Iterator[tuple[dict[str, str], Exception]]:
        """Each error once, with the fields of its line in the log: the stream, or the message that was not read."""
        for stream, error in self._stream_errors.items():
            yield {"stream": stream}, error
        of_streams = list(map(id, self._stream_errors.values()))
        for message in self.messages:
            if message.error is not None and id(message.error) not in of_streams:
                yield {"messageId": message.id}, message.error

    def fatal_error(self) -> Exception | None:
        """The error that the invocation is to fail with: no message succeeded."""
        return self.messages[0].error if all(message.error for message in self.messages) else None

    def answer(self) -> dict[str, Any]:
        """What the invocation's answer says of the messages: of those of SQS, which are to be sent again."""
        failed = [message.id for message in self.messages if message.error is not None]
        return batch_response(failed) if self.messages[0].id else {}


def _is_message(record: Any) -> bool:
    return bool(record_id(record)) and record["eventSource"] == "aws:sqs"
