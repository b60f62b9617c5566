"""What is too long for the checkpoint is in objects of its own, each written once, and nothing is lost between them."""

from __future__ import annotations

import json
from dataclasses import replace
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timelapse_runtime.timelapse.errors import CheckpointCorrupt
from timelapse_runtime.timelapse.model import ahead_parts as module
from timelapse_runtime.timelapse.model.ahead_parts import MAXIMUM_AHEAD_BYTES, ahead_parts
from timelapse_runtime.timelapse.model.checkpoint import (
    ARRIVAL_ORDER,
    AheadPart,
    Checkpoint,
    history_size_bytes,
    positions_size_bytes,
)
from timelapse_runtime.timelapse.model.source_frame import arrival_position

MANY = tuple(arrival_position(f"{number:05d}.jpg", '"0123456789abcdef"', number) for number in range(5_000))
WHOLE = Checkpoint("s3://frames/camera/", 1, "-", "0", (), 0, 0, None, ARRIVAL_ORDER)


def checkpoint_of(ahead: tuple[str, ...], before: Checkpoint = WHOLE, *, watermark: str = "0") -> Checkpoint:
    """The next one."""
    generation = before.generation + 1
    parts = ahead_parts(ahead, watermark, before.ahead_parts, f"{generation:012d}")
    return replace(before, generation=generation, watermark=watermark, ahead=ahead, ahead_parts=parts)


def read_again(checkpoint: Checkpoint) -> Checkpoint:
    """As another environment reads it."""
    stored = {part.attempt: part.to_json() for part in checkpoint.ahead_parts}
    return Checkpoint.from_json(checkpoint.to_json(), lambda attempt: AheadPart.from_json(attempt, stored[attempt]))


def test_what_fits_is_in_the_checkpoint_alone() -> None:
    few = MANY[:1_000]
    assert positions_size_bytes(few) <= MAXIMUM_AHEAD_BYTES
    checkpoint = checkpoint_of(few)
    assert (checkpoint.ahead_parts, checkpoint.own_ahead) == ((), few)
    assert json.loads(checkpoint.to_json())["format"] == 2


def test_each_position_is_written_once_to_an_object_and_the_checkpoint_stays_small() -> None:
    checkpoint, sizes, written = WHOLE, list[int](), 0
    for count in range(60, 5_001, 60):
        before, checkpoint = checkpoint, checkpoint_of(MANY[:count], checkpoint)
        sizes.append(len(checkpoint.to_json()))
        written += sum(len(part.positions) for part in checkpoint.ahead_parts if part not in before.ahead_parts)
        assert read_again(checkpoint) == checkpoint
    assert 1 < len(checkpoint.ahead_parts) < 5
    assert written == sum(len(part.positions) for part in checkpoint.ahead_parts)
    assert max(sizes) < MAXIMUM_AHEAD_BYTES + 1_000
    assert json.loads(checkpoint.to_json())["format"] == 3


def test_the_history_is_measured_without_what_the_checkpoint_itself_holds_of_ahead() -> None:
    empty, full = checkpoint_of(()), checkpoint_of(MANY)
    named = len(json.dumps([{"attempt": part.attempt, "crc32": part.crc32} for part in full.ahead_parts]))
    assert 0 < history_size_bytes(full) - history_size_bytes(empty) < named + 50


def test_a_part_is_dropped_when_the_watermark_has_passed_all_of_it() -> None:
    first = checkpoint_of(MANY[:2_000])
    second = checkpoint_of(MANY[:4_000], first)
    assert [len(part.positions) for part in second.ahead_parts] == [2_000, 2_000]
    within = checkpoint_of(MANY[1_500:4_000], second, watermark=MANY[1_499])
    assert within.ahead_parts == second.ahead_parts
    assert read_again(within) == within
    behind = checkpoint_of(MANY[2_000:4_000], within, watermark=MANY[1_999])
    assert behind.ahead_parts == second.ahead_parts[1:]
    assert read_again(behind) == behind


def test_a_part_that_names_what_is_not_covered_is_dropped() -> None:
    """As after a change of the order of the photos."""
    first = checkpoint_of(MANY[:2_000])
    other = checkpoint_of(MANY[1:2_001], first)
    assert [part.attempt for part in other.ahead_parts] == [f"{other.generation:012d}"]
    assert read_again(other) == other


@given(st.lists(st.tuples(st.integers(0, 30), st.sets(st.integers(0, 60))), max_size=12), st.integers(0, 500))
def test_whatever_is_committed_one_after_the_other_is_read_as_it_was_committed(
    steps: list[tuple[int, set[int]]], maximum: int
) -> None:
    checkpoint = WHOLE
    with patch.object(module, "MAXIMUM_AHEAD_BYTES", maximum):
        for passed, numbers in steps:
            ahead = tuple(MANY[number] for number in sorted(numbers) if number > passed)
            checkpoint = checkpoint_of(ahead, checkpoint, watermark=MANY[passed])
            found = read_again(checkpoint)
            assert (found, found.ahead) == (checkpoint, ahead)
            assert positions_size_bytes(checkpoint.own_ahead) <= max(maximum, 2)


@pytest.mark.parametrize("body", [b"{", b'{"a": 1}', b'[1, "a"]', b"\xff"])
def test_a_part_that_cannot_be_read_is_named(body: bytes) -> None:
    with pytest.raises(CheckpointCorrupt, match="the part aaaaaaaaaaaa of ahead"):
        AheadPart.from_json("aaaaaaaaaaaa", body)


def test_a_part_of_other_content_is_refused() -> None:
    checkpoint = checkpoint_of(MANY[:2_000])
    other = AheadPart.of("000000000002", MANY[:1_999])
    with pytest.raises(CheckpointCorrupt, match="was committed"):
        Checkpoint.from_json(checkpoint.to_json(), lambda _attempt: other)


def test_a_checkpoint_is_not_read_without_its_parts() -> None:
    with pytest.raises(CheckpointCorrupt, match="without the parts"):
        Checkpoint.from_json(checkpoint_of(MANY).to_json())
