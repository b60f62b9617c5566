"""Takes messages from the FIFO queue and invokes the timelapse function, with the stream as its tenant.

SQS gives a message group to one dispatcher at a time, and Lambda a tenant its own environment: so a stream's photos
come one after the other to the process that holds its encoder. A dispatcher gets one message (BatchSize 1), so that no
stream waits for another one.

What Lambda throttles is tried again here, after short random pauses: the function has not run. Any other failure is
left to the queue: its message comes again after a pause that doubles from one attempt to the next, instead of after the
queue's visibility time-out, for which the whole group would wait. After the queue's `maxReceiveCount` it goes to the
dead letters; its photo is in S3, and a sweep finds it.

Sources: Lambda developer guide, 'Handling errors for an SQS event source' and 'Tenant isolation'; Lambda API reference,
'Invoke' (X-Amz-Tenant-Id, TooManyRequestsException); SQS API reference, 'ChangeMessageVisibility'. Read November 2026.
"""

from __future__ import annotations

import functools
import logging
import os
import random
import time
from collections.abc import Callable
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

_log = logging.getLogger(__name__)

PATIENCE_SECONDS = 5
"""How much longer than the function's time-out its answer is waited for."""
THROTTLE_PATIENCE_SECONDS = 20
"""How long a throttled message is tried here before it goes back to the queue: a dispatcher that waits is paid for."""
_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.2, 4.0
_THROTTLED = frozenset({"TooManyRequestsException", "EC2ThrottledException"})
BACKOFF_SECONDS, LONGEST_BACKOFF_SECONDS = 5, 300


class TooLittleTime(Exception):
    """The dispatcher would end before the function's answer."""


class Dispatcher:
    """Invokes the function for one message after the other. `function` is Lambda's client, `queue` that of SQS."""

    def __init__(
        self,
        function: Any,
        queue: Any,
        *,
        function_name: str,
        function_timeout_seconds: int,
        queue_url: str,
        sleep: Callable[[float], None] = time.sleep,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._function, self._queue = function, queue
        self._function_name, self._queue_url = function_name, queue_url
        self._needed_ms = 1_000 * (function_timeout_seconds + PATIENCE_SECONDS)
        self._sleep, self._uniform = sleep, uniform
        self._tenant = ""
        # Not as a parameter: the SDK of Lambda's own Python may be older than TenantId.
        function.meta.events.register("before-call.lambda.Invoke", self._name_tenant)

    def carry_out(self, record: dict[str, Any], remaining_ms: Callable[[], int]) -> bool:
        """Whether the function did what the message asks. If not, the message is made to come again soon."""
        self._tenant = record["attributes"]["MessageGroupId"]
        try:
            error = self._invoke(record["body"], remaining_ms)
        except (BotoCoreError, ClientError, TooLittleTime) as failure:
            error = f"{type(failure).__name__}: {failure}"
        if error is None:
            return True
        received = int(record["attributes"]["ApproximateReceiveCount"])
        seconds = self._backoff_seconds(received)
        fields = {"messageId": record["messageId"], "tenant": self._tenant, "error": error}
        _log.error("the function failed", extra={**fields, "received": received, "again_in_seconds": seconds})
        self._return(record["receiptHandle"], seconds)
        return False

    def _invoke(self, body: str, remaining_ms: Callable[[], int]) -> str | None:
        """Invoke and wait; what the function failed with, or None. Raises what boto3 raises, and TooLittleTime."""
        waited, pause = 0.0, _PAUSE_SECONDS
        while True:
            if remaining_ms() < self._needed_ms:
                raise TooLittleTime(f"{remaining_ms()} ms are left, and the function may take {self._needed_ms}")
            try:
                answer = self._function.invoke(FunctionName=self._function_name, Payload=body.encode())
            except ClientError as error:
                if error.response["Error"]["Code"] not in _THROTTLED or waited >= THROTTLE_PATIENCE_SECONDS:
                    raise
            else:
                return answer["Payload"].read().decode(errors="replace")[:1000] if "FunctionError" in answer else None
            seconds = self._uniform(pause / 2, pause)  # at random, or all that were throttled come again together
            self._sleep(seconds)
            waited, pause = waited + seconds, min(2 * pause, _LONGEST_PAUSE_SECONDS)

    def _backoff_seconds(self, received: int) -> int:
        """5, 10, 20 … 300 seconds, and up to a half less: cameras that failed together come again one by one."""
        longest = min(BACKOFF_SECONDS * 2 ** min(received - 1, 10), LONGEST_BACKOFF_SECONDS)
        return round(self._uniform(longest / 2, longest))

    def _return(self, receipt: str, seconds: int) -> None:
        """If SQS refuses, the message comes again after the queue's visibility time-out."""
        try:
            self._queue.change_message_visibility(
                QueueUrl=self._queue_url, ReceiptHandle=receipt, VisibilityTimeout=seconds
            )
        except (BotoCoreError, ClientError) as error:
            _log.warning("the message comes again late", extra={"tenant": self._tenant, "error": str(error)})

    def _name_tenant(self, params: dict[str, Any], **_: Any) -> None:
        params["headers"]["X-Amz-Tenant-Id"] = self._tenant


def handler(event: dict[str, Any], context: Any) -> dict[str, list[dict[str, str]]]:
    """Carry out the messages up to the first failure; those that are to come again."""
    dispatcher, records = _dispatcher(), event["Records"]
    for position, record in enumerate(records):
        if not dispatcher.carry_out(record, context.get_remaining_time_in_millis):
            return {"batchItemFailures": [{"itemIdentifier": left["messageId"]} for left in records[position:]]}
    return {"batchItemFailures": []}


@functools.cache
def _dispatcher() -> Dispatcher:
    timeout = int(os.environ["FUNCTION_TIMEOUT_SECONDS"])
    # One attempt: after a time-out a second one would work beside the first. What may be tried again is tried above.
    once = Config(
        read_timeout=timeout + PATIENCE_SECONDS,
        connect_timeout=5,
        retries={"total_max_attempts": 1},
        tcp_keepalive=True,
    )
    return Dispatcher(
        boto3.client("lambda", config=once),
        boto3.client("sqs", config=Config(connect_timeout=5, read_timeout=5)),
        function_name=os.environ["FUNCTION_NAME"],
        function_timeout_seconds=timeout,
        queue_url=os.environ["QUEUE_URL"],
    )
