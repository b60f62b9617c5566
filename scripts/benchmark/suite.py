"""The whole benchmark: every measurement, its ratios, bench.json and the pictures."""

from __future__ import annotations

import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from scripts.benchmark import burst, empty_loop, filter_cost, large_photos, shutdown, startup, throughput, video_size
from scripts.benchmark.batch import Settings, ffmpeg_version
from scripts.benchmark.candidates import THIS, Deployment
from scripts.benchmark.comparison import Comparison, Extent
from scripts.benchmark.counting_s3 import S3Latency
from scripts.benchmark.figures import candidate_figures
from scripts.benchmark.frame_time import parts_of, read_cpu_ms
from scripts.benchmark.photo_set import PhotoSet, photo_set
from scripts.benchmark.prices import ec2_usd_per_million
from scripts.benchmark.ratios import GOALS, Ratio, p99
from scripts.benchmark.stage import BenchFailed
from timelapse_runtime.fleet.prices import PRICES_DATE, PRICES_USD

_LARGE = 12.0 / 2.0736  # megapixels, against 1080p's
LIKE_S3 = S3Latency(first_byte_ms=15, bytes_per_second=80e6)


@dataclass(frozen=True, slots=True)
class Plan:
    """How much of everything. `size_scale` shrinks the videos of `video_size`."""

    extent: Extent
    judged: int
    video_size_frames: int
    video_size_scale: int
    large_photos: int
    turn_frames: int
    rounds: int
    startups: int
    invocations: int
    shutdowns: int
    bursts: int
    disordered: int
    latencies: tuple[S3Latency, ...]
    later_rounds: int = 3
    """For the comparisons after the first; their ratios are not the benchmark's."""


FULL = Plan(
    Extent(rounds=5, frames=120, disk_calls=3, warm_every=60, lengths=(60, 250, 500, 1000)),
    judged=180,
    video_size_frames=360,
    video_size_scale=1,
    large_photos=46,
    turn_frames=60,
    rounds=5,
    startups=20,
    invocations=2000,
    shutdowns=50,
    bursts=3,
    disordered=300,
    latencies=(S3Latency(), LIKE_S3),
)
QUICK = Plan(
    Extent(rounds=3, frames=60, disk_calls=2, warm_every=15, lengths=(60, 500, 1000)),
    judged=60,
    video_size_frames=180,
    video_size_scale=2,
    large_photos=16,
    turn_frames=30,
    rounds=3,
    startups=5,
    invocations=1000,
    shutdowns=3,
    bursts=1,
    disordered=120,
    latencies=(S3Latency(),),
)
SMOKE = Plan(
    Extent(rounds=1, frames=60, disk_calls=1, warm_every=2, lengths=(60, 300)),
    judged=20,
    video_size_frames=40,
    video_size_scale=1,
    large_photos=4,
    turn_frames=10,
    rounds=1,
    startups=1,
    invocations=100,
    shutdowns=1,
    bursts=1,
    disordered=40,
    latencies=(S3Latency(),),
)


def run(frames: Path | None, out: Path, plan: Plan, size: tuple[int, int]) -> dict[str, Any]:
    """Measure everything; what is in bench.json. A measurement that could not be made says `failed` there, and its
    ratios are missing. Raises BenchFailed if the comparison itself cannot be made."""
    began = time.monotonic()
    out.mkdir(parents=True, exist_ok=True)
    settings = Settings(*size, threads=1)
    ratios: list[Ratio] = []
    compared: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="timelapse-bench-") as folder:
        work = Path(folder)
        _say("photos")
        photos = photo_set(frames, work, size)
        parts: dict[str, float] = {}
        for latency in plan.latencies:
            is_first = not compared
            rounds = plan.extent.rounds if is_first else plan.later_rounds
            one = replace(plan, extent=replace(plan.extent, rounds=rounds))
            figures = _compare(photos, settings, one, work, latency, out if is_first else None)
            if is_first:
                ratios += figures.pop("ratios")
                parts = figures["frame_time_ms"]
            else:
                figures["ratios"] = {ratio.name: ratio.to_json() for ratio in figures["ratios"]}
            compared[f"{latency.first_byte_ms:g} ms, {latency.bytes_per_second / 1e6:g} MB/s"] = figures
        report: dict[str, Any] = {
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": _machine(),
            "ffmpeg": ffmpeg_version(),
            "settings": asdict(settings),
            "prices": {"date": PRICES_DATE, **PRICES_USD, "ec2_usd_per_million_frames": ec2_usd_per_million()},
            "ratios": _in_order(ratios),
            "s3_latencies": compared,
            "frame_time_ms": parts,
        }
        _write(out, report)  # the longest part is safe
        others, more = other_measurements(frames, photos, settings, plan, work)
    report |= others | {"ratios": _in_order(ratios + more), "seconds": round(time.monotonic() - began, 1)}
    _write(out, report)
    return report


