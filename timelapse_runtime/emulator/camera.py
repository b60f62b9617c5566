"""Photos to replay: those of a folder, or the sample scene."""

from __future__ import annotations

import os
import re
import stat
from collections import defaultdict
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from timelapse_runtime.timelapse.model.photo_filter import DEFAULT_FILTER, PhotoFilter
from timelapse_runtime.timelapse.model.photo_order import NaturalOrder, natural_order

_S3_KEY_LIMIT_BYTES = 1024
_PREFIX_BYTES = 300
"""Left of a key for what stands before the file's name."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
"""S3 advises against them, and the embedded server answers 404."""

NO_FILE, LINK, NO_KEY, OUTPUT = (
    "not a file",
    "a link to a folder",
    "a name that S3 cannot have as a key",
    "an earlier output",
)
"""Why a file of a folder is left out, beside the reasons of the photo filter."""


class NoPhotos(Exception):
    """A folder cannot be read, or has no photos. The message names the folder and says what to do."""


@dataclass(frozen=True, slots=True)
class Photos:
    """Photos by name, in the order of upload. `left_out` has the names of a folder's other files, by the reason.

    `read` gives the bodies of some of them, in this order; none is in memory before it is asked for.
    """

    names: Sequence[str]
    read: Callable[[Sequence[str]], Iterator[bytes]]
    left_out: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def bodies(self, done: Container[str] = frozenset()) -> Iterator[tuple[str, bytes]]:
        """Name and body of each photo that is not `done`. Raises NoPhotos."""
        names = [name for name in self.names if name not in done]
        return zip(names, self.read(names), strict=True)


def photos_in_folder(
    folder: Path,
    photo_filter: PhotoFilter = DEFAULT_FILTER,
    *,
    byte_order: bool = False,
    output: Path | None = None,
) -> Photos:
    """The photos of a folder and the folders in it, by name: digits compare as numbers, or with `byte_order` as text.

    A photo's name is its path below `folder`, with slashes. What lies in `output` is left out, if that is a folder in
    `folder`. Raises NoPhotos, also while the bodies are read.
    """
    names, left_out = list[str](), defaultdict[str, list[str]](list)
    written = _path_below(folder, output)
    for name, mode in _walk(folder):
        is_output = written is not None and name.startswith(f"{written}/")
        reason = OUTPUT if is_output else _why_no_object(name, mode) or photo_filter.why_ignored(name)
        if reason is None:
            _read(folder / name, size_bytes=1)  # an unreadable photo is an error now, not after half of the others
            names.append(name)
        else:
            left_out[reason].append(name)
    if not names:
        raise NoPhotos(_describe_emptiness(folder, left_out))
    names.sort(key=os.fsencode if byte_order else _natural)
    others = {reason: sorted(found, key=_natural) for reason, found in left_out.items()}
    return Photos(names, lambda chosen: (_read(folder / name) for name in chosen), others)


def sample_scene(count: int, size: tuple[int, int]) -> Photos:
    """`count` photos of a rendered day."""
    names = [f"{number:06d}.jpg" for number in range(count)]

    def read(chosen: Sequence[str]) -> Iterator[bytes]:
        # Imported here: scripts/replay looks at a folder before it has installed numpy and av.
        from timelapse_runtime.emulator.scene import render_scene  # noqa: PLC0415

        return render_scene(count, size, only={int(name.removesuffix(".jpg")) for name in chosen})

    return Photos(names, read)


def _path_below(folder: Path, output: Path | None) -> str | None:
    folder, output = folder.resolve(), (output or folder).resolve()
    return output.relative_to(folder).as_posix() if output != folder and output.is_relative_to(folder) else None


def _natural(name: str) -> tuple[NaturalOrder, str]:
    """The order in which the function puts photos that arrive in the same second."""
    return natural_order(name), name


def _walk(folder: Path) -> Iterator[tuple[str, int]]:
    """The path below `folder` and the mode of everything that is not a folder: 0 for a link to nothing. Links to
    folders are not followed."""
    try:
        for parent, folders, files in os.walk(folder, onerror=_raise):
            for path in (Path(parent, name) for name in files):
                yield path.relative_to(folder).as_posix(), path.stat().st_mode if path.exists() else 0
            for path in (Path(parent, name) for name in folders):
                if path.is_symlink():
                    yield path.relative_to(folder).as_posix(), path.lstat().st_mode
    except OSError as error:
        raise _cannot_read(error.filename, error) from error


def _raise(error: OSError) -> None:
    raise error


def _why_no_object(name: str, mode: int) -> str | None:
    if stat.S_ISLNK(mode):
        return LINK
    if not stat.S_ISREG(mode):
        return NO_FILE
    if _CONTROL.search(name):
        return NO_KEY
    try:
        is_key = len(name.encode()) <= _S3_KEY_LIMIT_BYTES - _PREFIX_BYTES
    except UnicodeEncodeError:  # bytes that are no UTF-8
        is_key = False
    return None if is_key else NO_KEY


def _read(path: Path, size_bytes: int = -1) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(size_bytes)
    except OSError as error:
        raise _cannot_read(path, error) from error


def _cannot_read(path: object, error: OSError) -> NoPhotos:
    return NoPhotos(f"cannot read {path}: {error.strerror}; give a folder of photos that you may read")


def _describe_emptiness(folder: Path, left_out: Mapping[str, Sequence[str]]) -> str:
    if not left_out:
        return f"{folder} is empty; give a folder with photos"
    groups = [(reason, sorted(names)) for reason, names in sorted(left_out.items())]
    counts = ", ".join(f"{len(names)} {reason} ({names[0]}{', …' * (len(names) > 1)})" for reason, names in groups)
    return (
        f"{folder} holds no photo, but files that are left out: {counts}; TIMELAPSE_INCLUDE says which names are photos"
    )
