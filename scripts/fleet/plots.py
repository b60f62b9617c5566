"""The pictures of docs/scale.md."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")  # before pyplot: there is no screen
import matplotlib.pyplot as plt

from timelapse_runtime.fleet.camera import DIRECT, FIFO, Camera
from timelapse_runtime.fleet.cost import FleetCost
from timelapse_runtime.fleet.measured import figures_for
from timelapse_runtime.fleet.prices import PRICES_DATE, REGION
from timelapse_runtime.fleet.simulation import Simulation
from timelapse_runtime.timelapse.config import Config, parse_config

_DOCS = Path(__file__).parents[2] / "docs"
_SIZE = (1920, 1080)
_MEMORY_MB = 1769
_INTERVALS = {1.0: "a photo a second", 10.0: "one in ten seconds", 60.0: "one a minute"}
_FLEETS = (1, 2, 3, 4, 5, 6, 8, 10, 14, 20, 30, 50, 100, 200, 500, 1000)
_CAMERAS = (1, 2, 3, 4, 5, 6, 8, 10, 12)
_INTERVAL_SECONDS = 10.0
_SECONDS = 2_400


def draw() -> list[Path]:
    """Write both; their paths."""
    return [_cost(_DOCS / "scale-cost.png"), _routing(_DOCS / "scale-routing.png")]


def _config() -> Config:
    return parse_config(
        {
            "TIMELAPSE_FRAMES": "s3://frames/frames/",
            "TIMELAPSE_VIDEO": "s3://video/video/",
            "TIMELAPSE_SIZE": f"{_SIZE[0]}x{_SIZE[1]}",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(_MEMORY_MB),
        }
    )


def _cost(path: Path) -> Path:
    figure, axes = plt.subplots(figsize=(9, 5))
    for number, (interval, title) in enumerate(_INTERVALS.items()):
        model = FleetCost(_config(), figures_for(_SIZE), Camera(interval), _MEMORY_MB)
        colour = f"C{number}"
        axes.plot(
            _FLEETS,
            [model.on_lambda(cameras, "arm64").camera_usd for cameras in _FLEETS],
            color=colour,
            label=f"Lambda arm64, {title}",
        )
        axes.plot(
            _FLEETS,
            [model.on_machines(cameras).camera_usd for cameras in _FLEETS],
            color=colour,
            linestyle="--",
            label=f"EC2, {title}",
        )
    axes.set(xscale="log", yscale="log", xlabel="cameras", ylabel="dollars per camera and month")
    axes.set_title(f"1920x1080, without storage; list prices of {REGION}, {PRICES_DATE}")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter("{x:g}")
    axes.set_yticks([2, 3, 5, 10, 20], minor=False)
    axes.minorticks_off()
    axes.grid(visible=True, alpha=0.3)
    axes.legend(ncols=3, loc="upper center", bbox_to_anchor=(0.5, -0.12), frameon=False)
    return _saved(figure, path)


def _routing(path: Path) -> Path:
    figure, (hits, lags) = plt.subplots(1, 2, figsize=(10, 4))
    for routing, style in ((DIRECT, "-o"), (FIFO, "--s")):
        results = [
            Simulation(
                _config(),
                figures_for(_SIZE),
                Camera(_INTERVAL_SECONDS),
                cameras,
                _MEMORY_MB,
                routing,
                seconds=_SECONDS,
            ).run()
            for cameras in _CAMERAS
        ]
        hits.plot(_CAMERAS, [100 * one.hits / one.photos for one in results], style, label=routing)
        lags.plot(_CAMERAS, [one.lag(99) or 0 for one in results], style, label=routing)
    hits.set(xlabel="cameras", ylabel="photos that meet their open stream, %", ylim=(0, 105))
    lags.set(xlabel="cameras", ylabel="seconds from upload to commit, p99", yscale="log")
    lags.yaxis.set_major_formatter("{x:g}")
    for axes in (hits, lags):
        axes.grid(visible=True, alpha=0.3)
        axes.legend(frameon=False)
    figure.suptitle(f"A photo of 1920x1080 every {_INTERVAL_SECONDS:g} s, {_MEMORY_MB} MB, four open streams")
    figure.tight_layout()
    return _saved(figure, path)


def _saved(figure: plt.Figure, path: Path) -> Path:
    figure.savefig(path, dpi=110, bbox_inches="tight")
    plt.close(figure)
    return path
