"""Many cameras, the queues that their events take, and the Lambda environments that serve them, by SimPy.

Owns time, queues and environments; what an invocation does is up to `stream.py`, and how long it takes to `timing.py`.
Times are seconds. The first tenth of the time is not counted: environments are new then.

`direct` (infra/template.yaml with ReserveConcurrency=yes): S3 invokes one function asynchronously. An event that finds
the environment busy is throttled, and tried again after 1, 2, 4 … 300 s. `fifo` (infra/cameras.yaml): a message group
and an environment for each camera, one message after the other; cameras do not meet, so of a large fleet some are
simulated for all.
"""

from __future__ import annotations

import math
import random
from collections import OrderedDict
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any

import simpy

from timelapse_runtime.fleet.assumptions import (
    ENVIRONMENT_IDLE_SECONDS,
    ENVIRONMENT_LIFE_SECONDS,
    NOTIFICATION_MS,
    PLATFORM_LOG_BYTES,
    QUEUE_HOP_MS,
    RETRY_FIRST_SECONDS,
    RETRY_LAST_SECONDS,
    ROUTER_MS,
    S3_LATENCY_SIGMA,
    SANDBOX_START_MS,
    SMALL_FUNCTION_MB,
    SWEEP_SECONDS,
)
from timelapse_runtime.fleet.camera import DIRECT, FIFO, Camera
from timelapse_runtime.fleet.cost import streams_in
from timelapse_runtime.fleet.measured import Figures
from timelapse_runtime.fleet.stream import StreamModel, Work
from timelapse_runtime.fleet.timing import cpu_ms, requests_ms
from timelapse_runtime.fleet.usage import Usage, add
from timelapse_runtime.timelapse.config import Config

UNCOUNTED_SHARE = 0.1
MAXIMUM_PHOTOS = 100_000
"""Of a run. With `fifo` fewer cameras are simulated, with `direct` a shorter time."""
_SMALLEST_SAMPLE = 20
Steps = Generator[simpy.Event, Any, None]


@dataclass(frozen=True, slots=True)
class Times:
    """Of what the model does not decide: AWS's, or those of the local environment when the model is checked."""

    notification_ms: float = NOTIFICATION_MS
    hop_ms: float = QUEUE_HOP_MS
    sandbox_ms: float = SANDBOX_START_MS
    sigma: float = S3_LATENCY_SIGMA
    request_ms: Callable[[Any, float], float] = requests_ms
    sweep_seconds: float = SWEEP_SECONDS


@dataclass
class Result:
    """What was counted, of the cameras that were simulated, in `seconds`. Lags are seconds from the end of an upload to
    the commit with its frame."""

    cameras: int
    simulated_cameras: int
    seconds: float = 0
    photos: int = 0
    hits: int = 0
    cold_starts: int = 0
    throttles: int = 0
    commits: int = 0
    cpu_ms: float = 0
    lags: list[float] = field(default_factory=list)
    usage: Usage = field(default_factory=Usage)
    busy_seconds: float = 0
    backlog: int = 0
    """Photos that were uploaded and not taken when the time was over."""
    environments: int = 0

    def lag(self, percent: float) -> float | None:
        """A percentile of the lags; None if nothing was committed."""
        ordered = sorted(self.lags)
        return ordered[min(len(ordered) - 1, math.floor(len(ordered) * percent / 100))] if ordered else None


class _Environment:
    """An execution environment, from its init to its end."""

    def __init__(self, now: float, life: float, idle: float) -> None:
        self.ends_at, self._idle, self.last_used = now + life, idle, now
        self.is_new, self.is_busy = True, False
        self.streams: OrderedDict[int, StreamModel] = OrderedDict()
        self.swept: set[int] = set()

    def ended_at(self, now: float) -> float | None:
        """When it ended, if it has; never while it works."""
        end = min(self.ends_at, self.last_used + self._idle)
        return None if self.is_busy or end > now else max(end, self.last_used)


