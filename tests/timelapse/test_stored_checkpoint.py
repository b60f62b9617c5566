"""A checkpoint is read with its parts, whatever others commit meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from timelapse_runtime.runtime.state.errors import ObjectNotFound
from timelapse_runtime.runtime.state.memory import MemoryStore
from timelapse_runtime.timelapse.errors import CheckpointCorrupt
from timelapse_runtime.timelapse.model.checkpoint import AheadPart, Checkpoint
from timelapse_runtime.timelapse.model.keys import StreamKeys
from timelapse_runtime.timelapse.stored_checkpoint import load_checkpoint, read_checkpoint

KEYS = StreamKeys("video/camera/")
PARTS = AheadPart.of("aaaaaaaaaaaa", ["b.jpg", "c.jpg"]), AheadPart.of("bbbbbbbbbbbb", ["e.jpg"])
CHECKPOINT = Checkpoint("s3://frames/camera/", 1, "-", "a.jpg", ("b.jpg", "c.jpg", "d.jpg"), 0, 0, None)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore("video")


def put(store: MemoryStore, checkpoint: Checkpoint) -> None:
    for part in checkpoint.ahead_parts:
        store.put(KEYS.ahead_part(part.attempt), part.to_json())
    store.put(KEYS.checkpoint, checkpoint.to_json())


def test_there_may_be_none(store: MemoryStore) -> None:
    assert load_checkpoint(lambda: None, store, KEYS) is None
    with pytest.raises(ObjectNotFound):
        read_checkpoint(store, KEYS)


def test_it_is_read_with_its_parts_but_for_those_that_are_known(store: MemoryStore) -> None:
    checkpoint = replace(CHECKPOINT, ahead=(*CHECKPOINT.ahead, "e.jpg"), ahead_parts=PARTS)
    put(store, checkpoint)
    for known, requests in (((), 3), (PARTS[:1], 2), (PARTS, 1)):
        before = store.request_counts.get("GetObject", 0)
        found = load_checkpoint(lambda: store.get(KEYS.checkpoint), store, KEYS, known)
        assert found is not None
        assert (found.checkpoint, found.body) == (checkpoint, checkpoint.to_json())
        assert found.info == store.head(KEYS.checkpoint)
        assert store.request_counts["GetObject"] - before == requests


def test_a_commit_that_drops_a_part_in_the_middle_is_read_instead(store: MemoryStore) -> None:
    put(store, replace(CHECKPOINT, ahead_parts=PARTS[:1]))
    after = replace(CHECKPOINT, generation=2, watermark="c.jpg", ahead=("d.jpg",))

    def around(_operation: str, key: str, effect: Callable[[], Any]) -> Any:
        if key == KEYS.ahead_part(PARTS[0].attempt):
            store.around = lambda _operation, _key, next_effect: next_effect()
            put(store, after)
            store.delete([key])
        return effect()

    store.around = around
    assert read_checkpoint(store, KEYS).checkpoint == after


def test_a_part_that_is_gone_for_good_is_damage(store: MemoryStore) -> None:
    put(store, replace(CHECKPOINT, ahead_parts=PARTS[:1]))
    store.delete([KEYS.ahead_part(PARTS[0].attempt)])
    with pytest.raises(CheckpointCorrupt, match=r"names video/camera/ahead/aaaaaaaaaaaa\.json, which is gone"):
        read_checkpoint(store, KEYS)
