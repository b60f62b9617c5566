"""Sends what a function left in the outbox, after its process has ended.

The external extension does this at SHUTDOWN, and a new runtime does it for jobs that are still there. The rules are
here; `put_sender.py` speaks HTTP. Of S3 they know what the status codes of a conditional PUT mean.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Protocol

from timelapse_runtime.runtime.clock import Clock
from timelapse_runtime.runtime.outbox import JOB_SUFFIX, UNFINISHED_SUFFIX, OutboxJob, OutboxPut, read_job

RETRY_PAUSE_SECONDS = 0.05
"""Short against the 1.4 s that the extension has after a runtime that was killed (RIE, measured November 2026)."""

logger = logging.getLogger("timelapse_runtime.runtime.outbox_sender")


class NotSent(ConnectionError):
    """A PUT that certainly did not happen: no connection was made."""


class Result(Enum):
    """How sending a job ended. Only `OUT_OF_TIME` leaves its file for another try."""

    SENT = "sent"
    REFUSED = "refused"
    EXPIRED = "expired"
    UNREADABLE = "unreadable"
    OUT_OF_TIME = "out of time"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a job. `status` is the last HTTP status that was seen, if any."""

    name: str
    result: Result
    put_count: int
    sent_count: int
    sent_bytes: int
    status: int | None


class PutSender(Protocol):
    """Sends one PUT at a time."""

    def put(self, put: OutboxPut, timeout_seconds: float) -> int:
        """Send once and return the HTTP status. Raises NotSent, or OSError if it is not known whether the PUT
        happened."""
        ...

    def read(self, url: str, timeout_seconds: float) -> bytes | None:
        """Get a URL: its body, or None if the status is not 200. Raises OSError."""
        ...


def send_job(
    job: OutboxJob,
    *,
    deadline_epoch_ms: int,
    clock: Clock,
    sender: PutSender,
    pause: Callable[[float], None] = time.sleep,
) -> Outcome:
    """Send the PUTs in order. Stop at the first one that is refused, or when time has run out.

    No answer, 409, 429 and 5xx are tried again while time allows. A 412 after an attempt without a clear answer may be
    that attempt's success or somebody else's: the object is read back and compared. The file is removed unless time ran
    out.
    """
    sent_count, sent_bytes = 0, 0
    result, status = Result.SENT, None
    if clock.now_epoch_ms() >= job.expires_epoch_ms:
        result = Result.EXPIRED
    for put in job.puts if result is Result.SENT else ():
        result, status = _send_put(put, deadline_epoch_ms, clock, sender, pause)
        if result is not Result.SENT:
            break
        sent_count += 1
        sent_bytes += len(put.body)
    if result is not Result.OUT_OF_TIME:
        job.path.unlink(missing_ok=True)
    return Outcome(job.name, result, len(job.puts), sent_count, sent_bytes, status)


def _send_put(
    put: OutboxPut, deadline_epoch_ms: int, clock: Clock, sender: PutSender, pause: Callable[[float], None]
) -> tuple[Result, int | None]:
    is_unclear, status = False, None
    while (remaining_ms := deadline_epoch_ms - clock.now_epoch_ms()) > 0:
        try:
            status = sender.put(put, remaining_ms / 1000)
            if status == 412 and is_unclear:
                is_own = sender.read(put.read_url, remaining_ms / 1000) == put.body
                return (Result.SENT if is_own else Result.REFUSED), status
        except NotSent:
            pass
        except OSError:
            is_unclear = True
        else:
            if status // 100 == 2:
                return Result.SENT, status
            if status not in (409, 429) and status < 500:
                return Result.REFUSED, status
            is_unclear = is_unclear or status >= 500
        pause(RETRY_PAUSE_SECONDS)
    return Result.OUT_OF_TIME, status


def send_all(
    folder: Path,
    *,
    deadline_epoch_ms: int,
    clock: Clock,
    sender: PutSender,
    pause: Callable[[float], None] = time.sleep,
) -> list[Outcome]:
    """Send every job in the folder, and remove files that a killed writer left unfinished. Logs each outcome."""
    for unfinished in folder.glob(f"*{UNFINISHED_SUFFIX}"):
        unfinished.unlink(missing_ok=True)
    outcomes = []
    for path in sorted(folder.glob(f"*{JOB_SUFFIX}")):
        started_epoch_ms = clock.now_epoch_ms()
        try:
            job = read_job(path)
        except ValueError as error:
            logger.warning("Removed an unreadable outbox job: %s", error)
            path.unlink(missing_ok=True)
            outcomes.append(Outcome(path.stem, Result.UNREADABLE, 0, 0, 0, None))
            continue
        outcome = send_job(job, deadline_epoch_ms=deadline_epoch_ms, clock=clock, sender=sender, pause=pause)
        level = logging.INFO if outcome.result is Result.SENT else logging.WARNING
        logger.log(
            level,
            "Outbox job %s: %s",
            outcome.name,
            outcome.result.value,
            extra={
                "outbox_job": outcome.name,
                "outbox_result": outcome.result.value,
                "outbox_put_count": outcome.put_count,
                "outbox_sent_count": outcome.sent_count,
                "outbox_sent_bytes": outcome.sent_bytes,
                "status": outcome.status,
                "duration_ms": clock.now_epoch_ms() - started_epoch_ms,
            },
        )
        outcomes.append(outcome)
    return outcomes
