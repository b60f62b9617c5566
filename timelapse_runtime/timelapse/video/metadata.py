"""What a photo's file says of its picture beside the pixels, in the form in which every file type stores it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

Colour: TypeAlias = tuple[int, int, int]
"""Red, green and blue, 0 to 255, in sRGB."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """Blocks as the file has them, not checked; empty where the file has none."""

    exif: bytes = b""
    """A TIFF structure: byte order, offset of the first directory, …"""
    xmp: bytes = b""
    """An XML document."""
    icc: bytes = b""
    """An ICC profile."""

    @property
    def is_srgb(self) -> bool:
        """Whether the colours are said to be sRGB, or nothing is said: then they are taken for it.

        By the profile's manufacturer and model (ICC.1:2022, 7.2.14): `IEC sRGB` is IEC 61966-2-1 itself.
        """
        return not self.icc or self.icc[48:56] == b"IEC sRGB"
