"""Bytes per frame at equal SSIM: this runtime, flushing every 60 and every 10 frames, against ffmpeg's batch run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from scripts.benchmark.batch import Settings, encode_folder
from scripts.benchmark.photo_set import PhotoSet
from scripts.benchmark.quality import Quality, bytes_at, judge
from scripts.benchmark.ratios import Ratio
from scripts.benchmark.stage import Stage

_STEPS = (-1.0, 0.0, 1.0)
"""The batch run's crf, around ours: a curve on which our SSIM lies."""


def measure(photos: PhotoSet, settings: Settings, work: Path, *, frames: int) -> tuple[dict[str, Any], list[Ratio]]:
    """Bytes per frame and SSIM of each video, and the two ratios."""
    folder = photos.link(work / "video-size", frames)
    curve: dict[float, float] = {}
    videos: dict[str, Any] = {}
    for step in _STEPS:
        video = work / f"video-size{step:+g}.mp4"
        encode_folder(folder, video, replace(settings, crf=settings.crf + step))
        quality = judge(video, folder, settings, frames=frames)
        curve[quality.ssim] = video.stat().st_size / frames
        videos[f"ffmpeg, crf {settings.crf + step:g}"] = _row(video, quality, frames)
    ratios = []
    for every in (60, 10):
        video = work / f"video-size-n{every}.mp4"
        video.write_bytes(_ours(photos, settings, every, frames))
        quality = judge(video, folder, settings, frames=frames)
        videos[f"this runtime, a flush every {every}"] = _row(video, quality, frames)
        ratio = video.stat().st_size / frames / bytes_at(quality.ssim, curve)
        ratios.append(Ratio(f"bytes_vs_ffmpeg_n{every}", (ratio,)))
    return {"frames": frames, "size": f"{settings.width}x{settings.height}", "videos": videos}, ratios


def _ours(photos: PhotoSet, settings: Settings, every: int, frames: int) -> bytes:
    with Stage(settings.variables() | {"TIMELAPSE_FLUSH_EVERY": str(every)}, freeze=False) as stage:
        for number in range(frames):
            stage.feed(photos.path(number).read_bytes())
        return stage.finished_video()


def _row(video: Path, quality: Quality, frames: int) -> dict[str, float]:
    return {"bytes_per_frame": video.stat().st_size / frames, "ssim": quality.ssim, "psnr_db": quality.psnr_db}
