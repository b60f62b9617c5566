"""HEIC and AVIF files: where the primary picture's coded tiles are, and how they are put together.

A phone's HEIC is a grid of HEVC pictures of 512x512. This module reads the boxes; `decode` has the tiles decoded by
libav and laid into one frame. Thumbnails, depth maps, gain maps and bursts beside the primary picture are left alone.

Source: ISO/IEC 23008-12:2022 (HEIF), 6 (properties, references, grid); ISO/IEC 14496-12:2022, 8.11 (meta, iloc, iinf,
iprp); ISO/IEC 23000-22 (MIAF), 7.3 (properties that must be understood); AV1 Image File Format 1.1.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

from timelapse_runtime.timelapse.errors import FrameRejected, SegmentCorrupt
from timelapse_runtime.timelapse.video.boxes import walk_boxes
from timelapse_runtime.timelapse.video.icc_writer import srgb_curve_profile
from timelapse_runtime.timelapse.video.metadata import Metadata

_CODECS = {"hvc1": ("hevc", "hvcC"), "av01": ("libdav1d", "av1C"), "avc1": ("h264", "avcC"), "jpeg": ("mjpeg", "")}
"""libav's decoder and the box with what it needs to know, by item type."""
_ALPHA = (b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha\0", b"urn:mpeg:hevc:2015:auxid:1\0")
_TURNS = {0: 1, 1: 8, 2: 3, 3: 6}
"""EXIF orientation by irot's quarter turns, anticlockwise."""
_MIRRORED = {1: (4, 2), 8: (5, 7), 3: (2, 4), 6: (7, 5)}
"""The orientation of what is turned and then mirrored, by imir's axis: 0 exchanges top and bottom, 1 left and right."""
_WHITE_D65 = (0.3127, 0.329)
_PRIMARIES = {
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),  # BT.2020
    12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),  # Display P3
}
"""By nclx's colour_primaries (ITU-T H.273, table 2), where they are not sRGB's."""
_MAXIMUM_DEPTH = 4


@dataclass(frozen=True, slots=True)
class CodedPicture:
    """A picture that libav can decode, or a grid of such."""

    codec: str
    configuration: bytes
    tiles: tuple[bytes, ...]
    """Row by row."""
    columns: int
    left: int
    top: int
    width: int
    height: int
    """What is shown of the tiles, which reach further: right and down in a grid, all around with a clean aperture."""
    matrix: int
    """nclx's matrix_coefficients; 2 where the file does not say."""
    is_full_range: bool | None


@dataclass(frozen=True, slots=True)
class HeifFile:
    """The primary picture, its transparency if it has one, and its metadata; `orientation` is that of irot and imir."""

    picture: CodedPicture
    alpha: CodedPicture | None
    orientation: int
    metadata: Metadata


def read_heif(body: bytes) -> HeifFile:
    """Find the primary picture. Raises FrameRejected, `undecodable` or `unsupported-type`."""
    try:
        return _Items(body).primary()
    except (struct.error, IndexError, KeyError, ZeroDivisionError, SegmentCorrupt) as error:
        raise FrameRejected("undecodable", f"HEIF: damaged or cut short ({error})") from error


