"""What is enumerated: short runs of a stream, each with every kind of request, and the runs with faults.

A scenario drives a `FaultRun`, which handles the faults; it must not look at the outcome.
"""

from __future__ import annotations

import contextlib
import itertools
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any

from tests.recovery import arrival, ranges
from tests.recovery.arrival import ArrivalRun
from tests.recovery.fault_run import FaultRun
from tests.recovery.faults import Fault, PowerOff
from tests.recovery.ranges import RangesRun

_DAY_MS = 24 * 3600 * 1000
_FIVE_MINUTES_MS = 5 * 60_000
"""Within which an environment reads the stream's settings again."""


@dataclass(frozen=True)
class Scenario:
    """`steps` with these settings; `with_extension`: whether an extension sends what is in the outbox."""

    name: str
    steps: Callable[[Any], None]
    settings: Mapping[str, str] = field(default_factory=dict)
    with_extension: bool = False
    are_owners_distinct: bool = False
    """Whether an environment leaves photos to another one."""

    def start(self, faults: Mapping[int, Fault] | None = None, *, shows_photos: bool = True) -> FaultRun:
        """A fresh world for it."""
        return FaultRun(
            faults,
            settings=self.settings,
            with_extension=self.with_extension,
            shows_photos=shows_photos,
            are_owners_distinct=self.are_owners_distinct,
        )


def _grow(run: FaultRun) -> None:
    """Flushes within a segment and over its end; `video.mp4` whole at first, then by parts; events that overtake each
    other, come twice or are lost; photos that cannot be used."""
    run.shoot(range(4))
    run.deliver(run.upload(4, b"no photo", reason="undecodable"))
    run.lose(run.upload(5))
    later = run.upload(6)
    overtaking = run.upload(7)
    run.lose(later)
    run.deliver(overtaking)
    run.deliver(later)
    run.shoot(range(8, 11))
    run.deliver(run.world.key(8))
    run.deliver(run.upload(11, b"", reason="empty"))
    run.shoot(range(12, 24))


def _roll(run: FaultRun) -> None:
    """A reel ends with its day, and another by a sweep; with bad photos at the boundary."""
    run.shoot(range(5))
    run.deliver(run.upload(5, b"no photo", reason="undecodable"))
    run.world.clock.advance(_DAY_MS)
    run.shoot(range(6, 11))
    run.sweep(close=True)
    run.deliver(run.upload(11, b"no photo", reason="undecodable"))
    run.shoot(range(12, 17))
    run.sweep(close=True)


def _remove_segments(run: FaultRun) -> None:
    """Three days, and the segments of the first are removed. Events of its photos come again before and after that."""
    run.shoot(range(4))
    run.world.clock.advance(_DAY_MS)
    run.shoot(range(4, 8))
    run.world.clock.advance(_DAY_MS)
    run.shoot(range(8, 16))
    run.sweep()
    run.sweep()
    run.new_environment()
    run.sweep()
    run.sweep()
    run.world.clock.advance(2 * 3_600_000)
    run.deliver(run.world.key(1))
    run.sweep()
    run.sweep()
    run.deliver(run.world.key(2))
    run.shoot([16])


def _shut_down(run: FaultRun) -> None:
    """Environments that live for a few frames, each with a clean shutdown."""
    run.shoot(range(2))
    run.shut_down()
    run.lose(run.upload(2))
    run.shoot(range(3, 7))
    run.shut_down()
    run.shoot(range(7, 16))
    run.shut_down()
    run.sweep(close=True)
    run.shoot(range(16, 18))
    run.lose(run.upload(18))
    run.shoot([19])
    run.shut_down()


def _outbox_lost(run: FaultRun) -> None:
    run.shoot(range(5))
    run.shut_down(outbox_sent=False)
    for job in run.world.outbox.glob("*") if run.world.outbox else ():
        job.unlink()
    run.shoot(range(5, 10))
    run.shut_down(outbox_sent=False)


