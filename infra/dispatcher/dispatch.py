"""Takes messages from the FIFO queue and invokes the timelapse function, with the stream as its tenant.

SQS gives a message group to one dispatcher at a time, and Lambda a tenant its own environment: so a stream's photos
come one after the other to the process that holds its encoder. A batch may mix groups: they go side by side, each in
its order. What failed, and what was behind it in its group, is reported and comes again (ReportBatchItemFailures).

Sources: Lambda developer guide, 'Handling errors for an SQS event source' and 'Tenant isolation', read November 2026.
"""

from __future__ import annotations

import functools
import logging
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

_log = logging.getLogger(__name__)

PATIENCE_SECONDS = 5
"""How much longer than the function's time-out its answer is waited for."""


def handler(event: dict[str, Any], _context: Any) -> dict[str, list[dict[str, str]]]:
    """Carry out a batch; the messages that are to come again."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for record in event["Records"]:
        groups.setdefault(record["attributes"]["MessageGroupId"], []).append(record)
    _client()  # made here: boto3's default session is not for threads
    with ThreadPoolExecutor(len(groups)) as pool:
        failed = [message for messages in pool.map(_carry_out, groups, groups.values()) for message in messages]
    return {"batchItemFailures": [{"itemIdentifier": message} for message in failed]}


def _carry_out(tenant: str, records: list[dict[str, Any]]) -> Iterable[str]:
    """Invoke once a message, in order, up to the first failure; the ids from there on."""
    for position, record in enumerate(records):
        if error := _invoke(tenant, record["body"]):
            _log.error(
                "the function failed", extra={"messageId": record["messageId"], "tenant": tenant, "error": error}
            )
            return [left["messageId"] for left in records[position:]]
    return []


def _invoke(tenant: str, body: str) -> str | None:
    """Invoke and wait; what went wrong, or None."""
    try:
        answer = _client().invoke(FunctionName=os.environ["FUNCTION_NAME"], TenantId=tenant, Payload=body.encode())
        return answer["Payload"].read().decode(errors="replace")[:1000] if "FunctionError" in answer else None
    except (BotoCoreError, ClientError) as error:
        return f"{type(error).__name__}: {error}"


@functools.cache
def _client() -> Any:
    wait = int(os.environ["FUNCTION_TIMEOUT_SECONDS"]) + PATIENCE_SECONDS
    # One attempt: a second one would work beside the first, and SQS tries again anyway.
    once = Config(read_timeout=wait, connect_timeout=5, retries={"total_max_attempts": 1}, tcp_keepalive=True)
    return boto3.client("lambda", config=once)
