"""Photos to replay: those of a folder, or the sample scene."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from timelapse_runtime.emulator.scene import render_scene

PHOTO_SUFFIXES = (".jpg", ".jpeg", ".png")


class NoPhotos(Exception):
    """A folder has no photos. The message names the folder and what it must hold."""


@dataclass(frozen=True, slots=True)
class Photos:
    """`count` photos: name and body of each, in the order of upload. `bodies` can be read once."""

    count: int
    bodies: Iterator[tuple[str, bytes]]


def photos_in_folder(folder: Path) -> Photos:
    """The photos of a folder, sorted by name. Raises NoPhotos."""
    if not folder.is_dir():
        raise NoPhotos(f"{folder} is not a folder; give a folder with photos ({', '.join(PHOTO_SUFFIXES)})")
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in PHOTO_SUFFIXES and path.is_file())
    if not paths:
        raise NoPhotos(f"{folder} holds no photo: its files end in none of {', '.join(PHOTO_SUFFIXES)}")
    return Photos(len(paths), ((path.name, path.read_bytes()) for path in paths))


def sample_scene(count: int, size: tuple[int, int]) -> Photos:
    """`count` photos of a rendered day."""
    scene = enumerate(render_scene(count, size))
    return Photos(count, ((f"{number:06d}.jpg", body) for number, body in scene))
