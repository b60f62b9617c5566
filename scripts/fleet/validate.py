"""Eight cameras in real time through real processes, against the simulation of the same.

The simulation gets the CPU times that are measured beside the run, on this machine in the state that it is in, the
local server's times in place of AWS's, and how much longer an invocation took than that: on a busy machine a process
waits for a processor, and no figure of CPU tells it. All else is the model's own: which photos meet their open stream,
how long their events wait, when is a commit, what is requested.
"""

from __future__ import annotations

import contextlib
import json
import queue
import random
import statistics
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Any

from scripts.benchmark.stage import BUCKET, BenchFailed, Stage
from scripts.fleet.calibrate import calibrate_size
from timelapse_runtime.emulator.s3_server import EmbeddedS3
from timelapse_runtime.emulator.scene import render_scene
from timelapse_runtime.fleet.assumptions import RETRY_FIRST_SECONDS, RETRY_LAST_SECONDS
from timelapse_runtime.fleet.camera import DIRECT, FIFO, Camera
from timelapse_runtime.fleet.measured import Figures, Operation, figures_for
from timelapse_runtime.fleet.simulation import Simulation, Times
from timelapse_runtime.runtime.state.errors import ObjectNotFound
from timelapse_runtime.timelapse.config import parse_config

CAMERAS = 8
_SIZE = (640, 360)
_MEMORY_MB = 1769
_SWEEP_SECONDS = 120.0
_SCENE_PHOTOS = 24
_PLACES = {"TIMELAPSE_FRAMES": "s3://frames/frames/", "TIMELAPSE_VIDEO": "s3://video/video/"}
_SEEDS = 5
_LOOK_SECONDS = 0.4
_REQUEST_MS = 10.0
"""Of the local server, on an idle machine."""
WITHIN = 0.15


@dataclass(frozen=True, slots=True)
class Scenario:
    """One routing, and how the eight cameras are."""

    routing: str
    interval_seconds: float
    seconds: float


SCENARIOS = (Scenario(FIFO, 2.0, 360), Scenario(DIRECT, 12.0, 360))
"""An environment for each camera, with encoders that look ahead; and one environment for all of them with four open
streams, so that most photos close another stream, with low-delay encoders."""


@dataclass
class Observed:
    """What was counted in the real run."""

    photos: int = 0
    lags: list[float] = field(default_factory=list)
    requests: Counter[str] = field(default_factory=Counter)
    commits: int = 0
    cpu_seconds: float = 0
    invocation_seconds: float = 0
    failures: int = 0

    @property
    def slowness(self) -> float:
        """How many times as long the invocations took as their CPU and requests take on an idle machine."""
        return self.invocation_seconds / (self.cpu_seconds + _REQUEST_MS / 1000 * self.requests.total())


