"""What may happen to a request to S3, and to the process that sends it."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable, Mapping
from enum import Enum
from pathlib import Path
from typing import Any

from timelapse_runtime.runtime.clock import ManualClock
from timelapse_runtime.runtime.interrupts import DeadlineReached, SigtermReceived
from timelapse_runtime.runtime.outbox import OutboxPut
from timelapse_runtime.runtime.outbox_sender import send_all
from timelapse_runtime.runtime.state.errors import PreconditionFailed, StorageUnavailable
from timelapse_runtime.runtime.state.memory import MemoryStore

_CONDITIONAL = ("PutObject", "CompleteMultipartUpload", "UploadPartCopy")
SHUTDOWN_MS = 2_000
_folders = tempfile.TemporaryDirectory(prefix="timelapse-outbox-")
_folder_numbers = itertools.count()


def new_outbox() -> Path:
    """A folder for an environment's outbox."""
    return Path(_folders.name) / str(next(_folder_numbers))


def _can_fail(operation: str, key: str) -> bool:
    """Whether 412 is a possible response. For a rejection record it means that there is one, and is no failure."""
    return operation in _CONDITIONAL and "/rejected/" not in key


class Killed(BaseException):
    """SIGKILL: the process does nothing from here on."""


class PowerOff(BaseException):
    """No further step of the scenario happens."""


class LostAnswer(StorageUnavailable):
    """The request took effect, and the response was lost."""


class Fault(Enum):
    """What happens to one request."""

    KILLED_BEFORE = "killed before"
    KILLED_AFTER = "killed after"
    POWER_OFF = "killed for good"
    TERMINATED = "SIGTERM"
    HANGS_BEFORE = "hangs"
    HANGS_AFTER = "done, hangs"
    REFUSED = "503"
    LOST_ANSWER = "done, 503"
    REPEATED = "done twice"
    CONDITION_FAILED = "412"


class FaultyStores:
    """Stands between a function and its stores. `faults` by request number, from 1 on."""

    def __init__(self, faults: Mapping[int, Fault] | None = None) -> None:
        self.requests = 0
        self.conditional: set[int] = set()
        """The requests for which 412 is possible."""
        self.fired: list[Fault] = []
        self._faults, self._is_dead = dict(faults or {}), False

    def around_of(self, store: MemoryStore) -> Callable[[str, str, Callable[[], Any]], Any]:
        """What is to be the store's `around`."""

        def around(operation: str, key: str, effect: Callable[[], Any]) -> Any:
            return self.around(store, operation, key, effect)

        return around

    def around(self, store: MemoryStore, operation: str, key: str, effect: Callable[[], Any]) -> Any:
        """One request, with its fault."""
        if self._is_dead:
            raise Killed  # a dead process that unwinds sends nothing
        self.requests += 1
        fault = self._faults.pop(self.requests, None)
        if _can_fail(operation, key):
            self.conditional.add(self.requests)
        elif fault is Fault.CONDITION_FAILED:
            fault = None
        if fault is None:
            return self._done(store, operation, key, effect)
        self.fired.append(fault)
        where = operation, store.bucket, key
        if fault is Fault.REFUSED:
            raise StorageUnavailable(*where, "503 SlowDown")
        if fault is Fault.CONDITION_FAILED:
            raise PreconditionFailed(*where, "412, for no reason")
        if fault in (Fault.KILLED_BEFORE, Fault.POWER_OFF):
            self._is_dead = True
            raise PowerOff if fault is Fault.POWER_OFF else Killed
        if fault is Fault.TERMINATED:
            raise SigtermReceived
        if fault is Fault.HANGS_BEFORE:
            raise DeadlineReached  # as the alarm raises it while a response is awaited
        answer = self._done(store, operation, key, effect)
        if fault is Fault.HANGS_AFTER:
            raise DeadlineReached
        if fault is Fault.KILLED_AFTER:
            self._is_dead = True
            raise Killed
        if fault is Fault.LOST_ANSWER:
            raise LostAnswer(*where, "no answer came")
        assert fault is Fault.REPEATED, answer
        return self._done(store, operation, key, effect)

    def send_left(self, outbox: Path, store: MemoryStore, clock: ManualClock) -> None:
        """Let the extension send what was left in the outbox; then it ends."""
        try:
            send_all(
                outbox,
                deadline_epoch_ms=clock.now_epoch_ms() + SHUTDOWN_MS,
                clock=clock,
                sender=_Sender(store),
                pause=lambda seconds: clock.advance(seconds * 1000),
            )
        except (Killed, SigtermReceived, DeadlineReached):
            self._is_dead = False
        for job in outbox.glob("*"):
            job.unlink()

    def _done(self, _store: MemoryStore, _operation: str, _key: str, effect: Callable[[], Any]) -> Any:
        """The request itself. May be followed by a look at the stores."""
        return effect()


class _Sender:
    """The extension's, with a store in memory."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    def put(self, put: OutboxPut, _timeout_seconds: float) -> int:
        try:
            return self._store.accept(put.url, put.body)
        except LostAnswer as error:
            raise ConnectionResetError(str(error)) from error
        except StorageUnavailable:
            return 503

    def read(self, url: str, _timeout_seconds: float) -> bytes | None:
        try:
            return self._store.give(url)
        except LostAnswer as error:
            raise ConnectionResetError(str(error)) from error
        except StorageUnavailable:
            return None
