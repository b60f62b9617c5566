"""Environments that meet on one stream: one is paused before each of its requests while another does a whole piece of
work, or up to each of its own requests. Who runs is decided here and handed over by semaphores; nothing sleeps.
"""

from __future__ import annotations

import contextlib
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

from tests.recovery.arrival import ArrivalRun
from tests.recovery.fault_run import FaultRun
from tests.recovery.ranges import SETTINGS as RANGE_SETTINGS
from tests.recovery.ranges import RangesRun
from tests.recovery.scenarios import REMOVAL, litter
from tests.world import STREAM, InvocationContext
from timelapse_runtime.runtime.function import Deadline
from timelapse_runtime.runtime.state.errors import StateError
from timelapse_runtime.runtime.state.memory import MemoryStore
from timelapse_runtime.timelapse import Timelapse
from timelapse_runtime.timelapse.errors import TimelapseError
from timelapse_runtime.timelapse.model import ahead_parts

_DAY_MS = 24 * 3600 * 1000
_HOURS_MS = 5 * 3600 * 1000
_NO_END = 10**9


class Actor(threading.Thread):
    """One environment's process: runs when it is resumed, up to a number of requests."""

    def __init__(self, work: Callable[[], None]) -> None:
        super().__init__(daemon=True)
        self.requests = 0
        self.error: str | None = None
        self._work, self._until, self._is_done = work, 0, False
        self._go, self._stands = threading.Semaphore(0), threading.Semaphore(0)
        self.start()

    def run(self) -> None:
        self._go.acquire()
        try:
            self._work()
        except BaseException:  # noqa: BLE001 - raised in the caller; a thread's exception would be lost
            self.error = traceback.format_exc()
        self._is_done = True  # not is_alive(): a thread that has nothing left to do is alive for a while
        self._stands.release()

    def resume(self, until: int = _NO_END) -> None:
        """Run up to the request after `until`, exclusively, or to the end. Returns when it is paused."""
        if not self._is_done:
            self._until = until
            self._go.release()
            self._stands.acquire()

    def gate(self) -> None:
        """Called by the actor before each of its requests."""
        while self.requests >= self._until:
            self._stands.release()
            self._go.acquire()
        self.requests += 1


class Race(FaultRun):
    """A run with several environments and without faults."""

    def around(self, store: MemoryStore, operation: str, key: str, effect: Callable[[], Any]) -> Any:
        actor = threading.current_thread()
        if isinstance(actor, Actor):
            actor.gate()
        return self._done(store, operation, key, effect)


@dataclass
class Instance:
    """An environment in a race."""

    race: Race
    function: Timelapse

    def invoke(self, event: Any) -> dict[str, Any] | None:
        """The answer, with two more attempts; None if all fail."""
        for _ in range(3):
            with contextlib.suppress(StateError, TimelapseError):
                return self.function.invoke(event, InvocationContext())
        return None

    def deliver(self, *numbers: int) -> None:
        """Deliver each photo's event by itself."""
        for number in numbers:
            key = self.race.upload(number)
            if key in self.race.watch.overtaken:
                self.race.lose(key)
            self.invoke(self.race.world.event(key))

    def sweep(self, **what: bool) -> None:
        """A sweep of the stream."""
        self.invoke({"sweep": {"stream": STREAM, **what}})

    def shut_down(self) -> None:
        """SIGTERM, and a new environment in its place."""
        deadline = Deadline(self.race.world.clock.now_epoch_ms() + 2_000)
        self.function.flush(deadline)
        self.function.close(deadline)
        self.race.send_outbox()
        self.function = self.race.world.environment()


Piece = Callable[[Instance, int], None]
"""Work for an environment with three photos of its own, from this number on."""


def _flush(instance: Instance, first: int) -> None:
    instance.deliver(first, first + 1, first + 2)


def _close(instance: Instance, first: int) -> None:
    instance.deliver(first)
    instance.sweep(close=True)
    instance.deliver(first + 1, first + 2)
    instance.sweep(drain=True)


def _sweep(instance: Instance, first: int) -> None:
    instance.deliver(first)
    instance.sweep()
    instance.sweep(drain=True)


def _shut_down(instance: Instance, first: int) -> None:
    instance.deliver(first, first + 1)
    instance.shut_down()
    instance.deliver(first + 2)


def _old_events(instance: Instance, first: int) -> None:
    instance.deliver(first, 0, 3, 6, 7, 2)


def _next_day(instance: Instance, first: int) -> None:
    instance.race.world.clock.advance(_DAY_MS)
    instance.deliver(first, first + 1, first + 2)


def _remove_segments(instance: Instance, first: int) -> None:
    """Each sweep looks at one closed reel; two hours later the segments may go."""
    for _ in range(3):
        instance.sweep()
    instance.race.world.clock.advance(2 * 3600 * 1000)
    for _ in range(3):
        instance.sweep()
    instance.deliver(first)


def _long_video(instance: Instance, first: int) -> None:
    """Past the end of a segment, at least."""
    instance.deliver(*range(first, first + 9))


