"""The init segment's edit list: with it a video begins at 0, not at the time to which its encoder delays all frames.

Frames are decoded from tick 0 on, and an encoder that reorders frames shows the first one some frames later
(`mux.py`). An edit list tells players to begin there. Fragments are the same with it and without it.

Init segments that earlier versions wrote have none. A reel's is written once, so a reel that was open at an upgrade
keeps it, and is continued: `init_sha256` leaves the edit list out, and is the same for both.

Source: ISO/IEC 14496-12, clauses 8.6.5 and 8.6.6 (an edit of duration 0 lasts for all fragments); ISO/IEC 23000-19,
clause 7.5.13 (CMAF: one entry, of duration 0).
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable

from timelapse_runtime.timelapse.errors import SegmentCorrupt
from timelapse_runtime.timelapse.video.boxes import child_box, pack_box, pack_full_box, walk_boxes

_UNTIL_THE_END = 0
_NORMAL_RATE = 0x10000


def edit_list(start_ticks: int, duration_ticks: int = _UNTIL_THE_END) -> bytes:
    """An `edts` box: the presentation begins at `start_ticks` of the track. `duration_ticks` are the movie's."""
    return pack_box("edts", pack_full_box("elst", struct.pack(">IIiI", 1, duration_ticks, start_ticks, _NORMAL_RATE)))


def with_edit_list(init_segment: bytes, start_ticks: int) -> bytes:
    """`init_segment`, which has no edit list, with one; without a delay it stays as it is. Raises SegmentCorrupt."""
    if not start_ticks:
        return init_segment
    child_box(init_segment, "moov", "trak", "mdia")
    return _with_track(init_segment, lambda kind, box: edit_list(start_ticks) + box if kind == "mdia" else box)


def without_edit_list(init_segment: bytes) -> bytes:
    """`init_segment` as it was before `with_edit_list`. Raises SegmentCorrupt."""
    return _with_track(init_segment, lambda kind, box: b"" if kind == "edts" else box)


def init_sha256(init_segment: bytes) -> str:
    """Identifies the init segments behind which the same fragments can stand. Raises SegmentCorrupt."""
    return hashlib.sha256(without_edit_list(init_segment)).hexdigest()


def is_init_segment(stored: bytes, sha256: str, *, start_ticks: int) -> bool:
    """Whether these bytes are the init segment of this `init_sha256`: with the edit list that belongs to it, or as
    earlier versions wrote it."""
    try:
        plain = without_edit_list(stored)
        is_whole = stored in (plain, with_edit_list(plain, start_ticks))
    except SegmentCorrupt:
        return False
    return is_whole and hashlib.sha256(plain).hexdigest() == sha256


def _with_track(init_segment: bytes, change: Callable[[str, bytes], bytes]) -> bytes:
    """`init_segment` with other boxes in its track: what `change` makes of each one, given its type and all of it."""
    return _inside(init_segment, "moov", lambda moov: _inside(moov, "trak", lambda trak: _changed(trak, change)))


def _inside(boxes: bytes, wanted: str, change: Callable[[bytes], bytes]) -> bytes:
    return _changed(boxes, lambda kind, box: pack_box(kind, change(child_box(box, kind))) if kind == wanted else box)


def _changed(boxes: bytes, change: Callable[[str, bytes], bytes]) -> bytes:
    return b"".join(change(box.type, boxes[box.start : box.end]) for box in walk_boxes(boxes))
