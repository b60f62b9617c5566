"""The one thing of a photo's EXIF data that a video needs: which way up it is.

Sources: CIPA DC-008 (Exif 3.0), 4.5 'Basic structure' and the tag Orientation (0x0112); TIFF 6.0, section 2.
"""

from __future__ import annotations

import struct

UPRIGHT = 1
_ORIENTATION, _SHORT = 0x0112, 3
_APP1, _START_OF_SCAN = 0xE1, 0xDA


def orientation(body: bytes) -> int:
    """A JPEG's EXIF orientation, 1 to 8; `UPRIGHT` where there is none, or none that makes sense."""
    tiff = _exif(body)
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None:
        return UPRIGHT
    try:
        (start,) = struct.unpack_from(f"{order}I", tiff, 4)
        (count,) = struct.unpack_from(f"{order}H", tiff, start)
        for position in range(count):
            tag, kind, _, value = struct.unpack_from(f"{order}HHIH", tiff, start + 2 + 12 * position)
            if (tag, kind) == (_ORIENTATION, _SHORT):
                return int(value) if 1 <= value <= 8 else UPRIGHT
    except struct.error:  # it points out of the data
        pass
    return UPRIGHT


def _exif(body: bytes) -> bytes:
    """The TIFF structure of the first EXIF segment before the picture, or nothing."""
    position = 2
    while position + 4 <= len(body) and body[position] == 0xFF and body[position + 1] != _START_OF_SCAN:
        if body[position + 1] == 0xFF:  # a fill byte
            position += 1
            continue
        end = position + 2 + int.from_bytes(body[position + 2 : position + 4], "big")
        if body[position + 1] == _APP1 and body[position + 4 : position + 10] == b"Exif\0\0":
            return body[position + 10 : end]
        position = end
    return b""
