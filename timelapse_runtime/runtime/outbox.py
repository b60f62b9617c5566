"""The outbox: what a function leaves to be uploaded after its process has ended.

A *job* is one file, `<folder>/<name>.job`: a first line of JSON, then the bodies of its PUTs, one after the other.

    {"format":3,"name":…,"created_epoch_ms":…,"expires_epoch_ms":…,
     "puts":[{"method":"PUT","url","headers","size","read_url"} …]}

A job is written under another name and renamed, so it is whole or absent, and a later job replaces an earlier one of
the same name. Files have mode 0600 in a folder of mode 0700, because the URLs are signed.

The runtime writes jobs. The external extension sends them (`outbox_sender.py`), or the next runtime in the same
environment does (`/tmp` survives a reset). This module imports the standard library only, and knows nothing of S3: each
PUT is presigned and carries its own condition.

Not promised: that a job is ever sent. A function must not depend on it.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from timelapse_runtime.runtime.clock import Clock

FORMAT = 3
JOB_SUFFIX = ".job"
UNFINISHED_SUFFIX = ".unfinished"
PRESENCE_FILE = "extension.json"


@dataclass(frozen=True, slots=True)
class OutboxPut:
    """One presigned PUT: exactly these headers, this body. `read_url` is a presigned GET of the same object."""

    url: str
    headers: Mapping[str, str]
    body: bytes
    read_url: str


@dataclass(frozen=True, slots=True)
class OutboxJob:
    """PUTs in the order in which they must happen, each only after the one before it."""

    path: Path
    name: str
    created_epoch_ms: int
    expires_epoch_ms: int
    puts: tuple[OutboxPut, ...]


class Outbox:
    """The outbox of one execution environment, as a function sees it."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self.folder, self._clock = folder, clock

    def write(self, name: str, puts: Sequence[OutboxPut], *, lifetime_seconds: int) -> int:
        """Leave a job in place of an earlier one of the same name, and return its size in bytes.

        A crash leaves the earlier job or none. `name` must be usable as a file name. The file is not synced to disk:
        `/tmp` outlives the process, but not the machine. The job is not sent later than `lifetime_seconds` from now.
        Raises OSError if there is no space; what was written is then removed.
        """
        if not name or "/" in name or name.startswith("."):
            raise ValueError(f"the name of an outbox job must be usable as a file name; got {name!r}")
        now_epoch_ms = self._clock.now_epoch_ms()
        head = {
            "format": FORMAT,
            "name": name,
            "created_epoch_ms": now_epoch_ms,
            "expires_epoch_ms": now_epoch_ms + lifetime_seconds * 1000,
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
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        unfinished = self.folder / f"{name}{UNFINISHED_SUFFIX}"
        # Not O_EXCL: an unfinished file left by a killed runtime must not stop its successor.
        try:
            with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(json.dumps(head, separators=(",", ":")).encode() + b"\n")
                for put in puts:
                    file.write(put.body)
                size_bytes = file.tell()
        except OSError:
            unfinished.unlink(missing_ok=True)
            raise
        unfinished.replace(self.folder / f"{name}{JOB_SUFFIX}")
        return size_bytes


def outbox_folder(variables: Mapping[str, str]) -> Path:
    """Where jobs are left in this execution environment."""
    return Path(variables.get("TMPDIR") or "/tmp") / "lambda-outbox"  # noqa: S108  Lambda's one writable folder


def hold_presence(folder: Path) -> IO[str]:
    """Show that an extension is here to send jobs, for as long as the returned file stays open.

    The sign is a lock, not the file: a lock ends with its process, however that ends, and cannot be mistaken for a
    later process with the same id.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = (folder / PRESENCE_FILE).open("w")
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    json.dump({"pid": os.getpid()}, file)
    file.flush()
    return file


def is_extension_alive(folder: Path) -> bool:
    """Whether a living extension waits to send the jobs in this folder."""
    try:
        with (folder / PRESENCE_FILE).open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def read_job(path: Path) -> OutboxJob:
    """Read a job back. Raises ValueError, with what is wrong, if this version did not write it."""
    line, separator, bodies = path.read_bytes().partition(b"\n")
    try:
        head = json.loads(line)
        if not separator or head["format"] != FORMAT:
            raise ValueError(f"{path} is not an outbox job of format {FORMAT}")
        puts, start = [], 0
        for entry in head["puts"]:
            end = start + entry["size"]
            puts.append(OutboxPut(entry["url"], dict(entry["headers"]), bodies[start:end], entry["read_url"]))
            start = end
        name, created, expires = head["name"], int(head["created_epoch_ms"]), int(head["expires_epoch_ms"])
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path} is not a complete outbox job: {error!r}") from error
    if start != len(bodies):
        raise ValueError(f"{path} should hold {start} bytes of bodies, and holds {len(bodies)}")
    return OutboxJob(path, name, created, expires, tuple(puts))


def has_jobs(folder: Path) -> bool:
    """Whether the folder holds jobs, or files that a killed writer left unfinished."""
    return any(path.suffix in (JOB_SUFFIX, UNFINISHED_SUFFIX) for path in folder.glob("*"))
