"""Reads the index of an ordinary MP4 file by ISO/IEC 14496-12, and says what is wrong with it."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from timelapse_runtime.timelapse.video.boxes import walk_boxes

_CONTAINERS = {"moov", "trak", "mdia", "minf", "stbl", "edts"}


@dataclass(frozen=True)
class Track:
    """The video track of a file: sample sizes in bytes, and in ticks each sample's decode time and composition time."""

    time_scale: int
    sizes: list[int]
    decode_times: list[int]
    composition_times: list[int]
    keyframes: list[int]
    offsets: list[int]
    edits: list[tuple[int, int]]
    sample_entries: list[str]


def children(data: bytes) -> list[tuple[str, bytes]]:
    return [(box.type, data[box.payload : box.end]) for box in walk_boxes(data)]


def find(data: bytes, *path: str) -> list[bytes]:
    """The payloads of all boxes at this path."""
    found = [data]
    for kind in path:
        found = [payload for parent in found for name, payload in children(parent) if name == kind]
    return found


def one(data: bytes, *path: str) -> bytes:
    (payload,) = find(data, *path)
    return payload


def numbers(payload: bytes, start: int, form: str) -> list[tuple[int, ...]]:
    """A table: a count of entries at `start`, then entries of this form."""
    (count,) = struct.unpack_from(">I", payload, start)
    return [*struct.iter_unpack(f">{form}", payload[start + 4 : start + 4 + count * struct.calcsize(f">{form}")])]


def expanded(runs: list[tuple[int, ...]]) -> list[int]:
    return [value for count, value in runs for _ in range(count)]


def read_track(path: Path) -> Track:
    """The video track of a faststart file. Every structural rule that it breaks is an AssertionError."""
    data = path.read_bytes()
    boxes = [box for box in walk_boxes(data) if box.type != "free"]
    assert [box.type for box in boxes] == ["ftyp", "moov", "mdat"], [box.type for box in boxes]
    movie, media = one(data, "moov"), boxes[-1]
    (track,) = [trak for trak in find(movie, "trak") if one(trak, "mdia", "hdlr")[8:12] == b"vide"]
    table = one(track, "mdia", "minf", "stbl")
    header = one(track, "mdia", "mdhd")
    (time_scale,) = struct.unpack_from(">I", header, 20 if header[0] else 12)
    fixed, count = struct.unpack_from(">II", one(table, "stsz"), 4)
    sizes = [fixed] * count if fixed else [size for (size,) in numbers(one(table, "stsz"), 8, "I")]
    durations = expanded(numbers(one(table, "stts"), 4, "II"))
    shifts = [0] * count
    for ctts in find(table, "ctts"):
        shifts = expanded(numbers(ctts, 4, "Ii" if ctts[0] else "II"))
    keyframes = [number - 1 for (number,) in numbers(one(table, "stss"), 4, "I")] if find(table, "stss") else []
    assert len(sizes) == len(durations) == len(shifts) == count > 0
    offsets = sample_offsets(table, sizes)
    assert min(offsets) >= media.payload
    assert max(offset + size for offset, size in zip(offsets, sizes, strict=True)) <= media.end
    edits = []
    for elst in find(track, "edts", "elst"):
        edits = [(length, start) for length, start, _ in numbers(elst, 4, "Qqi" if elst[0] else "Iii")]
    decode_times = [0, *accumulate(durations)][:-1]
    return Track(
        time_scale=time_scale,
        sizes=sizes,
        decode_times=decode_times,
        composition_times=[time + shift for time, shift in zip(decode_times, shifts, strict=True)],
        keyframes=keyframes or list(range(count)),
        offsets=offsets,
        edits=edits,
        sample_entries=[name for name, _ in children(one(table, "stsd")[8:])],
    )


def sample_offsets(table: bytes, sizes: list[int]) -> list[int]:
    """Where each sample lies in the file, by the chunk tables."""
    chunks = [offset for payload in find(table, "stco") for (offset,) in numbers(payload, 4, "I")]
    chunks += [offset for payload in find(table, "co64") for (offset,) in numbers(payload, 4, "Q")]
    runs = numbers(one(table, "stsc"), 4, "III")
    found: list[int] = []
    for (first, per_chunk, _), end in zip(runs, [*(run[0] for run in runs[1:]), len(chunks) + 1], strict=True):
        for chunk in range(first, end):
            position = chunks[chunk - 1]
            for _ in range(per_chunk):
                found.append(position)
                position += sizes[len(found) - 1]
    assert len(found) == len(sizes)
    return found


def check_file(path: Path, count: int) -> Track:
    """The track, which must have `count` frames: evenly spaced, each shown once, the first at 0 and a keyframe."""
    track = read_track(path)
    assert len(track.sizes) == count
    assert len(track.sample_entries) == 1
    step = track.decode_times[1] if count > 1 else 1
    start = max(0, track.edits[0][1]) if track.edits else 0
    assert track.decode_times == [step * number for number in range(count)]
    assert sorted(time - start for time in track.composition_times) == [step * number for number in range(count)]
    assert all(shown >= decoded for shown, decoded in zip(track.composition_times, track.decode_times, strict=True))
    assert len(track.edits) <= 1
    assert track.keyframes[0] == 0
    assert len(set(track.offsets)) == count
    return track
