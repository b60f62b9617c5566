"""Every fault at every request over HTTP, with the real processes: what `scripts/crashtest` runs of it."""

from __future__ import annotations

import itertools
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from tests.recovery.http.harness import HttpHarness
from tests.recovery.http.proxy import HttpFault, Request
from tests.recovery.http.run import HTTP_SCENARIOS, HttpRun, HttpScenario

Server = Literal["moto", "ministack"]
_ATTEMPTS = 3
_KILLS = (HttpFault.KILLED_BEFORE, HttpFault.KILLED_AFTER)


@dataclass(frozen=True)
class Point:
    """A fault at the request with this number."""

    scenario: HttpScenario
    number: int
    request: str
    fault: HttpFault

    @property
    def name(self) -> str:
        """As it is shown."""
        return f"{self.scenario.name}: {self.fault.value} at request {self.number}, {self.request}"

    @property
    def faults(self) -> Mapping[int, HttpFault]:
        """503 for as long as the client tries, so that the runtime gets to see it; 500 once, so that it heals that."""
        count = _ATTEMPTS if self.fault is HttpFault.SLOW_DOWN else 1
        return dict.fromkeys(range(self.number, self.number + count), self.fault)


def points(harness: HttpHarness, scenario: HttpScenario) -> Iterator[Point]:
    """Plays the scenario once, undisturbed. By fault: environments with the same time-outs follow each other."""
    run = HttpRun(harness, scenario, {})
    run.run_steps()
    requests = [
        (number, request)
        for number, request in enumerate(harness.proxy.requests, start=1)
        if request.path.endswith(scenario.request_suffix)
    ]
    run.finish()
    if wrong := run.wrong():
        raise AssertionError("\n".join(["without a fault:", *wrong, *harness.log]))
    for fault, (number, request) in itertools.product(HttpFault, requests):
        if fault not in (HttpFault.CONFLICT, HttpFault.CONDITION_FAILED) or _can_fail(request):
            yield Point(scenario, number, request.name, fault)


def run_point(harness: HttpHarness, point: Point) -> list[str]:
    """What is wrong after this point. An error that is none of the product's own is wrong too."""
    try:
        run = HttpRun(harness, point.scenario, point.faults)
        run.run_steps()
        wrong = [] if point.fault in harness.proxy.fired else ["the request did not come"]
        if bool(harness.killed) != (point.fault in _KILLS):
            wrong.append(f"killed were {harness.killed}")
        run.finish()
        return wrong + run.wrong()
    except Exception:  # noqa: BLE001 - a run that breaks is a failed point, and the next one is run
        return [traceback.format_exc()]


def run_all(server: Server, step: int, *, first: int) -> Iterator[tuple[str, list[str]]]:
    """Every `step`-th point's name from the `first` (0) on, and what was wrong there. Needs ffmpeg, and ministack where
    that is asked for."""
    with HttpHarness(server) as harness:
        every = itertools.chain.from_iterable(points(harness, scenario) for scenario in HTTP_SCENARIOS)
        for point in itertools.islice(every, first, None, step):
            yield point.name, run_point(harness, point)


def _can_fail(request: Request) -> bool:
    """Whether 409 and 412 are possible. To a rejection record's PUT they mean that there is one, and are no failure."""
    return request.is_conditional and "/rejected/" not in request.target