class _Items:
    """The items of a file's meta box."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        boxes = _children(_first(body, "meta")[4:])
        self._data = boxes.get("idat", b"")
        self._primary = _integer(boxes["pitm"], 4, 2 if boxes["pitm"][0] == 0 else 4)
        self._types = dict(_item_types(boxes["iinf"]))
        self._extents = dict(_item_extents(boxes["iloc"]))
        self._properties = dict(_item_properties(_children(boxes["iprp"]), boxes["iprp"]))
        self._references = list(_item_references(boxes.get("iref", b"")))

    def primary(self) -> HeifFile:
        """The primary picture."""
        properties = self._properties.get(self._primary, {})
        picture = _clean_aperture(self._coded(self._primary, 0), properties)
        exif = next((self._read(item) for item in self._describing(self._primary) if self._types[item] == "Exif"), b"")
        xmp = next((self._read(item) for item in self._describing(self._primary) if self._types[item] == "mime"), b"")
        start = 4 + int.from_bytes(exif[:4], "big")  # an offset to the TIFF structure (HEIF, A.2.1)
        return HeifFile(picture, self._alpha(), _orientation(properties), Metadata(exif[start:], xmp, _icc(properties)))

    def _coded(self, item: int, depth: int) -> CodedPicture:
        kind, properties = self._types[item], self._properties.get(item, {})
        width, height = struct.unpack_from(">II", properties["ispe"][0], 4)
        matrix, is_full_range = _nclx(properties)
        if kind == "grid" and depth < _MAXIMUM_DEPTH:
            return self._grid(item, depth, matrix, is_full_range)
        if kind == "iden" and depth < _MAXIMUM_DEPTH:
            return self._coded(self._derived_from(item)[0], depth + 1)
        if kind not in _CODECS:
            raise FrameRejected("unsupported-type", f"a HEIF picture of the kind {kind}, which can't be decoded")
        codec, box = _CODECS[kind]
        configuration = properties[box][0] if box else b""
        tiles = (self._read(item),)
        return CodedPicture(codec, configuration, tiles, 1, 0, 0, width, height, matrix, is_full_range)

    def _grid(self, item: int, depth: int, matrix: int, is_full_range: bool | None) -> CodedPicture:
        """A grid (HEIF, 6.6.2.3). What it does not say of its colours is that of its first tile."""
        grid = self._read(item)
        rows, columns = grid[2] + 1, grid[3] + 1
        width, height = struct.unpack_from(">II" if grid[1] & 1 else ">HH", grid, 4)
        tiles = [self._coded(tile, depth + 1) for tile in self._derived_from(item)[: rows * columns]]
        if len(tiles) != rows * columns or len({(tile.codec, tile.configuration) for tile in tiles}) != 1:
            raise FrameRejected("undecodable", f"HEIF: {len(tiles)} of {rows * columns} tiles, or tiles of two kinds")
        return CodedPicture(
            codec=tiles[0].codec,
            configuration=tiles[0].configuration,
            tiles=tuple(data for tile in tiles for data in tile.tiles),
            columns=columns,
            left=0,
            top=0,
            width=width,
            height=height,
            matrix=tiles[0].matrix if matrix == 2 else matrix,
            is_full_range=tiles[0].is_full_range if is_full_range is None else is_full_range,
        )

    def _derived_from(self, item: int) -> list[int]:
        return [to for kind, source, targets in self._references if (kind, source) == ("dimg", item) for to in targets]

    def _alpha(self) -> CodedPicture | None:
        for kind, source, targets in self._references:
            auxiliary = self._properties.get(source, {}).get("auxC", [b""])[0][4:]
            if kind == "auxl" and self._primary in targets and auxiliary.startswith(_ALPHA):
                return _clean_aperture(self._coded(source, 0), self._properties[self._primary])
        return None

    def _describing(self, item: int) -> Iterator[int]:
        return (source for kind, source, targets in self._references if kind == "cdsc" and item in targets)

    def _read(self, item: int) -> bytes:
        method, extents = self._extents[item]
        if method > 1:
            raise FrameRejected("unsupported-type", "a HEIF picture that is made of other items' bytes")
        data = self._body if method == 0 else self._data
        parts = [data[start : start + length] if length else data[start:] for start, length in extents]
        if any(length and len(part) != length for part, (_, length) in zip(parts, extents, strict=True)):
            raise FrameRejected("undecodable", f"HEIF: cut short; the picture's data goes beyond {len(data)} bytes")
        return b"".join(parts)


def _first(data: bytes, kind: str) -> bytes:
    position = 0
    while position + 8 <= len(data):  # only up to this box: what stands behind may be cut short, or no box
        size = _integer(data, position, 4)
        header = 16 if size == 1 else 8
        size = _integer(data, position + 8, 8) if size == 1 else size or len(data) - position
        if data[position + 4 : position + 8] == kind.encode():
            return data[position + header : position + size]
        position += max(size, 8)
    raise KeyError(f"no {kind} box")


def _children(data: bytes) -> dict[str, bytes]:
    return {box.type: data[box.payload : box.end] for box in walk_boxes(data)}


def _integer(data: bytes, start: int, size: int) -> int:
    if start + size > len(data):
        raise IndexError(f"a number at byte {start} of {len(data)}")
    return int.from_bytes(data[start : start + size], "big")


def _item_types(iinf: bytes) -> Iterator[tuple[int, str]]:
    data = iinf[6 if iinf[0] == 0 else 8 :]
    for box in walk_boxes(data):
        entry = data[box.payload : box.end]
        size = 4 if entry[0] >= 3 else 2
        yield _integer(entry, 4, size), entry[6 + size : 10 + size].decode("latin-1")


def _item_extents(iloc: bytes) -> Iterator[tuple[int, tuple[int, list[tuple[int, int]]]]]:
    """Item: construction method, and start and length (0: all that is left) of its extents."""
    version, sizes = iloc[0], _integer(iloc, 4, 2)
    offset_size, length_size, base_size = sizes >> 12, sizes >> 8 & 15, sizes >> 4 & 15
    index_size = sizes & 15 if version else 0
    id_size = 4 if version == 2 else 2
    count, position = _integer(iloc, 6, id_size), 6 + id_size
    for _ in range(count):
        item = _integer(iloc, position, id_size)
        position += id_size
        method = _integer(iloc, position, 2) & 15 if version else 0
        position += 4 if version else 2  # with the data reference's index
        base = _integer(iloc, position, base_size)
        position += base_size
        extents = []
        extent_count = _integer(iloc, position, 2)
        position += 2
        for _ in range(extent_count):
            position += index_size
            start = base + _integer(iloc, position, offset_size)
            position += offset_size
            extents.append((start, _integer(iloc, position, length_size)))
            position += length_size
        yield item, (method, extents)


def _item_properties(boxes: Mapping[str, bytes], iprp: bytes) -> Iterator[tuple[int, dict[str, list[bytes]]]]:
    """Item: the payloads of its properties, by type, in order."""
    ipco = boxes["ipco"]
    known = [(box.type, ipco[box.payload : box.end]) for box in walk_boxes(ipco)]
    for box in walk_boxes(iprp):
        if box.type != "ipma":
            continue
        ipma = iprp[box.payload : box.end]
        id_size, is_large = 2 if ipma[0] == 0 else 4, ipma[3] & 1
        position = 8
        for _ in range(_integer(ipma, 4, 4)):
            item, count = _integer(ipma, position, id_size), _integer(ipma, position + id_size, 1)
            position += id_size + 1
            found: dict[str, list[bytes]] = {}
            for _ in range(count):
                index = _integer(ipma, position, 2) & 0x7FFF if is_large else _integer(ipma, position, 1) & 0x7F
                position += 2 if is_large else 1
                if 0 < index <= len(known):
                    found.setdefault(known[index - 1][0], []).append(known[index - 1][1])
            yield item, found


def _item_references(iref: bytes) -> Iterator[tuple[str, int, list[int]]]:
    """Kind, item, and the items it refers to."""
    data = iref[4:]
    size = 4 if iref[:1] == b"\1" else 2
    for box in walk_boxes(data):
        entry = data[box.payload : box.end]
        count = _integer(entry, size, 2)
        targets = [_integer(entry, size + 2 + size * number, size) for number in range(count)]
        yield box.type, _integer(entry, 0, size), targets


def _clean_aperture(picture: CodedPicture, properties: Mapping[str, list[bytes]]) -> CodedPicture:
    """What clap shows of a picture (ISO/IEC 14496-12, 12.1.4); an aperture that is not inside counts as missing."""
    if "clap" not in properties:
        return picture
    width, height, across, down = (
        Fraction(*struct.unpack_from(">iI" if start >= 16 else ">II", properties["clap"][0], start))
        for start in range(0, 32, 8)
    )
    left = math.floor(across + Fraction(picture.width - 1, 2) - (width - 1) / 2)
    top = math.floor(down + Fraction(picture.height - 1, 2) - (height - 1) / 2)
    is_inside = 0 <= left <= picture.width - width and 0 <= top <= picture.height - height
    if not is_inside or min(width, height) < 1:
        return picture
    return replace(picture, left=left, top=top, width=int(width), height=int(height))


def _orientation(properties: Mapping[str, list[bytes]]) -> int:
    """As EXIF counts: irot is applied before imir (MIAF, 7.3.6.7)."""
    turned = _TURNS[properties["irot"][0][0] & 3] if "irot" in properties else 1
    return _MIRRORED[turned][properties["imir"][0][0] & 1] if "imir" in properties else turned


def _nclx(properties: Mapping[str, list[bytes]]) -> tuple[int, bool | None]:
    for colour in properties.get("colr", ()):
        if colour[:4] == b"nclx":
            return _integer(colour, 8, 2), bool(_integer(colour, 10, 1) >> 7)
    return 2, None


def _icc(properties: Mapping[str, list[bytes]]) -> bytes:
    """The profile, or one for the primaries that nclx names."""
    colours = properties.get("colr", [])
    for colour in colours:
        if colour[:4] in {b"prof", b"rICC"}:
            return colour[4:]
    for colour in colours:
        primaries = _PRIMARIES.get(_integer(colour, 4, 2)) if colour[:4] == b"nclx" else None
        if primaries is not None:
            return srgb_curve_profile(_WHITE_D65, primaries)
    return b""
