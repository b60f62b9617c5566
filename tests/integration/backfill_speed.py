"""`python -m tests.integration.backfill_speed`: how much faster two processes are than one, as JSON.

Numbered photos (`tests/photos.py`) are put into the embedded S3 server, and `timelapse backfill` makes a video of them
in turns: with one process and one thread, with one process and a thread for each processor, with `--processes N`. The
machine is not idle, so the figures are medians of the ratios within a turn. Processor seconds are those of the command
and of all that it started, without those of the server.

The videos of the last turn are compared by ffmpeg: the numbers that the frames show, and the PSNR of each frame.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.photos import make_photos
from tests.probe import ffmpeg_numbers
from tests.programs import require_program
from timelapse_runtime.emulator.s3_server import EmbeddedS3
from timelapse_runtime.runtime.state.s3 import S3Store, make_client


@dataclass(frozen=True)
class Run:
    """What one run of the command took. `owner_seconds` are processor seconds of the process that joins; 0 for one
    process alone."""

    wall_seconds: float
    cpu_seconds: float


def backfill(variables: Mapping[str, str], video: str, *options: str, **settings: str) -> Run:
    """One run into an empty place."""
    command = [sys.executable, "-m", "timelapse_runtime.cli.main", "backfill", "s3://photos/", f"s3://videos/{video}/"]
    configured = {f"TIMELAPSE_{name.upper()}": value for name, value in settings.items()}
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    environment = {**os.environ, **variables, **configured}
    subprocess.run([*command, "--json", *options], env=environment, check=True, stdout=subprocess.DEVNULL)
    wall, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return Run(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def reels(store: S3Store, video: str, folder: Path) -> list[Path]:
    """The files of all reels, in order."""
    found = []
    for info in store.list_after(f"{video}/camera/reels/"):
        if info.key.endswith("/video.mp4"):
            found.append(folder / f"{video.replace('/', '-')}-{info.key.split('/')[-2]}.mp4")
            found[-1].write_bytes(store.get(info.key).body)
    return found


def psnr(one: Path, other: Path) -> list[float]:
    """Of each frame, in dB; 100 where both are the same."""
    log = one.with_suffix(".psnr")
    graph = f"psnr=stats_file={log.name}"
    command = [require_program("ffmpeg"), "-v", "error", "-i", str(one), "-i", str(other), "-lavfi", graph]
    subprocess.run([*command, "-f", "null", "-"], check=True, cwd=one.parent)
    values = re.findall(r"psnr_avg:(\S+)", log.read_text())
    return [100.0 if value == "inf" else float(value) for value in values]


def compared(store: S3Store, one: str, other: str) -> dict[str, Any]:
    """What ffmpeg sees in two videos of the same photos."""
    with tempfile.TemporaryDirectory() as folder:
        pairs = list(zip(*(reels(store, video, Path(folder)) for video in (one, other)), strict=True))
        numbers = [[ffmpeg_numbers(file) for file in pair] for pair in pairs]
        values = [value for pair in pairs for value in psnr(*pair)]
        sizes = [sum(pair[place].stat().st_size for pair in pairs) for place in (0, 1)]
    return {
        "frames_are_equal": all(first == second for first, second in numbers),
        "frames": sum(len(first) for first, _ in numbers),
        "psnr_db": {"lowest": min(values), "median": round(statistics.median(values), 2)},
        "size_ratio": round(sizes[1] / sizes[0], 4),
    }


def main(arguments: Iterable[str] | None = None) -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=1_080)
    parser.add_argument("--size", default="1280x720")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--turns", type=int, default=3)
    options = parser.parse_args(None if arguments is None else list(arguments))
    width, height = map(int, options.size.split("x"))
    turns: list[dict[str, Run]] = []
    with EmbeddedS3() as server:
        server.create_buckets("photos", "videos")
        variables = dict(server.variables())
        store = S3Store(make_client(variables=variables), "photos")
        for number, body in enumerate(make_photos(options.photos, (width, height))):
            store.put(f"camera/IMG_{number:06d}.JPG", body)
        for turn in range(options.turns):
            turns.append(
                {
                    "one": backfill(variables, f"{turn}/one", "--processes", "1", threads="1"),
                    "many": backfill(variables, f"{turn}/many", "--processes", str(options.processes)),
                    "one_with_threads": backfill(variables, f"{turn}/threads", "--processes", "1"),
                }
            )
        videos = S3Store(make_client(variables=variables), "videos")
        comparison = compared(videos, f"{options.turns - 1}/one", f"{options.turns - 1}/many")
        again = compared(videos, "0/one", f"{options.turns - 1}/one") if options.turns > 1 else None
    names = [name for name in turns[0] if name != "many"]
    ratios = {name: [round(turn[name].wall_seconds / turn["many"].wall_seconds, 2) for turn in turns] for name in names}
    print(
        json.dumps(
            {
                "photos": options.photos,
                "size": options.size,
                "processes": options.processes,
                "turns": [{name: asdict(run) for name, run in turn.items()} for turn in turns],
                "times_faster_than": ratios,
                "median": {name: statistics.median(values) for name, values in ratios.items()},
                "cpu_ratio": [round(turn["many"].cpu_seconds / turn["one"].cpu_seconds, 3) for turn in turns],
                "compared": comparison,
                "one_with_itself": again,
                "load": os.getloadavg(),
            },
            indent=1,
        )
    )


if __name__ == "__main__":
    main()
