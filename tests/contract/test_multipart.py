"""Multipart: parts become one object, whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contract.conftest import KnownWrong, UnfinishedUploads
from timelapse_runtime.runtime.state.contract import (
    MULTIPART_MINIMUM_BYTES,
    BytesPart,
    Condition,
    CopyPart,
    IfAbsent,
    IfMatch,
    Part,
    Store,
)
from timelapse_runtime.runtime.state.errors import ObjectNotFound, PreconditionFailed, StorageError

BIG = bytes(range(256)) * (MULTIPART_MINIMUM_BYTES // 256)
OTHER = IfMatch('"00000000000000000000000000000000"')


def test_parts_become_one_object(store: Store, known_wrong: KnownWrong) -> None:
    known_wrong("radosgw", "completes an upload with an empty ETag")
    etag = store.put_multipart("key", [BytesPart(BIG), BytesPart(b"end")], metadata={"frames": "7"})
    found = store.get("key")
    assert found.body == BIG + b"end"
    assert found.info.etag == etag
    assert etag.endswith('-2"')
    assert found.info.metadata == {"frames": "7"}


def test_an_object_grows_on_the_servers_side(store: Store, known_wrong: KnownWrong) -> None:
    known_wrong("radosgw", "completes an upload with an empty ETag")
    etag = store.put("key", BIG + b"first", metadata={"frames": "1", "old": "yes"})
    parts: list[Part] = [CopyPart("key", etag, 0, len(BIG) + 5), BytesPart(b"second")]
    grown = store.put_multipart("key", parts, condition=IfMatch(etag), metadata={"frames": "2"})
    assert dict(store.request_counts) == {
        "PutObject": 1,
        "CreateMultipartUpload": 1,
        "UploadPartCopy": 1,
        "UploadPart": 1,
        "CompleteMultipartUpload": 1,
    }
    found = store.get("key")
    assert found.body == BIG + b"firstsecond"
    assert (found.info.etag, found.info.metadata) == (grown, {"frames": "2"})


def test_ranges_of_other_objects_are_parts(store: Store) -> None:
    etag = store.put("source", b"head" + BIG + b"tail")
    size_bytes = len(BIG) + 8
    store.put_multipart("key", [CopyPart("source", etag, 4, 4 + len(BIG)), CopyPart("source", etag, 2, size_bytes - 2)])
    assert store.get("key").body == BIG + b"ad" + BIG + b"ta"


def test_each_part_is_sent_before_the_next_is_asked_for(store: Store) -> None:
    sent_before: list[int] = []

    def parts() -> Iterator[Part]:
        for body in (BIG, BIG, b"end"):
            sent_before.append(store.request_counts.get("UploadPart", 0))
            yield BytesPart(body)

    store.put_multipart("key", parts())
    assert sent_before == [0, 1, 2]


@pytest.mark.parametrize("condition", [IfAbsent(), OTHER], ids=["absent", "match"])
def test_a_condition_that_does_not_hold_at_the_end_keeps_what_is_there(
    store: Store, known_wrong: KnownWrong, unfinished_uploads: UnfinishedUploads, condition: Condition
) -> None:
    if isinstance(condition, IfMatch):
        known_wrong("moto", "ignores If-Match on CompleteMultipartUpload")
    known_wrong("radosgw", "ignores conditions on CompleteMultipartUpload")
    store.put("key", b"old")
    with pytest.raises(PreconditionFailed):
        store.put_multipart("key", [BytesPart(BIG), BytesPart(b"end")], condition=condition)
    assert store.get("key").body == b"old"
    assert unfinished_uploads() == 0


def test_a_match_on_a_missing_key_fails_at_the_end(store: Store, known_wrong: KnownWrong) -> None:
    known_wrong("moto", "ignores If-Match on CompleteMultipartUpload")
    known_wrong("radosgw", "ignores conditions on CompleteMultipartUpload")
    with pytest.raises(PreconditionFailed):
        store.put_multipart("key", [BytesPart(b"whole")], condition=OTHER)
    with pytest.raises(ObjectNotFound):
        store.head("key")


def test_conditions_that_hold_let_parts_become_an_object(store: Store) -> None:
    etag = store.put_multipart("key", [BytesPart(b"one")], condition=IfAbsent())
    store.put_multipart("key", [BytesPart(b"two")], condition=IfMatch(etag))
    assert store.get("key").body == b"two"


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_upload_that_fails_midway_leaves_nothing(
    store: Store, unfinished_uploads: UnfinishedUploads, error: type[BaseException]
) -> None:
    def parts() -> Iterator[Part]:
        yield BytesPart(BIG)
        raise error

    with pytest.raises(error):
        store.put_multipart("key", parts())
    with pytest.raises(ObjectNotFound):
        store.head("key")
    assert unfinished_uploads() == 0
    assert store.request_counts["AbortMultipartUpload"] == 1
    assert "CompleteMultipartUpload" not in store.request_counts


def test_a_source_that_changed_is_not_copied(
    store: Store, known_wrong: KnownWrong, unfinished_uploads: UnfinishedUploads
) -> None:
    for server in ("moto", "radosgw"):
        known_wrong(server, "ignores copy-source-if-match on UploadPartCopy")
    etag = store.put("source", BIG)
    store.put("source", BIG[::-1])
    with pytest.raises(PreconditionFailed) as caught:
        store.put_multipart("key", [CopyPart("source", etag, 0, len(BIG)), BytesPart(b"end")])
    assert caught.value.key == "source"
    with pytest.raises(ObjectNotFound):
        store.head("key")
    assert unfinished_uploads() == 0


def test_a_source_that_is_not_there_is_not_found(store: Store, unfinished_uploads: UnfinishedUploads) -> None:
    with pytest.raises(ObjectNotFound) as caught:
        store.put_multipart("key", [CopyPart("source", OTHER.etag, 0, len(BIG))])
    assert caught.value.key == "source"
    assert unfinished_uploads() == 0


def test_a_range_beyond_the_sources_end_is_refused(store: Store, known_wrong: KnownWrong) -> None:
    known_wrong("moto", "copies what there is")
    etag = store.put("source", BIG)
    with pytest.raises(StorageError):
        store.put_multipart("key", [CopyPart("source", etag, 0, len(BIG) + 1)])
    with pytest.raises(ObjectNotFound):
        store.head("key")


def test_a_source_below_the_minimum_is_refused(store: Store, known_wrong: KnownWrong) -> None:
    for server in ("moto", "ministack", "radosgw"):
        known_wrong(server, "has no minimum for sources")
    etag = store.put("source", b"small")
    with pytest.raises(StorageError):
        store.put_multipart("key", [CopyPart("source", etag, 0, 5)])


def test_parts_below_the_minimum_are_refused(
    store: Store, known_wrong: KnownWrong, unfinished_uploads: UnfinishedUploads
) -> None:
    known_wrong("ministack", "has no minimum for parts")
    with pytest.raises(StorageError):
        store.put_multipart("key", [BytesPart(b"small"), BytesPart(b"end")])
    with pytest.raises(ObjectNotFound):
        store.head("key")
    assert unfinished_uploads() == 0


def test_no_parts_are_no_object(store: Store, known_wrong: KnownWrong, unfinished_uploads: UnfinishedUploads) -> None:
    known_wrong("ministack", "makes an empty object of them")
    with pytest.raises(StorageError):
        store.put_multipart("key", [])
    with pytest.raises(ObjectNotFound):
        store.head("key")
    assert unfinished_uploads() == 0
