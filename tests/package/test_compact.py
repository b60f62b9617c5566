"""Files without what no loader maps: the loader takes them, and memory gets the same bytes at the same addresses."""

from __future__ import annotations

import struct
import subprocess
from pathlib import Path

import pytest

from scripts.packager.compact import compact
from scripts.packager.elf import PT_LOAD, SEGMENT, Segment, elf_files, segments_of
from scripts.packager.failure import PackageFailed

PAGE = 0x1000


def test_the_loader_accepts_every_file_of_a_package(unpacked: Path) -> None:
    (loader,) = (unpacked / "python" / "lib").glob("ld-linux*")
    files = [path for path in elf_files(unpacked) if path != loader]
    assert len(files) > 100
    for path in files:
        verified = subprocess.run([loader, "--verify", path], capture_output=True, check=False)
        assert verified.returncode in {0, 2}, path  # 2: a library, and not a program
        assert struct.unpack_from("<Q", path.read_bytes(), 0x28) == (0,), path  # no headers of sections


def program(*segments: Segment, size: int) -> bytes:
    """An ELF file with these program headers behind its header, and bytes that tell their place."""
    content = bytearray(number % 251 for number in range(size))
    content[:64] = b"\x7fELF\x02\x01" + bytes(58)
    struct.pack_into("<Q", content, 0x20, 64)
    struct.pack_into("<HH", content, 0x36, SEGMENT.size, len(segments))
    for number, one in enumerate(segments):
        fields = (one.kind, one.flags, one.offset, one.address, 0, one.size, one.memory_size, one.alignment)
        SEGMENT.pack_into(content, 64 + SEGMENT.size * number, *fields)
    return bytes(content)


def load(offset: int, size: int, address: int, alignment: int = PAGE) -> Segment:
    return Segment(PT_LOAD, 5, offset, address, 0, size, size, alignment)


def mapped(image: bytes) -> dict[int, bytes]:
    """What memory holds, by address; what is relocated in the headers themselves left out."""
    found = {one.address: image[one.offset : one.end] for one in segments_of(image, "file") if one.kind == PT_LOAD}
    return {address: content[512:] if address == 0 else content for address, content in found.items()}


def test_segments_move_together_and_keep_their_addresses() -> None:
    after_the_hole = load(0x9100, 0x800, 0x7100)
    note = Segment(4, 4, 0x9200, 0x7200, 0, 0x20, 0x20, 4)
    image = program(load(0, 0x1800, 0), after_the_hole, note, size=0x20000)
    smaller = compact(image, "file")
    first, second, moved_note = segments_of(smaller, "file")
    assert mapped(smaller) == mapped(image)
    assert first.offset == 0
    assert second.offset == 0x2100  # the first place behind the segment before it with the same offset in a page
    assert moved_note.offset - second.offset == 0x100
    assert len(smaller) == 0x2900
    assert compact(smaller, "file") == smaller


def test_the_largest_alignment_counts_for_all() -> None:
    image = program(load(0, 0x1000, 0), load(0x31000, 0x1000, 0x41000, 0x10000), size=0x40000)
    _, second = segments_of(compact(image, "file"), "file")
    assert (second.offset, second.offset % 0x10000) == (0x1000, second.address % 0x10000)


def test_content_that_no_segment_maps_keeps_a_file_as_it_is() -> None:
    outside = Segment(4, 4, 0x5000, 0, 0, 0x20, 0x20, 4)
    image = program(load(0, 0x1000, 0), outside, size=0x8000)
    assert compact(image, "file") is image


@pytest.mark.parametrize("image", [b"", b"\x7fELF", b"\x7fELF\x01\x01" + bytes(100), b"\x7fELF\x02\x02" + bytes(100)])
def test_what_is_no_64_bit_little_endian_file_is_refused(image: bytes) -> None:
    with pytest.raises(PackageFailed, match=r"broken\.so is not a 64-bit little-endian ELF file"):
        compact(image, "broken.so")
