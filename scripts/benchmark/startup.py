"""From exec to the first `next`, and to the first frame's response: this runtime against AWS's own runtime client.

Both run the same function with the same imports from the same site-packages. This runtime runs without its external
extension, which Lambda starts before it: instead it registers an internal one, and that is in the count.
"""

from __future__ import annotations

import statistics
import time
from typing import Any

from scripts.benchmark.batch import Settings
from scripts.benchmark.candidates import MANAGED_FUNCTION, timelapse_stage
from scripts.benchmark.counting_s3 import BenchS3, S3Latency
from scripts.benchmark.photo_set import PhotoSet
from scripts.benchmark.ratios import Ratio, paired
from scripts.benchmark.stage import BUCKET, Deployed, Stage

_THIS, _MANAGED = "this runtime", "awslambdaric, the same function"
_DEPLOYED = {
    _THIS: Deployed(extension=False),
    _MANAGED: MANAGED_FUNCTION,
}


def measure(photos: PhotoSet, settings: Settings, *, rounds: int) -> tuple[dict[str, Any], list[Ratio]]:
    """Milliseconds, round by round, after one round each that fills the page cache."""
    inits: dict[str, list[float]] = {name: [] for name in _DEPLOYED}
    firsts: dict[str, list[float]] = {name: [] for name in _DEPLOYED}
    with BenchS3(S3Latency()) as server:
        server.create_buckets(BUCKET)
        for number in range(rounds + 1):
            for name, deployed in _DEPLOYED.items():
                stream = f"{list(_DEPLOYED).index(name)}-{number}"
                with timelapse_stage(server, settings, deployed, stream=stream) as stage:
                    init_ms, first_ms = _start(stage, photos)
                if number:
                    inits[name].append(init_ms)
                    firsts[name].append(first_ms)
    ratios = [
        paired("init_vs_awslambdaric", inits[_THIS], inits[_MANAGED]),
        paired("first_response_vs_awslambdaric", firsts[_THIS], firsts[_MANAGED]),
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
