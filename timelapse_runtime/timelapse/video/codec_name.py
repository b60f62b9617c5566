"""The name of a video's codec as playlists have it, such as `avc1.64001F`.

Source: RFC 6381 (August 2011), clause 3.3; ISO/IEC 14496-15, 5.3.3 (avcC: version, then profile, constraints, level)
and annex E (hvc1); AV1 Codec ISO Media File Format Binding v1.2.0, section 5 (av01).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping

from timelapse_runtime.timelapse.errors import SegmentCorrupt
from timelapse_runtime.timelapse.video.boxes import child_box, walk_boxes

_STSD_HEADER_BYTES, _SAMPLE_ENTRY_BYTES = 8, 78


def sample_entry(init_segment: bytes) -> tuple[str, bytes]:
    """The type of the first sample entry, such as `avc1`, and the boxes in it. Raises SegmentCorrupt."""
    entries = child_box(init_segment, "moov", "trak", "mdia", "minf", "stbl", "stsd")[_STSD_HEADER_BYTES:]
    for box in walk_boxes(entries):
        return box.type, entries[box.payload + _SAMPLE_ENTRY_BYTES : box.end]
    raise SegmentCorrupt("the init segment has no sample entry")


def codec_name(init_segment: bytes) -> str:
    """Of an init segment with one track; empty if its codec is none that reels have."""
    try:
        kind, boxes = sample_entry(init_segment)
        return _NAMES[kind](boxes) if kind in _NAMES else ""
    except (SegmentCorrupt, struct.error):
        return ""


def _h264(boxes: bytes) -> str:
    return f"avc1.{child_box(boxes, 'avcC')[1:4].hex().upper()}"


def _h265(boxes: bytes) -> str:
    """Profile, its compatibilities from the lowest bit on, tier and level, and six bytes of constraints, of which zeros
    at the end are left out."""
    _, profile, compatible, constraints, level = struct.unpack_from(">BBI6sB", child_box(boxes, "hvcC"))
    space, tier = ("", "A", "B", "C")[profile >> 6], "H" if profile & 0x20 else "L"
    reversed_bits = int(f"{compatible:032b}"[::-1], 2)
    parts = [f"hvc1.{space}{profile & 0x1F}", f"{reversed_bits:X}", f"{tier}{level}"]
    return ".".join([*parts, *(f"{byte:X}" for byte in constraints.rstrip(b"\0"))])


def _av1(boxes: bytes) -> str:
    """Profile, level and tier, bits; then what is usual may be left out all together: no colour planes missing, chroma
    of 4:2:0 at an unknown place, and the colours, which a `colr` box has."""
    _, profile_level, flags = struct.unpack_from(">BBB", child_box(boxes, "av1C"))
    tier, bits = "H" if flags & 0x80 else "M", 12 if flags & 0x20 else 10 if flags & 0x40 else 8
    name = f"av01.{profile_level >> 5}.{profile_level & 0x1F:02d}{tier}.{bits:02d}"
    colours = child_box(boxes, "colr")
    primaries, transfer, matrix, full_range = struct.unpack_from(">HHHB", colours, 4)
    monochrome, chroma = flags >> 4 & 1, f"{flags >> 3 & 1}{flags >> 2 & 1}{flags & 3}"
    return f"{name}.{monochrome}.{chroma}.{primaries:02d}.{transfer:02d}.{matrix:02d}.{full_range >> 7}"


_NAMES: Mapping[str, Callable[[bytes], str]] = {"avc1": _h264, "hvc1": _h265, "av01": _av1}
