"""`timelapse simulate`: how a fleet of cameras would fare on Lambda, by simulation."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from typing import Any

from timelapse_runtime.cli import EXIT_OK, CommandFailed
from timelapse_runtime.cli.fleet_options import camera_of, config_of
from timelapse_runtime.fleet.extras import with_extras
from timelapse_runtime.fleet.measured import figures_for
from timelapse_runtime.fleet.prices import MONTH_SECONDS, PRICES_DATE, PRICES_USD, REGION
from timelapse_runtime.timelapse.metrics import DECLARED

_ARCHITECTURES = ("x86_64", "arm64")
_BEHIND_SHARE = 0.05
"""A fleet falls behind if more of its photos, and more than one a camera, wait at the end."""
_COLUMNS = (
    ("cameras", 8, "{cameras}"),
    ("routing", 8, "{routing}"),
    ("MB", 5, "{memory_mb}"),
    ("hits", 7, "{state_hit_rate:.1%}"),
    ("lag p50", 8, "{lag_p50:.0f} s"),
    ("p99", 8, "{lag_p99:.0f} s"),
    ("left", 7, "{backlog_per_camera:.1f}"),
    ("cold/h", 7, "{cold_starts_per_camera_hour:.2f}"),
    ("req.", 6, "{requests_per_photo:.2f}"),
    ("GB-s", 7, "{gb_seconds_per_photo:.3f}"),
    ("busy", 7, "{busy_environments:.1f}"),
    ("x86-64", 8, "${usd_x86_64:,.2f}"),
    ("arm64", 8, "${usd_arm64:,.2f}"),
)


def run(options: argparse.Namespace, variables: Mapping[str, str]) -> int:
    """See the module. Raises ConfigError, CommandFailed."""
    if find_spec("simpy") is None:
        raise CommandFailed("simulate needs the extra 'simulate': python -m pip install 'timelapse-runtime[simulate]'")
    rows = []
    if not options.json:
        print(_head(options))
    for row in simulated(options, variables):
        rows.append(row)
        if not options.json:
            print(_line(row), flush=True)
    if options.json:
        print(json.dumps({"prices": f"list prices of {REGION}, {PRICES_DATE}", "runs": rows}))
    else:
        print(_LEGEND)
    return EXIT_OK


def _line(row: Mapping[str, Any]) -> str:
    shown = {name: float("nan") if value is None else value for name, value in row.items()}
    cells = [text.format(**shown) for _, _, text in _COLUMNS]
    if not row["keeps_up"]:
        cells = ["-" if text.startswith("$") else text for text in cells]
    return "  ".join(f"{cell:>{width}}" for cell, (_, width, _) in zip(cells, _COLUMNS, strict=True))


_LEGEND = """
hits: photos that met their stream open. lag: from the upload to the commit. left: photos a camera that waited at the
end. req.: S3 requests a photo. GB-s: a photo. busy: environments at work, of all cameras. $: a camera and month,
without storage; - if it falls behind. docs/scale.md says what is assumed."""


def _head(options: argparse.Namespace) -> str:
    camera = f"A photo every {options.interval:g} s and camera; {options.seconds} s simulated, a tenth not counted."
    return f"{camera}\n\n" + "  ".join(f"{title:>{width}}" for title, width, _ in _COLUMNS)


def simulated(options: argparse.Namespace, variables: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """A row for each fleet, routing and memory size."""
    from timelapse_runtime.fleet.simulation import Simulation  # noqa: PLC0415  of the extra

    for memory in options.memory:
        config = config_of(options, variables, memory)
        camera = camera_of(options, config)
        figures = with_extras(figures_for(camera.size), config)
        for routing in options.routing:
            for cameras in options.cameras:
                simulation = Simulation(
                    config, figures, camera, cameras, memory, routing, seconds=options.seconds, seed=options.seed
                )
                result = simulation.run()
                metrics = len(DECLARED[config.metrics]) * PRICES_USD["cloudwatch_metric_month"]
                yield _row(result, routing, memory, metrics, camera.hours_per_day / 24)


def _row(result: Any, routing: str, memory_mb: int, metrics_usd: float, active_share: float) -> dict[str, Any]:
    photos, of_all = max(1, result.photos), result.cameras / result.simulated_cameras
    month = result.usage.times(MONTH_SECONDS * active_share / result.seconds / result.simulated_cameras)
    return {
        "cameras": result.cameras,
        "simulated_cameras": result.simulated_cameras,
        "simulated_seconds": result.seconds,
        "routing": routing,
        "memory_mb": memory_mb,
        "photos": result.photos,
        "state_hit_rate": result.hits / photos,
        "lag_mean": sum(result.lags) / len(result.lags) if result.lags else None,
        "lag_p50": result.lag(50),
        "lag_p90": result.lag(90),
        "lag_p99": result.lag(99),
        "keeps_up": result.backlog <= _BEHIND_SHARE * (result.photos + result.backlog) + result.simulated_cameras,
        "backlog_per_camera": result.backlog / result.simulated_cameras,
        "throttles_per_photo": result.throttles / photos,
        "cold_starts_per_camera_hour": result.cold_starts / result.simulated_cameras / result.seconds * 3600,
        "commits_per_photo": result.commits / photos,
        "cpu_ms_per_photo": result.cpu_ms / photos,
        "requests_per_photo": sum(result.usage.requests.values()) / photos,
        "requests_by_kind_per_photo": {
            kind: round(count / photos, 4) for kind, count in sorted(result.usage.requests.items())
        },
        "gb_seconds_per_photo": result.usage.gb_seconds / photos,
        "busy_environments": result.busy_seconds / result.seconds * of_all,
        "environments": result.environments * of_all,
        **{f"usd_{name}": sum(month.bill(name).values()) + metrics_usd for name in _ARCHITECTURES},
    }
