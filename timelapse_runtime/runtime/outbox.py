"""The handover: what the runtime leaves to be uploaded, and how that is carried out after it has gone.

A *plan* is one file, `<folder>/<name>.plan`: a first line of JSON, then the bodies of its PUTs one after the other.

    {"format":2,"name":…,"created_epoch_ms":…,"expires_epoch_ms":…,
     "puts":[{"method":"PUT","url","headers","size","read_url"} …]}

It is written under another name and renamed, so that it is whole or absent, and a longer plan replaces a shorter
one of the same name. Mode 0600 in a folder of mode 0700: the URLs are signed.

The runtime writes plans; the external extension carries them out, or the next runtime in the same environment
(`/tmp` survives a reset). This module therefore imports the standard library only. It knows nothing of video or
of S3 beyond the meaning of status codes: each PUT is presigned and carries its own condition.

What is not promised: that a plan is ever carried out. Who wrote it must not depend on it.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import IO, TypeAlias

from timelapse_runtime.runtime.clock import Clock

FORMAT = 2
PLAN_SUFFIX = ".plan"
UNFINISHED_SUFFIX = ".unfinished"
MARKER = "extension.json"
RETRY_PAUSE_SECONDS = 0.05
"""Short against the 1.4 s that the extension has after a runtime that was killed (RIE, measured)."""

logger = logging.getLogger("timelapse_runtime.runtime.outbox")


class NotSent(ConnectionError):
    """A PUT that certainly did not happen: no connection came about."""


class Result(Enum):
    """How carrying out a plan ended. Only `OUT_OF_TIME` leaves the file for someone else to try."""

    CARRIED_OUT = "carried out"
    REFUSED = "refused"
    EXPIRED = "expired"
    UNREADABLE = "unreadable"
    OUT_OF_TIME = "out of time"


@dataclass(frozen=True, slots=True)
class Put:
    """One presigned PUT: exactly these headers, this body. `read_url`: a presigned GET of the same object."""

    url: str
    headers: Mapping[str, str]
    body: bytes
    read_url: str


@dataclass(frozen=True, slots=True)
class Plan:
    """PUTs in the order in which they are to happen, each only after the one before it."""

    path: Path
    name: str
    created_epoch_ms: int
    expires_epoch_ms: int
    puts: tuple[Put, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a plan. `status` is the last HTTP status that was seen, if any."""

    name: str
    result: Result
    put_count: int
    done_count: int
    done_bytes: int
    status: int | None


Send: TypeAlias = Callable[[Put, float], int]
"""Sends one PUT within so many seconds and returns the HTTP status. Raises NotSent, or OSError when it is not
known whether the PUT happened."""

Read: TypeAlias = Callable[[str, float], bytes | None]
"""Gets a URL within so many seconds: its body, or None when the answer is an error. Raises OSError."""


def folder(variables: Mapping[str, str]) -> Path:
    """Where plans are left in this execution environment."""
    return Path(variables.get("TMPDIR") or "/tmp") / "timelapse-handover"  # noqa: S108  Lambda's one writable folder


def announce(plans: Path) -> IO[str]:
    """Say that an extension is here to carry out plans. It holds while the returned file stays open.

    The word is a lock, not the file: a lock goes with its process, however that ends, and cannot be mistaken
    for a later process with the same id.
    """
    plans.mkdir(mode=0o700, parents=True, exist_ok=True)
    marker = (plans / MARKER).open("w")
    fcntl.flock(marker, fcntl.LOCK_EX | fcntl.LOCK_NB)
    json.dump({"pid": os.getpid()}, marker)
    marker.flush()
    return marker


def is_announced(plans: Path) -> bool:
    """Whether a living extension waits for plans in this folder."""
    try:
        with (plans / MARKER).open() as marker:
            fcntl.flock(marker, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def write_plan(plans: Path, name: str, puts: Sequence[Put], *, created_epoch_ms: int, expires_epoch_ms: int) -> Path:
    """Leave a plan, in place of an earlier one of the same name. A crash leaves the earlier one, or none.

    `name` must do as a file name. Not synced to disk: `/tmp` outlives the process, and not the machine. Raises OSError
    where there is no space; then what was written is removed again.
    """
    if not name or "/" in name or name.startswith("."):
        raise ValueError(f"a plan's name must do as a file name, got {name!r}")
    head = {
        "format": FORMAT,
        "name": name,
        "created_epoch_ms": created_epoch_ms,
        "expires_epoch_ms": expires_epoch_ms,
        "puts": [
            {
                "method": "PUT",
                "url": put.url,
                "headers": dict(put.headers),
                "size": len(put.body),
                "read_url": put.read_url,
            }
            for put in puts
        ],
    }
    plans.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = plans / f"{name}{UNFINISHED_SUFFIX}"
    # Not O_EXCL: an unfinished file that a killed runtime left must not stop its successor.
    try:
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(json.dumps(head, separators=(",", ":")).encode() + b"\n")
            for put in puts:
                file.write(put.body)
    except OSError:
        unfinished.unlink(missing_ok=True)
        raise
    path = plans / f"{name}{PLAN_SUFFIX}"
    unfinished.replace(path)
    return path


def read_plan(path: Path) -> Plan:
    """Read a plan back. Raises ValueError, saying what is wrong, when it is not one that this version wrote."""
    line, separator, bodies = path.read_bytes().partition(b"\n")
    try:
        head = json.loads(line)
        if not separator or head["format"] != FORMAT:
            raise ValueError(f"{path} is not a plan of format {FORMAT}")
        puts, start = [], 0
        for entry in head["puts"]:
            end = start + entry["size"]
            puts.append(Put(entry["url"], dict(entry["headers"]), bodies[start:end], entry["read_url"]))
            start = end
        name, created, expires = head["name"], int(head["created_epoch_ms"]), int(head["expires_epoch_ms"])
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path} is not a whole plan: {error!r}") from error
    if start != len(bodies):
        raise ValueError(f"{path} should hold {start} bytes of bodies, and holds {len(bodies)}")
    return Plan(path, name, created, expires, tuple(puts))


