"""Which way up a photo is, from its EXIF block or its XMP document.

Sources: CIPA DC-008 (Exif 3.0), 4.5 'Basic structure' and the tag Orientation (0x0112); TIFF 6.0, section 2; XMP
specification part 1 (2012), 7.4 and 7.5, and part 2, 'Exif schemas' (tiff:Orientation).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from timelapse_runtime.timelapse.video.metadata import Metadata

UPRIGHT = 1
_ORIENTATION = 0x0112
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 7: 1}
_FORMATS = {1: "B", 3: "H", 4: "I"}
_XMP_ORIENTATION = re.compile(rb"""tiff:Orientation\s*(?:=\s*["']|>)\s*([1-8])\s*["'<]""")
"""As an attribute or as an element; a property of another schema has another prefix."""


@dataclass(frozen=True, slots=True)
class Tag:
    """One entry of a TIFF directory."""

    number: int
    kind: int
    values: bytes
    order: str
    """Of the bytes, as the module struct writes it."""

    @property
    def integer(self) -> int | None:
        """The first value of a BYTE, a SHORT or a LONG."""
        code = _FORMATS.get(self.kind)
        if code is None or len(self.values) < struct.calcsize(code):
            return None
        return int(struct.unpack_from(self.order + code, self.values)[0])


def orientation(metadata: Metadata) -> int:
    """A photo's orientation as EXIF counts, 1 to 8; `UPRIGHT` where there is none, or none that makes sense.

    EXIF's goes before XMP's, as cameras write the one and programs the other.
    """
    for tag in directory(metadata.exif):
        value = tag.integer if tag.number == _ORIENTATION else None
        if value is not None and 1 <= value <= 8:
            return value
    match = _XMP_ORIENTATION.search(metadata.xmp)
    return int(match[1]) if match else UPRIGHT


def directory(tiff: bytes) -> Iterator[Tag]:
    """The tags of the first directory, of the types that occur in photos. Ends where it points out of the data."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None:
        return
    try:
        (start,) = struct.unpack_from(f"{order}I", tiff, 4)
        (count,) = struct.unpack_from(f"{order}H", tiff, start)
        for position in range(start + 2, start + 2 + 12 * count, 12):
            number, kind, length, offset = struct.unpack_from(f"{order}HHII", tiff, position)
            size = _SIZES.get(kind, 0) * length
            begin = position + 8 if size <= 4 else offset
            yield Tag(number, kind, tiff[begin : begin + size], order)
    except struct.error:
        return
