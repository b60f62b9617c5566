"""Several environments in one run: each can be stopped before any of its requests and resumed later.

Each step of a process runs in an actor's thread. Only one actor runs at a time, so a run is deterministic.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.recovery.fault_run import FaultRun
from tests.recovery.faults import Fault
from tests.recovery.model import Model, Process
from tests.recovery.races import Actor
from tests.world import NO_DEADLINE_EPOCH_MS, STREAM
from timelapse_runtime.runtime.state.memory import MemoryStore
from timelapse_runtime.timelapse.model.keys import key_order
from timelapse_runtime.timelapse.model.source_frame import Role

NO_END = 10**9
"""A number of requests: until all work is done."""
AT_COMMIT = -1
"""Instead of a request's number: the next write of the checkpoint, whatever its number."""


class Interleaving(FaultRun):
    """`tick_ms` pass from one look at the clock to the next; an invocation has `budget_ms`, or no end (0)."""

    def __init__(self, settings: Mapping[str, str], *, with_extension: bool, tick_ms: int, budget_ms: int) -> None:
        super().__init__(settings=settings)
        self._folders = tempfile.TemporaryDirectory(prefix="timelapse-outbox-") if with_extension else None
        self._budget_ms, self._outboxes = budget_ms, 0
        self._stands_at_commit = False
        self._fault_at_commit: Fault | None = None
        self.reasons: dict[str, set[str]] = {}
        """The reasons for which a photo may be rejected, by what was uploaded under its key; empty: none."""
        self.processes: list[Process] = []
        self.leaving: list[Process] = []
        """Processes that ended with a job in their outbox, or whose extension is paused while it sends."""
        self._running = self.open_process()
        self.model = self.watch = Model(self.world, self._running)
        self._let_time_pass(tick_ms)

    def __enter__(self) -> Interleaving:
        return self

    def __exit__(self, *_: object) -> None:
        if self._folders is not None:
            self._folders.cleanup()

    def _let_time_pass(self, tick_ms: int) -> None:
        clock = self.world.clock
        read = clock.now_epoch_ms

        def look() -> int:
            clock.advance(tick_ms)
            return read()

        clock.now_epoch_ms = look  # type: ignore[method-assign]

    # ---- processes

    def open_process(self) -> Process:
        """Add an environment."""
        self.world.outbox = self._new_folder()
        process = Process(self.world.environment(), self.world.outbox)
        self.processes.append(process)
        return process

    def _new_folder(self) -> Path | None:
        self._outboxes += 1
        return Path(self._folders.name) / str(self._outboxes) if self._folders else None

    def new_environment(self) -> None:
        """The running process is gone and another one replaces it: with the same /tmp, or with a new one if a job waits
        in the old one for a late extension."""
        process = self._running
        if process.has_job:
            self.leaving.append(replace(process, actor=None))
            process.outbox = self.world.outbox = self._new_folder()
        super().new_environment()
        process.function, process.told, process.listed = self.function, set(), set()

    def _enter(self, process: Process) -> None:
        self._running = self.model.running = process
        self.function, self.world.outbox = process.function, process.outbox

    def run(self, process: Process, work: Callable[[], object], *, until: int, faults: Mapping[int, Fault]) -> None:
        """Let an idle process do something, up to its request number `until`."""
        process.actor = _Step(work)
        self.resume(process, until=until, faults=faults)

    def resume(self, process: Process, *, until: int = NO_END, faults: Mapping[int, Fault] | None = None) -> None:
        """Resume a process for so many requests, or to the end. `faults` by request from here on."""
        actor, faults = process.actor, faults or {}
        assert isinstance(actor, _Step)
        self._enter(process)
        self._faults = {self.requests + request: fault for request, fault in faults.items()}
        self._stands_at_commit, self._fault_at_commit = until == AT_COMMIT, faults.get(AT_COMMIT)
        process.is_disturbed = process.is_disturbed or bool(faults)
        actor.resume(NO_END if until in (NO_END, AT_COMMIT) else actor.requests + until)
        self._faults = {}
        process.is_disturbed = not actor.is_done
        if actor.is_done:
            actor.join()
            process.actor = None
            if actor.error:
                self.watch.violations.append(actor.error)
            if process in self.leaving and not process.has_job:
                self.leaving.remove(process)

    def end_all(self) -> None:
        """Resume a paused process to its end."""
        for process in [*self.processes, *self.leaving]:
            if process.actor is not None:
                self.resume(process)

    def around(self, store: MemoryStore, operation: str, key: str, effect: Callable[[], Any]) -> Any:
        """A killed process that unwinds is not paused any more."""
        actor = threading.current_thread()
        if isinstance(actor, _Step) and not self._is_dead:
            if operation == "PutObject" and key == self.world.keys.checkpoint:
                self._commits(actor)
            actor.gate()
        return super().around(store, operation, key, effect)

    def _commits(self, actor: _Step) -> None:
        if self._fault_at_commit is not None:
            self._faults[self.requests + 1] = self._fault_at_commit
        if self._stands_at_commit:
            actor.stand()
        self._stands_at_commit, self._fault_at_commit = False, None

    def _done(self, store: MemoryStore, operation: str, key: str, effect: Callable[[], Any]) -> Any:
        answer = super()._done(store, operation, key, effect)
        if store is self.world.frames and operation == "ListObjectsV2":
            self.model.listed(answer)
        return answer

    # ---- Lambda

    def deadline_epoch_ms(self) -> int:
        """The Context of an invocation."""
        return self.world.clock.now_epoch_ms() + self._budget_ms if self._budget_ms else NO_DEADLINE_EPOCH_MS

    def invoke(self, event: Any) -> bool:
        """An invocation that is not disturbed must not fail."""
        went_well = super().invoke(event)
        if not went_well and not self._running.is_disturbed and not self._budget_ms:
            self.watch.violations.append(f"an invocation fails that nobody disturbs: {event}")
        return went_well

    def deliver(self, *keys: str) -> None:
        """Deliver the events of `keys`, and record in the model what the process processed."""
        if self.invoke(self.world.event(*keys)):
            self.model.took(set(keys))

    def sweep(self, **what: bool) -> None:
        """Sweep the stream; a sweep of all reels settles every photo."""
        uploaded = set(self.watch.uploaded)
        if self.invoke({"sweep": {"stream": STREAM, **what}}) and what.get("all_reels") and not self._budget_ms:
            self.model.swept(uploaded)

    def lose(self, *keys: str) -> None:
        """Whether a frame whose event is lost may be late depends on what is committed: the model knows."""

    # ---- the end

    def finish(self) -> None:
        """No process is paused any more, and no deadline applies."""
        self.end_all()
        self._budget_ms = 0
        super().finish()
        # A photo that was fixed after its rejection and before the commit has a record, and is in the video.
        self.invoke({"retry_rejected": {"stream": STREAM, "reason": "nothing but what is in the video"}})

    def check(self) -> list[str]:
        """A photo may be late where the model says so; otherwise what was uploaded under its key decides."""
        records = self.world.rejections()
        for key, kinds in self.reasons.items():
            reasons = (kinds | ({"late"} if key in self.model.passed else set())) - {""}
            if records.get(key) in reasons:
                self.may_be_rejected[key] = records[key]
            elif "" not in kinds:
                self.rejected[key] = " or ".join(sorted(reasons))
        wrong = super().check()
        in_order = [key for key, role in self.model.video() if role is not Role.OUT_OF_ORDER]
        if in_order != sorted(in_order, key=key_order):
            wrong.append(f"the video is not in order: {in_order}")
        return wrong


class _Step(Actor):
    """An actor that reports its own end: a thread counts as alive for a moment after it."""

    def __init__(self, work: Callable[[], object]) -> None:
        self.is_done = False
        self._wrapped = work
        super().__init__(self._run_step)

    def stand(self) -> None:
        """Stop at the next gate."""
        self._until = self.requests

    def _run_step(self) -> None:
        try:
            self._wrapped()
        finally:
            self.is_done = True
