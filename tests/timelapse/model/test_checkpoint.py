"""The checkpoint as it is stored, and what is refused."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from timelapse_runtime.timelapse.errors import CheckpointCorrupt
from timelapse_runtime.timelapse.model.checkpoint import (
    ARRIVAL_ORDER,
    Checkpoint,
    Reel,
    Segment,
    photos_checksum,
    reel_from_value,
    reel_to_json,
)
from timelapse_runtime.timelapse.model.keys import StreamKeys, key_order, reel_name, segment_name
from timelapse_runtime.timelapse.model.source_frame import arrival_position, photo_at

SEGMENTS = (
    Segment(0, 180, "aaaaaaaaaaaa", 1000, "8d3f1c02", "179.jpg"),
    Segment(180, 20, "bbbbbbbbbbbb", 90, "00000000", "199.jpg", ("003.jpg",)),
)
REEL = Reel(
    number=2,
    name="2026-11-20-0002",
    width=640,
    height=360,
    fps=30,
    keyframe_interval=180,
    reorder_frames=2,
    init_size_bytes=784,
    init_sha256="ab",
    first_sequence=7,
    previous="2026-11-19-0001",
    segments=SEGMENTS,
    last_is_open=True,
)
CHECKPOINT = Checkpoint("s3://b/frames/camera/", 9, "cccccccccccc", "199.jpg", ("201\n.jpg", "é.jpg"), 400, 3, REEL)


@pytest.mark.parametrize("checkpoint", [CHECKPOINT, replace(CHECKPOINT, reel=None, ahead=())])
def test_what_was_stored_is_read(checkpoint: Checkpoint) -> None:
    assert Checkpoint.from_json(checkpoint.to_json()) == checkpoint


def test_a_checkpoint_of_format_1_is_in_name_order() -> None:
    value = json.loads(CHECKPOINT.to_json())
    for new in ("order", "scan_after"):
        del value[new]
    del value["reel"]["order"]
    for segment in value["reel"]["segments"]:
        del segment["photos"]
    assert Checkpoint.from_json(json.dumps({**value, "format": 1}).encode()) == CHECKPOINT


def test_a_checkpoint_in_arrival_order_names_positions() -> None:
    ahead = (arrival_position("a b.jpg", '"e1"', 1_790_000_000_000), arrival_position("", '"e 2"', 0))
    checkpoint = replace(CHECKPOINT, order=ARRIVAL_ORDER, ahead=ahead, scan_after="a b.jp")
    assert Checkpoint.from_json(checkpoint.to_json()) == checkpoint
    assert [photo_at(position).key for position in ahead] == ["a b.jpg", ""]


def test_the_checksum_of_photos_does_not_depend_on_their_order_nor_on_how_they_are_divided() -> None:
    whole = photos_checksum(["a", "b", "c"])
    assert photos_checksum(["c", "a"], photos_checksum(["b"])) == whole
    assert whole not in (photos_checksum(["a", "b", "d"]), photos_checksum(["a", "b"]), "")
    assert photos_checksum([]) == "00000000"


def test_a_closed_reels_manifest_is_the_reel() -> None:
    assert reel_from_value(json.loads(reel_to_json(REEL))) == REEL


def test_a_reel_knows_its_frames_its_size_and_its_closed_segments() -> None:
    assert (REEL.frame_count, REEL.media_size_bytes, REEL.date) == (200, 1090, "2026-11-20")
    assert REEL.closed_segments == SEGMENTS[:1]
    assert replace(REEL, last_is_open=False).closed_segments == SEGMENTS


def damaged(**fields: Any) -> bytes:
    return json.dumps({**json.loads(CHECKPOINT.to_json()), **fields}).encode()


def without(name: str) -> bytes:
    value = json.loads(CHECKPOINT.to_json())
    del value[name]
    return json.dumps(value).encode()


def with_reel(**fields: Any) -> bytes:
    return damaged(reel={**json.loads(CHECKPOINT.to_json())["reel"], **fields})


def with_segments(*segments: Any) -> bytes:
    return with_reel(segments=list(segments))


SEGMENT: dict[str, Any] = json.loads(CHECKPOINT.to_json())["reel"]["segments"][0]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "cannot be read"),
        (b"{", "cannot be read"),
        (b"[]", "cannot be read"),
        (CHECKPOINT.to_json()[:-20], "cannot be read"),
        (damaged(format=4), "format 4"),
        (damaged(format=3, ahead_parts=[{"attempt": "a"}]), "crc32"),
        (damaged(format=3, ahead_parts=3), "cannot be read"),
        (damaged(order="random"), "order is 'random'"),
        (damaged(order="arrival"), "cannot be read"),
        (without("order"), "order"),
        (without("scan_after"), "scan_after"),
        (damaged(format=None), "format None"),
        (damaged(generation="x"), "cannot be read"),
        (damaged(ahead=3), "cannot be read"),
        (damaged(reel={"number": 1}), "cannot be read"),
        (without("watermark"), "watermark"),
        (without("source"), "source"),
        (damaged(ahead="abc"), "not a list of keys"),
        (damaged(ahead=["a", 1]), "not a list of keys"),
        (damaged(generation=True), "generation"),
        (damaged(generation=1.5), "generation"),
        (damaged(watermark=7), "watermark"),
        (damaged(reel=[]), "cannot be read"),
        (with_reel(width="640"), "width"),
        (with_reel(is_closed=0), "is_closed"),
        (with_reel(previous=3), "previous"),
        (with_reel(segments=None), "cannot be read"),
        (with_segments({**SEGMENT, "count": "180"}), "count"),
        (with_segments({**SEGMENT, "count": None}), "count"),
        (with_segments({**SEGMENT, "count": -180}), "frame 0"),
        (with_segments({**SEGMENT, "first": "0"}), "first"),
        (with_segments({**SEGMENT, "size_bytes": 1000.5}), "size_bytes"),
        (with_segments({**SEGMENT, "last_key": None}), "last_key"),
        (with_segments({**SEGMENT, "out_of_order": "003.jpg"}), "not a list of keys"),
        (with_segments({name: SEGMENT[name] for name in SEGMENT if name != "attempt"}), "attempt"),
        (with_segments(SEGMENT, SEGMENT), "frame 180"),
        (with_segments({**SEGMENT, "first": 1}), "frame 0"),
        (with_segments(SEGMENT, {**SEGMENT, "first": 181}), "frame 180"),
        (with_segments({**SEGMENT, "count": 0}), "frame 0"),
        (with_segments({**SEGMENT, "surprise": 1}), "cannot be read"),
        (with_segments(3), "cannot be read"),
    ],
)
def test_what_is_damaged_is_named_and_not_guessed_at(body: bytes, said: str) -> None:
    with pytest.raises(CheckpointCorrupt, match=said):
        Checkpoint.from_json(body)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
FIELDS: dict[str, Any] = json.loads(CHECKPOINT.to_json())


@given(name=st.sampled_from(list(FIELDS)), value=JSON)
def test_any_value_in_any_field_is_taken_or_named(name: str, value: Any) -> None:
    try:
        read = Checkpoint.from_json(damaged(**{name: value}))
    except CheckpointCorrupt:
        return
    assert Checkpoint.from_json(read.to_json()) == read


@given(name=st.sampled_from(list(FIELDS["reel"])), value=JSON)
def test_any_value_in_any_field_of_the_reel_is_taken_or_named(name: str, value: Any) -> None:
    try:
        read = Checkpoint.from_json(with_reel(**{name: value}))
    except CheckpointCorrupt:
        return
    assert Checkpoint.from_json(read.to_json()) == read


def test_a_reel_whose_segments_have_a_gap_is_no_manifest() -> None:
    value = json.loads(reel_to_json(replace(REEL, segments=SEGMENTS[1:])))
    with pytest.raises(ValueError, match="frame 0"):
        reel_from_value(value)


def test_keys_are_ordered_as_s3_orders_them() -> None:
    keys = ["a", "\uffee", "\U0001f30d", "é", "z"]
    assert sorted(keys, key=key_order) == ["a", "z", "é", "\uffee", "\U0001f30d"]


KEY = st.text(st.characters(exclude_categories=()), max_size=4)


@given(KEY, KEY)
@example("\uffff", "\U00010000")
@example("\U00010000", "\uffff")
@example("a", "a\0")
def test_the_order_of_keys_is_that_of_their_bytes_and_of_pythons_strings(one: str, other: str) -> None:
    by_bytes = one.encode("utf-8", "surrogatepass") < other.encode("utf-8", "surrogatepass")
    assert (key_order(one) < key_order(other)) == by_bytes == (one < other)
    assert (key_order(one) == key_order(other)) == (one == other)


@given(KEY, st.lists(KEY))
def test_a_checkpoint_holds_any_key(watermark: str, ahead: list[str]) -> None:
    checkpoint = replace(CHECKPOINT, watermark=watermark, ahead=tuple(ahead))
    body = checkpoint.to_json()
    assert body.isascii()
    assert Checkpoint.from_json(body) == checkpoint


def test_each_object_of_a_stream_has_its_place() -> None:
    keys = StreamKeys("video/camera/")
    assert keys.checkpoint == "video/camera/checkpoint.json"
    assert keys.segments(reel_name(1, "2026-11-20")) == "video/camera/reels/2026-11-20-0001/segments/"
    assert segment_name(180, 60, "9f3c2a1b0d4e") == "00000180-60-9f3c2a1b0d4e.m4s"


@pytest.mark.parametrize("letter", ["k", "é", "\U0001f30d"])
def test_a_rejection_of_a_key_too_long_for_s3_has_a_name_all_the_same(letter: str) -> None:
    keys = StreamKeys("video/camera/")
    assert keys.rejected("a/../b.jpg") == "video/camera/rejected/a/../b.jpg.json"
    room = 1024 - len("video/camera/rejected/.json")
    width = len(letter.encode())
    fits = letter * (room // width) + "k" * (room % width)
    assert keys.rejected(fits) == f"video/camera/rejected/{fits}.json"
    assert len(keys.rejected(fits).encode()) == 1024
    long, other = keys.rejected(fits + "k"), keys.rejected(fits + "j")
    assert long == f"video/camera/rejected/sha256-{hashlib.sha256((fits + 'k').encode()).hexdigest()}.json"
    assert long != other
