"""How good a video is, judged by ffmpeg's filters against the photos, and what it weighs at equal quality."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from scripts.benchmark.batch import FPS, Settings, ffmpeg_program
from scripts.benchmark.measured import run
from scripts.benchmark.stage import BenchFailed


@dataclass(frozen=True, slots=True)
class Quality:
    """`ssim` over all planes, 0 to 1; `psnr_db` likewise."""

    ssim: float
    psnr_db: float


def judge(video: Path, photos: Path, settings: Settings, *, frames: int) -> Quality:
    """The video's first `frames` frames against the photos 000000.jpg …, converted as for encoding."""
    numbered = f"setpts=N/{FPS}/TB"
    graph = (
        f"[0:v]{numbered},split[video_a][video_b];[1:v]{settings.filters},{numbered},split[photo_a][photo_b];"
        "[video_a][photo_a]ssim=shortest=1[a];[video_b][photo_b]psnr=shortest=1[b]"
    )
    command = [ffmpeg_program(), "-nostdin", "-hide_banner", "-i", str(video)]
    command += ["-framerate", str(FPS), "-i", str(photos / "%06d.jpg"), "-lavfi", graph]
    for label in ("[a]", "[b]"):
        command += ["-map", label, "-frames:v", str(frames), "-f", "null", "-"]
    said = run(command).said
    ssim = re.search(r"SSIM .*All:([\d.]+)", said)
    psnr = re.search(r"PSNR .*average:([\d.]+|inf)", said)
    if ssim is None or psnr is None:
        raise BenchFailed(f"ffmpeg gave no SSIM and PSNR for {video}: {said[-500:]}")
    return Quality(float(ssim[1]), float(psnr[1]))


def bytes_at(ssim: float, curve: Mapping[float, float]) -> float:
    """Bytes per frame at this SSIM, on a curve of SSIM to bytes per frame; two points at least.

    Between points, log(bytes) is taken as linear in SSIM's decibels (-10 log10(1 - SSIM)); beyond them, the last two
    go on.
    """
    points = sorted((_decibels(key), math.log(value)) for key, value in curve.items())
    wanted = _decibels(ssim)
    right = next((at for at, (x, _) in enumerate(points) if x >= wanted), len(points) - 1)
    (x0, y0), (x1, y1) = points[max(0, right - 1)], points[max(1, right)]
    return math.exp(y0 + (y1 - y0) * (wanted - x0) / (x1 - x0))


def _decibels(ssim: float) -> float:
    return -10 * math.log10(1 - ssim)
