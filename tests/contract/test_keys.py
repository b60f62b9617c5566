"""Keys: any that S3 takes, their order in listings, and how they are removed."""

from __future__ import annotations

import pytest

from tests.contract.conftest import KnownWrong
from timelapse_runtime.cli.store_requirements import UNUSUAL_KEYS, USUAL_KEYS
from timelapse_runtime.runtime.state.contract import MULTIPART_MINIMUM_BYTES, CopyPart, Store
from timelapse_runtime.runtime.state.errors import ObjectNotFound

KEYS = {**USUAL_KEYS, **UNUSUAL_KEYS, "1024 bytes": "k" * 1024, "512 characters": "é" * 512}


@pytest.mark.parametrize("name", KEYS)
def test_a_key_may_hold(store: Store, known_wrong: KnownWrong, name: str) -> None:
    key = KEYS[name]
    if "\n" in key:
        known_wrong("moto", "has no route for it, and answers 404")
    etag = store.put(key, b"body")
    assert (store.get(key).body, store.head(key).etag) == (b"body", etag)
    assert [(info.key, info.etag, info.size_bytes) for info in store.list_after("")] == [(key, etag, 4)]
    assert [info.key for info in store.list_after(key[:1])] == [key]
    assert list(store.list_after("", key)) == []
    store.delete([key])
    with pytest.raises(ObjectNotFound):
        store.head(key)


def test_a_key_with_all_of_it_may_be_the_source_of_a_copy(store: Store, known_wrong: KnownWrong) -> None:
    known_wrong("radosgw", "cuts the source's key at a question mark")
    source = "a b+c%20d?e=f&g/é\U0001f30d.mp4"
    etag = store.put(source, bytes(MULTIPART_MINIMUM_BYTES))
    store.put_multipart("key", [CopyPart(source, etag, 0, MULTIPART_MINIMUM_BYTES)])
    assert store.get("key").body == bytes(MULTIPART_MINIMUM_BYTES)


def test_a_listing_begins_after_a_key_and_stays_below_its_prefix(store: Store) -> None:
    for key in ("p/1", "p/2", "p/3", "q/1"):
        etag = store.put(key, b"12")
    found = list(store.list_after("p/", "p/1"))
    assert [info.key for info in found] == ["p/2", "p/3"]
    assert (found[0].etag, found[0].size_bytes) == (etag, 2)
    assert [info.key for info in store.list_after("p/", "p/15")] == ["p/2", "p/3"]
    assert list(store.list_after("p/", "p/3")) == []
    assert list(store.list_after("p/", "q/0")) == []
    assert [info.key for info in store.list_after("p/", "a")] == ["p/1", "p/2", "p/3"]
    assert list(store.list_after("r/")) == []


def test_a_listing_that_is_not_read_to_its_end_asks_for_no_more(store: Store) -> None:
    store.put("key", b"")
    listing = store.list_after("")
    assert store.request_counts.get("ListObjectsV2", 0) == 0
    assert next(listing).key == "key"
    assert store.request_counts["ListObjectsV2"] == 1


def test_folders_are_the_next_parts_of_keys(store: Store) -> None:
    for key in ("p/", "p/a/1", "p/a/2", "p/b c/d/3", "p/é+/1", "p/4", "p//5", "q/e/5", "6"):
        store.put(key, b"")
    assert list(store.list_folders("p/")) == ["p//", "p/a/", "p/b c/", "p/é+/"]
    assert list(store.list_folders("")) == ["p/", "q/"]
    assert list(store.list_folders("r/")) == []


def test_delete_removes_and_does_not_mind_what_is_gone(store: Store) -> None:
    for key in ("a b", "c", "<&>"):
        store.put(key, b"")
    store.delete(["a b", "never", "<&>"])
    assert [info.key for info in store.list_after("")] == ["c"]


def test_delete_takes_more_keys_than_one_request(store: Store) -> None:
    keys = [f"{number:05d}" for number in range(1_001)]
    store.put(keys[0], b"")
    store.put(keys[-1], b"")
    store.delete(keys)
    assert list(store.list_after("")) == []
    assert store.request_counts["DeleteObjects"] == 2
