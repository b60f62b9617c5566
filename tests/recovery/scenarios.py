"""What is enumerated: short lives of a stream, each with every kind of request in it, and the runs with faults.

A scenario plays on a `Stage`, which deals with what fails; it must not look at the outcome.
"""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from random import Random

from tests.recovery.stage import Fault, PowerOff, Stage

_DAY_MS = 24 * 3600 * 1000


@dataclass(frozen=True)
class Scenario:
    """`play` with these settings; `with_extension` decides how a shutdown is carried out."""

    name: str
    play: Callable[[Stage], None]
    settings: Mapping[str, str] = field(default_factory=dict)
    with_extension: bool = False

    def stage(self, faults: Mapping[int, Fault] | None = None, *, shows_photos: bool = True) -> Stage:
        """A fresh world for it."""
        return Stage(faults, settings=self.settings, with_extension=self.with_extension, shows_photos=shows_photos)


def _grow(stage: Stage) -> None:
    """Flushes within a segment and over its end; `video.mp4` whole at first, then by parts; events that overtake each
    other, come again, come never; photos that cannot be used."""
    stage.shoot(range(4))
    stage.deliver(stage.upload(4, b"no photo", reason="undecodable"))
    stage.lose(stage.upload(5))
    later = stage.upload(6)
    overtaking = stage.upload(7)
    stage.lose(later)
    stage.deliver(overtaking)
    stage.deliver(later)
    stage.shoot(range(8, 11))
    stage.deliver(stage.world.key(8))
    stage.deliver(stage.upload(11, b"", reason="empty"))
    stage.shoot(range(12, 24))


def _roll(stage: Stage) -> None:
    """A reel ends with its day, and another by a sweep; bad photos stand on the border."""
    stage.shoot(range(5))
    stage.deliver(stage.upload(5, b"no photo", reason="undecodable"))
    stage.world.clock.advance(_DAY_MS)
    stage.shoot(range(6, 11))
    stage.sweep(close=True)
    stage.deliver(stage.upload(11, b"no photo", reason="undecodable"))
    stage.shoot(range(12, 17))
    stage.sweep(close=True)


def _shut_down(stage: Stage) -> None:
    """Environments of a few frames, each saved at its end."""
    stage.shoot(range(2))
    stage.shut_down()
    stage.lose(stage.upload(2))
    stage.shoot(range(3, 7))
    stage.shut_down()
    stage.shoot(range(7, 16))
    stage.shut_down()
    stage.sweep(close=True)
    stage.shoot(range(16, 18))
    stage.lose(stage.upload(18))
    stage.shoot([19])
    stage.shut_down()


def _plan_not_carried_out(stage: Stage) -> None:
    stage.shoot(range(5))
    stage.shut_down(carried_out=False)
    for plan in stage.world.outbox.glob("*") if stage.world.outbox else ():
        plan.unlink()
    stage.shoot(range(5, 10))
    stage.shut_down(carried_out=False)


def _plan_carried_out_late(stage: Stage) -> None:
    """Another instance has committed when the plan comes; once before its first commit, once after."""
    stage.shoot(range(8))
    stage.shut_down(carried_out=False)
    stage.shoot(range(8, 10))
    stage.carry_out()
    stage.shoot(range(10, 14))
    stage.shut_down(carried_out=False)
    stage.shoot(range(14, 20))
    stage.carry_out()
    stage.shoot(range(20, 22))


def _sweep(stage: Stage) -> None:
    """What crashes and lost events leave is swept up, in the open reel and in one that is closed."""
    stage.shoot(range(7))
    litter(stage)
    stage.sweep()
    stage.lose(stage.upload(7), stage.upload(8))
    stage.sweep(drain=True)
    stage.shoot(range(9, 12))
    stage.sweep(close=True)
    litter(stage)
    stage.sweep()
    stage.shoot(range(12, 16))
    stage.sweep(drain=True)


def litter(stage: Stage) -> None:
    """As crashes would leave it: in every reel there is, in one that was begun on another day, in the next."""
    keys = stage.world.keys
    with stage.aside():
        reels = stage.world.reels()
        number = reels[-1].number
        places = [keys.segments(reel.name) for reel in reels]
        places += [keys.segments(f"2999-01-01-{number:04d}"), keys.segments(f"2999-01-01-{number + 1:04d}")]
        for place in places:
            for attempt in ("aaaaaaaaaaaa", "bbbbbbbbbbbb"):
                stage.world.video.put(f"{place}00000003-2-{attempt}.m4s", b"left by a crash")
        stage.world.video.put(keys.init(f"2999-01-01-{number:04d}"), b"left by a crash")


def _damage(stage: Stage) -> None:
    """The last segment is destroyed while nobody has it in memory."""
    stage.shoot(range(9))
    stage.sweep(drain=True)
    stage.new_environment()
    stage.destroy_last_segment()
    stage.shoot(range(9, 16))
    stage.sweep(drain=True)


