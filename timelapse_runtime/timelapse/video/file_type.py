"""The type of a picture's file, from how it begins. Names say nothing: cameras write JPEGs called `.dat` and `.png`."""

from __future__ import annotations

from timelapse_runtime.timelapse.video.exif import directory

_NEW_SUBFILE_TYPE, _REDUCED, _DNG_VERSION = 254, 1, 50_706
_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"miaf", b"avif", b"avis"}
"""ISO/IEC 23008-12 (2022), B.4; AV1 Image File Format 1.1, 6."""
_SIGNATURES = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "BigTIFF"),
    (b"MM\0+", "BigTIFF"),
    (b"BM", "BMP"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
    (b"%PDF", "PDF"),
    (b"<?xml", "XML"),
    (b"{", "JSON"),
    (b"PK\3\4", "a zip archive"),
    (b"FUJIFILMCCD-RAW", "a camera's raw file"),
    (b"IIRO", "a camera's raw file"),
    (b"IIU\0", "a camera's raw file"),
)


def file_type(body: bytes) -> str:
    """A name for people; `PNG`, `JPEG`, `WebP`, `TIFF`, `BMP`, `GIF` and `HEIF` (also AVIF) can be decoded."""
    if body[:4] == b"RIFF" and body[8:12] == b"WEBP":
        return "WebP"
    if body[4:8] == b"ftyp":
        end = min(int.from_bytes(body[:4], "big"), 256)
        brands = {body[start : start + 4] for start in (8, *range(16, end, 4))}
        return "HEIF" if brands & _HEIF_BRANDS else "a video (MP4 or MOV)"
    for signature, name in _SIGNATURES:
        if body.startswith(signature):
            return "a camera's raw file" if name == "TIFF" and _is_raw(body) else name
    begin = body[:256].lstrip().lower()
    if begin.startswith((b"<!doctype html", b"<html")):
        return "an HTML page"
    return "no known picture format"


def _is_raw(tiff: bytes) -> bool:
    """Whether a TIFF is a raw file (DNG, CR2, NEF, ARW): its first picture is a thumbnail then."""
    if tiff[8:10] == b"CR":
        return True
    tags = {tag.number: tag.integer or 0 for tag in directory(tiff)}
    return _DNG_VERSION in tags or bool(tags.get(_NEW_SUBFILE_TYPE, 0) & _REDUCED)
