"""Frames per second through the whole path in a backlog, on two processors, against the batch run.

The photos are in S3; an invocation brings ten, as a queue would deliver a backlog. Both encode with two threads.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from scripts.benchmark.batch import Settings, encode_in_slices
from scripts.benchmark.candidates import MEMORY_SIZE_MB
from scripts.benchmark.counting_s3 import BenchS3, S3Latency
from scripts.benchmark.measured import Used
from scripts.benchmark.photo_set import PhotoSet
from scripts.benchmark.ratios import Ratio, paired
from scripts.benchmark.stage import BUCKET, Stage
from scripts.benchmark.time_slices import TimeSlices, alone, interleave

_RECORDS = 10
_THREADS = 2


def measure(
    photos: PhotoSet, settings: Settings, work: Path, *, frames: int, rounds: int
) -> tuple[dict[str, Any], list[Ratio]]:
    """Turns of `frames` frames, a multiple of ten. Init is not counted, nor is ffmpeg's start taken out."""
    settings = replace(settings, threads=_THREADS)
    folder = photos.link(work / "throughput", frames)
    bodies = photos.bodies()
    ours, theirs = [], []
    with BenchS3(S3Latency()) as server:
        server.create_buckets(BUCKET)
        with Stage(
            settings.variables(), freeze=False, memory_size_mb=_THREADS * MEMORY_SIZE_MB, server=server
        ) as stage:
            alone(_work_off(stage, [stage.upload(next(bodies)) for _ in range(2 * _RECORDS)]))  # fills the encoder
            for _ in range(rounds):
                events = [stage.upload(next(bodies)) for _ in range(frames)]
                video = work / "throughput.mp4"
                batch = encode_in_slices(folder, video, settings)
                mine, other = interleave([_work_off(stage, events), _wall_seconds(batch)])
                ours.append(frames / mine)
                theirs.append(frames / other)
    figures = {"frames_per_second": ours, "ffmpeg_frames_per_second": theirs}
    return figures, [paired("throughput_vs_ffmpeg", ours, theirs)]


def _work_off(stage: Stage, events: Sequence[dict[str, Any]]) -> TimeSlices[float]:
    """Invoke with the events, ten at a time; the seconds that it took."""
    seconds = 0.0
    for at in range(0, len(events), _RECORDS):
        if at:
            yield
        began = time.monotonic()
        stage.invoke({"Records": [record for event in events[at : at + _RECORDS] for record in event["Records"]]})
        seconds += time.monotonic() - began
    return seconds


def _wall_seconds(run: TimeSlices[Used]) -> TimeSlices[float]:
    used = yield from run
    return used.wall_seconds
