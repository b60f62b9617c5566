"""The checkpoint as it is stored, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from timelapse_runtime.errors import CheckpointCorrupt
from timelapse_runtime.state.checkpoint import Checkpoint, Reel, Segment, key_order, reel_from_value, reel_to_json
from timelapse_runtime.state.keys import StreamKeys, reel_name, segment_name

SEGMENTS = (
    Segment(0, 180, "aaaaaaaaaaaa", 1000, "179.jpg"),
    Segment(180, 20, "bbbbbbbbbbbb", 90, "199.jpg", ("003.jpg",)),
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


def test_a_closed_reels_manifest_is_the_reel() -> None:
    assert reel_from_value(json.loads(reel_to_json(REEL))) == REEL


def test_a_reel_knows_its_frames_its_size_and_its_closed_segments() -> None:
    assert (REEL.frame_count, REEL.size_bytes, REEL.date) == (200, 784 + 1090, "2026-11-20")
    assert REEL.closed_segments == SEGMENTS[:1]
    assert replace(REEL, last_is_open=False).closed_segments == SEGMENTS


def damaged(**fields: Any) -> bytes:
    return json.dumps({**json.loads(CHECKPOINT.to_json()), **fields}).encode()


def without(name: str) -> bytes:
    value = json.loads(CHECKPOINT.to_json())
    del value[name]
    return json.dumps(value).encode()


def with_segments(*segments: Any) -> bytes:
    reel = json.loads(CHECKPOINT.to_json())["reel"]
    return damaged(reel={**reel, "segments": list(segments)})


SEGMENT: dict[str, Any] = json.loads(CHECKPOINT.to_json())["reel"]["segments"][0]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "cannot be read"),
        (b"{", "cannot be read"),
        (b"[]", "cannot be read"),
        (CHECKPOINT.to_json()[:-20], "cannot be read"),
        (damaged(format=2), "format 2"),
        (damaged(format=None), "format None"),
        (damaged(generation="x"), "cannot be read"),
        (damaged(ahead=3), "cannot be read"),
        (damaged(reel={"number": 1}), "cannot be read"),
        (without("watermark"), "watermark"),
        (without("source"), "source"),
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


def test_keys_are_ordered_as_s3_orders_them() -> None:
    keys = ["a", "\uffee", "\U0001f30d", "é", "z"]
    assert sorted(keys, key=key_order) == ["a", "z", "é", "\uffee", "\U0001f30d"]


def test_each_object_of_a_stream_has_its_place() -> None:
    keys = StreamKeys("video/camera/")
    assert keys.checkpoint == "video/camera/checkpoint.json"
    assert keys.segments(reel_name(1, "2026-11-20")) == "video/camera/reels/2026-11-20-0001/segments/"
    assert segment_name(180, 60, "9f3c2a1b0d4e") == "00000180-60-9f3c2a1b0d4e.m4s"


def test_a_rejection_of_a_key_too_long_for_s3_has_a_name_all_the_same() -> None:
    keys = StreamKeys("video/camera/")
    assert keys.rejected("a/../b.jpg") == "video/camera/rejected/a/../b.jpg.json"
    long, other = keys.rejected("k" * 1010), keys.rejected("j" * 1010)
    assert long != other
    assert max(len(long), len(other)) < 110