def _outbox_sent_late(run: FaultRun) -> None:
    """Another instance has committed when the job is sent; once before its first commit, once after."""
    run.shoot(range(8))
    run.shut_down(outbox_sent=False)
    run.shoot(range(8, 10))
    run.send_outbox()
    run.shoot(range(10, 14))
    run.shut_down(outbox_sent=False)
    run.shoot(range(14, 20))
    run.send_outbox()
    run.shoot(range(20, 22))


def _sweep(run: FaultRun) -> None:
    """A sweep cleans up after crashes and lost events, in the open reel and in a closed one."""
    run.shoot(range(7))
    litter(run)
    run.sweep()
    run.lose(run.upload(7), run.upload(8))
    run.sweep(drain=True)
    run.shoot(range(9, 12))
    run.sweep(close=True)
    litter(run)
    run.sweep()
    run.shoot(range(12, 16))
    run.sweep(drain=True)


def litter(run: FaultRun) -> None:
    """Orphans as crashes leave them: in every reel, in one that was begun on another day, in the next one."""
    keys = run.world.keys
    with run.aside():
        reels = run.world.reels()
        number = reels[-1].number
        places = [keys.segments(reel.name) for reel in reels]
        places += [keys.segments(f"2999-01-01-{number:04d}"), keys.segments(f"2999-01-01-{number + 1:04d}")]
        for place in places:
            for attempt in ("aaaaaaaaaaaa", "bbbbbbbbbbbb"):
                run.world.video.put(f"{place}00000003-2-{attempt}.m4s", b"left by a crash")
        run.world.video.put(keys.init(f"2999-01-01-{number:04d}"), b"left by a crash")


def _damage(run: FaultRun) -> None:
    """The last segment is destroyed while no environment has it in memory."""
    run.shoot(range(9))
    run.sweep(drain=True)
    run.new_environment()
    run.destroy_last_segment()
    run.shoot(range(9, 16))
    run.sweep(drain=True)


def _policies(run: FaultRun) -> None:
    """Late frames are appended at the video's end, and the frame before a bad photo is repeated in its place."""
    run.shoot([0, 1])
    run.deliver(run.upload(2, b"no photo", reason="undecodable"))
    run.shoot(range(4, 9))
    run.sweep(drain=True)
    late = run.upload(3)
    run.lose(late)
    run.deliver(late)
    run.shoot(range(9, 12))
    run.deliver(late)
    run.shut_down()
    run.deliver(run.upload(12, b"", reason="empty"))
    run.shoot(range(13, 16))


def _late(run: FaultRun) -> None:
    """Photos uploaded below what is committed; their events come at once, after a restart, and never."""
    run.shoot([0, 1, 4, 5, 6, 8])
    run.sweep(drain=True)
    run.lose(run.upload(7))
    for number in (2, 3):
        late = run.upload(number)
        run.lose(late)
        run.deliver(late)
        run.new_environment()
    run.shoot(range(9, 13))


def _disorder(run: FaultRun) -> None:
    """Frames arrive below some that are encoded: these are discarded and encoded again, with commits in between."""
    for first in (6, 18):
        waiting = [run.upload(number) for number in range(first, first + 6)]
        run.lose(*waiting[1:])
        run.deliver(waiting[0])
        for number in (first - 6, first - 3, first - 2):
            overtaken = run.upload(number)
            run.lose(overtaken)
            run.deliver(overtaken)
    run.shoot(range(24, 28))


def _remake(run: FaultRun) -> None:
    """A closed reel is rendered again, and photos are removed: of that, of the open reel, and of one that has
    closed."""
    run.shoot(range(5))
    run.world.clock.advance(_DAY_MS)
    run.shoot(range(5, 10))
    run.render()
    run.shoot([10])
    run.remove(2)
    run.shoot([11])
    run.remove(7)
    run.shoot(range(12, 17))
    run.sweep(close=True)


