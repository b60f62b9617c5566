"""Dollars per camera and month: on Lambda by routing and architecture, on EC2, and where the one becomes cheaper.

Means over a day of one camera (`stream.py`), without the chances of queues: `simulation.py` has those. Pure.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from timelapse_runtime.fleet.assumptions import (
    EC2_DISK_GB,
    EC2_QUEUE_REQUESTS_PER_PHOTO,
    EC2_SYSTEM_BYTES,
    EC2_UTILISATION,
    ENVIRONMENT_LIFE_SECONDS,
    PLATFORM_LOG_BYTES,
    QUEUE_HOP_MS,
    ROUTER_MS,
    SMALL_FUNCTION_MB,
    SWEEP_SECONDS,
)
from timelapse_runtime.fleet.camera import DIRECT, FIFO, Camera
from timelapse_runtime.fleet.measured import Figures
from timelapse_runtime.fleet.prices import HOURS_PER_MONTH, INSTANCES, MONTH_SECONDS, PRICES_USD, Instance, s3_usd
from timelapse_runtime.fleet.stream import StreamModel, Work
from timelapse_runtime.fleet.timing import cpu_ms, requests_ms
from timelapse_runtime.fleet.usage import Usage, add, scaled
from timelapse_runtime.timelapse.config import Config
from timelapse_runtime.timelapse.metrics import DECLARED
from timelapse_runtime.timelapse.model.checkpoint import MAXIMUM_REEL_FRAMES
from timelapse_runtime.timelapse.model.segment_versions import VIEWED_SECONDS
from timelapse_runtime.timelapse.segment_removal import KEPT_MS

_BUSY = 0.5
"""The share of the time for which one environment may work. In the simulation photos wait for minutes from 0.7 on: a
throttled event waits ever longer, and later ones overtake it."""
_DAY_SECONDS = 86_400
_MAXIMUM_PHOTOS = 100_000
"""Of a day: of a faster camera, a part of it stands for the whole."""
BREAK_EVEN_LIMIT = 100_000
_DECODED_BYTES_PER_PIXEL = 1.5
_REMOVAL_GETS = 4
"""Of a reel whose segments are removed, beside its segments' ranges: manifest, head, init segment, index."""


@dataclass(frozen=True, slots=True)
class Month:
    """What one camera uses in a month, and how busy it keeps its environment. `cpu_seconds` are those of a process
    that never restarts. A month adds `photos_gb` to S3, and `video_gb` to each copy of the video: `video.mp4`, which
    stays, and segments, which stay for `segment_days`; None: for ever."""

    usage: Usage
    busy_share: float
    cpu_seconds: float
    photos: float
    photos_gb: float
    video_gb: float
    segment_days: float | None = None

    @property
    def lasting_video_gb(self) -> float:
        """What a month adds for ever."""
        return self.video_gb * (2 if self.segment_days is None else 1)


def camera_month(config: Config, figures: Figures, camera: Camera, memory_mb: int, routing: str) -> Month:
    """One camera's share of a fleet whose streams stay open."""
    day = _Day(config, figures, camera)
    life = sum(ENVIRONMENT_LIFE_SECONDS) / 2
    restarts = _DAY_SECONDS / life
    sweeps = _DAY_SECONDS / SWEEP_SECONDS
    work, photos = day.work, day.photos
    again = day.lost * restarts
    opened, init, looked = (figures.operations[name] for name in ("open", "init", "first_sweep"))
    add(work.requests, opened.requests, restarts)
    add(work.requests, looked.requests, restarts)
    add(work.requests, {"GetObject": again})
    photo_ms = figures.operations["photo"].cpu_ms
    work_ms = work.cpu_ms + restarts * (opened.cpu_ms + init.cpu_ms + looked.cpu_ms) + again * photo_ms
    busy_ms = cpu_ms(work_ms, memory_mb) + requests_ms(work.requests, day.transferred_bytes)
    invocations = photos + sweeps
    busy_ms += invocations / 2  # each is billed in whole milliseconds
    small_ms = photos * (ROUTER_MS + 2 * QUEUE_HOP_MS) + busy_ms if routing == FIFO else 0.0
    months = MONTH_SECONDS / _DAY_SECONDS
    usage = Usage(
        invocations=invocations,
        gb_seconds=busy_ms / 1000 * memory_mb / 1024,
        small_invocations=2 * invocations if routing == FIFO else 0,
        small_gb_seconds=small_ms / 1000 * SMALL_FUNCTION_MB / 1024,
        requests=work.requests,
        queue_requests=3 * invocations if routing == FIFO else 0,
        events=photos if routing == FIFO else 0,
        log_bytes=invocations * (figures.log_bytes + PLATFORM_LOG_BYTES * (3 if routing == FIFO else 1)),
        metric_months=len(DECLARED[config.metrics]) / months,
    ).times(months)
    return Month(
        usage,
        busy_ms / 1000 / (camera.hours_per_day * 3600),
        day.work.cpu_ms / 1000 * months,
        photos * months,
        photos * months * figures.photo_bytes / 1e9,
        photos * months * figures.frame_bytes / 1e9,
        segment_days(config, photos),
    )


