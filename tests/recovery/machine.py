"""Random lives of a stream: every kind of event, environments that are paused anywhere, faults, a clock that jumps.

A run ends when no environment is paused any more and a last environment has swept; then the video is compared with the
model (model.py). After every change of the bucket the watch looks at all of it.
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from typing import TypeVar

import hypothesis
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from tests.recovery.faults import Fault
from tests.recovery.interleaving import AT_COMMIT, NO_END, Interleaving
from tests.recovery.model import Process
from tests.world import PHOTOS, STREAM

_T = TypeVar("_T")

_PROFILE = settings(
    stateful_step_count=50,
    derandomize=False,  # the seed makes runs repeatable
    database=None,
    deadline=None,
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
    print_blob=False,
)
_SECOND_MS, _HOUR_MS = 1_000, 3_600_000
_BODIES = {"": None, "undecodable": b"no photo", "empty": b""}
"""What the camera uploads, by the reason for which it must be rejected."""
_SWEEPS: list[dict[str, bool]] = [{}, {"drain": True}, {"close": True}, {"all_reels": True}]

_kinds = st.sampled_from(["", "", "", "undecodable", "empty"])
_picks = st.integers(0, 63)
"""An index into what exists, modulo its length."""
_mostly_first = st.one_of(st.just(0), st.just(0), _picks)
"""The same, mostly 0: one process gets most of the events, so that what it keeps in memory matters."""
_requests = st.one_of(st.integers(1, 12), st.integers(1, 40))
_single_faults = st.sampled_from([fault for fault in Fault if fault is not Fault.POWER_OFF])
_no_faults: st.SearchStrategy[dict[int, Fault]] = st.just({})
_faults = st.one_of(
    _no_faults,
    _no_faults,
    st.dictionaries(st.one_of(st.just(AT_COMMIT), _requests), _single_faults, max_size=3),
    # A time-out: three attempts that are killed at the same place, or nearly.
    _requests.map(lambda request: dict.fromkeys((request, 2 * request, 3 * request), Fault.KILLED_AFTER)),
)
_until = st.one_of(
    st.just(NO_END), st.just(NO_END), st.just(NO_END), st.just(AT_COMMIT), _requests.map(lambda request: request - 1)
)
"""The request before which a process is frozen."""


class Machine(RuleBasedStateMachine):
    """See the module. `top` is the highest number that the camera has used; `events` are not yet delivered."""

    def __init__(self) -> None:
        super().__init__()
        self._open = ExitStack()
        self.top = -1
        self.events: list[str] = []
        self.interleaving: Interleaving

    @initialize(
        processes=st.integers(1, 3),
        flush_every=st.integers(1, 8),
        reorder_window=st.integers(0, 3),
        keyframe_interval=st.integers(1, 8),
        reel=st.sampled_from(["never", "day"]),
        late=st.sampled_from(["reject", "append"]),
        rejected=st.sampled_from(["skip", "repeat"]),
        with_extension=st.booleans(),
        tick_ms=st.sampled_from([0, 20, 300]),
        budget_ms=st.sampled_from([0, 0, 5_000]),
    )
    def begin(self, processes: int, with_extension: bool, tick_ms: int, budget_ms: int, **variables: object) -> None:
        """Draw the number of environments, and settings for all of them."""
        named = {f"TIMELAPSE_{name.upper()}": str(value) for name, value in variables.items()}
        self.interleaving = Interleaving(named, with_extension=with_extension, tick_ms=tick_ms, budget_ms=budget_ms)
        self._open.enter_context(self.interleaving)
        for _ in range(processes - 1):
            self.interleaving.open_process()

    # ---- the camera

    def _has_room(self) -> bool:
        return self.top + 8 < len(PHOTOS)

    def _missing(self) -> list[int]:
        uploaded = self.interleaving.watch.uploaded
        return [number for number in range(self.top) if self.interleaving.world.key(number) not in uploaded]

    @precondition(_has_room)
    @rule(count=st.integers(1, 6), gap=st.integers(0, 2), kind=_kinds, is_lost=st.booleans())
    def upload(self, count: int, gap: int, kind: str, is_lost: bool) -> None:
        """Upload photos, the last of this kind; with a gap, lower numbers come later. Their events come, or are
        lost."""
        keys = self._shots(count, gap, kind)
        self.events += [] if is_lost else keys

    @precondition(lambda self: self._has_room() and self._idle())
    @rule(count=st.integers(1, 6), gap=st.integers(0, 2), kind=_kinds, pick=_mostly_first, until=_until, faults=_faults)
    def shoot(self, count: int, gap: int, kind: str, pick: int, until: int, faults: Mapping[int, Fault]) -> None:
        """The same, and each event is delivered at once."""
        keys = self._shots(count, gap, kind)

        def deliver_each() -> None:
            for key in keys:
                self.interleaving.deliver(key)

        self._run(deliver_each, pick, until, faults)

    def _shots(self, count: int, gap: int, kind: str) -> list[str]:
        first = self.top + gap + 1
        self.top += gap + count
        return [self._upload(number, kind if number == self.top else "") for number in range(first, self.top + 1)]

    @precondition(lambda self: self._missing())
    @rule(pick=_mostly_first, kind=_kinds)
    def upload_below(self, pick: int, kind: str) -> None:
        """The camera uploads what it had kept back, usually the newest of it."""
        self.events.insert(0, self._upload(_picked(self._missing()[::-1], pick), kind))

    def _upload(self, number: int, kind: str) -> str:
        key = self.interleaving.upload(number, _BODIES[kind])
        self.interleaving.reasons[key] = {kind}
        return key

    @precondition(lambda self: self.top >= 0)
    @rule(pick=_picks, kind=st.one_of(st.none(), st.none(), _kinds))
    def send_again(self, pick: int, kind: str | None) -> None:
        """An event is delivered again; with a kind, because the photo was overwritten with the same picture or with
        something else."""
        key = _picked(list(self.interleaving.watch.uploaded), pick)
        if kind is not None:
            with self.interleaving.aside():
                self.interleaving.world.upload(int(key[:6]), _BODIES[kind])
            self.interleaving.reasons[key].add(kind)
        self.events.append(key)

    # ---- events

    def _idle(self) -> list[Process]:
        return [process for process in self.interleaving.processes if process.actor is None]

    def _run(self, work: Callable[[], object], pick: int, until: int, faults: Mapping[int, Fault]) -> None:
        self.interleaving.run(_picked(self._idle(), pick), work, until=until, faults=faults)
        self._judge()

    def _judge(self) -> None:
        assert not self.interleaving.watch.violations, "\n".join(self.interleaving.watch.violations)

    @precondition(lambda self: self.events and self._idle())
    @rule(picks=st.lists(_mostly_first, min_size=1, max_size=4), pick=_mostly_first, until=_until, faults=_faults)
    def deliver(self, picks: list[int], pick: int, until: int, faults: Mapping[int, Fault]) -> None:
        """Deliver waiting events together: the oldest, or any."""
        keys = [self.events.pop(position % len(self.events)) for position in picks[: len(self.events)]]
        self._run(lambda: self.interleaving.deliver(*keys), pick, until, faults)

    @precondition(lambda self: self.top >= 0 and self._idle())
    @rule(what=st.sampled_from(_SWEEPS), pick=_mostly_first, until=_until, faults=_faults)
    def sweep(self, what: dict[str, bool], pick: int, until: int, faults: Mapping[int, Fault]) -> None:
        """The schedule's event."""
        self._run(lambda: self.interleaving.sweep(**what), pick, until, faults)

    @precondition(lambda self: self.top >= 0 and self._idle())
    @rule(what=st.sampled_from([{}, {"reason": "late"}]), pick=_mostly_first, until=_until, faults=_faults)
    def retry_rejected(self, what: dict[str, str], pick: int, until: int, faults: Mapping[int, Fault]) -> None:
        """Photos that were rejected and are usable now are appended at the video's end."""
        self.interleaving.is_appended_late = True
        self._run(lambda: self.interleaving.invoke({"retry_rejected": {"stream": STREAM, **what}}), pick, until, faults)

    # ---- environments

    @precondition(lambda self: self._idle())
    @rule(ends=st.sampled_from(["saved", "outbox left", "killed"]), pick=_mostly_first, until=_until, faults=_faults)
    def shut_down(self, ends: str, pick: int, until: int, faults: Mapping[int, Fault]) -> None:
        """An idle environment ends. A job that is left in the outbox may be sent later."""
        how = partial(self.interleaving.shut_down, outbox_sent=ends == "saved")
        self._run(self.interleaving.new_environment if ends == "killed" else how, pick, until, faults)

    def _left(self) -> list[Process]:
        return [process for process in self.interleaving.leaving if process.actor is None]

    @precondition(lambda self: self._left())
    @rule(pick=_mostly_first, until=_until, faults=_faults)
    def send_outbox(self, pick: int, until: int, faults: Mapping[int, Fault]) -> None:
        """A paused extension continues, late."""
        self.interleaving.run(_picked(self._left(), pick), self.interleaving.send_outbox, until=until, faults=faults)
        self._judge()

    def _frozen(self) -> list[Process]:
        return [
            process
            for process in (*self.interleaving.processes, *self.interleaving.leaving)
            if process.actor is not None
        ]

    @precondition(lambda self: self._frozen())
    @rule(hours=st.integers(0, 5), pick=_mostly_first, until=_until, faults=_faults)
    def thaw(self, hours: int, pick: int, until: int, faults: Mapping[int, Fault]) -> None:
        """Resume a paused process for some requests or to its end; it may be killed at the first of them."""
        self.interleaving.world.clock.advance(hours * _HOUR_MS)
        self.interleaving.resume(_picked(self._frozen(), pick), until=until, faults=faults)
        self._judge()

    @precondition(lambda self: self.top >= 0)
    @rule(jump_ms=st.sampled_from([_SECOND_MS, -_HOUR_MS, 10 * 60 * _SECOND_MS, 24 * _HOUR_MS]))
    def jump(self, jump_ms: int) -> None:
        """The clock is set, or a day goes by."""
        self.interleaving.world.clock.advance(jump_ms)

    # ---- the end

    def teardown(self) -> None:
        """Finish, and compare. After a violation, only end the paused processes."""
        with self._open:
            if self.top < 0:
                return
            if self.interleaving.watch.violations:
                self.interleaving.end_all()
                return
            self.interleaving.finish()
            wrong = self.interleaving.check()
            assert not wrong, "\n".join(wrong)


def _picked(those: list[_T], pick: int) -> _T:
    return those[pick % len(those)]


def run_machine(examples: int, seed: int, *, shrinks: bool = False) -> list[str]:
    """Run random lives from this seed, the same each time. Return a failed one as readable steps, or nothing.
    `shrinks`: with as few steps as possible, which may take five minutes to find."""
    machine = hypothesis.seed(seed)(type("Machine", (Machine,), {}))
    phases = (Phase.generate, Phase.shrink) if shrinks else (Phase.generate,)
    try:
        run_state_machine_as_test(machine, settings=settings(_PROFILE, max_examples=examples, phases=phases))
    except Exception as error:  # noqa: BLE001 - whatever went wrong is told, with the steps to it
        return ["".join(traceback.format_exception(error))]
    return []


def main() -> int:
    """A long run, or a failure in few steps: `python -m tests.recovery.machine EXAMPLES SEED...`."""
    examples, *seeds = map(int, sys.argv[1:])
    logging.disable(logging.CRITICAL)
    failures = [failure for seed in seeds for failure in run_machine(examples, seed, shrinks=True)]
    print(*failures, sep="\n")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