def _adopt(run: FaultRun) -> None:
    """A video is adopted while a photo lies there that nothing announced; then photos come."""
    run.lose(run.upload(0))
    run.adopt()
    run.shoot(range(1, 9))
    run.sweep(close=True)
    run.shoot(range(9, 13))
    run.sweep(drain=True)


def _change_settings(run: FaultRun) -> None:
    """The stream's settings change within a flush and between two, while an environment has it open and while none has;
    to such that the reel can hold and to others; and they are damaged."""
    run.shoot(range(5))
    run.configure(24)
    run.shoot(range(5, 8))
    run.world.clock.advance(_FIVE_MINUTES_MS)
    run.shoot(range(8, 13))
    run.configure(25, fps="12")
    run.shut_down()
    run.shoot(range(13, 17))
    run.damage_settings()
    run.new_environment()
    run.shoot(range(17, 20))
    run.world.clock.advance(_FIVE_MINUTES_MS)
    run.shoot([20])
    run.configure(26, fps="12", keyframe_interval="4")
    run.world.clock.advance(_FIVE_MINUTES_MS)
    run.sweep()
    run.shoot(range(21, 26))


def _keep_time(run: FaultRun) -> None:
    """Frames that are shown as their photos were taken: with gaps of all lengths, photos that come too fast, repeated
    frames, a reel that ends, and environments that end within a segment and between two, some with frames that are
    still in an encoder. On the second day the camera is slow."""
    waits = itertools.cycle([0, 1_000, 3_000, 1_000, 60_000, 0, 9_000])

    def shoot(numbers: Sequence[int], *, slower: int = 1) -> None:
        for number in numbers:
            run.world.clock.advance(slower * next(waits))
            run.shoot([number])

    shoot(range(5))
    run.deliver(run.upload(5, b"no photo", reason="undecodable"))
    shoot(range(6, 13))
    run.new_environment()
    shoot([13])
    run.shut_down()
    shoot(range(14, 16))
    run.world.clock.advance(_DAY_MS)
    shoot(range(16, 19), slower=20)
    run.sweep(drain=True)
    shoot(range(19, 23), slower=20)
    run.shut_down()
    shoot([23])


def _draw_pictures(run: FaultRun) -> None:
    """Pictures of the day: environments that end within a segment, between two, and cleanly; reels that end with their
    day and by a sweep; a removed photo, and a reel that is rendered again."""
    run.shoot(range(8))
    run.new_environment()
    run.shoot(range(8, 11))
    run.shut_down()
    run.shoot(range(11, 15))
    run.world.clock.advance(_DAY_MS)
    run.shoot(range(15, 21))
    run.remove(3)
    run.shoot(range(21, 24))
    run.sweep(close=True)
    run.render()
    run.new_environment()
    run.shoot(range(24, 28))
    run.sweep(drain=True)


def _small(run: FaultRun) -> None:
    """Two commits, a sweep, a lost event: small enough for two faults at a time."""
    run.shoot(range(3))
    run.lose(run.upload(3))
    run.shoot([4, 5, 6])
    run.shut_down()
    run.shoot([7])
    run.sweep(drain=True)


@dataclass(frozen=True)
class ArrivalScenario(Scenario):
    """In arrival order; its steps drive a `run_class`."""

    run_class: type[ArrivalRun] = ArrivalRun

    def start(self, faults: Mapping[int, Fault] | None = None, *, shows_photos: bool = True) -> FaultRun:
        """A fresh world for it."""
        assert shows_photos
        return self.run_class(
            faults,
            settings=self.settings,
            with_extension=self.with_extension,
            are_owners_distinct=self.are_owners_distinct,
        )


