"""Measures what the function's operations take: CPU, requests, bytes. Real processes in the local Lambda environment.

An operation is what an invocation does beside what it does anyway: a photo is a GET, a decode and an encode; a flush is
the difference between the invocations that commit and those that do not, and so on. Sums over many invocations: the
kernel counts CPU time in hundredths of a second.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from scripts.benchmark.stage import Stage, endless
from timelapse_runtime.emulator.scene import render_scene
from timelapse_runtime.fleet.measured import load
from timelapse_runtime.timelapse.variables import VARIABLES

_SIZES = ((640, 360), (1280, 720), (1920, 1080))
_SCENE_PHOTOS = 24
_WARM_PHOTOS = 80
_FLUSHES = 6
_RESTARTS = 4
_SWAPS = 12
_SLOW = {"TIMELAPSE_FLUSH_AFTER_SECONDS": "10"}
"""A photo a second is slow for it, and gets a low-delay encoder."""
_SLOW_PHOTOS = 30
_HELD = 16
"""Photos that wait in order to be put into it, while they come faster than they are held."""
_EVENT_BYTES = 26
"""CloudWatch counts so many beside each line."""

Profile = dict[str, Any]


@dataclass(slots=True)
class Sums:
    """Of invocations of one kind."""

    count: int = 0
    cpu_ms: float = 0
    duration_ms: list[float] = field(default_factory=list)
    requests: Counter[str] = field(default_factory=Counter)

    def add(self, seen: Seen) -> None:
        self.count += 1
        self.cpu_ms += seen.cpu_ms
        self.duration_ms.append(seen.duration_ms)
        self.requests += seen.requests

    def beyond(self, other: Sums | None) -> Profile:
        """The mean of these, without the mean of others."""
        requests = {kind: count / self.count for kind, count in sorted(self.requests.items())}
        cpu_ms = self.cpu_ms / self.count
        if other is not None:
            cpu_ms -= other.cpu_ms / other.count
            requests = {kind: value - other.requests[kind] / other.count for kind, value in requests.items()}
        kept = {kind: round(value, 2) for kind, value in requests.items() if round(value, 2)}
        return {"cpu_ms": round(max(0.0, cpu_ms), 2), "requests": kept, "invocations": self.count}


@dataclass(frozen=True, slots=True)
class Seen:
    """What one invocation took."""

    cpu_ms: float
    duration_ms: float
    wall_ms: float
    requests: Counter[str]
    streams: dict[str, Any]
    appended: int
    """Frames that the environment has encoded so far."""

    @property
    def flushes(self) -> int:
        return sum(counts.get("flushes", 0) for counts in self.streams.values())


class Meter:
    """A stage whose invocations are measured, and the photos that are fed to it."""

    def __init__(self, stage: Stage, photos: Iterator[bytes]) -> None:
        self.stage, self._photos = stage, photos
        self._environment_id, self._before = "", Counter[str]()
        self.invoke({"Event": "s3:TestEvent"})  # the cold start: between two photos it would make a slow camera of this

    def feed(self, stream: str | None = None) -> Seen:
        """The next photo, and its event."""
        self.stage.stream = stream or self.stage.stream
        return self.invoke(self.stage.upload(next(self._photos)))

    def invoke(self, event: dict[str, Any]) -> Seen:
        """Any event."""
        cpu, began = self.stage.environment.usage.cpu_seconds, time.monotonic()
        result = self.stage.invoke(event)
        wall_ms = (time.monotonic() - began) * 1000
        cpu_ms = (self.stage.environment.usage.cpu_seconds - cpu) * 1000
        answer = result.payload or {}
        environment = answer["environment"]
        if environment["id"] != self._environment_id:
            self._environment_id, self._before = environment["id"], Counter()
        requests = Counter(environment["s3_requests"])
        new = requests - self._before
        self._before = requests
        return Seen(cpu_ms, result.duration_ms, wall_ms, new, answer["streams"], environment.get("appended", 0))


def calibrate() -> dict[str, Any]:
    """All figures, as measured.json has them. The bytes of photographs, which the sample scene does not have, are kept
    as they are there."""
    by_size = {}
    for width, height in _SIZES:
        print(f"{width}x{height}", file=sys.stderr)
        by_size[f"{width}x{height}"] = calibrate_size((width, height))
    return {
        "command": "python -m scripts.fleet calibrate",
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores (shared), Python {platform.python_version()}",
        "load": [round(value, 1) for value in os.getloadavg()],
        **{name: by_size["1920x1080"][name] for name in ("frames_inside", "log_bytes_per_invocation")},
        "by_size": by_size,
        "photographs": load()["photographs"],
    }


def calibrate_size(size: tuple[int, int]) -> Profile:
    """The figures of one size, as measured.json has them."""
    bodies = list(render_scene(_SCENE_PHOTOS, size))
    photo, flush, segment_end, frames = steady(bodies)
    found = {
        "photo_bytes": round(statistics.mean(map(len, bodies))),
        **frames,
        "photo": photo.beyond(None),
        "photo_durations": _quantiles(photo.duration_ms),
        "flush": flush.beyond(photo),
        "segment_end": segment_end.beyond(flush),
    }
    found |= _restarts(bodies, photo) | _swaps(bodies, photo) | _slow(bodies)
    return found


def steady(bodies: Sequence[bytes]) -> tuple[Sums, Sums, Sums, Profile]:
    """Invocations with a photo and no commit, with a commit, and with one that closes a segment; and of the frames: how
    many stay inside the encoder after a commit, their bytes, and the bytes of log lines for each invocation."""
    interval = int(next(variable.default or "" for variable in VARIABLES if variable.name == "KEYFRAME_INTERVAL"))
    photo, flush, segment_end, insides = Sums(), Sums(), Sums(), list[int]()
    with Stage({}, freeze=False) as stage:
        meter = Meter(stage, endless(bodies))
        for _ in range(_WARM_PHOTOS):
            frames = meter.feed().streams[stage.stream]["frames_in_video"]
        while flush.count + segment_end.count < _FLUSHES:
            seen = meter.feed()
            after = seen.streams[stage.stream]["frames_in_video"]
            kind = photo if not seen.flushes else flush if after // interval == frames // interval else segment_end
            kind.add(seen)
            frames = after
            if seen.flushes:
                insides.append(seen.appended - after)
        inside = seen.appended - after
        log_bytes = sum(len(json.dumps(record)) + _EVENT_BYTES for record in stage.log)
        invocations = photo.count + flush.count + segment_end.count + _WARM_PHOTOS
        video = stage.finished_video()
    of_frames = {
        "frames_inside": round(statistics.mean(insides)),
        "frame_bytes": round(len(video) / (frames + inside + _HELD)),
        "log_bytes_per_invocation": round(log_bytes / invocations),
    }
    return photo, flush, segment_end, of_frames


def _restarts(bodies: Sequence[bytes], photo: Sums) -> Profile:
    """Init; an environment's first open of a stream; sweeps of a stream that has nothing to do."""
    init, opened, first_sweep, sweep = Sums(), Sums(), Sums(), Sums()
    walls: list[float] = []
    with Stage({}, freeze=False) as stage:
        meter = Meter(stage, endless(bodies))
        for _ in range(_WARM_PHOTOS):
            meter.feed()
        for _ in range(_RESTARTS):
            meter.invoke({"sweep": {"stream": stage.stream, "drain": True}})
            stage.environment.shutdown()
            seen = meter.invoke({"Event": "s3:TestEvent"})
            init.add(seen)
            walls.append(seen.wall_ms - seen.duration_ms)
            opened.add(meter.feed())
            meter.invoke({"sweep": {"stream": stage.stream, "drain": True}})
            stage.environment.shutdown()
            meter.invoke({"Event": "s3:TestEvent"})
            first_sweep.add(meter.invoke({"sweep": stage.stream}))
            sweep.add(meter.invoke({"sweep": stage.stream}))
    return {
        "init": init.beyond(None) | {"wall_ms": round(statistics.median(walls))},
        "open": opened.beyond(photo),
        "first_sweep": first_sweep.beyond(None),
        "sweep": sweep.beyond(None),
    }


