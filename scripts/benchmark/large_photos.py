"""CPU per frame with large photos (12 megapixels) and the video is 1080p: decoding and scaling weigh most."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from scripts.benchmark.batch import Settings
from scripts.benchmark.candidates import Batch, Deployment, cpu_in_turns, timelapse_stage
from scripts.benchmark.counting_s3 import BenchS3, S3Latency
from scripts.benchmark.photo_set import PhotoSet
from scripts.benchmark.ratios import Ratio, paired
from scripts.benchmark.stage import BUCKET, THIS_RUNTIME
from scripts.benchmark.time_slices import alone

SIZE = (4624, 2600)
_WARM = 20


def measure(
    photos: PhotoSet, settings: Settings, work: Path, *, frames: int, rounds: int
) -> tuple[dict[str, Any], list[Ratio]]:
    """Turns of `frames` frames; CPU in milliseconds per frame."""
    (work / "large").mkdir()
    with BenchS3(S3Latency()) as server:
        server.create_buckets(BUCKET)
        with timelapse_stage(server, settings, THIS_RUNTIME, stream="this") as stage:
            runtime, batch = Deployment(stage, server, photos), Batch(photos, settings, work / "large")
            alone(runtime.turn(_WARM))
            ours, theirs = cpu_in_turns([runtime, batch], frames=frames, rounds=rounds)
    figures = {
        "photos": f"{photos.size[0]}x{photos.size[1]}",
        "cpu_ms_per_frame": ours,
        "ffmpeg_cpu_ms_per_frame": theirs,
    }
    return figures, [paired("cpu_vs_ffmpeg_12mp", ours, theirs)]
