"""How much memory a replay takes, process by process.

    python -m tests.cli.replay_memory [--photos N] [--width W --height H] [--megabytes M] [options of a replay]

Makes N photos of M megabytes (20 different ones under N names, as hard links), replays them, and prints the highest sum
of the proportional set sizes (PSS, `/proc/PID/smaps_rollup`) of all its processes, read twice a second, with the share
that each had in it, and the highest that each had at any time. PSS counts a page that several processes share once.
Linux only. Needs as much room as 20 photos and the video take.
"""

from __future__ import annotations

import argparse
import io
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

_DIFFERENT = 20
_EVERY_SECONDS = 0.5
_KINDS = {
    "S3 server": "emulator.disk_s3",
    "runtime": "-mtimelapse_runtime",
    "extension": "runtime.extension",
    "replay": "cli.main",
}
"""What the command line of each process has in it."""


def make_photos(folder: Path, count: int, width: int, height: int, size_bytes: int) -> None:
    """Write `count` JPEGs in 4:4:4 of about `size_bytes` each: smooth gradients that move, below noise."""
    noise = np.random.default_rng(1)
    grain = noise.normal(0, 1, (height, width, 1)).astype(np.float32)
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    low, high = 0.0, 80.0
    for number in range(_DIFFERENT):
        base = np.stack([(columns + 8 * number) / width, rows / height, (rows + columns) / (width + height)], -1) * 200
        for _ in range(12 if number == 0 else 1):  # find how much noise gives the size, with the first one
            sigma = (low + high) / 2
            picture = np.clip(base + sigma * np.roll(grain, 37 * number, 1), 0, 255).astype(np.uint8)
            file = io.BytesIO()
            Image.fromarray(picture).save(file, "JPEG", quality=92, subsampling=0)
            if number == 0:
                low, high = (sigma, high) if file.tell() < size_bytes else (low, sigma)
        (folder / f"{number:06d}.jpg").write_bytes(file.getvalue())
    for number in range(_DIFFERENT, count):
        os.link(folder / f"{number % _DIFFERENT:06d}.jpg", folder / f"{number:06d}.jpg")


def descendants(root: int) -> Iterator[int]:
    """The process and all that it started."""
    yield root
    for task in Path(f"/proc/{root}/task").glob("*"):
        for child in (task / "children").read_text().split():
            yield from descendants(int(child))


def sizes(root: int) -> dict[str, int]:
    """PSS in bytes of each kind of process below `root`, now."""
    found: dict[str, int] = {}
    for pid in descendants(root):
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
            rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError:  # it has just ended
            continue
        kind = next((name for name, mark in _KINDS.items() if mark in command), "other")
        pss = re.search(r"^Pss:\s+(\d+) kB", rollup, re.MULTILINE)
        found[kind] = found.get(kind, 0) + (int(pss[1]) * 1024 if pss else 0)
    return found


def main() -> None:
    """Make the photos, replay them, and print what was read."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=2_000)
    parser.add_argument("--width", type=int, default=1_920)
    parser.add_argument("--height", type=int, default=1_080)
    parser.add_argument("--megabytes", type=float, default=3.0)
    options, others = parser.parse_known_args()
    highest: dict[str, int] = {}
    each: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place, "photos")
        folder.mkdir()
        make_photos(folder, options.photos, options.width, options.height, round(options.megabytes * 1e6))
        command = [sys.executable, "-m", "timelapse_runtime.cli.main", "replay", str(folder)]
        command += ["--out", str(Path(place, "out")), *others]
        with subprocess.Popen(command) as process:
            while process.poll() is None:
                time.sleep(_EVERY_SECONDS)
                try:
                    now = sizes(process.pid)
                except OSError:
                    continue
                each = {kind: max(each.get(kind, 0), now.get(kind, 0)) for kind in each | now}
                if sum(now.values()) > sum(highest.values()):
                    highest = now
    kinds = sorted(each)
    print(f"\n{'MB':<24} {'sum':>6} " + " ".join(f"{kind:>10}" for kind in kinds))
    for name, values in (("when the sum was highest", highest), ("highest at any time", each)):
        print(
            f"{name:<24} {sum(values.values()) / 1e6:>6.0f} "
            + " ".join(f"{values.get(kind, 0) / 1e6:>10.0f}" for kind in kinds)
        )
    sys.exit(process.returncode)


if __name__ == "__main__":
    main()
