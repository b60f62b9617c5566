"""Leaves out of an ELF file what no loader maps: symbols, debugging information, and the headers of sections.

`strip` does the same for the architecture that it was built for. It makes files that auditwheel has rearranged larger,
or (numpy's OpenBLAS, binutils 2.40) such that no loader maps them. Here the segments keep their addresses in memory.
In the file, each moves towards the beginning, by a multiple of its alignment.

Source: elf(5); System V ABI, 'Program Header' (p_vaddr and p_offset are congruent modulo p_align), read November 2026.
"""

from __future__ import annotations

import struct
from dataclasses import replace

from scripts.packager.elf import PT_LOAD, SEGMENT, Segment, segments_of

_PROGRAM_HEADERS_AT, _SECTIONS_AT = 0x20, 0x28
_SECTION_COUNTS_AT = 0x3C


def compact(image: bytes, name: object) -> bytes:
    """The file without what is not mapped; as it is, if it has content that no segment in memory holds.

    Raises PackageFailed if it is not a 64-bit little-endian ELF file.
    """
    segments = segments_of(image, name)
    loaded = sorted((one for one in segments if one.kind == PT_LOAD), key=lambda one: one.offset)
    (headers,) = struct.unpack_from("<Q", image, _PROGRAM_HEADERS_AT)
    covered = [_around(offset, size, loaded) for offset, size in _needed(segments, headers)]
    if not loaded or loaded[0].offset != 0 or None in covered:
        return image
    moved = _shifts(loaded)
    smaller = bytearray(max(one.end - moved[one] for one in loaded))
    for one in loaded:
        smaller[one.offset - moved[one] : one.end - moved[one]] = image[one.offset : one.end]

    def place(offset: int) -> int:
        holder = _around(offset, 0, loaded)
        return offset if holder is None else offset - moved[holder]

    for number, one in enumerate(segments):
        SEGMENT.pack_into(
            smaller, place(headers) + SEGMENT.size * number, *_fields(replace(one, offset=place(one.offset)))
        )
    struct.pack_into("<Q", smaller, _PROGRAM_HEADERS_AT, place(headers))
    struct.pack_into("<Q", smaller, _SECTIONS_AT, 0)
    struct.pack_into("<HH", smaller, _SECTION_COUNTS_AT, 0, 0)
    return bytes(smaller)


def _needed(segments: list[Segment], headers: int) -> list[tuple[int, int]]:
    """Offset and size of what must be inside of what is loaded: the program headers, and each segment with content."""
    return [(headers, SEGMENT.size * len(segments)), *((one.offset, one.size) for one in segments if one.size)]


def _around(offset: int, size: int, loaded: list[Segment]) -> Segment | None:
    return next((one for one in loaded if one.offset <= offset and offset + size <= one.end), None)


def _shifts(loaded: list[Segment]) -> dict[Segment, int]:
    """How far each segment moves. All move by multiples of the largest alignment: addresses and offsets stay
    congruent."""
    alignment = max(1, *(one.alignment for one in loaded))
    shifts, shift, end = {}, 0, 0
    for one in loaded:
        shift += max(0, one.offset - end) // alignment * alignment
        shifts[one], end = shift, max(end, one.end)
    return shifts


def _fields(one: Segment) -> tuple[int, ...]:
    return (
        one.kind, one.flags, one.offset, one.address, one.physical_address, one.size, one.memory_size, one.alignment
    )  # fmt: skip
