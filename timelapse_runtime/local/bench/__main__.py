"""`scripts/bench`: one measurement a call, as text or JSON."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from timelapse_runtime.local.bench import flush_size, memory, shutdown
from timelapse_runtime.local.bench.stage import BenchFailed, photos_of
from timelapse_runtime.local.scene import render_scene


def main(argv: Sequence[str] | None = None) -> int:
    """Run it; the exit code."""
    options = _parser().parse_args(argv)
    try:
        figures = _measure(options)
    except BenchFailed as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    if options.json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:<24} {value}")
    return 0


def _measure(options: argparse.Namespace) -> dict[str, Any]:
    if options.shutdown:
        return shutdown.measure(_photos(options, (1920, 1080), 90), rounds=options.rounds)
    if options.memory:
        return memory.measure(_photos(options, (320, 180), 60), count=options.count)
    return flush_size.measure(_photos(options, (640, 360), 540))


def _photos(options: argparse.Namespace, size: tuple[int, int], count: int) -> Sequence[bytes]:
    if options.frames is not None:
        return photos_of(options.frames, at_least=2)
    print(f"rendering {count} photos of {size[0]}x{size[1]}; a FOLDER of photos is quicker", file=sys.stderr)
    return list(render_scene(count, size))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/bench", description="Measure one thing through the real bootstrap.")
    parser.add_argument(
        "frames", nargs="?", type=Path, help="a folder of JPEGs; without it the sample scene is rendered"
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--shutdown", action="store_true", help="SIGTERM to exit on one core, everything full")
    what.add_argument("--memory", action="store_true", help="memory and latency over many frames")
    what.add_argument("--flush-size", action="store_true", help="bytes per frame at 10 and 180 frames a flush")
    parser.add_argument("--rounds", type=int, default=10, help="of --shutdown (default: 10)")
    parser.add_argument("--count", type=int, default=5000, help="frames of --memory, 1000 at least (default: 5000)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


if __name__ == "__main__":
    sys.exit(main())
