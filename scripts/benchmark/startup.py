"""From exec to the first `next`, and to the first frame's response: this runtime against AWS's own runtime client.

Both run the same function with the same imports from the same site-packages. This runtime runs without its external
extension, which Lambda starts before it: instead it registers an internal one, and that is in the count.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping
from typing import Any

from scripts.benchmark.batch import Settings
from scripts.benchmark.candidates import MANAGED_FUNCTION, timelapse_stage
from scripts.benchmark.counting_s3 import BenchS3, S3Latency
from scripts.benchmark.photo_set import PhotoSet
from scripts.benchmark.ratios import Ratio, paired
from scripts.benchmark.stage import BUCKET, Deployed

_THIS, _MANAGED = "this runtime", "awslambdaric, the same function"
_DEPLOYED = {
    _THIS: Deployed(extension=False),
    _MANAGED: MANAGED_FUNCTION,
}


def measure(photos: PhotoSet, settings: Settings, *, rounds: int) -> tuple[dict[str, Any], list[Ratio]]:
    """The medians, the rounds that they come from, and both ratios to AWS's client."""
    times = starts(_DEPLOYED, photos, settings, rounds=rounds)
    names = ("first_next_ms", "first_response_ms")
    by_name = {name: {one: [both[at] for both in times[one]] for one in _DEPLOYED} for at, name in enumerate(names)}
    figures: dict[str, Any] = {
        name: {one: round(statistics.median(values), 1) for one, values in of_each.items()}
        for name, of_each in by_name.items()
    }
    ratios = [
        paired("init_vs_awslambdaric", by_name["first_next_ms"][_THIS], by_name["first_next_ms"][_MANAGED]),
        paired("first_response_vs_awslambdaric", *(by_name["first_response_ms"][one] for one in (_THIS, _MANAGED))),
    ]
    return figures | {"rounds": by_name}, ratios


def starts(
    deployed: Mapping[str, Deployed], photos: PhotoSet, settings: Settings, *, rounds: int
) -> dict[str, list[tuple[float, float]]]:
    """Milliseconds from exec to the first `next` and to the first response, by round, in turns.

    A first round of each, which fills the page cache, does not count.
    """
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in deployed}
    body = photos.path(0).read_bytes()
    with BenchS3(S3Latency()) as server:
        server.create_buckets(BUCKET)
        for number in range(rounds + 1):
            for at, (name, one) in enumerate(deployed.items()):
                with timelapse_stage(server, settings, one, stream=f"{at}-{number}") as stage:
                    event, began = stage.upload(body), time.monotonic()
                    result = stage.invoke(event)
                    first_ms = (time.monotonic() - began) * 1000
                times[name].append((first_ms - result.duration_ms, first_ms))
    return {name: of_one[1:] for name, of_one in times.items()}