def reels_per_day(config: Config, photos: float) -> float:
    """Of a camera with so many photos a day."""
    return max(1.0, photos / MAXIMUM_REEL_FRAMES) if config.reel == "day" else photos / MAXIMUM_REEL_FRAMES


def segment_days(config: Config, photos: float) -> float | None:
    """How long a segment stays on average, until its reel is closed and after that; None: for ever."""
    kept_ms = KEPT_MS[config.keep_segments]
    if kept_ms is None:
        return None
    return 1 / reels_per_day(config, photos) / 2 + (kept_ms / 1_000 + VIEWED_SECONDS) / _DAY_SECONDS


class _Day:
    """A day of one stream that stays open: what it does, with a sweep each five minutes."""

    def __init__(self, config: Config, figures: Figures, camera: Camera) -> None:
        active = camera.hours_per_day * 3600
        whole = max(1, round(active / camera.interval_seconds))
        simulated = min(whole, _MAXIMUM_PHOTOS)
        stream, work, next_sweep = StreamModel(config, figures, camera.interval_seconds), Work(), float(SWEEP_SECONDS)
        now = 0.0
        for _ in range(simulated):
            work.include(stream.append(now, now))
            now += camera.interval_seconds
            while next_sweep < now:
                work.include(stream.sweep(next_sweep))
                next_sweep += SWEEP_SECONDS
        factor = whole / simulated
        idle = (_DAY_SECONDS - active) / SWEEP_SECONDS
        sweep = figures.operations["sweep"]
        self.work = Work(work.cpu_ms * factor + idle * sweep.cpu_ms, scaled(work.requests, factor))
        add(self.work.requests, sweep.requests, idle)
        self.photos = float(whole)
        # A segment is written three times on average while it grows, half of it each time.
        commits = stream.commits * factor
        self.transferred_bytes = whole * figures.photo_bytes
        self.transferred_bytes += commits * config.keyframe_interval / 2 * figures.frame_bytes
        if config.keep_segments != "always":
            self._remove_segments(config, figures)
        self.lost = min(figures.frames_inside + config.reorder_window, active / camera.interval_seconds)

    def _remove_segments(self, config: Config, figures: Figures) -> None:
        """As `timelapse/segment_removal.py`: `video.mp4` is read back, then the segments are deleted. Once an hour the
        newest closed reel is looked at."""
        hours, reels = 24.0, reels_per_day(config, self.photos)
        segments = self.photos / config.keyframe_interval
        gets = segments + reels * _REMOVAL_GETS + hours
        requests = {"GetObject": gets, "HeadObject": 3 * reels, "PutObject": 2 * reels, "ListObjectsV2": 2 * reels}
        add(self.work.requests, requests)
        self.transferred_bytes += self.photos * figures.frame_bytes


# ---- Lambda


@dataclass(frozen=True, slots=True)
class LambdaFleet:
    """Some cameras on Lambda. `reason` says why the routing, which is `direct` if one environment can take them."""

    routing: str
    reason: str
    usd: dict[str, float]
    """By item, of one camera and month."""

    @property
    def camera_usd(self) -> float:
        """Of one camera and month, without storage."""
        return sum(self.usd.values())


def streams_in(config: Config, size: tuple[int, int]) -> int:
    """How many streams of this size stay open in one environment."""
    count = 1
    while count < config.open_streams and config.memory.takes_videos([size] * (count + 1)):
        count += 1
    return count


# ---- EC2


@dataclass(frozen=True, slots=True)
class Machines:
    """Some cameras on machines that are always on, with the function in one process for each vCPU. `usd` as above."""

    instance: Instance
    count: int
    usd: dict[str, float]

    @property
    def camera_usd(self) -> float:
        """Of one camera and month, without storage."""
        return sum(self.usd.values())


