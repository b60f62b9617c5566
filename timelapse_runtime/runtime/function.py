"""What a stateful function is. The runtime runs one and knows nothing of what it does.

Order of calls, each at most once but `invoke`: `open`, `invoke` …, then at shutdown `flush` and `close`. All
from the main thread. A SIGKILL may end the process between any two, or inside one: what must survive is to be
in durable storage by then, or to be found again from there.

How `_HANDLER` names one is in `handler.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Environment:
    """What a function gets to know about the execution environment that it is opened in.

    `variables` are the environment's variables, read once. `handover` is the folder in which shutdown plans are
    left for the external extension (see `handover.py`), or None when there is no such extension: then `close`
    must do its own uploads. `cold_start_id` is unique to this process.
    """

    variables: Mapping[str, str]
    handover: Path | None
    cold_start_id: str


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment on the wall clock, in Unix milliseconds: frozen processes make monotonic clocks useless here."""

    epoch_ms: int

    def remaining_ms(self, now_epoch_ms: int) -> int:
        """Milliseconds from `now_epoch_ms` to the deadline, 0 when it has passed."""
        return max(0, self.epoch_ms - now_epoch_ms)


class Context(Protocol):
    """The second argument of `invoke`: AWS's Python context object (Lambda developer guide, 'context object')."""

    function_name: str
    function_version: str
    invoked_function_arn: str
    memory_limit_in_mb: str
    aws_request_id: str
    log_group_name: str
    log_stream_name: str
    tenant_id: str | None
    deadline_epoch_ms: int

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds left before Lambda ends the invocation."""
        ...


class StatefulFunction(Protocol):
    """An object that is opened once, invoked per event, asked to flush, and closed with a deadline."""

    def open(self, environment: Environment) -> None:
        """Called in the init phase (10 s). An error here becomes `init/error` and ends the process."""
        ...

    def invoke(self, event: Any, context: Context) -> Any:
        """Called per invocation; the answer must be JSON-serialisable. An error fails the invocation only."""
        ...

    def flush(self, deadline: Deadline) -> None:
        """Make safe, at once, what can be made safe without waiting: the first act after SIGTERM."""
        ...

    def close(self, deadline: Deadline) -> None:
        """Finish what time allows, free everything. Must return before `deadline`; the process then ends."""
        ...
