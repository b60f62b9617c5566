"""One commit wins, and each instance knows whether it was its own, whatever becomes of the answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import pytest

from tests.timelapse.stored_reels import INIT, new_reel
from timelapse_runtime.runtime.state.errors import Fenced, StorageUnavailable
from timelapse_runtime.runtime.state.memory import MemoryStore
from timelapse_runtime.timelapse.checkpoint_store import CheckpointStore
from timelapse_runtime.timelapse.commit_plan import CommitPlan, SegmentData
from timelapse_runtime.timelapse.errors import CheckpointCorrupt
from timelapse_runtime.timelapse.model import ahead_parts
from timelapse_runtime.timelapse.model.checkpoint import Checkpoint, Segment, checksum
from timelapse_runtime.timelapse.model.frame_tracker import Coverage
from timelapse_runtime.timelapse.model.keys import StreamKeys

KEYS = StreamKeys("video/camera/")


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore("video")


def instance(store: MemoryStore) -> CheckpointStore:
    """One that has read the checkpoint."""
    checkpoints = CheckpointStore("camera", store, KEYS, "s3://frames/camera/")
    checkpoints.load()
    return checkpoints


def prepare(checkpoints: CheckpointStore, watermark: str = "b", *, init_segment: bytes | None = None) -> CommitPlan:
    reel = checkpoints.open_reel or new_reel()
    body, first = watermark.encode(), reel.frame_count
    changed = SegmentData(Segment(first, 1, "", len(body), checksum(body), watermark), body)
    coverage = Coverage(watermark, (), 0, first + 1)
    return checkpoints.prepare(reel, [changed], coverage=coverage, last_is_open=False, init_segment=init_segment)


def stored(store: MemoryStore) -> Checkpoint:
    return Checkpoint.from_json(store.get(KEYS.checkpoint).body)


def test_a_stream_without_a_checkpoint_has_no_reel(store: MemoryStore) -> None:
    checkpoints = instance(store)
    assert (checkpoints.checkpoint, checkpoints.last_reel, checkpoints.open_reel) == (None, None, None)
    assert checkpoints.is_current()


def test_a_commit_is_stored_and_is_the_base_of_the_next_one(store: MemoryStore) -> None:
    checkpoints = instance(store)
    for generation, watermark in enumerate("bcd", start=1):
        plan = prepare(checkpoints, watermark)
        assert checkpoints.compare_and_swap(plan) == plan.coverage
        assert checkpoints.checkpoint == stored(store) == plan.checkpoint
        assert plan.checkpoint.generation == generation
        assert checkpoints.is_current()


def test_preparing_sends_nothing(store: MemoryStore) -> None:
    checkpoints = instance(store)
    before = dict(store.request_counts)
    prepare(checkpoints)
    assert store.request_counts == before
    assert checkpoints.checkpoint is None


def test_of_two_instances_one_commits_and_the_other_is_fenced(store: MemoryStore) -> None:
    one, two = instance(store), instance(store)
    late = prepare(two, "c")
    one.compare_and_swap(prepare(one, "b"))
    with pytest.raises(Fenced, match="another instance"):
        two.compare_and_swap(late)
    assert stored(store).watermark == "b"
    assert not two.is_current()


def cover(checkpoints: CheckpointStore, *ahead: str, watermark: str = "a") -> None:
    """Commit that these are covered."""
    coverage = Coverage(watermark, ahead, 0, 0)
    checkpoints.compare_and_swap(checkpoints.prepare(None, [], coverage=coverage, last_is_open=False))


def parts_in(store: MemoryStore) -> list[str]:
    return [info.key for info in store.list_after(KEYS.ahead_parts)]


def test_a_part_of_the_checkpoint_is_stored_before_it_and_removed_after_the_commit_that_drops_it(
    store: MemoryStore,
) -> None:
    checkpoints = instance(store)
    with patch.object(ahead_parts, "MAXIMUM_AHEAD_BYTES", 20):
        cover(checkpoints, "b.jpg", "c.jpg", "d.jpg")
        assert len(parts_in(store)) == 1
        assert instance(store).checkpoint == checkpoints.checkpoint
        cover(checkpoints, "d.jpg", watermark="c.jpg")
    assert (parts_in(store), stored(store).ahead) == ([], ("d.jpg",))
    assert checkpoints.orphaned_parts() == []


def test_a_part_that_cannot_be_removed_is_an_orphan(store: MemoryStore) -> None:
    checkpoints = instance(store)
    with patch.object(ahead_parts, "MAXIMUM_AHEAD_BYTES", 20):
        cover(checkpoints, "b.jpg", "c.jpg", "d.jpg")
        assert checkpoints.orphaned_parts() == []
        checkpoints.may_have_orphans = False

        def around(operation: str, key: str, effect: Callable[[], Any]) -> Any:
            if operation == "DeleteObjects":
                raise StorageUnavailable(operation, "video", key, "503")
            return effect()

        store.around = around
        cover(checkpoints, "d.jpg", watermark="c.jpg")
    assert checkpoints.may_have_orphans
    assert checkpoints.orphaned_parts() == parts_in(store) != []


def test_nothing_is_built_on_a_checkpoint_of_which_a_part_could_not_be_read(store: MemoryStore) -> None:
    one, two = instance(store), instance(store)
    with patch.object(ahead_parts, "MAXIMUM_AHEAD_BYTES", 20):
        cover(one, "b.jpg")
        two.load()
        cover(one, "b.jpg", "c.jpg", "d.jpg")

        def around(operation: str, key: str, effect: Callable[[], Any]) -> Any:
            if key.startswith(KEYS.ahead_parts):
                raise StorageUnavailable(operation, "video", key, "503")
            return effect()

        store.around = around
        with pytest.raises(StorageUnavailable):
            two.load()
        with pytest.raises(Fenced):
            cover(two, "b.jpg")
    assert json.loads(store.get(KEYS.checkpoint).body)["format"] == 3


def test_a_checkpoint_that_could_not_be_read_again_is_still_the_base(store: MemoryStore) -> None:
    checkpoints = instance(store)
    checkpoints.compare_and_swap(prepare(checkpoints, "b"))
    known = checkpoints.checkpoint

    def around(operation: str, key: str, _effect: Callable[[], Any]) -> Any:
        raise StorageUnavailable(operation, "video", key, "503")

    with patch.object(store, "around", around), pytest.raises(StorageUnavailable):
        checkpoints.load()
    assert checkpoints.checkpoint == known
    checkpoints.compare_and_swap(prepare(checkpoints, "c"))
    assert (stored(store).generation, stored(store).watermark) == (2, "c")


def lose_answer(store: MemoryStore, *, is_done: bool) -> None:
    """The next PUT of the checkpoint is answered with 503; with `is_done`, it has happened."""

    def around(operation: str, key: str, effect: Callable[[], Any]) -> Any:
        if (operation, key) != ("PutObject", KEYS.checkpoint):
            return effect()
        store.around = lambda _operation, _key, next_effect: next_effect()
        if is_done:
            effect()
        raise StorageUnavailable(operation, "video", key, "503")

    store.around = around


def test_a_commit_whose_answer_was_lost_is_recognised(store: MemoryStore) -> None:
    checkpoints = instance(store)
    lose_answer(store, is_done=True)
    plan = prepare(checkpoints)
    assert checkpoints.compare_and_swap(plan) == plan.coverage
    assert checkpoints.is_current()


def test_a_commit_that_did_not_happen_can_be_tried_again(store: MemoryStore) -> None:
    checkpoints = instance(store)
    lose_answer(store, is_done=False)
    with pytest.raises(StorageUnavailable):
        checkpoints.compare_and_swap(prepare(checkpoints))
    assert checkpoints.checkpoint is None
    checkpoints.compare_and_swap(prepare(checkpoints))
    assert stored(store).generation == 1


def test_an_init_segment_is_written_once(store: MemoryStore) -> None:
    checkpoints = instance(store)
    reel = checkpoints.create_reel(new_reel(), INIT)
    assert checkpoints.create_reel(new_reel(), INIT) == reel == new_reel()
    assert store.get(KEYS.init(reel.name)).body == INIT


def test_a_reel_name_that_an_abandoned_attempt_took_is_skipped(store: MemoryStore) -> None:
    store.put(KEYS.init(new_reel(1).name), b"of other parameter sets")
    checkpoints = instance(store)
    reel = checkpoints.create_reel(new_reel(1), INIT)
    assert reel == new_reel(2)
    assert store.get(KEYS.init(reel.name)).body == INIT


@pytest.mark.parametrize("is_there", [True, False])
def test_a_plan_may_bring_its_init_segment(store: MemoryStore, *, is_there: bool) -> None:
    if is_there:
        store.put(KEYS.init(new_reel().name), INIT)
    checkpoints = instance(store)
    checkpoints.compare_and_swap(prepare(checkpoints, init_segment=INIT))
    assert store.get(KEYS.init(new_reel().name)).body == INIT


def test_a_plan_whose_init_segment_is_not_the_stored_one_is_fenced(store: MemoryStore) -> None:
    store.put(KEYS.init(new_reel().name), b"of other parameter sets")
    checkpoints = instance(store)
    with pytest.raises(Fenced, match="other parameter sets"):
        checkpoints.compare_and_swap(prepare(checkpoints, init_segment=INIT))
    assert store.peek(KEYS.checkpoint) is None


def test_a_checkpoint_that_cannot_be_read_is_left_alone(store: MemoryStore) -> None:
    store.put(KEYS.checkpoint, b"{")
    with pytest.raises(CheckpointCorrupt):
        instance(store)
    assert store.get(KEYS.checkpoint).body == b"{"