# ---- the fleet


class FleetCost:
    """A camera's cost in fleets of any size, with one configuration and memory size."""

    def __init__(self, config: Config, figures: Figures, camera: Camera, memory_mb: int) -> None:
        self._config, self._figures, self._camera, self._memory_mb = config, figures, camera, memory_mb

    @functools.cached_property
    def month(self) -> Month:
        """Of one camera by itself."""
        return camera_month(self._config, self._figures, self._camera, self._memory_mb, DIRECT)

    @functools.cached_property
    def _fifo(self) -> Month:
        return camera_month(self._config, self._figures, self._camera, self._memory_mb, FIFO)

    def on_lambda(self, cameras: int, architecture: str) -> LambdaFleet:
        """The cheapest routing that keeps up."""
        fitting = streams_in(self._config, self._figures.size)
        busy = cameras * self.month.busy_share
        if cameras > fitting:
            reason = f"{fitting} streams stay open in {self._memory_mb} MB"
        elif busy > _BUSY:
            reason = f"one environment would be busy for {busy:.0%} of the time"
        else:
            return LambdaFleet(DIRECT, "one environment takes all cameras", self.month.usage.bill(architecture))
        return LambdaFleet(FIFO, reason, self._fifo.usage.bill(architecture))

    def on_machines(self, cameras: int) -> Machines:
        """The cheapest instances for so many cameras, by CPU and memory. Raises ValueError if none is large enough."""
        month, size, memory = self.month, self._figures.size, self._config.memory
        vcpus = month.cpu_seconds / self._camera.active_seconds_per_month
        stream_bytes = memory.video_bytes(size) + memory.photos_bytes(_DECODED_BYTES_PER_PIXEL * math.prod(size))
        rest = {
            "queue": month.photos * EC2_QUEUE_REQUESTS_PER_PHOTO * PRICES_USD["sqs_request"],
            "s3 requests": s3_usd(month.usage.requests),
            "metrics": month.usage.metric_months * PRICES_USD["cloudwatch_metric_month"],
        }
        found = []
        for instance in INSTANCES:
            by_cpu = math.floor(instance.usable_vcpus * EC2_UTILISATION / vcpus)
            by_memory = math.floor((instance.memory_gib * 2**30 - EC2_SYSTEM_BYTES) / stream_bytes)
            if min(by_cpu, by_memory) >= 1:
                count = math.ceil(cameras / min(by_cpu, by_memory))
                hourly = instance.usd_per_hour + PRICES_USD["ipv4_hour"]
                usd = hourly * HOURS_PER_MONTH + EC2_DISK_GB * PRICES_USD["ebs_gb_month"]
                found.append(Machines(instance, count, {"machines": usd * count / cameras} | rest))
        if not found:
            raise ValueError(f"no instance of the table encodes a camera that needs {vcpus:.1f} vCPU")
        return min(found, key=lambda one: one.camera_usd)

    def break_even(self, architecture: str) -> int | None:
        """The fewest cameras from which on machines are always cheaper; None if they are not at BREAK_EVEN_LIMIT."""
        found = None
        for cameras in _fleet_sizes():
            is_cheaper = self.on_machines(cameras).camera_usd < self.on_lambda(cameras, architecture).camera_usd
            found = (found or cameras) if is_cheaper else None
        return found


def _fleet_sizes() -> Iterator[int]:
    """Each up to 20, then in steps of about a tenth."""
    cameras = 1
    while cameras <= BREAK_EVEN_LIMIT:
        yield cameras
        cameras += 1 + cameras // 20 * 2


# ---- storage


def storage_usd(month: Month, months: Sequence[int], keep_days: int) -> dict[int, float]:
    """Dollars of a camera in the n-th month, by n: photos, deleted after `keep_days` days unless that is 0, and both
    copies of the video, of which one stays. In the middle of a month there is half of what it adds."""
    found = {}
    for number in months:
        age = number - 0.5
        photos_gb = month.photos_gb * _kept_months(age, keep_days or None)
        video_gb = month.video_gb * (age + _kept_months(age, month.segment_days))
        found[number] = (photos_gb + video_gb) * PRICES_USD["s3_gb_month"]
    return found


def _kept_months(age: float, days: float | None) -> float:
    """Of so many months, those of which there is something after `days`; None: all."""
    return age if days is None else min(age, days * _DAY_SECONDS / MONTH_SECONDS)