def _join(instance: Instance, first: int) -> None:
    """No event of these photos came: functions of their own plan, encode and join them."""
    for number in range(first, first + 3):
        instance.race.upload(number)
    others = Instance(instance.race, instance.race.world.environment())
    planned = others.invoke({"backfill": {"plan": STREAM}})
    assert planned is not None
    plan = {"stream": STREAM, "plan": planned["plan"]}
    for name in planned["ranges"]:
        others.invoke({"backfill": {"encode": {**plan, "range": name}}})
    others.invoke({"backfill": {"join": plan}})


PIECES: Mapping[str, Piece] = {
    "flushes": _flush,
    "closes the reel": _close,
    "sweeps": _sweep,
    "shuts down": _shut_down,
    "gets old events": _old_events,
    "begins a day": _next_day,
    "closes a segment": _long_video,
}
_JOIN = "joins ranges"
_PIECES_AND_JOIN = {**PIECES, _JOIN: _join}
_REMOVE = "removes segments"
_CLEAN = "cleans up"


def _clean_up(instance: Instance, first: int) -> None:
    """A sweep opens the stream, and does not become its owner before it has looked for orphans."""
    instance.sweep()
    instance.deliver(first, first + 1)


def _adopt(instance: Instance, _first: int) -> None:
    """No environment's work, but a person's: `timelapse adopt`."""
    instance.race.adopt()


def _begin_empty(instance: Instance, first: int) -> None:
    """A stream begins with a photo that cannot be used, and another environment sweeps."""
    instance.race.upload(first, b"no photo", reason="undecodable")
    instance.deliver(first)
    instance.sweep()
    instance.function = instance.race.world.environment()
    instance.sweep(all_reels=True)


_ALL_PIECES = {
    **_PIECES_AND_JOIN,
    "adopts": _adopt,
    "begins empty": _begin_empty,
    _REMOVE: _remove_segments,
    _CLEAN: _clean_up,
}
BEFORE = {"warm": 8, "cold": 8, "first": 0}
"""What has happened: photos that the first environment processed (it has them in memory, or it is a new one)."""


@dataclass(frozen=True)
class Meeting:
    """The first environment does one piece, the second another. `before` says what the first one knows."""

    before: str
    first: str
    second: str
    settings: Mapping[str, str] = field(default_factory=lambda: {"TIMELAPSE_REEL": "day"})
    with_extension: bool = False
    shows_photos: bool = True
    are_owners_distinct: bool = False
    """Whether one environment leaves photos to the other."""
    pause_ms: int = _HOURS_MS
    unannounced: Sequence[int] = range(8, 11)
    """Photos that lie there when the two begin."""

    @property
    def name(self) -> str:
        return f"{self.first} ({self.before}) / {self.second}"

    def start(self) -> Race:
        """A fresh world for it."""
        return Race(settings=self.settings, with_extension=self.with_extension, shows_photos=self.shows_photos)

    def run(self, schedule: tuple[int, ...]) -> tuple[tuple[int, int], tuple[str, ...]]:
        """The requests of both, and what was wrong. `schedule`: the first runs up to so many requests, then the
        second, then the first again …; at the end the first, then the second to their ends."""
        race = self.start()
        race.world.are_owners_distinct = self.are_owners_distinct
        one = Instance(race, race.function)
        one.deliver(*range(BEFORE[self.before]))
        if self.before == "cold":
            litter(race)
            one.function = race.world.environment()
        two = Instance(race, race.world.environment())
        for number in self.unannounced:
            race.upload(number)
        actors = (
            Actor(lambda: _ALL_PIECES[self.first](one, 8)),
            Actor(lambda: _ALL_PIECES[self.second](two, 11)),
        )
        try:
            for position, until in enumerate(schedule):
                actors[position % 2].resume(until)
                race.world.clock.advance(self.pause_ms)
        finally:
            for actor in actors:
                actor.resume()
        requests = actors[0].requests, actors[1].requests
        wrong = [actor.error for actor in actors if actor.error]
        try:
            return requests, (*wrong, *self._rest(race, one, two))
        except Exception:  # noqa: BLE001 - a run that breaks is a failed point, and the next one is run
            return requests, (*wrong, *race.watch.violations, traceback.format_exc())

    @staticmethod
    def _rest(race: Race, one: Instance, two: Instance) -> list[str]:
        for number, instance in ((30, one), (31, two)):
            instance.deliver(number)
            instance.sweep()  # settles what the other one passed meanwhile
        race.watch.overtaken.clear()
        race.finish()
        return race.check()

    def pauses(self) -> Iterator[tuple[int, ...]]:
        """Pause the first before each of its requests while the second does all of its work."""
        (requests, _), _ = self.run((_NO_END,))
        for request in range(requests):
            yield request, _NO_END

    def interleavings(self) -> Iterator[tuple[int, ...]]:
        """Pause the second before each of its requests, too, while the first continues to its end."""
        for pause in self.pauses():
            (_, requests), _ = self.run(pause)
            for request in range(1, requests):
                yield pause[0], request


