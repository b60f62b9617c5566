"""Of two instances one replaces the object, and each knows whether it was itself, whatever becomes of the responses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from timelapse_runtime.runtime.clock import ManualClock
from timelapse_runtime.runtime.outbox import Outbox, read_job
from timelapse_runtime.runtime.state.checkpoint import StoredCheckpoint
from timelapse_runtime.runtime.state.errors import Fenced, PreconditionFailed, StorageUnavailable
from timelapse_runtime.runtime.state.memory import MemoryStore

KEY = "counts/a"


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore("state")


def loaded(store: MemoryStore) -> StoredCheckpoint:
    checkpoint = StoredCheckpoint(store, KEY)
    checkpoint.load()
    return checkpoint


def answer_put(store: MemoryStore, answer: type[Exception], *, times_done: int) -> None:
    """The next PUT is done so many times, and answered with this error."""

    def around(operation: str, key: str, effect: Callable[[], Any]) -> Any:
        if operation != "PutObject":
            return effect()
        store.around = lambda _operation, _key, next_effect: next_effect()
        for _ in range(times_done):
            effect()
        raise answer(operation, "state", key, "as asked")

    store.around = around


def test_what_was_replaced_is_loaded_by_the_next_instance(store: MemoryStore) -> None:
    one = loaded(store)
    assert one.is_current()
    for body in (b"1", b"2", b"3"):
        one.replace(body)
        assert one.is_current()
    found = loaded(store).load()
    assert found is not None
    assert found.body == b"3"


def test_of_two_instances_one_replaces_it_and_the_other_is_fenced(store: MemoryStore) -> None:
    one, two = loaded(store), loaded(store)
    one.replace(b"1")
    assert not two.is_current()
    with pytest.raises(Fenced, match="s3://state/counts/a"):
        two.replace(b"2")
    assert store.get(KEY).body == b"1"
    two.load()
    two.replace(b"2")
    assert store.get(KEY).body == b"2"


def test_an_instance_that_writes_the_same_body_is_fenced_too(store: MemoryStore) -> None:
    one, two = loaded(store), loaded(store)
    one.replace(b"1")
    with pytest.raises(Fenced):
        two.replace(b"1")


@pytest.mark.parametrize("answer", [StorageUnavailable, PreconditionFailed])
def test_a_write_whose_response_was_lost_is_recognised(store: MemoryStore, answer: type[Exception]) -> None:
    one = loaded(store)
    answer_put(store, answer, times_done=1)
    one.replace(b"1")
    one.replace(b"2")
    assert store.get(KEY).body == b"2"


def test_a_write_that_did_not_happen_can_be_tried_again(store: MemoryStore) -> None:
    one = loaded(store)
    answer_put(store, StorageUnavailable, times_done=0)
    with pytest.raises(StorageUnavailable):
        one.replace(b"1")
    one.replace(b"1")
    assert store.get(KEY).body == b"1"


def test_an_object_that_somebody_removed_fences(store: MemoryStore) -> None:
    one = loaded(store)
    one.replace(b"1")
    store.delete([KEY])
    assert not one.is_current()
    with pytest.raises(Fenced):
        one.replace(b"2")


def test_without_an_outbox_it_is_replaced_at_once(store: MemoryStore) -> None:
    one = loaded(store)
    one.leave(b"1", None)
    assert store.get(KEY).body == b"1"


def test_what_is_left_in_the_outbox_replaces_the_known_version_and_no_other(store: MemoryStore, tmp_path: Path) -> None:
    one, two = loaded(store), loaded(store)
    requests = dict(store.request_counts)
    one.leave(b"1", Outbox(tmp_path, ManualClock()))
    assert store.request_counts == requests
    (put,) = read_job(next(tmp_path.glob("*.job"))).puts
    two.replace(b"2")
    assert store.accept(put.url, put.body) == 412
    assert store.get(KEY).body == b"2"


def test_each_object_has_a_job_of_its_own(store: MemoryStore, tmp_path: Path) -> None:
    keys = ["a/b", "a-b", ".a-b", "a" * 1000, "b" + "a" * 999]
    for key in [*keys, keys[0]]:
        StoredCheckpoint(store, key).leave(b"", Outbox(tmp_path, ManualClock()))
    assert len(list(tmp_path.glob("*.job"))) == len(keys)
