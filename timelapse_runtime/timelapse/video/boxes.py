"""ISO base media boxes, as far as they are read and written here: a walk, and the provenance box.

Source: ISO/IEC 14496-12 clause 4.2 (box header, `uuid` extension).

The provenance box stands before each moof and names the photo behind each frame of that fragment, in the order of frame
numbers. Players skip a `uuid` box they do not know. Its payload is zlib over UTF-8 JSON: `{"first": number, "frames":
[[key, uploaded_epoch_ms, role, etag, taken_epoch_ms], ...]}`, keys relative to the stream's prefix. Usual values at the
end of an entry are left out: no time of its own, no ETag, the role IN_ORDER. (Segments from before there was a time of
its own have none.) If the last of the frames ends a run of photos that ask for another size than the reel's,
`"size_run": [width, height, count]` says so: a restart does not interrupt the run. `"filters"` is what the filters
remember after the last of the frames, if they remember something. `"clock"` is what must be known after it of the times
at which frames are shown, in a reel that has them by capture times (`model/reel_clock.py`).
"""

from __future__ import annotations

import json
import struct
import uuid
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from timelapse_runtime.timelapse.errors import SegmentCorrupt
from timelapse_runtime.timelapse.filters.contract import FilterState
from timelapse_runtime.timelapse.model.reel_clock import ClockState, checked_state
from timelapse_runtime.timelapse.model.source_frame import Role, SourceFrame
from timelapse_runtime.timelapse.model.video_size import NO_RUN, SizeRun

PROVENANCE_UUID = uuid.UUID("7d9a1f6e-52c4-4c1b-9a57-0e3b6c8d2f10")


@dataclass(frozen=True, slots=True)
class Provenance:
    """The photos behind the frames `first`, `first + 1`, …"""

    first: int
    frames: tuple[SourceFrame, ...]
    size_run: SizeRun = NO_RUN
    filters: FilterState = None
    clock: ClockState = None


@dataclass(frozen=True, slots=True)
class Box:
    """A top-level box: its four-letter type and where it lies; `payload` starts after the header."""

    type: str
    start: int
    payload: int
    end: int


def walk_boxes(data: bytes) -> Iterator[Box]:
    """The top-level boxes of `data`. Raises SegmentCorrupt where a box does not fit."""
    position = 0
    while position < len(data):
        if position + 8 > len(data):
            raise SegmentCorrupt(f"a box header is cut off at byte {position} of {len(data)}")
        size, kind = struct.unpack_from(">I4s", data, position)
        header = 8
        if size == 1 and position + 16 <= len(data):
            (size,) = struct.unpack_from(">Q", data, position + 8)
            header = 16
        if size < header or position + size > len(data):
            raise SegmentCorrupt(f"box {kind!r} at byte {position} claims {size} of {len(data) - position} bytes")
        yield Box(kind.decode("latin-1"), position, position + header, position + size)
        position += size


def child_box(payload: bytes, *path: str) -> bytes:
    """The payload of the first box on this path from `payload`. Raises SegmentCorrupt."""
    for kind in path:
        found = next((box for box in walk_boxes(payload) if box.type == kind), None)
        if found is None:
            raise SegmentCorrupt(f"there is no box {'/'.join(path)}")
        payload = payload[found.payload : found.end]
    return payload


def pack_box(kind: str, *payload: bytes) -> bytes:
    """A box with a 32-bit size. Raises struct.error if it has 4 GiB."""
    body = b"".join(payload)
    return struct.pack(">I4s", 8 + len(body), kind.encode("latin-1")) + body


def pack_full_box(kind: str, *payload: bytes, flags: int = 0) -> bytes:
    """A box of version 0."""
    return pack_box(kind, struct.pack(">I", flags), *payload)


def split_init(data: bytes) -> tuple[bytes, bytes]:
    """A fragmented file as its init segment (up to and with moov) and the rest."""
    for box in walk_boxes(data):
        if box.type == "moov":
            return data[: box.end], data[box.end :]
    raise SegmentCorrupt("there is no moov box")


def pack_provenance(
    first: int,
    frames: Sequence[SourceFrame],
    size_run: SizeRun = NO_RUN,
    filters: FilterState = None,
    clock: ClockState = None,
) -> bytes:
    """The provenance box of a fragment. `size_run` is the run of sizes after its last frame, `filters` what the filters
    remember after it, and `clock` the state of the reel's clock."""
    value: dict[str, Any] = {
        "first": first,
        "frames": [_entry(frame) for frame in frames],
    }
    if size_run.size is not None:
        value["size_run"] = [*size_run.size, size_run.count]
    if filters is not None:
        value["filters"] = filters
    if clock is not None:
        value["clock"] = clock
    text = json.dumps(value, ensure_ascii=False)
    return pack_box("uuid", PROVENANCE_UUID.bytes, zlib.compress(text.encode("utf-8", "surrogatepass"), 9))


def _entry(frame: SourceFrame) -> list[int | str]:
    entry: list[int | str] = [frame.key, frame.uploaded_epoch_ms, int(frame.role), frame.etag]
    if frame.taken_epoch_ms is not None:
        return [*entry, frame.taken_epoch_ms]
    return entry if frame.etag else entry[:3] if frame.role else entry[:2]


def _source_frame(
    key: object, uploaded: int, role: int = Role.IN_ORDER, etag: object = "", taken: int | None = None
) -> SourceFrame:
    """Raises TypeError, ValueError or OverflowError if that is no entry."""
    return SourceFrame(str(key), int(uploaded), Role(role), str(etag), None if taken is None else int(taken))


def read_provenance(segment: bytes) -> list[Provenance]:
    """The provenance of each fragment of a segment, in order. Raises SegmentCorrupt."""
    found = []
    for box in walk_boxes(segment):
        if box.type == "uuid" and segment[box.payload : box.payload + 16] == PROVENANCE_UUID.bytes:
            try:
                text = zlib.decompress(segment[box.payload + 16 : box.end]).decode("utf-8", "surrogatepass")
                value = json.loads(text)
                frames = tuple(_source_frame(*entry) for entry in value["frames"])
                width, height, count = map(int, value.get("size_run", (0, 0, 0)))
                size_run = SizeRun((width, height), count) if count else NO_RUN
                clock = checked_state(value.get("clock"))
                found.append(Provenance(int(value["first"]), frames, size_run, value.get("filters"), clock))
            except (zlib.error, ValueError, KeyError, TypeError, OverflowError) as error:
                raise SegmentCorrupt(f"the provenance box at byte {box.start} is damaged: {error}") from error
    return found


def read_sources(segment: bytes) -> list[SourceFrame]:
    """The photos behind a segment's frames, in order. Raises SegmentCorrupt."""
    return [frame for part in read_provenance(segment) for frame in part.frames]
