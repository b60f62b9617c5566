"""`scripts/bench`: everything in one run, or one measurement a call."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from scripts.benchmark import (
    against,
    burst,
    empty_loop,
    filter_cost,
    long_run,
    memory,
    picture_cost,
    shutdown,
    startup,
    suite,
)
from scripts.benchmark.batch import Settings
from scripts.benchmark.counting_s3 import S3Latency
from scripts.benchmark.photo_set import photo_set
from scripts.benchmark.ratios import GOALS, Ratio
from scripts.benchmark.report import candidate_table, ratio_table
from scripts.benchmark.stage import BenchFailed, photos_of
from timelapse_runtime.emulator.s3_server import S3ServerFailed
from timelapse_runtime.emulator.scene import render_scene

_HD = (1920, 1080)


def main(argv: Sequence[str] | None = None) -> int:
    """Run it; the exit code."""
    options = _parser().parse_args(argv)
    if options.against is not None:
        options.what = "against"
    try:
        if options.what is None:
            return _everything(options)
        figures = _measure(options)
    except (BenchFailed, S3ServerFailed) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("bench: stopped", file=sys.stderr)
        return 130
    if options.json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:<24} {value}")
    return 0


def _everything(options: argparse.Namespace) -> int:
    plan = {"quick": suite.QUICK, "smoke": suite.SMOKE}.get(options.extent, suite.FULL)
    if options.s3_latency is not None:
        plan = replace(plan, latencies=(options.s3_latency,))
    report = suite.run(options.frames, options.out, plan, options.size)
    missing = GOALS.keys() - report["ratios"].keys()
    for name, found in report.items():
        if isinstance(found, dict) and "failed" in found:
            print(f"bench: {name}: {found['failed']}", file=sys.stderr)
    if options.json:
        print(json.dumps(report))
        return 1 if missing else 0
    for latency, compared in report["s3_latencies"].items():
        print(f"\nS3 with {latency} added\n{candidate_table(compared['candidates'])}")
    print(f"\n{ratio_table(report['ratios'])}\n\n{report['ffmpeg']}")
    print(f"{report['seconds']:.0f} s; bench.json and the pictures are in {options.out}")
    return 1 if missing else 0


def _measure(options: argparse.Namespace) -> dict[str, Any]:
    ratios: list[Ratio] = []
    with tempfile.TemporaryDirectory(prefix="timelapse-bench-") as folder:
        work, rounds = Path(folder), options.rounds
        match options.what:
            case "loop":
                figures, ratios = empty_loop.measure(invocations=2000, rounds=rounds)
            case "startup":
                photos = photo_set(options.frames, work, options.size, count=2)
                figures, ratios = startup.measure(photos, Settings(*options.size), rounds=rounds)
            case "against":
                figures, ratios = against.measure(options.against, options.frames, work, rounds=rounds)
            case "memory":
                figures = memory.measure(options.frames, work)
            case "burst":
                figures, ratios = burst.measure(_photos(options, _HD, 30), rounds=rounds, count=300)
            case "filters":
                photos = photo_set(options.frames, work, options.size)
                figures, ratios = filter_cost.measure(photos, Settings(*options.size), frames=60, rounds=rounds)
            case "pictures":
                photos = photo_set(options.frames, work, options.size)
                figures = picture_cost.measure(photos, Settings(*options.size), frames=128, rounds=rounds)
            case "shutdown":
                figures = shutdown.measure(_photos(options, _HD, 90), rounds=rounds)
            case _:
                figures = long_run.measure(_photos(options, (320, 180), 60), count=options.count)
    return figures | {ratio.name: ratio.to_json() for ratio in ratios}


def _photos(options: argparse.Namespace, size: tuple[int, int], count: int) -> Sequence[bytes]:
    if options.frames is not None:
        return photos_of(options.frames, at_least=2)
    print(f"rendering {count} photos of {size[0]}x{size[1]}; a FOLDER of photos is quicker", file=sys.stderr)
    return list(render_scene(count, size))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/bench",
        description="Measure this runtime against what else makes a timelapse, or one thing of it.",
    )
    parser.add_argument(
        "frames", nargs="?", type=Path, help="a folder of JPEGs; without it the sample scene is rendered"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("out/bench"), help="for bench.json and PNGs (default: out/bench)"
    )
    parser.add_argument("--size", type=_size, default=_HD, metavar="WxH", help="the video's size (default: 1920x1080)")
    parser.add_argument(
        "--s3-latency", type=_latency, metavar="MS,MB/S", help="only one round, with an S3 as slow as this"
    )
    extent = parser.add_mutually_exclusive_group()
    for name, text in (
        ("quick", "all ratios, roughly, in five minutes"),
        ("smoke", "as little of everything as there can be: the figures mean nothing"),
    ):
        extent.add_argument(f"--{name}", dest="extent", action="store_const", const=name, help=text)
    what = parser.add_mutually_exclusive_group()
    for name, text in (
        ("startup", "exec to the first next, and to the first response, against AWS's client"),
        ("loop", "start and invocations of an empty function, against AWS's client and a bare http.client loop"),
        ("shutdown", "SIGTERM to exit on one core, everything full"),
        ("burst", "60 photos in 3 seconds with ten environments, against one; events and uploads in disorder"),
        ("filters", "CPU of each filter, against the encoder's"),
        ("pictures", "CPU of the pictures of the day, against the encoder's"),
        ("memory", "peak memory with large photos and small functions, against the memory size"),
        ("long", "latency and memory over many frames: the last thousand against the second"),
    ):
        what.add_argument(f"--{name}", dest="what", action="store_const", const=name, help=text)
    what.add_argument(
        "--against",
        type=Path,
        metavar="CHECKOUT",
        help="CPU per frame and exec to the first next, against another checkout of this project, in turns",
    )
    parser.add_argument(
        "--rounds",
        type=int,
        default=10,
        help="of --startup, --loop, --burst, --filters, --pictures, --shutdown, --against (default: 10)",
    )
    parser.add_argument("--count", type=int, default=20_000, help="frames of --long, 3000 at least (default: 20000)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def _size(text: str) -> tuple[int, int]:
    width, x, height = text.partition("x")
    size = (int(width), int(height)) if x and width.isdigit() and height.isdigit() else (0, 0)
    if min(size) < 64 or size[0] % 2 or size[1] % 2:
        raise argparse.ArgumentTypeError(f"{text!r}; allowed: WIDTHxHEIGHT, even, 64 at least, such as 1280x720")
    return size


def _latency(text: str) -> S3Latency:
    try:
        first_byte_ms, megabytes = map(float, text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r}; allowed: MS,MB/S, such as 15,80") from error
    return S3Latency(first_byte_ms, megabytes * 1e6)


if __name__ == "__main__":
    sys.exit(main())