def _policies(stage: Stage) -> None:
    """Late frames go to the film's end, and the frame before a bad photo stands in for it."""
    stage.shoot([0, 1])
    stage.deliver(stage.upload(2, b"no photo", reason="undecodable"))
    stage.shoot(range(4, 9))
    stage.sweep(drain=True)
    late = stage.upload(3)
    stage.lose(late)
    stage.deliver(late)
    stage.shoot(range(9, 12))
    stage.deliver(late)
    stage.shut_down()
    stage.deliver(stage.upload(12, b"", reason="empty"))
    stage.shoot(range(13, 16))


def _late(stage: Stage) -> None:
    """Uploaded below what is committed, and announced: now, after a restart, and never."""
    stage.shoot([0, 1, 4, 5, 6, 8])
    stage.sweep(drain=True)
    stage.lose(stage.upload(7))
    for number in (2, 3):
        late = stage.upload(number)
        stage.lose(late)
        stage.deliver(late)
        stage.new_environment()
    stage.shoot(range(9, 13))


def _disorder(stage: Stage) -> None:
    """Frames arrive below some that are encoded: these are dropped and done again, with commits on the way."""
    for first in (6, 18):
        waiting = [stage.upload(number) for number in range(first, first + 6)]
        stage.lose(*waiting[1:])
        stage.deliver(waiting[0])
        for number in (first - 6, first - 3, first - 2):
            overtaken = stage.upload(number)
            stage.lose(overtaken)
            stage.deliver(overtaken)
    stage.shoot(range(24, 28))


def _small(stage: Stage) -> None:
    """Two commits, a sweep, a lost event: small enough for two faults at a time."""
    stage.shoot(range(3))
    stage.lose(stage.upload(3))
    stage.shoot([4, 5, 6])
    stage.shut_down()
    stage.shoot([7])
    stage.sweep(drain=True)


SCENARIOS = (
    Scenario("growing film", _grow),
    Scenario("reels by day and by close", _roll, {"TIMELAPSE_REEL": "day"}),
    Scenario("shutdown, plan carried out", _shut_down, with_extension=True),
    Scenario("shutdown without extension", _shut_down),
    Scenario("shutdown, plan not carried out", _plan_not_carried_out, with_extension=True),
    Scenario("shutdown, plan carried out late", _plan_carried_out_late, with_extension=True),
    Scenario("sweep with orphans", _sweep),
    Scenario("damaged last segment", _damage),
    Scenario("late frames", _late),
    Scenario("disorder beyond the window", _disorder),
    Scenario("appended and repeated", _policies, {"TIMELAPSE_LATE": "append", "TIMELAPSE_REJECTED": "repeat"}),
)
SMALL = Scenario("small", _small, with_extension=True)


@dataclass(frozen=True)
class Outcome:
    """One run: how many requests it took, which of the faults came about, and what was wrong."""

    requests: int
    fired: int
    wrong: tuple[str, ...]


def run(scenario: Scenario, faults: Mapping[int, Fault], *, shows_photos: bool = True) -> Outcome:
    """Play, finish, check. An error that is none of the product's own is wrong too."""
    stage = scenario.stage(faults, shows_photos=shows_photos)
    try:
        with contextlib.suppress(PowerOff):
            scenario.play(stage)
        requests, fired = stage.requests, len(stage.fired)
        stage.finish()
        return Outcome(requests, fired, tuple(stage.check()))
    except Exception:  # noqa: BLE001 - a run that breaks is a failed point, and the next one is run
        return Outcome(stage.requests, len(stage.fired), (*stage.watch.violations, traceback.format_exc()))


def singles(scenario: Scenario, *, shows_photos: bool = True) -> Iterator[dict[int, Fault]]:
    """Every fault at every request of the undisturbed run."""
    requests = run(scenario, {}, shows_photos=shows_photos).requests
    for request in range(1, requests + 1):
        for fault in Fault:
            yield {request: fault}


def doubles(scenario: Scenario) -> Iterator[dict[int, Fault]]:
    """Every pair of faults: the second at each later request of the run with the first."""
    for first in singles(scenario):
        ((request, _),) = first.items()
        requests = run(scenario, first).requests
        for later in range(request + 1, requests + 1):
            for fault in Fault:
                yield {**first, later: fault}


def run_pair(scenario: Scenario, first: Mapping[int, Fault], seed: int) -> tuple[str, ...]:
    """The first fault, and another one at a later request of that run; both drawn by the numbers given."""
    ((request, _),) = first.items()
    draw = Random(f"{scenario.name} {first} {seed}")
    later = draw.randint(request + 1, max(request + 1, run(scenario, first).requests))
    return run(scenario, {**first, later: draw.choice(list(Fault))}).wrong
