"""The smallest boxes that the product reads: an init segment, and fragments. Not made by libav, and not decodable."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from timelapse_runtime.timelapse.video.boxes import walk_boxes
from timelapse_runtime.timelapse.video.encode import EncodedFrame

TICKS = 512
_NOT_SYNC, _SYNC = 0x01010000, 0x02000000


def init_segment(text: bytes = b"", *, timescale: int = 30 * TICKS) -> bytes:
    """ftyp + moov; it ends with `text`."""
    entry = box(b"none", bytes(78) + text)
    stbl = box(b"stbl", box(b"stsd", struct.pack(">II", 0, 1) + entry))
    minf = box(b"minf", box(b"vmhd", bytes(12)) + stbl)
    mdia = box(b"mdia", box(b"mdhd", struct.pack(">5I", 0, 0, 0, timescale, 0)) + box(b"hdlr", bytes(24)) + minf)
    tkhd = box(b"tkhd", bytes(76) + struct.pack(">II", 160 << 16, 96 << 16))
    return box(b"ftyp", b"iso5") + box(b"moov", box(b"trak", tkhd + mdia))


def fragment(
    frames: Sequence[EncodedFrame], *, number: int, reorder_frames: int = 2, ticks: Sequence[int] | None = None
) -> bytes:
    """moof + mdat: `frames` in decode order, the first of which is decoded as frame `number` would be shown; or with
    `ticks` as FragmentMuxer has them."""
    if ticks is None:
        shown, decoded = [frame.pts + reorder_frames for frame in frames], range(number, number + len(frames) + 1)
        rows = [
            struct.pack(
                ">III",
                len(frame.data),
                _SYNC if frame.is_keyframe else _NOT_SYNC,
                (shown[place] - decoded[place]) * TICKS,
            )
            for place, frame in enumerate(frames)
        ]
    else:
        rows = [
            struct.pack(
                ">IIII",
                ticks[place + 1] - ticks[place],
                len(frame.data),
                _SYNC if frame.is_keyframe else _NOT_SYNC,
                ticks[frame.pts - number + reorder_frames] - ticks[place],
            )
            for place, frame in enumerate(frames)
        ]
    head_bytes = 8 + 16 + 8 + 20 + 8 + 12 + sum(map(len, rows))
    trun = struct.pack(">III", 0xE01 if ticks is None else 0xF01, len(rows), head_bytes + 8) + b"".join(rows)
    tfhd = struct.pack(">III", 0x20008, 1, TICKS)
    traf = box(b"traf", box(b"tfhd", tfhd) + box(b"trun", trun))
    moof = box(b"moof", box(b"mfhd", struct.pack(">II", 0, number)) + traf)
    return moof + box(b"mdat", b"".join(frame.data for frame in frames))


def number_and_times(moof: bytes) -> tuple[int, list[tuple[int, int]]]:
    """What the payload of a fragment's moof was made of: `number`, and each sample's duration and offset in ticks."""
    number = int(struct.unpack_from(">I", moof, 12)[0])
    traf = moof[16 + 8 :]
    (trun,) = (traf[found.payload : found.end] for found in walk_boxes(traf) if found.type == "trun")
    if struct.unpack_from(">I", trun)[0] & 0x100:
        return number, [(row[0], row[3]) for row in struct.iter_unpack(">IIII", trun[12:])]
    return number, [(TICKS, row[2]) for row in struct.iter_unpack(">III", trun[12:])]


def box(kind: bytes, payload: bytes) -> bytes:
    """A box."""
    return struct.pack(">I4s", 8 + len(payload), kind) + payload
