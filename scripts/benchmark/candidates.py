"""The candidates of the comparison. Each takes turns: a turn is a few frames, with what they took and used."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from scripts.benchmark.bare_loop import bare_loop_in_slices
from scripts.benchmark.batch import Settings, encode_in_slices, ffmpeg_program
from scripts.benchmark.counting_s3 import BenchS3
from scripts.benchmark.photo_set import PhotoSet
from scripts.benchmark.stage import BUCKET, Deployed, Stage, under_awslambdaric
from scripts.benchmark.time_slices import SLICE_SECONDS, TimeSlices, interleave

MEMORY_SIZE_MB = 1769  # one vCPU
THIS, DISK, WARM, MANAGED, BATCH, BARE = (
    "this runtime",
    "per-call disk persistence",
    "warm /tmp",
    "managed runtime, globals",
    "ffmpeg in one batch run",
    "bare loop",
)


@dataclass(slots=True)
class Turn:
    """What a turn took. `first` is the video's length in frames at its beginning; no latencies: only `wall_seconds`."""

    first: int
    frames: int
    cpu_seconds: float
    wall_seconds: float
    latencies_ms: list[float] = field(default_factory=list)
    requests: Counter[str] = field(default_factory=Counter)
    stage_cpu_ms: Mapping[str, float] = field(default_factory=dict)

    @property
    def cpu_ms_per_frame(self) -> float:
        """Milliseconds of CPU per frame."""
        return self.cpu_seconds * 1000 / self.frames


class Candidate(Protocol):
    """One way to make the video."""

    @property
    def peak_rss_bytes(self) -> int:
        """Of its process, so far."""
        ...

    def turn(self, frames: int) -> TimeSlices[Turn]:
        """Add so many frames."""
        ...


class Deployment:
    """A candidate that runs in the Lambda environment, one invocation a photo. Enter its `stage` first."""

    def __init__(self, stage: Stage, server: BenchS3, photos: PhotoSet) -> None:
        self.stage, self._server, self._photos = stage, server, photos
        self.next_number, self._children_peak_bytes = 0, 0

    def turn(self, frames: int) -> TimeSlices[Turn]:
        """See Candidate."""
        first, cpu = self.next_number, self.stage.environment.usage.cpu_seconds
        latencies: list[float] = []
        requests: Counter[str] = Counter()
        while len(latencies) < frames:
            if latencies:
                yield
            before, until = self._server.counts(), time.monotonic() + SLICE_SECONDS
            while len(latencies) < frames and time.monotonic() < until:
                outcome = self.stage.feed(self._photos.path(self.next_number).read_bytes())
                latencies.append(outcome.duration_ms)
                self._children_peak_bytes = (outcome.payload or {}).get("children_peak_rss_bytes", 0)
                self.next_number += 1
            requests += self._server.counts() - before
        used = self.stage.environment.usage.cpu_seconds - cpu
        return Turn(first, frames, used, sum(latencies) / 1000, latencies, requests)

    @property
    def peak_rss_bytes(self) -> int:
        """Of the runtime's process, and of the largest program that it started."""
        return self.stage.environment.usage.peak_rss_bytes + self._children_peak_bytes


def cpu_in_turns(candidates: Sequence[Candidate], *, frames: int, rounds: int) -> list[list[float]]:
    """Milliseconds of CPU per frame of each candidate, by round, in turns of `frames` frames side by side."""
    turns = [interleave([one.turn(frames) for one in candidates]) for _ in range(rounds)]
    return [[turn.cpu_ms_per_frame for turn in of_one] for of_one in zip(*turns, strict=True)]


MANAGED_FUNCTION = under_awslambdaric("scripts.benchmark.managed_function.handler")


def timelapse_stage(server: BenchS3, settings: Settings, deployed: Deployed, *, stream: str) -> Stage:
    """The timelapse function, in this runtime or under AWS's client."""
    return Stage(
        settings.variables(),
        freeze=False,
        deployed=deployed,
        memory_size_mb=MEMORY_SIZE_MB,
        server=server,
        stream=stream,
    )


def disk_stage(server: BenchS3, settings: Settings, function: str, *, upload_every: int) -> Stage:
    """`function` of `disk_functions`, under AWS's client."""
    encode = [ffmpeg_program(), "-v", "error", "-nostdin", "-y", "-threads", str(settings.threads)]
    encode += ["-filter_threads", str(settings.threads), "-framerate", "30", "-i", "{photo}", "-vf", settings.filters]
    variables = {
        "BENCH_BUCKET": BUCKET,
        "BENCH_VIDEO_KEY": video_key(function),
        "BENCH_UPLOAD_EVERY": str(upload_every),
        "BENCH_ENCODE": json.dumps([*encode, *settings.encoder(), "{video}"]),
    }
    deployed: Deployed = under_awslambdaric(f"scripts.benchmark.disk_functions.{function}")
    return Stage(
        variables,
        freeze=False,
        deployed=deployed,
        memory_size_mb=MEMORY_SIZE_MB,
        server=server,
        stream=function,
    )


def video_key(function: str) -> str:
    """Where the stateless function `function` keeps its video."""
    return f"video/{function}/video.mp4"


class Batch:
    """ffmpeg over each turn's photos, from its start to its end."""

    def __init__(self, photos: PhotoSet, settings: Settings, work: Path) -> None:
        self._photos, self._settings, self._work = photos, settings, work
        self.next_number, self.peak_rss_bytes = 0, 0
        self.video = work / "batch.mp4"

    def turn(self, frames: int) -> TimeSlices[Turn]:
        """See Candidate."""
        first = self.next_number
        folder = self._photos.link(self._work / f"batch-{first}", frames, first)
        used = yield from encode_in_slices(folder, self.video, self._settings)
        self.next_number += frames
        self.peak_rss_bytes = max(self.peak_rss_bytes, used.peak_rss_bytes)
        return Turn(first, frames, used.cpu_seconds, used.wall_seconds)


class Bare:
    """The bare loop over each turn's photos."""

    def __init__(self, photos: PhotoSet, settings: Settings, work: Path) -> None:
        self._photos, self._settings, self._work = photos, settings, work
        self.next_number, self.peak_rss_bytes, self.video_bytes = 0, 0, 0

    def turn(self, frames: int) -> TimeSlices[Turn]:
        """See Candidate."""
        first = self.next_number
        folder = self._photos.link(self._work / f"bare-{first}", frames, first)
        done = yield from bare_loop_in_slices(folder, self._settings)
        self.next_number += frames
        self.peak_rss_bytes = max(self.peak_rss_bytes, done.peak_rss_bytes)
        self.video_bytes += done.video_bytes
        latencies = done.frame_cpu_ms  # one thread that waits for nothing
        wall = sum(latencies) / 1000
        return Turn(first, frames, done.cpu_seconds, wall, latencies, stage_cpu_ms=done.stage_cpu_ms)
