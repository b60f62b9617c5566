"""Every fault at every request over HTTP, with the real processes: what `scripts/crashtest` runs of it."""

from __future__ import annotations

import itertools
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from tests.recovery.http.proxy import Fault, Request
from tests.recovery.http.rig import Rig
from tests.recovery.http.take import SCENARIOS, Scenario, Take

Server = Literal["moto", "ministack"]
_ATTEMPTS = 3
_KILLS = (Fault.KILLED_BEFORE, Fault.KILLED_AFTER)


@dataclass(frozen=True)
class Point:
    """A fault at the request with this number."""

    scenario: Scenario
    number: int
    request: str
    fault: Fault

    @property
    def name(self) -> str:
        """As it is shown."""
        return f"{self.scenario.name}: {self.fault.value} at request {self.number}, {self.request}"

    @property
    def faults(self) -> Mapping[int, Fault]:
        """503 for as long as the client tries, so that the runtime gets to see it; 500 once, so that it heals that."""
        count = _ATTEMPTS if self.fault is Fault.SLOW_DOWN else 1
        return dict.fromkeys(range(self.number, self.number + count), self.fault)


def points(rig: Rig, scenario: Scenario) -> Iterator[Point]:
    """Plays the scenario once, undisturbed. By fault: environments with the same time-outs follow each other."""
    take = Take(rig, scenario, {})
    take.play()
    requests = [
        (number, request)
        for number, request in enumerate(rig.proxy.requests, start=1)
        if request.path.endswith(scenario.request_suffix)
    ]
    take.finish()
    if wrong := take.wrong():
        raise AssertionError("\n".join(["without a fault:", *wrong, *rig.log]))
    for fault, (number, request) in itertools.product(Fault, requests):
        if fault not in (Fault.CONFLICT, Fault.CONDITION_FAILED) or _can_fail(request):
            yield Point(scenario, number, request.name, fault)


def run(rig: Rig, point: Point) -> list[str]:
    """What is wrong after this point. An error that is none of the product's own is wrong too."""
    try:
        take = Take(rig, point.scenario, point.faults)
        take.play()
        wrong = [] if point.fault in rig.proxy.fired else ["the request did not come"]
        if bool(rig.killed) != (point.fault in _KILLS):
            wrong.append(f"killed were {rig.killed}")
        take.finish()
        return wrong + take.wrong()
    except Exception:  # noqa: BLE001 - a run that breaks is a failed point, and the next one is run
        return [traceback.format_exc()]


def run_all(server: Server, step: int, *, first: int) -> Iterator[tuple[str, list[str]]]:
    """Every `step`-th point's name from the `first` (0) on, and what was wrong there. Needs ffmpeg, and ministack where
    that is asked for."""
    with Rig(server) as rig:
        every = itertools.chain.from_iterable(points(rig, scenario) for scenario in SCENARIOS)
        for point in itertools.islice(every, first, None, step):
            yield point.name, run(rig, point)


def _can_fail(request: Request) -> bool:
    """Whether 409 and 412 are possible. To a rejection record's PUT they mean that there is one, and are no failure."""
    return request.is_conditional and "/rejected/" not in request.target
