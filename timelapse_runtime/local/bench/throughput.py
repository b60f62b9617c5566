"""Frames per second through the whole path when photos have piled up, on two processors, against the batch run.

The photos are in S3; an invocation brings ten, as a queue would deliver a backlog. Both encode with two threads.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from timelapse_runtime.local.bench.batch import Settings, encode_folder
from timelapse_runtime.local.bench.contenders import MEMORY_SIZE_MB
from timelapse_runtime.local.bench.counting_s3 import BenchS3, S3Latency
from timelapse_runtime.local.bench.photo_set import PhotoSet
from timelapse_runtime.local.bench.ratios import Ratio, paired
from timelapse_runtime.local.bench.stage import BUCKET, Stage

_RECORDS = 10
_THREADS = 2


def measure(
    photos: PhotoSet, settings: Settings, work: Path, *, frames: int, rounds: int
) -> tuple[dict[str, Any], list[Ratio]]:
    """Turns of `frames` frames, a multiple of ten. Init is not counted, nor is ffmpeg's start taken out."""
    variables = {"TIMELAPSE_SIZE": f"{settings.width}x{settings.height}", "TIMELAPSE_CRF": f"{settings.crf:g}"}
    variables |= {"TIMELAPSE_PRESET": settings.preset}
    folder = photos.link(work / "throughput", frames)
    bodies = photos.bodies()
    ours, theirs = [], []
    with BenchS3(S3Latency()) as server:
        server.create_buckets(BUCKET)
        with Stage(variables, freeze=False, memory_size_mb=_THREADS * MEMORY_SIZE_MB, server=server) as stage:
            for number in range(rounds + 1):
                events = [stage.upload(next(bodies)) for _ in range(frames if number else 2 * _RECORDS)]
                began = time.monotonic()
                for at in range(0, len(events), _RECORDS):
                    stage.invoke(
                        {"Records": [record for event in events[at : at + _RECORDS] for record in event["Records"]]}
                    )
                if number:  # the first, shorter one fills the encoder
                    ours.append(frames / (time.monotonic() - began))
                    used = encode_folder(folder, work / "throughput.mp4", replace(settings, threads=_THREADS))
                    theirs.append(frames / used.wall_seconds)
    figures = {"frames_per_second": ours, "ffmpeg_frames_per_second": theirs}
    return figures, [paired("throughput_vs_ffmpeg", ours, theirs)]
