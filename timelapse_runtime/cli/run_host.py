"""The loop of `timelapse run`: which camera is asked next, and when it is tried again after an error.

Owns when each camera is due. Knows nothing of signals, of what is printed, and of what the function does: it is asked
to poll or to sweep one camera at a time, in slices of time, so that a camera with a backlog holds no other.

What the checkpoints say is done; nothing is kept here that a restart needs.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from timelapse_runtime.cli import CommandFailed
from timelapse_runtime.runtime.function import RemainingTime
from timelapse_runtime.runtime.state.errors import AccessDenied, Fenced, StorageUnavailable
from timelapse_runtime.timelapse.errors import ConfigError, DeadlineTooClose

_SLICE_MS = 300_000
"""Of time for one camera's work before the next one has its turn. A slice begins with a listing of all that the camera
has left, so it must not be short."""
_LOOK_SECONDS = 60
"""Between two looks for new cameras."""
_LONGEST_PAUSE_SECONDS = 60
"""Between two attempts, however long something has failed."""
_ATTEMPTS = 6
"""At one camera by `once`, if S3 does not answer."""
_QUEUE_WAIT_SECONDS = 20
"""The longest that SQS waits for a message."""
LOOK = "the list of cameras"
QUEUE = "the queue"


class Function(Protocol):
    """The timelapse function."""

    def invoke(self, event: Any, context: RemainingTime) -> Mapping[str, Any]:
        """See Timelapse."""
        ...


class Stop(Protocol):
    """Whether the loop is to end."""

    def is_set(self) -> bool:
        """Whether it is."""
        ...

    def wait(self, seconds: float) -> None:
        """Return after this time, or as soon as the loop is to end."""
        ...


class Queue(Protocol):
    """S3's notifications in SQS."""

    def receive(self, wait_seconds: int) -> Sequence[Mapping[str, str]]:
        """Messages (`messageId`, `body`, `receiptHandle`), after waiting for the first of them. Raises QueueError."""
        ...

    def delete(self, messages: Sequence[Mapping[str, str]]) -> None:
        """Remove messages that were received. Raises QueueError."""
        ...


class QueueError(Exception):
    """SQS cannot be used. `is_refused`: it answered, and waiting does not help."""

    def __init__(self, message: str, *, is_refused: bool) -> None:
        super().__init__(message)
        self.is_refused = is_refused


class Report(Protocol):
    """Who is told what happens."""

    def failed(self, name: str, error: Exception) -> None:
        """Something failed, and is tried again."""
        ...

    def works(self, name: str) -> None:
        """Something works, or works again."""
        ...

    def cameras(self, names: Sequence[str]) -> None:
        """These cameras are there."""
        ...


@dataclass(frozen=True, slots=True)
class TimeSlice:
    """What the function reads of Lambda's context object."""

    milliseconds: int = _SLICE_MS

    def get_remaining_time_in_millis(self) -> int:
        """See Context. It is asked once for each invocation."""
        return self.milliseconds


@dataclass(slots=True)
class _Job:
    """Something that is done again and again. Times are in seconds, by the host's clock."""

    name: str
    work: Callable[[], None]
    every: float
    due: float = 0
    failures: int = 0
    swept: float = field(default=float("-inf"))