def _swaps(bodies: Sequence[bytes], photo: Sums) -> Profile:
    """With one open stream, two that take turns: each photo closes the other stream and opens its own."""
    swap = Sums()
    with Stage({"TIMELAPSE_OPEN_STREAMS": "1"}, freeze=False) as stage:
        meter = Meter(stage, endless(bodies))
        for number in range(_SWAPS + 4):
            seen = meter.feed("ab"[number % 2])
            if number >= 4:  # each stream has its first frames
                swap.add(seen)
    return {"swap": swap.beyond(photo)}


def _slow(bodies: Sequence[bytes]) -> Profile:
    """A camera that is slow for the time a frame may wait, and has a low-delay encoder."""
    photo = Sums()
    with Stage(_SLOW, freeze=False) as stage:
        meter = Meter(stage, endless(bodies))
        for number in range(_SLOW_PHOTOS):
            began = time.monotonic()
            seen = meter.feed()
            if number >= _SLOW_PHOTOS // 2 and not seen.flushes:
                photo.add(seen)
            time.sleep(max(0.0, 1.0 - (time.monotonic() - began)))
    return {"slow_photo": photo.beyond(None)}


def _quantiles(durations_ms: Sequence[float]) -> list[float]:
    """The 5th, 10th … 95th percentile."""
    return [round(value, 1) for value in statistics.quantiles(durations_ms, n=20)]
