"""Reads as much of ELF as packaging needs; the loader itself answers the rest.

Sources: elf(5); ld.so(8), `--list`. Read November 2026.
"""

from __future__ import annotations

import os
import re
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

from scripts.packager.failure import PackageFailed

_PT_INTERP = 3
_LISTED = re.compile(r"\t(?P<needed>\S+)(?: => (?P<path>.+?))?(?: \(0x[0-9a-f]+\))?")


def is_elf(path: Path) -> bool:
    """Whether the file is a program or a shared library."""
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"


def loader_of(program: Path) -> Path | None:
    """The loader that a 64-bit program asks for; None: it is static."""
    image = program.read_bytes()
    if image[:6] != b"\x7fELF\x02\x01":
        raise PackageFailed(f"{program} is not a 64-bit little-endian ELF program")
    offset = struct.unpack_from("<Q", image, 0x20)[0]
    size, count = struct.unpack_from("<HH", image, 0x36)
    for position in range(offset, offset + size * count, size):
        kind = struct.unpack_from("<I", image, position)[0]
        start, length = struct.unpack_from("<8xQ16xQ", image, position)
        if kind == _PT_INTERP:
            return Path(os.fsdecode(image[start : start + length - 1]))
    return None


def elf_files(folder: Path) -> list[Path]:
    """All programs and shared libraries below a folder."""
    return [path for path in sorted(folder.rglob("*")) if path.is_file() and is_elf(path)]


def can_map(file: Path, loader: Path) -> bool:
    """Whether the loader accepts the file as a program or a library that it can map."""
    return subprocess.run([str(loader), "--verify", str(file)], capture_output=True, check=False).returncode in {0, 2}


def resolved(file: Path, loader: Path, *options: str) -> Iterator[tuple[str, Path]]:
    """The libraries that a file needs, directly or indirectly: name, and the path that the loader would map.

    The loader names itself by its path. Raises PackageFailed if one cannot be found.
    """
    command = [str(loader), *options, "--list", str(file)]
    # Without the builder's LD_LIBRARY_PATH and LD_PRELOAD.
    listed = subprocess.run(command, env={"LC_ALL": "C"}, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        raise PackageFailed(f"{loader} can't load {file}: {listed.stderr.strip() or listed.stdout.strip()}")
    for line in listed.stdout.splitlines():
        if line == "\tstatically linked":  # a library that needs nothing
            continue
        match = _LISTED.fullmatch(line)
        if match is None:
            raise PackageFailed(f"unexpected output from {loader} for {file}: {line.strip()}")
        needed, path = match["needed"], match["path"]
        if needed.startswith("linux-"):
            continue  # the kernel's own page
        if path == "not found":
            raise PackageFailed(f"{file} needs {needed}, which is not on this machine")
        yield needed, Path(path or needed)