def carry_out(
    plan: Plan,
    *,
    deadline_epoch_ms: int,
    clock: Clock,
    send: Send,
    read: Read,
    pause: Callable[[float], None] = time.sleep,
) -> Outcome:
    """Send the PUTs in order; stop at the first that is refused, or when time is out.

    No answer, 409, 429 and 5xx are tried again while time allows. A 412 that follows an unclear attempt may be
    that attempt's success or another's: the object is read back and compared. The file is removed unless time ran
    out.
    """
    done, done_bytes = 0, 0
    result, status = Result.CARRIED_OUT, None
    if clock.now_epoch_ms() >= plan.expires_epoch_ms:
        result = Result.EXPIRED
    for put in plan.puts if result is Result.CARRIED_OUT else ():
        result, status = _carry_out_one(put, deadline_epoch_ms, clock, send, read, pause)
        if result is not Result.CARRIED_OUT:
            break
        done += 1
        done_bytes += len(put.body)
    if result is not Result.OUT_OF_TIME:
        plan.path.unlink(missing_ok=True)
    return Outcome(plan.name, result, len(plan.puts), done, done_bytes, status)


def _carry_out_one(
    put: Put, deadline_epoch_ms: int, clock: Clock, send: Send, read: Read, pause: Callable[[float], None]
) -> tuple[Result, int | None]:
    unclear, status = False, None
    while (remaining_ms := deadline_epoch_ms - clock.now_epoch_ms()) > 0:
        try:
            status = send(put, remaining_ms / 1000)
            if status == 412 and unclear:
                is_own = read(put.read_url, remaining_ms / 1000) == put.body
                return (Result.CARRIED_OUT if is_own else Result.REFUSED), status
        except NotSent:
            pass
        except OSError:
            unclear = True
        else:
            if status // 100 == 2:
                return Result.CARRIED_OUT, status
            if status not in (409, 429) and status < 500:
                return Result.REFUSED, status
            unclear = unclear or status >= 500
        pause(RETRY_PAUSE_SECONDS)
    return Result.OUT_OF_TIME, status


def are_left(plans: Path) -> bool:
    """Whether the folder holds plans, or what a killed writer left unfinished."""
    return any(path.suffix in (PLAN_SUFFIX, UNFINISHED_SUFFIX) for path in plans.glob("*"))


def carry_out_all(
    plans: Path,
    *,
    deadline_epoch_ms: int,
    clock: Clock,
    send: Send,
    read: Read,
    pause: Callable[[float], None] = time.sleep,
) -> list[Outcome]:
    """Carry out every plan in the folder, and remove what a killed writer left unfinished. Logs each outcome."""
    for unfinished in plans.glob(f"*{UNFINISHED_SUFFIX}"):
        unfinished.unlink(missing_ok=True)
    outcomes = []
    for path in sorted(plans.glob(f"*{PLAN_SUFFIX}")):
        started_epoch_ms = clock.now_epoch_ms()
        try:
            plan = read_plan(path)
        except ValueError as error:
            logger.warning("A plan that cannot be read was removed: %s", error)
            path.unlink(missing_ok=True)
            outcomes.append(Outcome(path.stem, Result.UNREADABLE, 0, 0, 0, None))
            continue
        outcome = carry_out(plan, deadline_epoch_ms=deadline_epoch_ms, clock=clock, send=send, read=read, pause=pause)
        level = logging.INFO if outcome.result is Result.CARRIED_OUT else logging.WARNING
        logger.log(
            level,
            "Plan %s: %s",
            outcome.name,
            outcome.result.value,
            extra={
                "plan": outcome.name,
                "result": outcome.result.value,
                "put_count": outcome.put_count,
                "done_count": outcome.done_count,
                "done_bytes": outcome.done_bytes,
                "status": outcome.status,
                "duration_ms": clock.now_epoch_ms() - started_epoch_ms,
            },
        )
        outcomes.append(outcome)
    return outcomes
