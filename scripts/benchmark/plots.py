"""The three pictures of a run, from the comparison's turns and figures."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")  # before pyplot: there is no screen
import matplotlib.pyplot as plt

from scripts.benchmark.candidates import BARE, BATCH, THIS, Turn
from scripts.benchmark.prices import ec2_usd_per_million
from timelapse_runtime.fleet.prices import PRICES_DATE

_WINDOW = 20
_EC2 = "small EC2, always on (1 frame/s)"


def draw(
    out: Path,
    turns: Mapping[str, list[Turn]],
    our_latencies_ms: list[float],
    figures: Mapping[str, Mapping[str, Any]],
    parts_ms: Mapping[str, float],
) -> list[Path]:
    """Write the PNGs; their paths."""
    return [
        _latency(out / "latency.png", turns, our_latencies_ms),
        _cost(out / "cost.png", figures),
        _frame_time(out / "frame-time.png", parts_ms),
    ]


def _latency(path: Path, turns: Mapping[str, list[Turn]], ours: list[float]) -> Path:
    figure, axes = plt.subplots(figsize=(9, 5.5))
    for name, had in turns.items():
        points: dict[int, list[float]] = {}
        for turn in had:
            per_frame = turn.latencies_ms or [turn.wall_seconds * 1000 / turn.frames]
            points.setdefault(turn.first, []).extend(per_frame)
        if name in {BATCH, BARE}:  # they begin a video in each turn, and know no length
            level = statistics.median(value for values in points.values() for value in values)
            axes.axhline(level, label=name, linestyle="--" if name == BATCH else ":", color="black")
            continue
        lengths = sorted(points)
        medians = [statistics.median(points[length]) for length in lengths]
        if name == THIS:
            lengths = list(range(0, len(ours), _WINDOW))
            medians = [statistics.median(ours[at : at + _WINDOW]) for at in lengths]
        axes.plot(lengths, medians, marker=None if name == THIS else "o", label=name)
    axes.set(xlabel="frames in the video", ylabel="milliseconds per frame (median)", yscale="log")
    axes.set_title("Latency per frame against the video's length")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.grid(visible=True, alpha=0.3)
    axes.legend(ncols=3, loc="upper center", bbox_to_anchor=(0.5, -0.12), frameon=False)
    return _saved(figure, path)


def _cost(path: Path, figures: Mapping[str, Mapping[str, Any]]) -> Path:
    usd = {name: row["usd_per_million_frames"] for name, row in figures.items() if row["usd_per_million_frames"]}
    usd[_EC2] = ec2_usd_per_million()
    figure, axes = plt.subplots(figsize=(9, 4))
    bars = axes.barh(list(usd), list(usd.values()))
    axes.bar_label(bars, fmt="$%.2f", padding=3)
    axes.invert_yaxis()
    axes.set(xlabel=f"dollars per million frames, list prices of {PRICES_DATE}")
    axes.margins(x=0.2)
    axes.set_title("Cost per million frames: compute, invocations, S3 requests")
    return _saved(figure, path)


def _frame_time(path: Path, parts_ms: Mapping[str, float]) -> Path:
    figure, axes = plt.subplots(figsize=(9, 2.6))
    left = 0.0
    for name, value in parts_ms.items():
        axes.barh([0], [value], left=left, label=f"{name}: {value:.1f} ms")
        left += value
    axes.set(yticks=[], xlabel="milliseconds of CPU per frame, runtime process")
    axes.set_title("Where a frame's time goes")
    axes.legend(ncols=3, loc="upper center", bbox_to_anchor=(0.5, -0.35), frameon=False)
    return _saved(figure, path)


def _saved(figure: Any, path: Path) -> Path:
    figure.savefig(path, dpi=120, bbox_inches="tight")
    plt.close(figure)
    return path
