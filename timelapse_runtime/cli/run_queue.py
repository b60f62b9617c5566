"""S3's notifications in a queue of SQS, read by long polling. Beside `runtime/state/s3.py` the only user of boto3.

A message that is not deleted is visible again after the queue's visibility time-out, and comes again.

Source: Amazon SQS API reference, ReceiveMessage and DeleteMessageBatch, read November 2026.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ProfileNotFound

from timelapse_runtime.cli.run_host import QueueError
from timelapse_runtime.runtime.state.s3 import make_session
from timelapse_runtime.timelapse.errors import ConfigError

_MESSAGES = 10
"""ReceiveMessage gives no more at once, and DeleteMessageBatch takes no more."""
_READ_TIMEOUT_SECONDS = 30
"""Longer than the 20 seconds for which SQS waits for a message."""
_AWS_HOST = re.compile(r"(?:sqs(?:-fips)?\.([a-z0-9-]+)\.(?:amazonaws\.com(?:\.cn)?|api\.aws))")
_REFUSED = frozenset({400, 401, 403, 404})


class NotificationQueue:
    """One queue. `interruptible` is a context in which a signal may raise an exception: a message that is lost by that
    comes again."""

    def __init__(self, url: str, variables: Mapping[str, str], interruptible: Callable[[], Any]) -> None:
        host = urlsplit(url)
        aws = _AWS_HOST.fullmatch(host.hostname or "")
        try:
            self._client: Any = make_session(variables).client(
                "sqs",
                region_name=aws[1] if aws else None,
                endpoint_url=None if aws else f"{host.scheme}://{host.netloc}",
                config=Config(read_timeout=_READ_TIMEOUT_SECONDS, connect_timeout=5, retries={"total_max_attempts": 2}),
            )
        except ProfileNotFound as error:
            raise ConfigError("AWS_PROFILE", variables.get("AWS_PROFILE"), "a profile of ~/.aws/config") from error
        self._url, self._interruptible = url, interruptible

    def receive(self, wait_seconds: int) -> Sequence[Mapping[str, str]]:
        """See Queue."""
        with _translated("ReceiveMessage", self._url), self._interruptible():
            answer = self._client.receive_message(
                QueueUrl=self._url, MaxNumberOfMessages=_MESSAGES, WaitTimeSeconds=wait_seconds
            )
        names = {"MessageId": "messageId", "Body": "body", "ReceiptHandle": "receiptHandle"}
        return [{own: message[name] for name, own in names.items()} for message in answer.get("Messages", ())]

    def delete(self, messages: Sequence[Mapping[str, str]]) -> None:
        """See Queue. One that cannot be deleted comes again, which is no error."""
        entries = [
            {"Id": str(number), "ReceiptHandle": message["receiptHandle"]} for number, message in enumerate(messages)
        ]
        if entries:
            with _translated("DeleteMessageBatch", self._url):
                self._client.delete_message_batch(QueueUrl=self._url, Entries=entries)


@contextmanager
def _translated(operation: str, url: str) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        raise QueueError(f"{operation} of {url}: {error}", is_refused=status in _REFUSED) from error
    except BotoCoreError as error:
        is_refused = "Credential" in type(error).__name__ or "Region" in type(error).__name__
        raise QueueError(f"{operation} of {url}: {error}", is_refused=is_refused) from error
