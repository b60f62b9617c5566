"""`scripts/fuzz`: decodes thousands of damaged photos in a watched process.

Each damage follows from the seed and its number. What must not happen: that the process dies, that a photo takes
longer than `LONGEST_SECONDS`, that memory grows from photo to photo.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from random import Random
from typing import IO

from av.video.codeccontext import VideoCodecContext

from timelapse_runtime.emulator.scene import render_scene
from timelapse_runtime.timelapse.errors import FrameRejected
from timelapse_runtime.timelapse.video.decode import PhotoDecoder
from timelapse_runtime.timelapse.video.fit import PictureFitter

LONGEST_SECONDS = 20.0
MEMORY_GROWTH = 1.10
"""The last tenth's memory against that of the second tenth."""
_MAXIMUM_PIXELS = 100_000_000
_VIDEO_SIZE = 640, 360
_PHOTOS = 24
_PNG_EVERY = 4


def photos(folder: Path | None) -> list[bytes]:
    """Some photos to damage; each fourth as PNG. Raises FileNotFoundError when the folder has none."""
    if folder is None:
        found = list(render_scene(_PHOTOS, _VIDEO_SIZE))
    else:
        paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in {".jpg", ".jpeg", ".png"})
        if not paths:
            raise FileNotFoundError(f"{folder} has no .jpg, .jpeg or .png file to damage")
        found = [path.read_bytes() for path in paths[:: max(1, len(paths) // _PHOTOS)]]
    return [_as_png(body) if number % _PNG_EVERY == 0 else body for number, body in enumerate(found)]


def _as_png(body: bytes) -> bytes:
    frame = PhotoDecoder(maximum_pixels=_MAXIMUM_PIXELS).decode(body).frame
    context = VideoCodecContext.create("png", "w")
    context.width, context.height, context.pix_fmt = frame.width, frame.height, "rgb24"
    context.time_base = Fraction(1)
    return b"".join(bytes(packet) for packet in (*context.encode(frame.reformat(format="rgb24")), *context.encode()))


# ---- damages


def _flip_bits(body: bytearray, _other: bytes, draw: Random) -> None:
    for _ in range(draw.choice([1, 8, 64])):
        body[draw.randrange(len(body))] ^= 1 << draw.randrange(8)


def _flip_header_bits(body: bytearray, _other: bytes, draw: Random) -> None:
    for _ in range(draw.choice([1, 4])):
        body[draw.randrange(min(700, len(body)))] = draw.randrange(256)


def _truncate(body: bytearray, _other: bytes, draw: Random) -> None:
    del body[draw.randrange(len(body)) :]


def _cut_out(body: bytearray, _other: bytes, draw: Random) -> None:
    start = draw.randrange(len(body))
    del body[start : start + draw.choice([1, 16, 4096])]


def _insert(body: bytearray, _other: bytes, draw: Random) -> None:
    start = draw.randrange(len(body) + 1)
    body[start:start] = draw.randbytes(draw.choice([1, 16, 4096]))


def _splice(body: bytearray, other: bytes, draw: Random) -> None:
    body[draw.randrange(len(body)) :] = other[draw.randrange(len(other)) :]


def _blank(body: bytearray, _other: bytes, draw: Random) -> None:
    start = draw.randrange(len(body))
    size = min(draw.choice([16, 512, 8192]), len(body) - start)
    body[start : start + size] = bytes([draw.choice([0, 255])]) * size


def _edit_marker(body: bytearray, _other: bytes, draw: Random) -> None:
    """Another kind or another length for one of a JPEG's segments."""
    places = [place for place in range(len(body) - 4) if body[place] == 0xFF and 0xC0 <= body[place + 1] < 0xFF]
    if places:
        place = draw.choice(places[:40])
        if draw.random() < 0.5:
            body[place + 1] = draw.randrange(0xC0, 0xFF)
        else:
            body[place + 2 : place + 4] = draw.randbytes(2)


def _add_exif(body: bytearray, _other: bytes, draw: Random) -> None:
    data = b"Exif\0\0" + draw.choice([b"MM\0*\0\0\0\x08", b"II*\0\x08\0\0\0"]) + draw.randbytes(draw.randrange(200))
    body[2:2] = b"\xff\xe1" + (len(data) + 2).to_bytes(2, "big") + data


_DAMAGES: Sequence[Callable[[bytearray, bytes, Random], None]] = (
    _flip_bits, _flip_header_bits, _truncate, _cut_out, _insert, _splice, _blank, _edit_marker, _add_exif,
)  # fmt: skip


def damaged(bodies: Sequence[bytes], seed: int, number: int) -> bytes:
    """The damage with this number: one to three of the kinds above, to one of the photos."""
    draw = Random(f"{seed} {number}")  # noqa: S311 - to be the same each time
    body = bytearray(draw.choice(bodies))
    for _ in range(draw.choice([1, 1, 2, 3])):
        if body:
            draw.choice(_DAMAGES)(body, draw.choice(bodies), draw)
    return bytes(body)


# ---- the process that decodes, and the one that watches it


def decode(folder: Path | None, seed: int, numbers: range) -> Iterator[tuple[int, str, int]]:
    """Number, outcome (`decoded`, or the reason of the rejection) and resident memory in KiB, photo by photo."""
    bodies = photos(folder)
    decoder, fitter = PhotoDecoder(maximum_pixels=_MAXIMUM_PIXELS), PictureFitter(*_VIDEO_SIZE)
    for number in numbers:
        try:
            fitter.fit(decoder.decode(damaged(bodies, seed, number)))
            outcome = "decoded"
        except FrameRejected as rejection:
            outcome = rejection.reason
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        yield number, outcome, pages * os.sysconf("SC_PAGE_SIZE") // 1024


@dataclass
class Findings:
    """The outcome. `crashes` and `hangs` hold numbers of damages."""

    seed: int
    outcomes: Counter[str] = field(default_factory=Counter)
    crashes: list[int] = field(default_factory=list)
    hangs: list[int] = field(default_factory=list)
    memory_kib: list[int] = field(default_factory=list)

    @property
    def memory_ratio(self) -> float:
        """The last tenth's median against the second tenth's: the first one is warming up."""
        tenth = max(1, len(self.memory_kib) // 10)
        early, late = self.memory_kib[tenth : 2 * tenth], self.memory_kib[-tenth:]
        return statistics.median(late) / statistics.median(early) if early and late else 1.0

    @property
    def are_good(self) -> bool:
        """Whether there was no crash, hang or growth."""
        return not self.crashes and not self.hangs and self.memory_ratio <= MEMORY_GROWTH


def fuzz(folder: Path | None, *, count: int, seed: int, on_progress: Callable[[int], None]) -> Findings:
    """Decode `count` damaged photos; after a crash or a hang another process continues with the next one."""
    findings, number = Findings(seed), 0
    environment = {"MALLOC_MMAP_THRESHOLD_": "1048576", **os.environ}  # as bootstrap has it
    while number < count:
        numbers = str(number), str(count)
        command = [sys.executable, "-m", __spec__.name, "--seed", str(seed), "--numbers", *numbers]
        command += [] if folder is None else [str(folder)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
            assert process.stdout is not None
            lines: queue.Queue[str | None] = queue.Queue()
            threading.Thread(target=_forward, args=(process.stdout, lines), daemon=True).start()
            try:
                while (
                    line := lines.get(timeout=LONGEST_SECONDS + (30 if number == int(numbers[0]) else 0))
                ) is not None:
                    done, outcome, memory = line.split()
                    number = int(done) + 1
                    findings.outcomes[outcome] += 1
                    findings.memory_kib.append(int(memory))
                    on_progress(number)
            except queue.Empty:
                findings.hangs.append(number)
                number += 1
                process.kill()
                continue
        if number < count:
            findings.crashes.append(number)
            number += 1
    return findings


def _forward(stream: IO[str], lines: queue.Queue[str | None]) -> None:
    for line in stream:
        lines.put(line)
    lines.put(None)


def main() -> int:
    """Run it; the exit code is 0 if there was no crash, hang or growth."""
    parser = argparse.ArgumentParser(prog="scripts/fuzz", description=__doc__.split("\n\n", maxsplit=1)[1])
    parser.add_argument("photos", nargs="?", type=Path, help="a folder of JPEGs and PNGs; without it, the sample scene")
    parser.add_argument("--count", type=int, default=10_000, help="damaged photos (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="other damages with another one (default: %(default)s)")
    parser.add_argument("--numbers", nargs=2, type=int, metavar=("FROM", "TO"), help="only these, in this process")
    options = parser.parse_args()
    if options.numbers is not None:
        for outcome in decode(options.photos, options.seed, range(*options.numbers)):
            print(*outcome, flush=True)
        return 0
    started = time.monotonic()

    def on_progress(number: int) -> None:
        if number % 500 == 0:
            print(f"{number} of {options.count}", file=sys.stderr, flush=True)

    found = fuzz(options.photos, count=options.count, seed=options.seed, on_progress=on_progress)
    line = {
        "damaged": sum(found.outcomes.values()) + len(found.crashes) + len(found.hangs),
        **dict(found.outcomes.most_common()),
        "crashes": found.crashes,
        "hangs": found.hangs,
        "memory_ratio": round(found.memory_ratio, 3),
        "seed": found.seed,
        "seconds": round(time.monotonic() - started),
    }
    print(json.dumps(line))
    return 0 if found.are_good else 1


if __name__ == "__main__":
    sys.exit(main())