class ArrivalRace(Race, ArrivalRun):
    """A race on a stream in arrival order. The order of the frames is not judged: two environments take photos."""

    def upload(self, number: int, body: bytes | None = None, *, reason: str = "") -> str:
        """See FaultRun."""
        key = self.world.key(number)
        if all(photo.source.key != key for photo in self.numbered.photos.values()):
            self.add(key, body, reason=reason)
            self.is_ordered = False
        return key


@dataclass(frozen=True)
class ArrivalMeeting(Meeting):
    """In arrival order."""

    @property
    def name(self) -> str:
        return f"arrival: {super().name}"

    def start(self) -> Race:
        """See Meeting."""
        return ArrivalRace(
            settings={**self.settings, "TIMELAPSE_REORDER_WINDOW": "1"}, with_extension=self.with_extension
        )


@dataclass(frozen=True)
class OwnerMeeting(ArrivalMeeting):
    """Of environments of which one owns the stream."""

    @property
    def name(self) -> str:
        return f"{super().name}, {'a lease ends' if self.pause_ms > 75_000 else 'a lease lasts'}"


class RangesRace(ArrivalRace, RangesRun):
    """A race without filters: with one, no range is encoded apart."""


@dataclass(frozen=True)
class RangesMeeting(ArrivalMeeting):
    """A backfill by functions meets one that takes events."""

    @property
    def name(self) -> str:
        return f"ranges: {super().name}"

    def start(self) -> Race:
        """See Meeting."""
        return RangesRace(settings={**self.settings, "TIMELAPSE_REORDER_WINDOW": "1", **RANGE_SETTINGS})


class PartsMeeting(ArrivalMeeting):
    """With checkpoints that hold one photo beyond the watermark: other objects hold the rest."""

    @property
    def name(self) -> str:
        return f"parts: {super().name}"

    def run(self, schedule: tuple[int, ...]) -> tuple[tuple[int, int], tuple[str, ...]]:
        """See Meeting."""
        with patch.object(ahead_parts, "MAXIMUM_AHEAD_BYTES", 100):
            return super().run(schedule)


class RemovalMeeting(Meeting):
    """On a stream of which an earlier day's reel has been closed for two days."""

    @property
    def name(self) -> str:
        return f"removal: {super().name}"

    def start(self) -> Race:
        """See Meeting."""
        race = Race(settings=REMOVAL)
        before = Instance(race, race.function)
        before.deliver(0, 1)
        race.world.clock.advance(_DAY_MS)
        before.deliver(*range(2, 8))
        before.sweep(drain=True)
        race.world.clock.advance(2 * _DAY_MS)
        race.new_environment()
        return race


MEETINGS = tuple(Meeting(before, first, second) for before in BEFORE for first in PIECES for second in PIECES)
ARRIVAL_MEETINGS = tuple(
    ArrivalMeeting(before, first, second) for before in BEFORE for first in PIECES for second in PIECES
)
OWNER_MEETINGS = tuple(
    OwnerMeeting(before, first, second, are_owners_distinct=True, pause_ms=pause_ms)
    for pause_ms in (1_000, 100_000)
    for before in BEFORE
    for first in PIECES
    for second in PIECES
)
"""The lease lasts, or it ends while the first one is paused."""
_WITH_JOIN = (*((name, _JOIN) for name in PIECES), *((_JOIN, name) for name in (*PIECES, _JOIN)))
RANGES_MEETINGS = tuple(
    RangesMeeting(before, first, second) for before in ("warm", "first") for first, second in _WITH_JOIN
)
ADOPT_MEETINGS = tuple(
    meeting("first", *pair, unannounced=() if other == "begins empty" else range(8, 11))
    for meeting in (Meeting, ArrivalMeeting)
    for other in (*PIECES, "begins empty", "adopts")
    for pair in dict.fromkeys((("adopts", other), (other, "adopts")))
)
"""A video is adopted while an environment begins the stream."""
PARTS_MEETINGS = (
    PartsMeeting("warm", "flushes", _CLEAN),
    PartsMeeting("warm", "shuts down", "flushes"),
    PartsMeeting("warm", "flushes", "shuts down"),
    PartsMeeting("cold", _CLEAN, "flushes"),
    PartsMeeting("cold", _CLEAN, _CLEAN),
)
REMOVAL_MEETINGS = (
    *(RemovalMeeting("first", _REMOVE, name) for name in ("flushes", "closes the reel", "sweeps", _REMOVE)),
    *(RemovalMeeting("first", name, _REMOVE) for name in ("closes the reel", "sweeps")),
)
CLOSE_MEETINGS = (
    Meeting("warm", "flushes", "flushes"),
    Meeting("cold", "flushes", "sweeps"),
    Meeting("first", "flushes", "flushes"),
    Meeting("warm", "closes the reel", "flushes"),
    PartsMeeting("warm", "flushes", _CLEAN),
)
"""Few enough for every interleaving at two points."""
