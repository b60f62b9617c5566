"""What a PNG's chunks say beside the pixels: orientation, profile, gamma.

Source: W3C Portable Network Graphics (third edition, 2025), 4.3, 11.3 and 12.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from timelapse_runtime.timelapse.video.icc_writer import gamma_profile
from timelapse_runtime.timelapse.video.metadata import Metadata

_MAXIMUM_BYTES = 16 * 2**20
"""Of a profile or a document: a chunk of some kilobytes may hold gigabytes of zeros."""
_SRGB_GAMMA = 45_455
_SRGB_CHROMATICITIES = (31_270, 32_900, 64_000, 33_000, 30_000, 60_000, 15_000, 6_000)
"""White, red, green and blue, x and y, in hundred-thousandths."""


def size(body: bytes) -> tuple[int, int]:
    """Width and height that a PNG claims; its first chunk is IHDR (11.2.1)."""
    return int.from_bytes(body[16:20], "big"), int.from_bytes(body[20:24], "big")


def read_metadata(body: bytes) -> Metadata:
    """Of a PNG that a decoder has taken; what is damaged or too large counts as missing."""
    chunks: dict[bytes, bytes] = {}
    xmp = b""
    for kind, data in _chunks(body):
        chunks.setdefault(kind, data)
        if kind == b"iTXt" and data.startswith(b"XML:com.adobe.xmp\0"):
            xmp = _international_text(data)
    return Metadata(chunks.get(b"eXIf", b"").removeprefix(b"Exif\0\0"), xmp, _profile(chunks))


def _chunks(body: bytes) -> Iterator[tuple[bytes, bytes]]:
    position = 8
    while position + 8 <= len(body):
        length, kind = int.from_bytes(body[position : position + 4], "big"), body[position + 4 : position + 8]
        if kind != b"IDAT":
            yield kind, body[position + 8 : position + 8 + length]
        position += 12 + length


def _profile(chunks: dict[bytes, bytes]) -> bytes:
    """The profile, or one that says what gAMA and cHRM say; nothing for sRGB (11.3.2, 'precedence')."""
    if b"iCCP" in chunks:
        return _inflate(chunks[b"iCCP"].partition(b"\0")[2][1:])
    gamma = int.from_bytes(chunks.get(b"gAMA", b""), "big")
    if b"sRGB" in chunks or not gamma:
        return b""
    data = chunks.get(b"cHRM", b"")
    chromaticities = tuple(int.from_bytes(data[start : start + 4], "big") for start in range(0, 32, 4))
    if 0 in chromaticities[1::2]:  # no primaries, or impossible ones
        chromaticities = _SRGB_CHROMATICITIES
    is_near = all(abs(a - b) <= 100 for a, b in zip(chromaticities, _SRGB_CHROMATICITIES, strict=True))
    if is_near and abs(gamma - _SRGB_GAMMA) <= 1_000:
        return b""
    white, red, green, blue = zip(*[iter(value / 100_000 for value in chromaticities)] * 2, strict=True)
    return gamma_profile(100_000 / gamma, white, (red, green, blue))


def _international_text(data: bytes) -> bytes:
    parts = data.split(b"\0", 2)
    if len(parts) < 3 or len(parts[2]) < 1:
        return b""
    is_compressed, rest = parts[1] == b"\1", parts[2]
    text = rest.split(b"\0", 2)[-1]
    return _inflate(text) if is_compressed else text


def _inflate(data: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(data, _MAXIMUM_BYTES)
    except zlib.error:
        return b""