def run_life(seed: int) -> Outcome:
    """A random life of a stream in arrival order, with up to six faults."""
    draw = Random(seed)
    settings = {
        "TIMELAPSE_REORDER_WINDOW": str(draw.choice([0, 1, 3, 16])),
        "TIMELAPSE_FLUSH_EVERY": str(draw.randint(1, 8)),
        "TIMELAPSE_KEYFRAME_INTERVAL": str(draw.randint(1, 8)),
        "TIMELAPSE_REJECTED": draw.choice(["skip", "repeat"]),
    }
    kinds = [fault for fault in Fault if fault is not Fault.POWER_OFF]
    faults = {draw.randint(1, 250): draw.choice(kinds) for _ in range(draw.choice([0, 1, 1, 3, 6]))}
    steps = partial(arrival.live, draw=Random(seed))
    life = ArrivalScenario(
        f"life {seed}",
        steps,
        settings,
        with_extension=draw.random() < 0.5,
        are_owners_distinct=draw.random() < 0.5,
    )
    return run_scenario(life, faults)


REMOVAL = {
    "TIMELAPSE_REEL": "day",
    "TIMELAPSE_KEEP_SEGMENTS": "day",
    "TIMELAPSE_FPS": "1",
    "TIMELAPSE_KEYFRAME_INTERVAL": "2",
    "TIMELAPSE_FLUSH_EVERY": "2",
}
"""A reel soon has as much as `live.m3u8` needs, and then names no segment of the one before."""
KEEP_TIME = {"TIMELAPSE_SPEED": "60", "TIMELAPSE_REJECTED": "repeat", "TIMELAPSE_REEL": "day"}
PICTURES = {"TIMELAPSE_REEL": "day", "TIMELAPSE_DAY_PICTURES": "keogram, digest"}
SCENARIOS = (
    Scenario("growing video", _grow),
    Scenario("reels by day and by close", _roll, {"TIMELAPSE_REEL": "day"}),
    Scenario("segments removed", _remove_segments, REMOVAL),
    Scenario("shutdown, outbox sent", _shut_down, with_extension=True),
    Scenario("shutdown without extension", _shut_down),
    Scenario("shutdown, outbox lost", _outbox_lost, with_extension=True),
    Scenario("shutdown, outbox sent late", _outbox_sent_late, with_extension=True),
    Scenario("sweep with orphans", _sweep),
    Scenario("damaged last segment", _damage),
    Scenario("late frames", _late),
    Scenario("disorder beyond the window", _disorder),
    Scenario("by capture times", _keep_time, KEEP_TIME, with_extension=True),
    Scenario("settings change", _change_settings, with_extension=True),
    ArrivalScenario("arrival: settings change in turns", arrival.change_settings_in_turns, are_owners_distinct=True),
    ArrivalScenario("arrival: growing video", arrival.grow),
    ArrivalScenario("arrival: counter wraps", arrival.wrap),
    ArrivalScenario("arrival: overwritten keys", arrival.overwrite),
    ArrivalScenario("arrival: content comes later", arrival.content_later),
    ArrivalScenario("arrival: camera hangs", arrival.hang, {"TIMELAPSE_SKIP": "frozen"}),
    ArrivalScenario(
        "arrival: camera hangs, frames repeated",
        arrival.hang,
        {"TIMELAPSE_SKIP": "frozen", "TIMELAPSE_REJECTED": "repeat"},
    ),
    ArrivalScenario("arrival: visible late", arrival.late),
    ArrivalScenario("arrival: backlog", arrival.backlog),
    ArrivalScenario("arrival: bulk upload", arrival.bulk_upload, {"TIMELAPSE_REEL": "day"}),
    ArrivalScenario(
        "arrival: bulk upload in parts", arrival.bulk_upload_in_parts, {"TIMELAPSE_REEL": "day"}, with_extension=True
    ),
    ArrivalScenario("arrival: shutdown, outbox sent", arrival.shut_down, with_extension=True),
    ArrivalScenario("arrival: shutdown without extension", arrival.shut_down),
    ArrivalScenario("arrival: pace changes", arrival.change_pace),
    ArrivalScenario("arrival: order changed", arrival.change_order),
    ArrivalScenario("arrival: environments take turns", arrival.take_turns, are_owners_distinct=True),
    ArrivalScenario("arrival: told in part", arrival.told_in_part),
    ArrivalScenario("arrival: overwritten in turns", arrival.overwrite_in_turns, are_owners_distinct=True),
    ArrivalScenario("arrival: ranges ahead", ranges.read_ahead, ranges.SETTINGS, run_class=RangesRun),
    ArrivalScenario("arrival: ranges by functions", ranges.by_functions, ranges.SETTINGS, run_class=RangesRun),
    ArrivalScenario("arrival: ranges behind others", ranges.behind_others, ranges.SETTINGS, run_class=RangesRun),
    ArrivalScenario("arrival: a camera rests", arrival.rest),
    Scenario("rendered and removed", _remake, {"TIMELAPSE_REEL": "day"}),
    ArrivalScenario("arrival: rendered and removed", arrival.remake, {"TIMELAPSE_REEL": "day"}),
    Scenario("pictures of the day", _draw_pictures, PICTURES, with_extension=True),
    Scenario("adopted", _adopt),
    ArrivalScenario("arrival: adopted", arrival.adopt),
    Scenario("a stream that others own", _grow, are_owners_distinct=True),
    Scenario("appended and repeated", _policies, {"TIMELAPSE_LATE": "append", "TIMELAPSE_REJECTED": "repeat"}),
)
SMALL = Scenario("small", _small, with_extension=True)