def _in_order(ratios: list[Ratio]) -> dict[str, Any]:
    found = {ratio.name: ratio.to_json() for ratio in ratios}
    return {name: found[name] for name in sorted(found, key=lambda name: [*GOALS, name].index(name))}


def _write(out: Path, report: dict[str, Any]) -> None:
    (out / "bench.json").write_text(json.dumps(report, indent=1) + "\n")


def _compare(
    photos: PhotoSet, settings: Settings, plan: Plan, work: Path, latency: S3Latency, out: Path | None
) -> dict[str, Any]:
    """One comparison; with `out`, the first one, the videos are judged and the pictures drawn."""
    _say(f"comparison, S3 with {latency.first_byte_ms:g} ms to the first byte")
    with ExitStack() as stack:
        comparison = Comparison(photos, settings, plan.extent, work, stack)
        comparison.run(latency)
        ours = comparison.candidates[THIS]
        assert isinstance(ours, Deployment)
        keys = [f"frames/{ours.stage.stream}/{number:08d}.jpg" for number in range(60)]
        parts = parts_of(comparison.turns, read_cpu_ms(ours.stage, keys))
        # The videos are those of the first comparison again.
        candidates = candidate_figures(comparison, photos, settings, work, judged=plan.judged if out else 0)
        ratios = comparison.ratios()
    if out is not None:
        from scripts.benchmark.plots import draw  # noqa: PLC0415 - matplotlib takes a second

        draw(out, comparison.turns, comparison.all_of_ours, candidates, parts)
    latencies = [round(value, 2) for value in comparison.all_of_ours]
    return {"candidates": candidates, "ratios": ratios, "frame_time_ms": parts, "our_latencies_ms": latencies}


def other_measurements(
    frames: Path | None, photos: PhotoSet, settings: Settings, plan: Plan, work: Path
) -> tuple[dict[str, Any], list[Ratio]]:
    """The other measurements, by name, and their ratios."""
    found: dict[str, Any] = {}
    ratios: list[Ratio] = []
    turns = {"frames": plan.turn_frames, "rounds": plan.rounds}
    scale = plan.video_size_scale
    small = replace(settings, width=settings.width // scale // 2 * 2, height=settings.height // scale // 2 * 2)
    side = _LARGE**0.5
    size = (round(settings.width * side / 2) * 2, round(settings.height * side / 2) * 2)
    measurements: dict[str, Callable[[], tuple[dict[str, Any], list[Ratio]]]] = {
        "large_photos": lambda: large_photos.measure(
            photo_set(frames, work, size, count=plan.large_photos), settings, work, **turns
        ),
        "throughput": lambda: throughput.measure(photos, settings, work, **turns),
        "video_size": lambda: video_size.measure(photos, small, work, frames=plan.video_size_frames),
        "startup": lambda: startup.measure(photos, settings, rounds=plan.startups),
        "loop": lambda: empty_loop.measure(invocations=plan.invocations, rounds=plan.rounds),
        "burst": lambda: burst.measure(
            [path.read_bytes() for path in photos.paths], rounds=plan.bursts, count=plan.disordered
        ),
        "filters": lambda: filter_cost.measure(photos, settings, **turns),
        "shutdown": lambda: _shutdown(photos, plan.shutdowns),
    }
    for name, measurement in measurements.items():
        _say(name)
        try:
            found[name], more = measurement()
        except BenchFailed as error:  # a shutdown on a busy machine may fail; the rest is worth having
            found[name] = {"failed": str(error)}
            continue
        ratios += more
    return found, ratios


def _shutdown(photos: PhotoSet, rounds: int) -> tuple[dict[str, Any], list[Ratio]]:
    figures = shutdown.measure([path.read_bytes() for path in photos.paths], rounds=rounds)
    return figures, [Ratio("sigterm_exit_ms_p99", tuple(figures["exit_ms_of_each"]), p99)]


def _machine() -> dict[str, Any]:
    processors = len(os.sched_getaffinity(0))
    return {"processors": processors, "system": platform.platform(), "python": platform.python_version()}


def _say(text: str) -> None:
    print(f"bench: {text}", file=sys.stderr)
