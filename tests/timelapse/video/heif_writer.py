"""HEIC files with a grid of tiles, as phones write them: HEVC pictures by x265, in boxes made here."""

from __future__ import annotations

import re
import struct
from fractions import Fraction

import numpy as np
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from numpy.typing import NDArray

TILE = 64
_PARAMETER_SETS = {32, 33, 34}
"""VPS, SPS and PPS (ITU-T H.265, table 7-1)."""


def write_heic(
    pixels: NDArray[np.uint8], *, turn: int | None = None, mirror: int | None = None, icc: bytes = b""
) -> bytes:
    """A grid of 64x64 tiles that reaches beyond the picture; irot's and imir's values, and a profile, if given."""
    height, width = pixels.shape[:2]
    rows, columns = -(-height // TILE), -(-width // TILE)
    padded = np.pad(pixels, ((0, rows * TILE - height), (0, columns * TILE - width), (0, 0)), mode="edge")
    tiles = []
    for row in range(rows):
        for column in range(columns):
            part = padded[row * TILE : (row + 1) * TILE, column * TILE : (column + 1) * TILE]
            configuration, data = _coded(np.ascontiguousarray(part))
            tiles.append(data)
    grid = struct.pack(">BBBBHH", 0, 0, rows - 1, columns - 1, width, height)
    properties = [
        box(b"hvcC", configuration),
        full_box(b"ispe", struct.pack(">II", TILE, TILE)),
        full_box(b"ispe", struct.pack(">II", width, height)),
    ]
    properties += [] if turn is None else [box(b"irot", bytes([turn]))]
    properties += [] if mirror is None else [box(b"imir", bytes([mirror]))]
    properties += [box(b"colr", b"prof" + icc)] if icc else []
    return _file(tiles, grid, properties)


def _file(tiles: list[bytes], grid: bytes, properties: list[bytes]) -> bytes:
    """The grid is item 1; the tiles follow. The properties are the tiles' configuration and size, then the grid's."""
    count = len(tiles)
    names = [(1, b"grid"), *((number, b"hvc1") for number in range(2, count + 2))]
    infe = b"".join(full_box(b"infe", struct.pack(">HH4sB", item, 0, kind, 0), version=2) for item, kind in names)
    of_grid = bytes(range(3, len(properties) + 1))
    associations = struct.pack(">IHB", count + 1, 1, len(of_grid)) + of_grid
    associations += b"".join(struct.pack(">HBBB", item, 2, 1, 2) for item in range(2, count + 2))
    dimg = box(b"dimg", struct.pack(f">HH{count}H", 1, count, *range(2, count + 2)))

    def meta(start: int) -> bytes:
        iloc = struct.pack(">BBH", 0x44, 0, count + 1) + struct.pack(">HHHHII", 1, 1, 0, 1, 0, len(grid))
        for item, data in enumerate(tiles, 2):
            iloc += struct.pack(">HHHHII", item, 0, 0, 1, start, len(data))
            start += len(data)
        children = [
            full_box(b"hdlr", struct.pack(">I4s12xB", 0, b"pict", 0)),
            full_box(b"pitm", struct.pack(">H", 1)),
            full_box(b"iloc", iloc, version=1),
            full_box(b"iinf", struct.pack(">H", count + 1) + infe),
            full_box(b"iref", dimg),
            box(b"iprp", box(b"ipco", b"".join(properties)) + full_box(b"ipma", associations)),
            box(b"idat", grid),
        ]
        return full_box(b"meta", b"".join(children))

    head = box(b"ftyp", b"heic" + bytes(4) + b"mif1heic")
    start = len(head) + len(meta(0)) + 8
    return head + meta(start) + box(b"mdat", b"".join(tiles))


def box(kind: bytes, payload: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(payload), kind) + payload


def full_box(kind: bytes, payload: bytes, *, version: int = 0) -> bytes:
    return box(kind, bytes([version, 0, 0, 0]) + payload)


def _coded(pixels: NDArray[np.uint8]) -> tuple[bytes, bytes]:
    """hvcC's payload, and the one sample, of a picture in full-range 4:2:0."""
    encoder = VideoCodecContext.create("libx265", "w")
    encoder.height, encoder.width = pixels.shape[:2]
    encoder.pix_fmt, encoder.time_base, encoder.thread_count = "yuv420p", Fraction(1), 1
    encoder.options = {
        "x265-params": "crf=2:range=full:log-level=none:info=0:pools=none:frame-threads=1",
        "preset": "ultrafast",
    }
    frame = VideoFrame.from_ndarray(pixels, format="rgb24").reformat(
        format="yuv420p", dst_colorspace=5, dst_color_range=2
    )
    frame.color_range = 2
    stream = b"".join(bytes(packet) for packet in (*encoder.encode(frame), *encoder.encode(None)))
    units = [unit for unit in re.split(rb"\x00*\x00\x00\x01", stream) if unit]
    sets = [unit for unit in units if unit[0] >> 1 in _PARAMETER_SETS]
    arrays = b"".join(struct.pack(">BHH", unit[0] >> 1, 1, len(unit)) + unit for unit in sets)
    sample = b"".join(struct.pack(">I", len(unit)) + unit for unit in units if unit not in sets)
    return b"\1" + bytes(20) + b"\3" + bytes([len(sets)]) + arrays, sample