class Simulation:
    """One fleet, one routing. `run` may be called once."""

    def __init__(
        self,
        config: Config,
        figures: Figures,
        camera: Camera,
        cameras: int,
        memory_mb: int,
        routing: str,
        *,
        seconds: float,
        seed: int = 1,
        times: Times | None = None,
        maximum_photos: int = MAXIMUM_PHOTOS,
        uncounted_share: float = UNCOUNTED_SHARE,
    ) -> None:
        self._config, self._figures, self._camera, self._memory_mb = config, figures, camera, memory_mb
        self._routing, self._times = routing, times or Times()
        self._random = random.Random(seed)  # noqa: S311  no secret: the same seed gives the same run
        per_camera = seconds / camera.interval_seconds
        sample = cameras
        if routing == FIFO:
            sample = min(cameras, max(_SMALLEST_SAMPLE, math.ceil(maximum_photos / per_camera)))
        elif cameras * per_camera > maximum_photos:
            seconds = maximum_photos * camera.interval_seconds / cameras
        self._end, self._counted_from = seconds, seconds * uncounted_share
        self.result = Result(cameras, sample, seconds - self._counted_from)
        self._streams = [StreamModel(config, figures, camera.interval_seconds) for _ in range(sample)]
        self._seen: set[int] = set()
        self._pools: dict[int, list[_Environment]] = {}
        self._limit = streams_in(config, figures.size)
        self._env = simpy.Environment()
        self._groups = [simpy.Store(self._env) for _ in range(sample)] if routing == FIFO else []

    def run(self) -> Result:
        """Simulate it."""
        for number in range(self.result.simulated_cameras):
            self._env.process(self._camera_sends(number))
            if self._routing == FIFO:
                self._env.process(self._dispatcher(number))
        self._env.process(self._sweeps())
        if self._counted_from:
            self._env.run(until=self._counted_from)
        before = sum(stream.commits for stream in self._streams)
        self._env.run(until=self._end)
        self.result.commits = sum(stream.commits for stream in self._streams) - before
        self.result.environments = sum(map(len, self._pools.values()))
        return self.result

    @property
    def _is_counting(self) -> bool:
        return self._env.now >= self._counted_from

    # ---- cameras and queues

    def _camera_sends(self, number: int) -> Steps:
        interval, chance = self._camera.interval_seconds, self._random
        yield self._env.timeout(chance.uniform(0, interval))
        while True:
            if chance.random() < self._camera.late_share:
                self._env.process(self._sent_late(number))
            else:
                self._send(number)
            yield self._env.timeout(max(0.01, chance.gauss(interval, interval * self._camera.jitter)))

    def _sent_late(self, number: int) -> Steps:
        yield self._env.timeout(self._random.expovariate(1 / self._camera.late_seconds))
        self._send(number)

    def _send(self, number: int) -> None:
        self.result.backlog += 1
        if self._routing == DIRECT:
            self._env.process(self._invoked_asynchronously(number, self._env.now))
        else:
            self._env.process(self._queued(number, self._env.now))

    def _lognormal(self, median_ms: float) -> float:
        return median_ms / 1000 * math.exp(self._random.gauss(0, self._times.sigma))

    def _invoked_asynchronously(self, number: int, uploaded: float | None) -> Steps:
        """One event, until it is done; `uploaded` is None for a sweep of all streams."""
        yield self._env.timeout(self._lognormal(self._times.notification_ms) if uploaded is not None else 0)
        delay = RETRY_FIRST_SECONDS
        while (environment := self._free_environment(0)) is None:
            self.result.throttles += self._is_counting
            yield self._env.timeout(delay)
            delay = min(2 * delay, RETRY_LAST_SECONDS)
        yield from self._invocation(environment, number, uploaded)

    def _queued(self, number: int, uploaded: float | None) -> Steps:
        """EventBridge → router → SQS. A sweep's message is one of its group."""
        hops = self._lognormal(self._times.notification_ms) if uploaded is not None else 0.0
        yield self._env.timeout(hops + self._lognormal(2 * self._times.hop_ms + ROUTER_MS))
        self._groups[number].put(uploaded)

    def _dispatcher(self, number: int) -> Steps:
        """One message of the group after the other."""
        while True:
            uploaded = yield self._groups[number].get()
            yield self._env.timeout(self._lognormal(self._times.hop_ms))
            environment = self._free_environment(number)
            assert environment is not None
            yield from self._invocation(environment, number, uploaded)

    def _sweeps(self) -> Steps:
        while True:
            yield self._env.timeout(self._times.sweep_seconds)
            if self._routing == DIRECT:
                self._env.process(self._invoked_asynchronously(0, None))
            else:
                for number in sorted(self._seen):
                    self._env.process(self._queued(number, None))

    # ---- environments

    def _free_environment(self, pool_number: int) -> _Environment | None:
        """The idle one of the pool, or a new one; None if it is busy. A pool has one at most."""
        pool, now = self._pools.setdefault(pool_number, []), self._env.now
        for environment in list(pool):
            ended_at = environment.ended_at(now)
            if ended_at is not None:
                pool.remove(environment)
                for stream in environment.streams.values():
                    self._committed(stream.lose(), ended_at)
        if pool:
            return None if pool[0].is_busy else pool[0]
        life = self._random.uniform(*ENVIRONMENT_LIFE_SECONDS)
        if not self._is_counting:  # as if it had been there before
            life *= self._random.random()
        pool.append(_Environment(now, life, self._random.uniform(*ENVIRONMENT_IDLE_SECONDS)))
        return pool[0]

    def _invocation(self, environment: _Environment, number: int, uploaded: float | None) -> Steps:
        """Run it; what it commits is committed when it ends."""
        environment.is_busy = True
        work, billed_ms = Work(), 0.0
        if environment.is_new:
            environment.is_new = False
            yield self._env.timeout(self._times.sandbox_ms / 1000)
            init = self._figures.operations["init"]
            work.cpu_ms += init.cpu_ms
            self.result.cold_starts += self._is_counting
        started = self._env.now
        if uploaded is None:
            numbers = sorted(self._seen) if self._routing == DIRECT else [number]
            add(work.requests, {"ListObjectsV2": 1.0} if self._routing == DIRECT else {})  # the folders
            for one in numbers:
                stream, _ = self._opened(environment, one, work)
                work.include(stream.sweep(started, is_first=one not in environment.swept))
                environment.swept.add(one)
        else:
            self._seen.add(number)
            stream, is_hit = self._opened(environment, number, work)
            work.include(stream.append(uploaded, started))
            self.result.backlog -= 1
            self.result.photos += self._is_counting
            self.result.hits += self._is_counting and is_hit
        shape = self._random.choice(self._figures.photo_shape) if uploaded is not None else 1.0
        billed_ms = cpu_ms(work.cpu_ms * shape, self._memory_mb)
        billed_ms += self._lognormal(self._times.request_ms(work.requests, self._transferred(work))) * 1000
        yield self._env.timeout(billed_ms / 1000)
        environment.is_busy, environment.last_used = False, self._env.now
        self._committed(work.committed, self._env.now)
        self._count(work, billed_ms, is_photo=uploaded is not None)

    def _opened(self, environment: _Environment, number: int, work: Work) -> tuple[StreamModel, bool]:
        """The stream, open in the environment, and whether it was. Others leave if they are too many."""
        stream, streams = self._streams[number], environment.streams
        is_hit = number in streams
        if not is_hit:
            self._do("swap" if streams else "open", work)
            work.include(stream.open())
            streams[number] = stream
        streams.move_to_end(number)
        while len(streams) > self._limit:
            _, oldest = streams.popitem(last=False)
            # Its requests are those of the swap, which was measured without pictures of the day.
            work.committed += oldest.evict(self._env.now).committed
            add(work.requests, {"PutObject": float(len(self._config.day_pictures))})
        return stream, is_hit

    def _do(self, name: str, work: Work) -> None:
        operation = self._figures.operations[name]
        work.cpu_ms += operation.cpu_ms
        add(work.requests, operation.requests)

    def _transferred(self, work: Work) -> float:
        photos = work.requests.get("GetObject", 0) * self._figures.photo_bytes
        return photos + (self._config.keyframe_interval / 2 * self._figures.frame_bytes if work.committed else 0)

    # ---- counting

    def _committed(self, photos: list[float], at: float) -> None:
        if at >= self._counted_from:
            self.result.lags += [at - uploaded for uploaded in photos]

    def _count(self, work: Work, billed_ms: float, *, is_photo: bool) -> None:
        if not self._is_counting:
            return
        result, usage = self.result, self.result.usage
        result.cpu_ms += work.cpu_ms
        result.busy_seconds += billed_ms / 1000
        usage.invocations += 1
        usage.gb_seconds += math.ceil(billed_ms) / 1000 * self._memory_mb / 1024
        add(usage.requests, work.requests)
        usage.log_bytes += self._figures.log_bytes + PLATFORM_LOG_BYTES * (3 if self._routing == FIFO else 1)
        if self._routing == FIFO:
            usage.small_invocations += 2
            small_ms = ROUTER_MS + billed_ms + self._times.hop_ms
            usage.small_gb_seconds += small_ms / 1000 * SMALL_FUNCTION_MB / 1024
            usage.queue_requests += 3
            usage.events += is_photo
