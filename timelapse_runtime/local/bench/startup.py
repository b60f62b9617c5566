"""From exec to the first `next`, and to the first frame's response: this runtime against AWS's client.

Both bring the same function with the same imports, from the same site-packages. This runtime goes without its external
extension, which Lambda starts before it: instead it registers an internal one, and that is in the count.
"""

from __future__ import annotations

import statistics
import time
from typing import Any

from timelapse_runtime.local.bench.batch import Settings
from timelapse_runtime.local.bench.contenders import MANAGED_FUNCTION, timelapse_stage
from timelapse_runtime.local.bench.counting_s3 import BenchS3, S3Latency
from timelapse_runtime.local.bench.photo_set import PhotoSet
from timelapse_runtime.local.bench.ratios import Ratio, paired
from timelapse_runtime.local.bench.stage import BUCKET, Deployed, Stage

_DEPLOYED = {"this runtime": Deployed(extension=False), "awslambdaric": MANAGED_FUNCTION}


def measure(photos: PhotoSet, settings: Settings, *, rounds: int) -> tuple[dict[str, Any], list[Ratio]]:
    """Milliseconds, round by round, after one round each that fills the page cache."""
    inits: dict[str, list[float]] = {name: [] for name in _DEPLOYED}
    firsts: dict[str, list[float]] = {name: [] for name in _DEPLOYED}
    with BenchS3(S3Latency()) as server:
        server.create_buckets(BUCKET)
        for number in range(rounds + 1):
            for name, deployed in _DEPLOYED.items():
                with timelapse_stage(server, settings, deployed, stream=f"{name}-{number}") as stage:
                    init_ms, first_ms = _start(stage, photos)
                if number:
                    inits[name].append(init_ms)
                    firsts[name].append(first_ms)
    ratios = [
        paired("init_vs_awslambdaric", *inits.values()),
        paired("first_response_vs_awslambdaric", *firsts.values()),
    ]
    figures = {
        "first_next_ms": {name: round(statistics.median(values), 1) for name, values in inits.items()},
        "first_response_ms": {name: round(statistics.median(values), 1) for name, values in firsts.items()},
        "rounds": {"first_next_ms": inits, "first_response_ms": firsts},
    }
    return figures, ratios


def _start(stage: Stage, photos: PhotoSet) -> tuple[float, float]:
    """Milliseconds from exec to the first `next`, and to the first response."""
    event = stage.upload(photos.path(0).read_bytes())
    began = time.monotonic()
    outcome = stage.invoke(event)
    first_ms = (time.monotonic() - began) * 1000
    return first_ms - outcome.duration_ms, first_ms