class RealFleet:
    """The cameras, the queues and the environments, as threads and processes. `run` may be called once."""

    def __init__(self, scenario: Scenario, server: EmbeddedS3, stack: ExitStack, seed: int = 1) -> None:
        self._scenario = scenario
        self._random = random.Random(seed)  # noqa: S311  no secret
        self._bodies = list(render_scene(_SCENE_PHOTOS, _SIZE))
        count = CAMERAS if scenario.routing == FIFO else 1
        self._stages = [
            stack.enter_context(Stage({}, freeze=False, memory_size_mb=_MEMORY_MB, server=server)) for _ in range(count)
        ]
        self._free = [threading.Lock() for _ in range(count)]
        self._uploaded: dict[str, list[float]] = {f"camera{number}": [] for number in range(CAMERAS)}
        self._committed: Counter[str] = Counter()
        self._cumulative: dict[str, Mapping[str, Any]] = {}
        self._counting = threading.Lock()
        self.observed = Observed()

    def run(self) -> Observed:
        """In real time."""
        self._end = time.monotonic() + self._scenario.seconds
        threads = [threading.Thread(target=self._camera, args=(number,)) for number in range(CAMERAS)]
        threads += [threading.Thread(target=self._sweeps), threading.Thread(target=self._watch_commits)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        observed = self.observed
        for environment in self._cumulative.values():
            observed.requests += Counter(environment["s3_requests"])
            observed.commits += environment.get("flushes", 0)
        observed.cpu_seconds = sum(stage.environment.usage.cpu_seconds for stage in self._stages)
        return observed

    def _camera(self, number: int) -> None:
        """Uploads in time; with `fifo` a second thread takes the events, one after the other."""
        name, interval = f"camera{number}", self._scenario.interval_seconds
        events: queue.Queue[dict[str, Any] | None] = queue.Queue()
        worker = threading.Thread(target=self._dispatcher, args=(number, events))
        worker.start()
        asynchronous: list[threading.Thread] = []
        due = time.monotonic() + self._random.uniform(0, interval)
        while due < self._end:
            time.sleep(max(0.0, due - time.monotonic()))
            with self._counting:
                self._stages[0].stream = name
                event = self._stages[0].upload(self._bodies[self.observed.photos % len(self._bodies)])
                self._uploaded[name].append(time.monotonic())
                self.observed.photos += 1
            if self._scenario.routing == FIFO:
                events.put(event)
            else:
                asynchronous.append(threading.Thread(target=self._invoke_asynchronously, args=(event,)))
                asynchronous[-1].start()
            due += max(0.01, self._random.gauss(interval, interval * Camera().jitter))
        events.put(None)
        for thread in (worker, *asynchronous):
            thread.join()

    def _dispatcher(self, number: int, events: queue.Queue[dict[str, Any] | None]) -> None:
        while (event := events.get()) is not None:
            with self._free[number]:
                self._invoke(number, event)

    def _invoke_asynchronously(self, event: dict[str, Any]) -> None:
        delay = RETRY_FIRST_SECONDS
        while not self._free[0].acquire(blocking=False):
            time.sleep(delay)
            delay = min(2 * delay, RETRY_LAST_SECONDS)
        try:
            self._invoke(0, event)
        finally:
            self._free[0].release()

    def _sweeps(self) -> None:
        due = time.monotonic() + _SWEEP_SECONDS
        while due < self._end:
            time.sleep(max(0.0, due - time.monotonic()))
            for number, free in enumerate(self._free):
                event = {"sweep": f"camera{number}" if self._scenario.routing == FIFO else True}
                with free:
                    self._invoke(number, event)
            due += _SWEEP_SECONDS

    def _invoke(self, number: int, event: dict[str, Any]) -> None:
        began = time.monotonic()
        try:
            result = self._stages[number].invoke(event)
        except BenchFailed:  # the machine was too busy: the next event or sweep does what was not done
            with self._counting:
                self.observed.failures += 1
            return
        now = time.monotonic()
        answer = result.payload or {}
        with self._counting:
            self.observed.invocation_seconds += now - began
            self._cumulative[answer["environment"]["id"]] = answer["environment"]

    def _watch_commits(self) -> None:
        """Notes when photos are committed. The checkpoints tell it: a stream that is closed to make room for another is
        not in the answer of that invocation."""
        store = self._stages[0].store
        while time.monotonic() < self._end:
            for name, uploaded in self._uploaded.items():
                with contextlib.suppress(ObjectNotFound):
                    body = store.get(f"video/{name}/checkpoint.json").body
                    committed, now = json.loads(body)["frame_count"], time.monotonic()
                    with self._counting:
                        self.observed.lags += [now - at for at in uploaded[self._committed[name] : committed]]
                    self._committed[name] = committed
            time.sleep(_LOOK_SECONDS)


def validate(routings: Collection[str]) -> Iterator[dict[str, Any]]:
    """For each scenario of these routings: what was observed, what the simulation says, and their ratio, by name.

    They run side by side, and beside them the CPU is measured: the same work takes up to twice the CPU time while
    others use the machine.
    """
    scenarios = [one for one in SCENARIOS if one.routing in routings]
    print(
        f"{CAMERAS} cameras for {max(one.seconds for one in scenarios):.0f} s: {', '.join(routings)}", file=sys.stderr
    )
    with ThreadPoolExecutor(1 + len(scenarios)) as pool:
        real = [pool.submit(_real, scenario) for scenario in scenarios]
        figures = local_figures(pool.submit(calibrate_size, _SIZE).result())
        for scenario, observed in zip(scenarios, real, strict=True):
            found = {"routing": scenario.routing, "interval_seconds": scenario.interval_seconds}
            yield found | compared(observed.result(), simulated(scenario, figures, observed.result().slowness))


def _real(scenario: Scenario) -> Observed:
    with ExitStack() as stack:
        server = stack.enter_context(EmbeddedS3())
        server.create_buckets(BUCKET)
        return RealFleet(scenario, server, stack).run()


def local_figures(measured: Mapping[str, Any]) -> Figures:
    """The model's figures with what was just measured here."""
    usual = figures_for(_SIZE)
    operations = {
        name: Operation(measured[name]["cpu_ms"], operation.requests) for name, operation in usual.operations.items()
    }
    return replace(
        usual,
        operations=operations,
        frame_bytes=measured["frame_bytes"],
        photo_bytes=measured["photo_bytes"],
        frames_inside=measured["frames_inside"],
    )


def simulated(scenario: Scenario, figures: Figures, slowness: float) -> list[dict[str, float]]:
    """The same time, with several seeds, by a vCPU and a server that are so much slower. The real run is counted from
    its beginning: so is this."""
    config = parse_config(_PLACES | {"TIMELAPSE_SIZE": "640x360", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(_MEMORY_MB)})
    camera = Camera(scenario.interval_seconds, size=_SIZE)
    times = Times(
        5, 1, 300, 0.2, lambda requests, _bytes: slowness * _REQUEST_MS * sum(requests.values()), _SWEEP_SECONDS
    )
    found = []
    for seed in range(_SEEDS):
        result = Simulation(
            config,
            figures,
            camera,
            CAMERAS,
            round(_MEMORY_MB / slowness),
            scenario.routing,
            seconds=scenario.seconds,
            seed=seed,
            times=times,
            uncounted_share=0,
        ).run()
        found.append(_figures(result.photos, result.lags, result.usage.requests, result.commits, result.cpu_ms / 1000))
    return found


def compared(observed: Observed, runs: list[dict[str, float]]) -> dict[str, Any]:
    """By name: observed, simulated (the mean of the runs), and the second divided by the first."""
    real = _figures(observed.photos, observed.lags, observed.requests, observed.commits, observed.cpu_seconds)
    found = {}
    for name, value in real.items():
        model = statistics.mean(run.get(name, 0.0) for run in runs)
        found[name] = {"observed": round(value, 3), "simulated": round(model, 3), "ratio": round(model / value, 3)}
    return {"photos": observed.photos, "failures": observed.failures, "slowness": observed.slowness, "figures": found}


def _figures(
    photos: int, lags: list[float], requests: Mapping[str, float], commits: int, cpu_seconds: float
) -> dict[str, float]:
    ordered = sorted(lags)
    at: Callable[[float], float] = lambda share: ordered[int((len(ordered) - 1) * share)]  # noqa: E731
    counted = {f"{kind} per photo": requests.get(kind, 0) / photos for kind in ("GetObject", "PutObject")}
    return {
        "CPU ms per photo": cpu_seconds * 1000 / photos,
        "S3 requests per photo": sum(requests.values()) / photos,
        **counted,
        "commits per photo": commits / photos,
        "lag mean, s": statistics.mean(lags),
        "lag p50, s": at(0.5),
        "lag p90, s": at(0.9),
    }
