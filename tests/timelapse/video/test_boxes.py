"""Boxes and what is damaged about them; provenance there and back."""

from __future__ import annotations

import struct
import zlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from timelapse_runtime.timelapse.errors import SegmentCorrupt
from timelapse_runtime.timelapse.model.source_frame import Role, SourceFrame
from timelapse_runtime.timelapse.model.video_size import SizeRun
from timelapse_runtime.timelapse.video.boxes import (
    PROVENANCE_UUID,
    Provenance,
    pack_provenance,
    read_provenance,
    split_init,
    walk_boxes,
)


@pytest.mark.parametrize("data", [b"\0\0\0", b"\0\0\0\x04free", b"\0\0\x10\0free", b"\0\0\0\x01free\0\0\0\0"])
def test_a_box_that_does_not_fit_is_found_out(data: bytes) -> None:
    with pytest.raises(SegmentCorrupt):
        list(walk_boxes(data))
    with pytest.raises(SegmentCorrupt):
        split_init(data)


def test_a_box_of_more_than_four_gigabytes_would_be_read_by_its_long_size() -> None:
    data = b"\0\0\0\x01free" + (20).to_bytes(8, "big") + b"1234" + b"\0\0\0\x08moov"
    assert [(box.type, box.start, box.payload, box.end) for box in walk_boxes(data)] == [
        ("free", 0, 16, 20),
        ("moov", 20, 28, 28),
    ]
    assert split_init(data + b"rest") == (data, b"rest")


@given(
    first=st.integers(0, 10**9),
    frames=st.lists(
        st.builds(
            SourceFrame,
            st.text(st.characters(exclude_categories=())),
            st.integers(0, 10**15),
            st.sampled_from(Role),
            st.text(),
            st.none() | st.integers(-(10**12), 10**15),
        )
    ),
    size_run=st.just(SizeRun()) | st.builds(SizeRun, st.tuples(st.integers(16), st.integers(16)), st.integers(1)),
)
@example(
    size_run=SizeRun(),
    first=0,
    frames=[
        SourceFrame("c", 3, taken_epoch_ms=2),
        SourceFrame('a\nb/\U0001f30d "é"\\.jpg', 1),
        SourceFrame("\ud800", 2, Role.STAND_IN),
    ],
)
def test_provenance_is_read_as_it_was_written(first: int, frames: list[SourceFrame], size_run: SizeRun) -> None:
    box = pack_provenance(first, frames, size_run)
    other = b"\0\0\0\x18uuid" + bytes(16)
    assert read_provenance(other + box + b"\0\0\0\x08free") == [Provenance(first, tuple(frames), size_run)]


def test_segments_of_earlier_versions_are_read() -> None:
    text = b'{"first": 7, "frames": [["a", 1], ["b", 2, 2], ["c", 3, 0, "e"]]}'
    known = (SourceFrame("a", 1), SourceFrame("b", 2, Role.OUT_OF_ORDER), SourceFrame("c", 3, etag="e"))
    assert read_provenance(provenance_box(text)) == [Provenance(7, known)]
    assert [frame.captured_epoch_ms for frame in known] == [1, 2, 3]


def provenance_box(text: bytes) -> bytes:
    payload = PROVENANCE_UUID.bytes + zlib.compress(text)
    return struct.pack(">I4s", 8 + len(payload), b"uuid") + payload


@pytest.mark.parametrize(
    "box",
    [
        provenance_box(b""),
        provenance_box(b"\xff"),
        provenance_box(b"[]"),
        provenance_box(b'{"first": 0}'),
        provenance_box(b'{"first": 0, "frames": 3}'),
        provenance_box(b'{"first": 0, "frames": [3]}'),
        provenance_box(b'{"first": 0, "frames": [["key"]]}'),
        provenance_box(b'{"first": 0, "frames": [["key", "now"]]}'),
        provenance_box(b'{"first": 0, "frames": [["key", Infinity]]}'),
        provenance_box(b'{"first": 0, "frames": [["key", 1, 9]]}'),
        provenance_box(b'{"first": 0, "frames": [["key", 1, 0, "", "noon"]]}'),
        provenance_box(b'{"first": 0, "frames": [["key", 1, 0, "", 1, 1]]}'),
        provenance_box(b'{"first": null, "frames": []}'),
        struct.pack(">I4s", 24, b"uuid") + PROVENANCE_UUID.bytes,
        struct.pack(">I4s", 30, b"uuid") + PROVENANCE_UUID.bytes + b"noise!",
    ],
)
def test_a_damaged_provenance_box_is_named(box: bytes) -> None:
    with pytest.raises(SegmentCorrupt, match="provenance box at byte 8"):
        read_provenance(b"\0\0\0\x08free" + box)
