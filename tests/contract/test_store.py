"""What every store does: one suite, three stores. Where a server is known to be wrong, the test says so, strictly."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import pytest

from timelapse_runtime.errors import ObjectNotFound, PreconditionFailed, StorageError
from timelapse_runtime.storage.contract import (
    MULTIPART_MINIMUM_BYTES,
    BytesPart,
    Condition,
    CopyPart,
    IfAbsent,
    IfMatch,
    Part,
    PresignedPut,
    Store,
)
from timelapse_runtime.storage.memory import MemoryStore

BIG = bytes(range(256)) * (MULTIPART_MINIMUM_BYTES // 256)
KnownWrong = Callable[[str, str], None]


def test_what_was_put_is_got(store: Store) -> None:
    etag = store.put("a/b", b"body", metadata={"frames": "3"})
    found = store.get("a/b")
    assert found.body == b"body"
    assert (found.info.key, found.info.etag, found.info.size_bytes) == ("a/b", etag, 4)
    assert dict(found.info.metadata) == {"frames": "3"}
    assert found.info.last_modified_epoch_ms > 1_500_000_000_000
    assert store.head("a/b") == found.info


def test_an_etag_tells_bodies_apart_and_has_its_quotes(store: Store) -> None:
    first = store.put("key", b"one")
    assert store.put("key", b"two") != first
    assert store.put("key", b"one") == first
    assert first.startswith('"')
    assert first.endswith('"')


@pytest.mark.parametrize("call", ["head", "get"])
def test_what_is_not_there_is_not_found(store: Store, call: str) -> None:
    with pytest.raises(ObjectNotFound) as caught:
        getattr(store, call)("nothing")
    assert (caught.value.bucket, caught.value.key) == (store.bucket, "nothing")


def test_an_empty_object_is_an_object(store: Store) -> None:
    store.put("empty", b"")
    assert store.get("empty").body == b""
    assert store.head("empty").size_bytes == 0


def test_an_object_longer_than_asked_for_is_not_read(store: Store) -> None:
    store.put("key", b"123456")
    cut = store.get("key", maximum_bytes=5)
    assert (cut.body, cut.info.size_bytes) == (b"", 6)
    assert store.get("key", maximum_bytes=6).body == b"123456"


def test_a_range_is_read_of_the_version_that_was_asked_for(store: Store) -> None:
    etag = store.put("key", b"0123456789")
    found = store.get_range("key", 2, 5, etag=etag)
    assert (found.body, found.info.size_bytes) == (b"234", 10)
    assert store.get_range("key", 8, 99).body == b"89"
    store.put("key", b"another body")
    with pytest.raises(PreconditionFailed):
        store.get_range("key", 2, 5, etag=etag)


@pytest.mark.parametrize(
    ("before", "condition", "is_written"),
    [
        (None, IfAbsent(), True),
        (b"old", IfAbsent(), False),
        (b"old", "match", True),
        (b"old", IfMatch('"00000000000000000000000000000000"'), False),
        (None, IfMatch('"00000000000000000000000000000000"'), False),
    ],
    ids=["absent, absent", "absent, there", "match, there", "match, another", "match, absent"],
)
def test_a_condition_decides_whether_a_put_happens(
    store: Store, before: bytes | None, condition: Condition | str, is_written: bool
) -> None:
    etag = None if before is None else store.put("key", before)
    wanted = IfMatch(str(etag)) if isinstance(condition, str) else condition
    if is_written:
        store.put("key", b"new", condition=wanted)
        assert store.get("key").body == b"new"
    else:
        with pytest.raises(PreconditionFailed):
            store.put("key", b"new", condition=wanted)
        if before is None:
            with pytest.raises(ObjectNotFound):
                store.get("key")
        else:
            assert store.get("key").body == before


def test_of_many_who_swap_at_once_one_wins(store: Store) -> None:
    etag = store.put("key", b"0")

    def swap(number: int) -> bool:
        try:
            store.put("key", b"%d" % number, condition=IfMatch(etag))
        except StorageError:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        won = list(pool.map(swap, range(1, 9)))
    assert won.count(True) == 1
    assert store.get("key").body == b"%d" % (won.index(True) + 1)


KEYS = [
    "a",
    "a b",
    "a%20b",
    "a+b",
    "a/",
    "a/b",
    "a//b",
    "a/b.jpg",
    "b",
    "z/é",
    "z/\u65e5\u672c",
    "z/\uffee",
    "z/\U0001f30d",
]


def test_a_listing_is_in_the_order_of_utf8_bytes(store: Store) -> None:
    for key in reversed(KEYS):
        store.put(key, key.encode())
    assert [info.key for info in store.list_after("")] == sorted(KEYS, key=str.encode)
    for key in KEYS:
        assert store.get(key).body == key.encode()


def test_a_listing_begins_after_a_key_and_stays_below_its_prefix(store: Store) -> None:
    for key in ("p/1", "p/2", "p/3", "q/1"):
        etag = store.put(key, b"12")
    found = list(store.list_after("p/", "p/1"))
    assert [info.key for info in found] == ["p/2", "p/3"]
    assert (found[0].etag, found[0].size_bytes) == (etag, 2)
    assert list(store.list_after("p/", "p/3")) == []
    assert [info.key for info in store.list_after("p/", "a")] == ["p/1", "p/2", "p/3"]
    assert list(store.list_after("r/")) == []


def test_a_listing_goes_over_pages(store: Store) -> None:
    keys = [f"p/{number:05d}" for number in range(1_101)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: store.put(key, b""), keys))
    before = store.request_counts.get("ListObjectsV2", 0)
    assert [info.key for info in store.list_after("p/", "p/00000")] == keys[1:]
    assert store.request_counts["ListObjectsV2"] == before + 2


def test_a_key_may_hold_a_newline(store: Store, known_wrong: KnownWrong) -> None:
    known_wrong("moto", "has no route for it, and answers 404")
    store.put("two\nlines", b"body")
    assert [info.key for info in store.list_after("")] == ["two\nlines"]


def test_a_key_may_have_1024_bytes(store: Store) -> None:
    keys = ["k" * 1024, "é" * 512]
    for key in keys:
        store.put(key, b"body")
    assert {info.key for info in store.list_after("")} == set(keys)


def test_folders_are_the_next_parts_of_keys(store: Store) -> None:
    for key in ("p/a/1", "p/a/2", "p/b c/d/3", "p/4", "q/e/5"):
        store.put(key, b"")
    assert list(store.list_folders("p/")) == ["p/a/", "p/b c/"]


def test_delete_removes_and_does_not_mind_what_is_gone(store: Store) -> None:
    store.put("a b", b"")
    store.put("c", b"")
    store.delete(["a b", "never"])
    store.delete([])
    assert [info.key for info in store.list_after("")] == ["c"]


def test_parts_become_one_object(store: Store) -> None:
    etag = store.put_multipart("key", [BytesPart(BIG), BytesPart(b"end")], metadata={"frames": "7"})
    found = store.get("key")
    assert found.body == BIG + b"end"
    assert found.info.etag == etag
    assert etag.endswith('-2"')
    assert found.info.metadata["frames"] == "7"


def test_an_object_grows_on_the_servers_side(store: Store) -> None:
    etag = store.put("key", BIG + b"first")
    size_bytes = len(BIG) + 5
    before = dict(store.request_counts)
    parts: list[Part] = [CopyPart("key", etag, 0, size_bytes), BytesPart(b"second")]
    grown = store.put_multipart("key", parts, condition=IfMatch(etag))
    assert store.get("key").body == BIG + b"firstsecond"
    assert store.head("key").etag == grown
    after = store.request_counts
    sent = {name: after[name] - before.get(name, 0) for name in after if name not in ("GetObject", "HeadObject")}
    assert {name: count for name, count in sent.items() if count} == {
        "CreateMultipartUpload": 1,
        "UploadPartCopy": 1,
        "UploadPart": 1,
        "CompleteMultipartUpload": 1,
    }


def test_a_copied_source_that_changed_is_not_copied(store: Store, known_wrong: KnownWrong) -> None:
    known_wrong("moto", "ignores copy-source-if-match on UploadPartCopy")
    etag = store.put("source", BIG)
    store.put("source", BIG[::-1])
    with pytest.raises(PreconditionFailed):
        store.put_multipart("key", [CopyPart("source", etag, 0, len(BIG)), BytesPart(b"end")])
    with pytest.raises(ObjectNotFound):
        store.head("key")


@pytest.mark.parametrize(
    "condition", [IfAbsent(), IfMatch('"00000000000000000000000000000000"')], ids=["absent", "match"]
)
def test_a_condition_decides_whether_parts_become_an_object(
    store: Store, known_wrong: KnownWrong, condition: Condition
) -> None:
    if isinstance(condition, IfMatch):
        known_wrong("moto", "ignores If-Match on CompleteMultipartUpload")
    store.put("key", b"old")
    with pytest.raises(PreconditionFailed):
        store.put_multipart("key", [BytesPart(BIG), BytesPart(b"end")], condition=condition)
    assert store.get("key").body == b"old"


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_upload_that_fails_midway_leaves_nothing(store: Store, error: type[BaseException]) -> None:
    def parts() -> Iterator[Part]:
        yield BytesPart(BIG)
        raise error

    with pytest.raises(error):
        store.put_multipart("key", parts())
    with pytest.raises(ObjectNotFound):
        store.head("key")


def test_parts_below_the_minimum_are_refused(store: Store, known_wrong: KnownWrong) -> None:
    known_wrong("ministack", "has no minimum for parts")
    with pytest.raises(StorageError):
        store.put_multipart("key", [BytesPart(b"small"), BytesPart(b"end")])
    with pytest.raises(ObjectNotFound):
        store.head("key")


def send(store: Store, signed: PresignedPut, body: bytes) -> int:
    """As the shutdown extension does: with nothing but what stands in the plan."""
    if isinstance(store, MemoryStore):
        return store.accept(signed.url, body)
    parts = urlsplit(signed.url)
    connection = http.client.HTTPConnection(parts.netloc)
    try:
        connection.request("PUT", f"{parts.path}?{parts.query}", body, dict(signed.headers))
        return connection.getresponse().status
    finally:
        connection.close()


def test_a_presigned_put_needs_no_credentials_and_keeps_its_condition(store: Store) -> None:
    how: Any = {"content_type": "video/mp4", "cache_control": "no-cache"}
    signed = store.presign_put("a b/é.json", condition=IfAbsent(), expires_seconds=60, **how)
    assert [send(store, signed, b"one"), send(store, signed, b"two")] == [200, 412]
    etag = store.head("a b/é.json").etag
    signed = store.presign_put("a b/é.json", condition=IfMatch(etag), expires_seconds=60, **how)
    assert [send(store, signed, b"three"), send(store, signed, b"four")] == [200, 412]
    signed = store.presign_put("a b/é.json", expires_seconds=60, **how)
    assert [send(store, signed, b"five"), send(store, signed, b"six")] == [200, 200]
    assert store.get("a b/é.json").body == b"six"


def test_requests_are_counted_by_s3s_names(store: Store) -> None:
    store.put("key", b"")
    store.get("key")
    store.get("key")
    store.head("key")
    list(store.list_after(""))
    store.delete(["key"])
    expected = {"PutObject": 1, "GetObject": 2, "HeadObject": 1, "ListObjectsV2": 1, "DeleteObjects": 1}
    assert dict(store.request_counts) == expected
