"""The figures of each candidate in bench.json."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from scripts.benchmark.batch import Settings
from scripts.benchmark.candidates import DISK, MEMORY_SIZE_MB, WARM, Deployment, Turn
from scripts.benchmark.comparison import Comparison, request_count
from scripts.benchmark.photo_set import PhotoSet
from scripts.benchmark.prices import gb_seconds, lambda_usd_per_million
from scripts.benchmark.quality import judge
from scripts.benchmark.stage import percentile


def candidate_figures(
    comparison: Comparison, photos: PhotoSet, settings: Settings, work: Path, *, judged: int
) -> dict[str, dict[str, Any]]:
    """By candidate; the disk candidates at the longest video. The first `judged` frames of each video are judged, if
    any.

    Latency is that of an invocation; of the bare loop, the CPU time of one pass through it; of the batch run there is
    none, and `wall_ms_per_frame` stands alone. A candidate outside Lambda has no GB-seconds and no price.
    """
    figures: dict[str, dict[str, Any]] = {}
    for name, candidate in comparison.candidates.items():
        turns = comparison.turns[name]
        if name in {DISK, WARM}:
            longest = max(turn.first for turn in turns)
            turns = [turn for turn in turns if turn.first == longest]
        row = _measured(turns, in_lambda=isinstance(candidate, Deployment))
        row["peak_memory_mb"] = candidate.peak_rss_bytes / 1e6
        row |= _video(comparison, name, photos, settings, work, judged)
        figures[name] = row
    return figures


def _measured(turns: list[Turn], *, in_lambda: bool) -> dict[str, Any]:
    frames = sum(turn.frames for turn in turns)
    latencies = [latency for turn in turns for latency in turn.latencies_ms]
    requests: Counter[str] = sum((turn.requests for turn in turns), Counter())
    return {
        "frames": frames,
        "latency_ms": {f"p{p}": percentile(latencies, p) for p in (50, 90, 99)} if latencies else None,
        "wall_ms_per_frame": sum(turn.wall_seconds for turn in turns) * 1000 / frames,
        "cpu_seconds_per_frame": sum(turn.cpu_seconds for turn in turns) / frames,
        "s3_requests_per_frame": request_count(requests) / frames,
        "s3_bytes_per_frame": (requests["bytes_in"] + requests["bytes_out"]) / frames,
        "gb_seconds_per_frame": gb_seconds(latencies, MEMORY_SIZE_MB) / frames if in_lambda else None,
        "usd_per_million_frames": (
            lambda_usd_per_million(latencies, MEMORY_SIZE_MB, requests, frames) if in_lambda else None
        ),
    }


def _video(
    comparison: Comparison, name: str, photos: PhotoSet, settings: Settings, work: Path, judged: int
) -> dict[str, float | None]:
    if name not in comparison.videos:  # the bare loop muxes none; its packets are what this runtime's video is made of
        return {"bytes_per_frame": None, "ssim": None, "psnr_db": None}
    video, frames, first = comparison.videos[name]
    bytes_per_frame = video.stat().st_size / frames
    if not judged:
        return {"bytes_per_frame": bytes_per_frame, "ssim": None, "psnr_db": None}
    judged = min(judged, frames)
    folder = work / f"judged-{first}-{judged}"
    if not folder.exists():
        photos.link(folder, judged, first)
    quality = judge(video, folder, settings, frames=judged)
    return {"bytes_per_frame": bytes_per_frame, "ssim": quality.ssim, "psnr_db": quality.psnr_db}
