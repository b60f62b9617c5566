"""Which way up a photo is, from its EXIF block or its XMP document, and when it was taken, from its EXIF block.

Sources: CIPA DC-008 (Exif 3.0), 4.5 'Basic structure', Orientation (0x0112), and the tags of
dates and times (0x0132, 0x9003, 0x9004, 0x9010 to 0x9012, 0x9290 to 0x9292); TIFF 6.0, section 2; XMP
specification part 1 (2012), 7.4 and 7.5, and part 2, 'Exif schemas' (tiff:Orientation).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from timelapse_runtime.timelapse.model.capture_time import CameraTime
from timelapse_runtime.timelapse.video.metadata import Metadata

UPRIGHT = 1
_ORIENTATION, _EXIF_DIRECTORY = 0x0112, 0x8769
_ASCII = 2
_SIZES = {1: 1, _ASCII: 1, 3: 2, 4: 4, 7: 1, 13: 4}
_FORMATS = {1: "B", 3: "H", 4: "I", 13: "I"}
_TIMES = ((0x9003, 0x9291, 0x9011), (0x9004, 0x9292, 0x9012), (0x0132, 0x9290, 0x9010))
"""DateTimeOriginal, DateTimeDigitized, DateTime: each with its fraction of a second and its offset from UTC."""
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

    @property
    def text(self) -> str:
        """The value of an ASCII; empty if it is of another type."""
        return self.values.partition(b"\0")[0].decode("latin-1") if self.kind == _ASCII else ""


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


def camera_times(tiff: bytes) -> tuple[CameraTime, ...]:
    """What an EXIF block (or a TIFF file) says of when its photo was taken: first when, then when it was digitised,
    then when the file was written. What is missing is left out."""
    main = {tag.number: tag for tag in directory(tiff)}
    pointer = main.get(_EXIF_DIRECTORY)
    details = {tag.number: tag for tag in directory(tiff, pointer.integer)} if pointer is not None else {}
    texts = {number: tag.text for number, tag in (main | details).items()}
    return tuple(
        CameraTime(texts[time], texts.get(fraction, ""), texts.get(offset, ""))
        for time, fraction, offset in _TIMES
        if texts.get(time)
    )


def directory(tiff: bytes, start: int | None = None) -> Iterator[Tag]:
    """The tags of the directory at `start`, or of the first one, of the types that occur in photos. Ends where it
    points out of the data."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None:
        return
    try:
        if start is None:
            (start,) = struct.unpack_from(f"{order}I", tiff, 4)
        (count,) = struct.unpack_from(f"{order}H", tiff, start)
        for position in range(start + 2, start + 2 + 12 * count, 12):
            number, kind, length, offset = struct.unpack_from(f"{order}HHII", tiff, position)
            size = _SIZES.get(kind, 0) * length
            begin = position + 8 if size <= 4 else offset
            yield Tag(number, kind, tiff[begin : begin + size], order)
    except struct.error:
        return
