"""The contract between the runtime and a stateful function. The runtime runs a function and knows nothing of what it
does.

Order of calls, each at most once except `invoke`: `open`, `invoke` …, then at shutdown `flush` and `close`. All calls
come from the main thread. SIGKILL may end the process between any two calls or inside one: whatever must survive has to
be in durable storage by then, or to be found again from there.

`invoke` may be interrupted at any point: by SIGTERM, or by the alarm that the runtime sets shortly before the
invocation's deadline (`interrupts.py`). Both are BaseExceptions, raised in the main thread. State that `invoke` was
changing may then be half changed. A function that does not catch them is told: the next invocation by
`context.follows_interruption`, and `flush` and `close` by `deadline.follows_interruption`. It must drop such state, or
bring it in order.

`flush` and `close` may be missing. Each of the four may be async: all run on one event loop, which is kept. `invoke`
may also yield its response, or return an iterator: the runtime sends its chunks, within the same invocation.

`loader.py` finds the function that `_HANDLER` names.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from timelapse_runtime.runtime.clock import Clock
from timelapse_runtime.runtime.outbox import Outbox
from timelapse_runtime.runtime.protocol.invocation import ClientContext, CognitoIdentity

Done: TypeAlias = Awaitable[None] | None
"""What `open`, `flush` and `close` return: nothing, now or when it is awaited."""


@dataclass(frozen=True, slots=True)
class Environment:
    """What a function is told about the execution environment in which it is opened.

    `variables` are the environment's variables, read once. `outbox` takes what is to be uploaded after this process has
    ended; it is None if no external extension is there to send it: then `close` must upload by itself. `cold_start_id`
    is unique to this process.
    """

    variables: Mapping[str, str]
    outbox: Outbox | None
    cold_start_id: str


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment on the wall clock, in Unix milliseconds. A monotonic clock is no use here: Lambda freezes processes."""

    epoch_ms: int
    follows_interruption: bool = False
    """Of a shutdown: SIGTERM, or the alarm before its deadline, interrupted the last `invoke`."""

    def remaining_ms(self, now_epoch_ms: int) -> int:
        """Milliseconds from `now_epoch_ms` to the deadline, 0 if it has passed."""
        return max(0, self.epoch_ms - now_epoch_ms)


@dataclass(kw_only=True)
class Context:
    """The second argument of `invoke`, with the attributes and methods of AWS's Python runtime.

    Source: Lambda developer guide, 'Using the Lambda context object to retrieve Python function information', read
    November 2026.
    """

    function_name: str
    function_version: str
    invoked_function_arn: str
    memory_limit_in_mb: str
    aws_request_id: str
    log_group_name: str
    log_stream_name: str
    tenant_id: str | None
    identity: CognitoIdentity
    client_context: ClientContext | None
    deadline: Deadline
    clock: Clock
    w3c_fields: Mapping[str, str] = field(default_factory=dict)
    follows_interruption: bool = False
    """The alarm before its deadline interrupted the invocation before this one."""

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until Lambda ends the invocation, 0 if that time has passed."""
        return self.deadline.remaining_ms(self.clock.now_epoch_ms())

    def w3c(self) -> dict[str, str]:
        """The W3C trace context (traceparent, tracestate, baggage) that the caller sent, as far as it did."""
        return dict(self.w3c_fields)

    def log(self, message: object) -> None:
        """Write one line to the log, as AWS's context does."""
        logging.getLogger("timelapse_runtime.runtime.context").info("%s", message)


class RemainingTime(Protocol):
    """As much of a Context as a function needs that only keeps to its deadline."""

    def get_remaining_time_in_millis(self) -> int:
        """See Context."""
        ...


class StatefulFunction(Protocol):
    """An object that is opened once, invoked once per event, asked to flush, and closed before a deadline.

    The runtime takes classes and objects that lack `flush` or `close`, too (`loader.py`).
    """

    def open(self, environment: Environment) -> Done:
        """Called in the init phase (10 s). An error here is reported as `init/error` and ends the process."""
        ...

    def invoke(self, event: Any, context: Context) -> Any:
        """Called once per invocation. `result.py` says what the result may be. An error fails this invocation only."""
        ...

    def flush(self, deadline: Deadline) -> Done:
        """Save at once what can be saved without waiting: the first call after SIGTERM."""
        ...

    def close(self, deadline: Deadline) -> Done:
        """Finish what time allows and free everything. Must return before `deadline`; then the process ends."""
        ...
