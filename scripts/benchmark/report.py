"""The run as a table for the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scripts.benchmark.prices import ec2_usd_per_million
from timelapse_runtime.fleet.prices import PRICES_DATE

_COLUMNS = (
    ("p50 ms", lambda row: _of(row["latency_ms"], "p50")),
    ("p90 ms", lambda row: _of(row["latency_ms"], "p90")),
    ("p99 ms", lambda row: _of(row["latency_ms"], "p99")),
    ("CPU ms", lambda row: row["cpu_seconds_per_frame"] * 1000),
    ("GB-s", lambda row: row["gb_seconds_per_frame"]),
    ("S3 req.", lambda row: row["s3_requests_per_frame"]),
    ("S3 kB", lambda row: row["s3_bytes_per_frame"] / 1000),
    ("peak MB", lambda row: row["peak_memory_mb"]),
    ("video B", lambda row: row["bytes_per_frame"]),
    ("SSIM", lambda row: row["ssim"]),
    ("PSNR", lambda row: row["psnr_db"]),
    ("$/M", lambda row: row["usd_per_million_frames"]),
)


def candidate_table(figures: Mapping[str, Mapping[str, Any]]) -> str:
    """One line a candidate; all figures are per frame but the peak."""
    width = max(map(len, figures))
    lines = [" " * width + "".join(f"{title:>10}" for title, _ in _COLUMNS)]
    lines += [
        f"{name:<{width}}" + "".join(f"{_number(column(row)):>10}" for _, column in _COLUMNS)
        for name, row in figures.items()
    ]
    ec2 = ec2_usd_per_million()
    lines.append(f"a t3.small that is always on, at one frame a second: ${ec2:.2f} ({PRICES_DATE})")
    return "\n".join(lines)


def ratio_table(ratios: Mapping[str, Mapping[str, Any]]) -> str:
    """One line a ratio."""
    return "\n".join(
        f"{name:<34} {_number(row['value']):>9}   goal {row['goal']:<8} {'met' if row['met'] else 'MISSED'}"
        for name, row in ratios.items()
    )


def _of(latency: Mapping[str, float] | None, name: str) -> float | None:
    return None if latency is None else latency[name]


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.4f}" if abs(value) < 2 else f"{value:,.1f}"
