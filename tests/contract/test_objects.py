"""Objects: what was put is what is got, and a condition decides whether a put happens."""

from __future__ import annotations

import pytest

from timelapse_runtime.runtime.state.contract import IfAbsent, IfMatch, Store
from timelapse_runtime.runtime.state.errors import ObjectNotFound, PreconditionFailed

OTHER = IfMatch('"00000000000000000000000000000000"')


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


@pytest.mark.parametrize("call", ["head", "get", "get_range", "get_changed"])
def test_what_is_not_there_is_not_found(store: Store, call: str) -> None:
    with pytest.raises(ObjectNotFound) as caught:
        getattr(store, call)("nothing", *{"get_range": (0, 1), "get_changed": ('"etag"',)}.get(call, ()))
    assert (caught.value.bucket, caught.value.key) == (store.bucket, "nothing")


def test_an_empty_object_is_an_object(store: Store) -> None:
    store.put("empty", b"")
    assert store.get("empty").body == b""
    assert store.head("empty").size_bytes == 0


def test_an_object_that_has_not_changed_is_not_read_again(store: Store) -> None:
    etag = store.put("key", b"one")
    assert store.get_changed("key", etag) is None
    found = store.get_changed("key", OTHER.etag)
    assert found is not None
    assert (found.body, found.info.etag) == (b"one", etag)
    later = store.put("key", b"two")
    assert store.get_changed("key", etag) == store.get("key")
    assert store.get_changed("key", later) is None


def test_an_object_longer_than_asked_for_is_not_read(store: Store) -> None:
    store.put("key", bytes(1_000_000))
    cut = store.get("key", maximum_bytes=999_999)
    assert (cut.body, cut.info.size_bytes) == (b"", 1_000_000)
    assert store.get("key", maximum_bytes=1_000_000).body == bytes(1_000_000)


def test_a_range_of_an_empty_object_is_empty(store: Store) -> None:
    etag = store.put("key", b"")
    assert store.get_range("key", 0, 5, etag=etag).body == b""
    with pytest.raises(PreconditionFailed):
        store.get_range("key", 0, 5, etag=OTHER.etag)


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
