"""Objects: what was put is what is got, and a condition decides whether a put happens."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.contract.conftest import KnownWrong
from timelapse_runtime.timelapse.errors import ObjectNotFound, PreconditionFailed, StorageError
from timelapse_runtime.timelapse.storage.contract import Condition, IfAbsent, IfMatch, Store

OTHER = IfMatch('"00000000000000000000000000000000"')


def test_what_was_put_is_got(store: Store) -> None:
    etag = store.put("a/b", b"body")
    found = store.get("a/b")
    assert found.body == b"body"
    assert (found.info.key, found.info.etag, found.info.size_bytes) == ("a/b", etag, 4)
    assert found.info.metadata == {}
    assert found.info.last_modified_epoch_ms > 1_500_000_000_000
    assert store.head("a/b") == found.info


def test_a_listing_tells_the_same_time_as_a_get(store: Store) -> None:
    for number in range(4):
        store.put(f"photo-{number}", b"body")
        time.sleep(0.15)  # some lie within a second
    listed = {info.key: info.last_modified_epoch_ms for info in store.list_after("photo-")}
    assert {key: store.get(key).info.last_modified_epoch_ms for key in listed} == listed
    assert {key: store.head(key).last_modified_epoch_ms for key in listed} == listed
    assert len(listed) == 4


def test_metadata_stays_until_the_next_put_and_its_names_are_lower_case(store: Store) -> None:
    store.put("key", b"body", metadata={"Frames": "3", "reel": "2026-11-20 a"})
    assert store.head("key").metadata == store.get("key").info.metadata == {"frames": "3", "reel": "2026-11-20 a"}
    assert store.get_range("key", 0, 1).info.metadata["frames"] == "3"
    store.put("key", b"body")
    assert store.head("key").metadata == {}


def test_an_etag_tells_bodies_apart_and_has_its_quotes(store: Store) -> None:
    first = store.put("key", b"one")
    assert store.put("key", b"two") != first
    assert store.put("key", b"one") == first
    assert first.startswith('"')
    assert first.endswith('"')


@pytest.mark.parametrize("call", ["head", "get", "get_range"])
def test_what_is_not_there_is_not_found(store: Store, call: str) -> None:
    with pytest.raises(ObjectNotFound) as caught:
        getattr(store, call)("nothing", *((0, 1) if call == "get_range" else ()))
    assert (caught.value.bucket, caught.value.key) == (store.bucket, "nothing")


def test_an_empty_object_is_an_object(store: Store) -> None:
    store.put("empty", b"")
    assert store.get("empty").body == b""
    assert store.head("empty").size_bytes == 0


def test_an_object_longer_than_asked_for_is_not_read(store: Store) -> None:
    store.put("key", bytes(1_000_000))
    cut = store.get("key", maximum_bytes=999_999)
    assert (cut.body, cut.info.size_bytes) == (b"", 1_000_000)
    assert store.get("key", maximum_bytes=1_000_000).body == bytes(1_000_000)


def test_a_range_is_read_of_the_version_that_was_asked_for(store: Store) -> None:
    etag = store.put("key", b"0123456789")
    found = store.get_range("key", 2, 5, etag=etag)
    assert (found.body, found.info.size_bytes, found.info.etag) == (b"234", 10, etag)
    store.put("key", b"another body")
    with pytest.raises(PreconditionFailed):
        store.get_range("key", 2, 5, etag=etag)


@pytest.mark.parametrize(("start", "end"), [(0, 10), (8, 99), (9, 10), (10, 12), (50, 60), (3, 3), (0, 0)])
def test_a_range_is_a_slice(store: Store, start: int, end: int) -> None:
    body = b"0123456789"
    store.put("key", body)
    found = store.get_range("key", start, end)
    assert (found.body, found.info.size_bytes) == (body[start:end], 10)


def test_a_range_of_an_empty_object_is_empty(store: Store) -> None:
    etag = store.put("key", b"")
    assert store.get_range("key", 0, 5, etag=etag).body == b""
    with pytest.raises(PreconditionFailed):
        store.get_range("key", 0, 5, etag=OTHER.etag)


@pytest.mark.parametrize(
    ("before", "condition", "is_written"),
    [
        (None, IfAbsent(), True),
        (b"old", IfAbsent(), False),
        (b"old", "match", True),
        (b"old", OTHER, False),
        (None, OTHER, False),
    ],
    ids=["absent, absent", "absent, there", "match, there", "match, another", "match, absent"],
)
def test_a_condition_decides_whether_a_put_happens(
    store: Store, known_wrong: KnownWrong, before: bytes | None, condition: Condition | str, is_written: bool
) -> None:
    if condition == "match":
        known_wrong("radosgw", "compares If-Match with the ETag without quotes")
    etag = None if before is None else store.put("key", before)
    wanted = IfMatch(str(etag)) if isinstance(condition, str) else condition
    if is_written:
        assert store.put("key", b"new", condition=wanted) == store.head("key").etag
        assert store.get("key").body == b"new"
    else:
        with pytest.raises(PreconditionFailed):
            store.put("key", b"new", condition=wanted)
        if before is None:
            with pytest.raises(ObjectNotFound):
                store.get("key")
        else:
            assert store.get("key").body == before


@pytest.mark.parametrize("is_there", [False, True])
def test_of_many_who_swap_at_once_one_wins(store: Store, known_wrong: KnownWrong, is_there: bool) -> None:
    if is_there:
        known_wrong("radosgw", "compares If-Match with the ETag without quotes")
    condition: Condition = IfMatch(store.put("key", b"0")) if is_there else IfAbsent()

    def swap(number: int) -> bool:
        try:
            store.put("key", b"%d" % number, condition=condition)
        except StorageError:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        won = list(pool.map(swap, range(1, 9)))
    assert won.count(True) == 1
    assert store.get("key").body == b"%d" % (won.index(True) + 1)


def test_requests_are_counted_by_s3s_names(store: Store) -> None:
    store.put("key", b"body")
    with pytest.raises(PreconditionFailed):
        store.put("key", b"", condition=IfAbsent())
    store.get("key")
    store.get_range("key", 0, 1)
    store.head("key")
    with pytest.raises(ObjectNotFound):
        store.get("nothing")
    list(store.list_after(""))
    list(store.list_folders(""))
    store.delete(["key"])
    store.delete([])
    store.presign_put("key", b"body", expires_seconds=1)
    expected = {"PutObject": 2, "GetObject": 3, "HeadObject": 1, "ListObjectsV2": 2, "DeleteObjects": 1}
    assert dict(store.request_counts) == expected
