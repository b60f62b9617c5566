"""Reads as much of ELF as packaging needs, of programs and shared libraries of any architecture that Lambda has.

Source: elf(5) and ld.so(8), read November 2026.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from scripts.packager.failure import PackageFailed

PT_LOAD, PT_DYNAMIC, PT_INTERP = 1, 2, 3
_DT_NULL, _DT_NEEDED, _DT_STRTAB, _DT_RPATH, _DT_RUNPATH = 0, 1, 5, 15, 29
_NATIVE = b"\x7fELF\x02\x01"
_HEADER = 0x40
SEGMENT = struct.Struct("<IIQQQQQQ")
"""A program header: type, flags, offset, virtual address, physical address, size in the file, in memory, alignment."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A program header's fields; offsets and sizes in bytes, of the file."""

    kind: int
    flags: int
    offset: int
    address: int
    physical_address: int
    size: int
    memory_size: int
    alignment: int

    @property
    def end(self) -> int:
        return self.offset + self.size


@dataclass(frozen=True, slots=True)
class Dynamic:
    """What a file says to the loader: the loader's path (of programs), names of libraries, and folders to look in,
    before (`rpath`) and after (`runpath`) those that whoever starts the loader names."""

    loader: Path | None
    needed: tuple[str, ...]
    rpath: tuple[str, ...]
    runpath: tuple[str, ...]


def is_elf(path: Path) -> bool:
    """Whether the file is a program or a shared library."""
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"


def elf_files(folder: Path) -> list[Path]:
    """All programs and shared libraries below a folder."""
    return [path for path in sorted(folder.rglob("*")) if path.is_file() and is_elf(path)]


def is_native(path: Path) -> bool:
    """Whether an ELF file is of the kind that all of Lambda's architectures have: 64-bit and little-endian."""
    with path.open("rb") as file:
        return file.read(6) == _NATIVE


def segments_of(image: bytes, name: object) -> list[Segment]:
    """The program headers. Raises PackageFailed if `image` is not a 64-bit little-endian ELF file."""
    if image[:6] != _NATIVE or len(image) < _HEADER:
        raise PackageFailed(f"{name} is not a 64-bit little-endian ELF file")
    (offset,) = struct.unpack_from("<Q", image, 0x20)
    size, count = struct.unpack_from("<HH", image, 0x36)
    return [Segment(*SEGMENT.unpack_from(image, offset + size * number)) for number in range(count)]


def loader_of(program: Path) -> Path | None:
    """The loader that a program asks for; None: it is static."""
    return dynamic_of(program).loader


def dynamic_of(path: Path) -> Dynamic:
    """Read a file's dynamic section; one without such a section needs nothing."""
    image = path.read_bytes()
    segments = segments_of(image, path)
    loader = next((image[one.offset : one.end - 1] for one in segments if one.kind == PT_INTERP), None)
    entries = [entry for one in segments if one.kind == PT_DYNAMIC for entry in _entries(image, one)]
    table = next((_offset_of(value, segments) for tag, value in entries if tag == _DT_STRTAB), 0)

    def texts(tag: int) -> list[str]:
        starts = [table + value for found, value in entries if found == tag]
        return [os.fsdecode(image[start : image.index(b"\0", start)]) for start in starts]

    def folders(tag: int) -> tuple[str, ...]:
        return tuple(folder for paths in texts(tag) for folder in paths.split(":") if folder)

    runpath = folders(_DT_RUNPATH)
    return Dynamic(
        loader=None if loader is None else Path(os.fsdecode(loader)),
        needed=tuple(texts(_DT_NEEDED)),
        rpath=() if runpath else folders(_DT_RPATH),  # ld.so(8): not read if there is a RUNPATH
        runpath=runpath,
    )


def _entries(image: bytes, segment: Segment) -> Iterator[tuple[int, int]]:
    for tag, value in struct.iter_unpack("<qQ", image[segment.offset : segment.end]):
        if tag == _DT_NULL:
            return
        yield tag, value


def _offset_of(address: int, segments: list[Segment]) -> int:
    """Where the file has what is at an address in memory."""
    for one in segments:
        if one.kind == PT_LOAD and one.address <= address < one.address + one.size:
            return address - one.address + one.offset
    raise PackageFailed(f"no segment has the address {address:#x}")
