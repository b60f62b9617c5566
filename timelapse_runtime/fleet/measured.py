"""What the function's operations take, as measured: `measured.json`, which names its command, date and machine.

Between the sizes that were measured, CPU is interpolated over the number of pixels; beyond them it goes on in
proportion. Requests do not depend on the size. The bytes of photos and frames are those of photographs, by the pixel:
the sample scene that the CPU is measured with has other ones.
"""

from __future__ import annotations

import functools
import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Size = tuple[int, int]

OPERATIONS = (
    "photo",
    "slow_photo",
    "flush",
    "segment_end",
    "open",
    "swap",
    "init",
    "first_sweep",
    "sweep",
)
"""`photo`: GET, decode, encode, by an encoder that looks ahead or (`slow_photo`) gives each frame at once. `flush`,
and `segment_end` beside that, come beside a photo; `open` is a stream's first photo in a new environment, `swap` one
for which another stream is closed; `init` comes once in an environment's life. Sweeps are those of a stream that has
nothing to do."""


@dataclass(frozen=True, slots=True)
class Operation:
    """Milliseconds of one vCPU, and requests by S3's name of the operation."""

    cpu_ms: float
    requests: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Figures:
    """For videos of one size. `photo_shape` are quantiles of a photo's time as multiples of its mean: x264 works on
    some photos and queues the others."""

    size: Size
    operations: Mapping[str, Operation]
    photo_shape: Sequence[float]
    photo_bytes: float
    frame_bytes: float
    frames_inside: int
    log_bytes: float
    source: str


def figures_for(size: Size) -> Figures:
    """Of a video of this size, in pixels."""
    measured = load()
    pixels = size[0] * size[1]
    sizes = sorted(((int(w) * int(h), row) for text, row in measured["by_size"].items() for w, h in [text.split("x")]))
    low, high = next((pair for pair in itertools.pairwise(sizes) if pixels <= pair[1][0]), (sizes[-2], sizes[-1]))
    share = (pixels - low[0]) / (high[0] - low[0])

    def between(name: str, field: str) -> float:
        ends = [row[name][field] for _, row in (low, high)]
        return float(max(0.0, ends[0] + share * (ends[1] - ends[0])))

    # Requests are counts: those of the first size, in which video.mp4 is smallest.
    operations = {name: Operation(between(name, "cpu_ms"), sizes[0][1][name]["requests"]) for name in OPERATIONS}
    durations, photographs = high[1]["photo_durations"], measured["photographs"]
    mean = sum(durations) / len(durations)
    return Figures(
        size,
        operations,
        [value / mean for value in durations],
        photographs["photo_bytes"] * pixels / photographs["pixels"],
        photographs["frame_bytes"] * pixels / photographs["pixels"],
        measured["frames_inside"],
        measured["log_bytes_per_invocation"],
        f"{measured['command']}, {measured['date']}, {measured['machine']}",
    )


@functools.cache
def load() -> Mapping[str, Any]:
    """The file."""
    value: Mapping[str, Any] = json.loads(Path(__file__).with_name("measured.json").read_text())
    return value
