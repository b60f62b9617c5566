"""`python -m tests.integration.backfill_figures FOLDER`: what a backfill does with the photos of some days, as JSON.

FOLDER has JPEGs with the number of each in its corner (`tests/photos.py`), named in their order. They get EXIF times,
one a minute through the hours of light of seven days, and are uploaded to the embedded S3 server, the days in a
shuffled order and ten photos at a time. `timelapse backfill` is interrupted at about half and run again. ffmpeg shows
the frames' numbers.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from tests.photos import with_capture_time
from tests.probe import ffmpeg_numbers
from timelapse_runtime.emulator.s3_server import EmbeddedS3
from timelapse_runtime.runtime.state.s3 import S3Store, make_client

DAYS, AT_ONCE = 7, 10
START = datetime(2024, 5, 1, 7)


def upload(store: S3Store, files: Sequence[Path]) -> None:
    """The days in a shuffled order."""
    per_day = -(-len(files) // DAYS)
    days = [list(enumerate(files))[start : start + per_day] for start in range(0, len(files), per_day)]
    random.Random(1).shuffle(days)

    def put(entry: tuple[int, Path]) -> None:
        number, file = entry
        moment = START + timedelta(days=number // per_day, minutes=number % per_day)
        store.put(f"garden/IMG_{number:04d}.JPG", with_capture_time(file.read_bytes(), moment))

    with ThreadPoolExecutor(AT_ONCE) as executor:
        for day in days:
            list(executor.map(put, day))


def backfill(variables: Mapping[str, str], *, until: int | None = None) -> dict[str, Any]:
    """One run, interrupted once the checkpoint counts `until` frames; its report."""
    command = [sys.executable, "-m", "timelapse_runtime.cli.main", "backfill", "s3://photos/", "s3://videos/", "--json"]
    store = S3Store(make_client(variables=variables), "videos")
    with subprocess.Popen(command, env={**os.environ, **variables}, stdout=subprocess.PIPE, text=True) as process:
        while until is not None and process.poll() is None:
            time.sleep(0.2)
            for info in store.list_after("garden/checkpoint"):
                if info.key.endswith(".json") and json.loads(store.get(info.key).body)["frame_count"] >= until:
                    process.send_signal(signal.SIGINT)
                    until = None
                break
        report: dict[str, Any] = json.loads(process.communicate()[0])
    return {**report, "exit_code": process.returncode}


def numbers_by_reel(store: S3Store) -> dict[str, list[int]]:
    """What ffmpeg sees in each reel."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for info in store.list_after("garden/reels/"):
            if info.key.endswith("/video.mp4"):
                file = Path(folder) / "video.mp4"
                file.write_bytes(store.get(info.key).body)
                found[info.key.split("/")[2]] = ffmpeg_numbers(file)
    return found


def main(arguments: Iterable[str] | None = None) -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    files = sorted(parser.parse_args(None if arguments is None else list(arguments)).folder.glob("*.jpg"))
    with EmbeddedS3() as server:
        server.create_buckets("photos", "videos")
        variables = dict(server.variables())
        began = time.monotonic()
        upload(S3Store(make_client(variables=variables), "photos"), files)
        seconds = time.monotonic() - began
        runs = [backfill(variables, until=len(files) // 2), backfill(variables)]
        reels = numbers_by_reel(S3Store(make_client(variables=variables), "videos"))
    shown = [number for name in sorted(reels) for number in reels[name]]
    gets = sum(run["s3_requests"]["GetObject"] for run in runs)
    requests = sum(sum(run["s3_requests"].values()) for run in runs)
    print(
        json.dumps(
            {
                "photos": len(files),
                "upload_seconds": round(seconds, 1),
                "is_in_order": shown == list(range(len(files))),
                "frames_by_reel": {name: len(numbers) for name, numbers in sorted(reels.items())},
                "photos_read": [run["photos_read"] for run in runs],
                "exit_codes": [run["exit_code"] for run in runs],
                "seconds": [run["wall_seconds"] for run in runs],
                "gets_per_photo": round(gets / len(files), 3),
                "requests_per_photo": round(requests / len(files), 3),
            },
            indent=1,
        )
    )


if __name__ == "__main__":
    main()