@dataclass(frozen=True)
class Outcome:
    """One run: how many requests it took, for which of them 412 is possible, and what was wrong."""

    requests: int
    conditional: frozenset[int]
    wrong: tuple[str, ...]

    def faults_after(self, request: int) -> Iterator[tuple[int, Fault]]:
        """Every fault at each request after this one."""
        for later in range(request + 1, self.requests + 1):
            for fault in Fault:
                if fault is not Fault.CONDITION_FAILED or later in self.conditional:
                    yield later, fault


def run_scenario(scenario: Scenario, faults: Mapping[int, Fault], *, shows_photos: bool = True) -> Outcome:
    """Run the steps, finish, check. An error that is not one of the product's own is wrong too."""
    run = scenario.start(faults, shows_photos=shows_photos)
    try:
        with contextlib.suppress(PowerOff):
            scenario.steps(run)
        requests = run.requests
        run.finish()
        wrong = run.check()
    except Exception:  # noqa: BLE001 - a run that breaks is a failed point, and the next one is run
        requests, wrong = run.requests, [*run.watch.violations, traceback.format_exc()]
    return Outcome(requests, frozenset(run.conditional), tuple(wrong))


def singles(scenario: Scenario, *, shows_photos: bool = True) -> Iterator[dict[int, Fault]]:
    """Every fault at every request of the undisturbed run."""
    undisturbed = run_scenario(scenario, {}, shows_photos=shows_photos)
    return ({request: fault} for request, fault in undisturbed.faults_after(0))


def doubles(scenario: Scenario) -> Iterator[dict[int, Fault]]:
    """Every pair of faults: the second at each later request of the run with the first."""
    for first in singles(scenario):
        (request,) = first
        for later, fault in run_scenario(scenario, first).faults_after(request):
            yield {**first, later: fault}


def drawn_pairs(scenario: Scenario) -> Iterator[dict[int, Fault]]:
    """With every fault that the scenario survives, another one at a later request. Both that and its kind are drawn."""
    undisturbed = run_scenario(scenario, {})
    for request, fault in undisturbed.faults_after(0):
        if fault is not Fault.POWER_OFF and request < undisturbed.requests:
            draw = Random(f"{scenario.name} {request} {fault.value}")
            later = draw.randint(request + 1, undisturbed.requests)
            yield {request: fault, later: draw.choice(list(Fault))}
