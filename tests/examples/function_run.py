"""A stateful function in environments that end in any way, with faults at given requests to its store.

As the runtime and Lambda do it: an invocation that fails is tried twice more, a killed process is replaced, SIGTERM is
followed by `flush` and `close`, and what they leave in the outbox is sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from tests.recovery.faults import SHUTDOWN_MS, Fault, FaultyStores, Killed, new_outbox
from timelapse_runtime.runtime.clock import Clock, ManualClock, SystemClock
from timelapse_runtime.runtime.function import Context, Deadline, Environment
from timelapse_runtime.runtime.interrupts import DeadlineReached, SigtermReceived
from timelapse_runtime.runtime.outbox import Outbox
from timelapse_runtime.runtime.protocol.invocation import CognitoIdentity
from timelapse_runtime.runtime.state.errors import StateError
from timelapse_runtime.runtime.state.memory import MemoryStore

Faults = Mapping[int, Fault]


class Function(Protocol):
    """As much of a stateful function as a run needs. `flush` is called if there is one."""

    def open(self, environment: Environment) -> None: ...

    def invoke(self, event: Any, context: Context) -> Any: ...


class FunctionRun(FaultyStores):
    """`make` gives a function that keeps its state in the store. The first environment is open."""

    def __init__(
        self,
        make: Callable[[MemoryStore], Function],
        faults: Faults | None = None,
        *,
        with_extension: bool,
        variables: Mapping[str, str],
    ) -> None:
        super().__init__(faults)
        self.clock = ManualClock()
        self.store = MemoryStore("state", clock=self.clock)
        self.store.around = self.around_of(self.store)
        self._make, self._variables = make, variables
        self.wrong: list[str] = []
        """What breaks the function's contract."""
        self._outbox: Path | None = new_outbox() if with_extension else None
        self._number = 0
        self.new_environment()

    def new_environment(self) -> None:
        """The environment is gone; the next one has nothing in memory. If its init fails, there is another one."""
        is_open = False
        while not is_open:
            self._is_dead, self._was_interrupted = False, False
            self._number += 1
            self.function = self._make(self.store)
            outbox = Outbox(self._outbox, self.clock) if self._outbox else None
            try:
                self.function.open(Environment(dict(self._variables), outbox, f"environment-{self._number}"))
            except (Killed, SigtermReceived, DeadlineReached, StateError):
                continue
            is_open = True

    def invoke(self, event: Any) -> Any:
        """The response; None if three attempts fail."""
        for _ in range(3):
            told = context(self.clock, follows_interruption=self._was_interrupted)
            self._was_interrupted = True
            try:
                response = self.function.invoke(event, told)
            except Killed:
                self.new_environment()
            except SigtermReceived:
                self.shut_down()
            except DeadlineReached:
                pass
            except Exception:  # noqa: BLE001  an error fails the attempt
                self._was_interrupted = False
            else:
                self._was_interrupted = False
                return response
        return None

    def shut_down(self) -> None:
        """SIGTERM, and what the extension does with the outbox; then there is a new environment."""
        deadline = Deadline(self.clock.now_epoch_ms() + SHUTDOWN_MS, follows_interruption=self._was_interrupted)
        for name in ("flush", "close"):
            try:
                getattr(self.function, name, lambda _deadline: None)(deadline)
            except (Killed, SigtermReceived, DeadlineReached):
                self._is_dead = False
        if self._outbox is not None:
            self.send_left(self._outbox, self.store, self.clock)
        self.new_environment()


def points(life: Callable[..., FunctionRun], options: Mapping[str, Any]) -> list[Faults]:
    """Each fault at each request of a life, and each before a request that is refused: what follows a fault may fail,
    too."""
    undisturbed = life(**options)
    single = [
        (request, fault)
        for request in range(1, undisturbed.requests + 1)
        for fault in Fault
        if fault is not Fault.CONDITION_FAILED or request in undisturbed.conditional
    ]
    followed = [{request: fault, request + 1: Fault.REFUSED} for request, fault in single]
    return [*({request: fault} for request, fault in single), *followed]


def failures(life: Callable[..., FunctionRun], options: Mapping[str, Any], *, step: int = 1) -> Iterator[str]:
    """What is wrong at these points, or at every `step`-th of them."""
    for faults in points(life, options)[::step]:
        run = life(faults, **options)
        if run.wrong:
            yield f"{faults}: {run.wrong[0]}"


def context(clock: Clock | None = None, *, follows_interruption: bool = False) -> Context:
    """What the runtime gives with an event: ten seconds from now."""
    clock = clock or SystemClock()
    return Context(
        function_name="function",
        function_version="$LATEST",
        invoked_function_arn="",
        memory_limit_in_mb="512",
        aws_request_id="",
        log_group_name="",
        log_stream_name="",
        tenant_id=None,
        identity=CognitoIdentity(None, None),
        client_context=None,
        deadline=Deadline(clock.now_epoch_ms() + 10_000),
        clock=clock,
        follows_interruption=follows_interruption,
    )
