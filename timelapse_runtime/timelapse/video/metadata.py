"""What a photo's file says of its picture beside the pixels, in the form in which every file type stores it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Metadata:
    """Blocks as the file has them, not checked; empty where the file has none."""

    exif: bytes = b""
    """A TIFF structure: byte order, offset of the first directory, …"""
    xmp: bytes = b""
    """An XML document."""
    icc: bytes = b""
    """An ICC profile."""