class Host:
    """See the module. `cameras` lists them; each is polled and swept every so many seconds. With a `queue`, photos are
    announced there, and nothing is polled: sweeps find what no message announced."""

    def __init__(
        self,
        function: Function,
        cameras: Callable[[], Sequence[str]],
        report: Report,
        stop: Stop,
        now: Callable[[], float],
        *,
        poll_seconds: float,
        sweep_seconds: float,
        queue: Queue | None = None,
    ) -> None:
        self._function, self._cameras, self._queue = function, cameras, queue
        self._report, self._stop, self._now = report, stop, now
        self._poll_seconds = sweep_seconds if queue is not None else poll_seconds
        self._sweep_seconds = sweep_seconds
        self._jobs = {LOOK: _Job(LOOK, self._look, _LOOK_SECONDS)}
        self._has_worked = False

    def run(self) -> None:
        """Work until the stop is set.

        Raises ConfigError and CommandFailed, and AccessDenied or QueueError if that is so from the beginning: what is
        refused later may be allowed again.
        """
        messages = None if self._queue is None else _Job(QUEUE, self._take_messages, 0)
        while not self._stop.is_set():
            due = [job for job in self._jobs.values() if job.due <= self._now()]
            for job in sorted(due, key=lambda job: job.due):
                self._try(job)
                if self._stop.is_set():
                    return
            if messages is not None and messages.due <= self._now():
                self._try(messages)
            else:
                jobs = [*self._jobs.values(), *([messages] if messages is not None else [])]
                self._stop.wait(max(0, min(job.due for job in jobs) - self._now()))

    def once(self) -> None:
        """Bring each video up to its photos. Raises the first error, after all cameras had their turn."""
        names = self._cameras()
        self._report.cameras(names)
        errors = []
        for name in names:
            try:
                self._drain(name)
            except (AccessDenied, ConfigError, CommandFailed):
                raise
            except Exception as error:  # noqa: BLE001  whatever it is, the other cameras have their turn
                self._report.failed(name, error)
                errors.append(error)
        if errors:
            raise errors[0]

    def _drain(self, name: str) -> None:
        failures = 0
        while not self._stop.is_set():
            try:
                self._function.invoke({"sweep": {"stream": name, "drain": True}}, TimeSlice())
            except DeadlineTooClose:
                failures = 0
            except (Fenced, StorageUnavailable) as error:
                failures += 1
                if failures == _ATTEMPTS:
                    raise
                self._report.failed(name, error)
                self._stop.wait(_pause(failures))
            else:
                self._report.works(name)
                return

    def _try(self, job: _Job) -> None:
        began = self._now()
        try:
            job.work()
        except DeadlineTooClose:
            job.due = self._now()  # behind the others that are due
        except (MemoryError, ConfigError, CommandFailed):
            raise
        except Exception as error:
            if not self._has_worked and _is_refusal(error):
                raise
            job.failures += 1
            job.due = self._now() + _pause(job.failures)
            self._report.failed(job.name, error)
        else:
            job.failures = 0
            job.due = max(began + job.every, self._now())
            self._has_worked |= job.name != LOOK
            self._report.works(job.name)

    def _look(self) -> None:
        names = self._cameras()
        for name in names:
            if f"camera {name}" not in self._jobs:
                job = _Job(name, lambda: None, self._poll_seconds, due=self._now())
                job.work = lambda job=job: self._ask(job)  # type: ignore[misc]
                self._jobs[f"camera {name}"] = job
        self._report.cameras(names)

    def _ask(self, camera: _Job) -> None:
        began = self._now()
        is_sweep = began - camera.swept >= self._sweep_seconds
        self._function.invoke({"sweep" if is_sweep else "poll": camera.name}, TimeSlice())
        if is_sweep:
            camera.swept = began

    def _take_messages(self) -> None:
        """Give the function what the queue has. A message is deleted if its streams did not fail: its photo is in
        memory then, and as long as no checkpoint covers it, a listing shows it."""
        assert self._queue is not None
        until_due = min(job.due for job in self._jobs.values()) - self._now()
        messages = self._queue.receive(max(0, min(_QUEUE_WAIT_SECONDS, int(until_due))))
        if not messages:
            return
        records = [
            {"eventSource": "aws:sqs", "messageId": message["messageId"], "body": message["body"]}
            for message in messages
        ]
        answer = self._function.invoke({"Records": records}, TimeSlice())
        failed = {one["itemIdentifier"] for one in answer["batchItemFailures"]}
        self._queue.delete([message for message in messages if message["messageId"] not in failed])


def _is_refusal(error: Exception) -> bool:
    return isinstance(error, AccessDenied) or (isinstance(error, QueueError) and error.is_refused)


def _pause(failures: int) -> float:
    """Seconds before the next attempt: longer each time, and not the same for two processes."""
    longest = min(_LONGEST_PAUSE_SECONDS, 2.0 ** min(failures, 16))
    return longest * (0.75 + random.random() / 4)  # noqa: S311  no secret
