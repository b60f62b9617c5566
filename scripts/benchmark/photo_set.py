"""The photos of the benchmark: one folder of JPEGs, in an endless order, scaled if needed."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.benchmark.batch import ffmpeg_program
from scripts.benchmark.measured import run
from scripts.benchmark.stage import BenchFailed
from timelapse_runtime.emulator.scene import render_scene
from timelapse_runtime.timelapse.video.decode import PhotoDecoder

PERIOD = 180
_SHOTS = PERIOD // 2 + 1
"""91 photos shown forwards and backwards repeat every 180 frames, which is a keyframe interval and three flushes: so
frames 0 to 99 and 900 to 999 are the same photos at the same places between keyframes and flushes."""


@dataclass(frozen=True, slots=True)
class PhotoSet:
    """Photos of one size; photo n of the endless order is `path(n)`."""

    paths: Sequence[Path]
    size: tuple[int, int]

    def path(self, number: int) -> Path:
        """Forwards and backwards without end, so that the picture never jumps."""
        last = len(self.paths) - 1
        place = number % (2 * last)
        return self.paths[min(place, 2 * last - place)]

    def bodies(self, first: int = 0) -> Iterator[bytes]:
        """The photos from number `first` on."""
        return (self.path(number).read_bytes() for number in itertools.count(first))

    def link(self, folder: Path, count: int, first: int = 0) -> Path:
        """A new folder with photos `first` to `first + count` as 000000.jpg …, for programs that read folders."""
        folder.mkdir(parents=True)
        for number in range(count):
            (folder / f"{number:06d}.jpg").symlink_to(self.path(first + number).resolve())
        return folder


def photo_set(folder: Path | None, work: Path, size: tuple[int, int], *, count: int = _SHOTS) -> PhotoSet:
    """At most `count` photos of the folder, or of the rendered scene; scaled if they have another size.

    A scaled photo gets a camera's noise again, without which it would decode faster than a photo. Raises BenchFailed.
    """
    name = f"{size[0]}x{size[1]}"
    paths = _rendered(work / f"scene-{name}", size, count) if folder is None else sorted(folder.glob("*.jpg"))[:count]
    if len(paths) < 2:
        raise BenchFailed(f"{folder} holds {len(paths)} photos (*.jpg); 2 are needed")
    first = PhotoDecoder(maximum_pixels=10**9).decode(paths[0].read_bytes())
    if (first.width, first.height) == size:
        return PhotoSet(paths, size)
    source = work / f"source-{name}"
    PhotoSet(paths, size).link(source, len(paths))
    target = work / f"photos-{name}"
    target.mkdir()
    noise = "noise=alls=5:allf=t," if size[0] > first.width else ""
    command = [ffmpeg_program(), "-v", "error", "-i", str(source / "%06d.jpg"), "-vf"]
    command += [f"scale={size[0]}:{size[1]}:flags=bicubic,{noise}format=yuvj420p", "-q:v", "3"]
    run([*command, "-start_number", "0", str(target / "%06d.jpg")])
    shutil.rmtree(source)
    return PhotoSet(sorted(target.glob("*.jpg")), size)


def _rendered(folder: Path, size: tuple[int, int], count: int) -> list[Path]:
    folder.mkdir()
    paths = [folder / f"{number:06d}.jpg" for number in range(count)]
    for path, body in zip(paths, render_scene(count, size), strict=True):
        path.write_bytes(body)
    return paths
