"""What the store in memory has beyond the contract: the seam where tests refuse requests, and its locks."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from timelapse_runtime.runtime.clock import ManualClock
from timelapse_runtime.runtime.state.contract import (
    MULTIPART_MINIMUM_BYTES,
    BytesPart,
    CopyPart,
    IfAbsent,
    IfMatch,
    Part,
    Store,
)
from timelapse_runtime.runtime.state.errors import PreconditionFailed, StorageUnavailable
from timelapse_runtime.runtime.state.memory import MemoryStore

BIG = bytes(MULTIPART_MINIMUM_BYTES)
CALLS: dict[str, Callable[[MemoryStore], object]] = {
    "HeadObject": lambda store: store.head("key"),
    "GetObject": lambda store: store.get_range("key", 0, 1),
    "PutObject": lambda store: store.put("key", b"new"),
    "CreateMultipartUpload": lambda store: store.put_multipart("key", parts(store)),
    "UploadPart": lambda store: store.put_multipart("key", parts(store)),
    "UploadPartCopy": lambda store: store.put_multipart("key", parts(store)),
    "CompleteMultipartUpload": lambda store: store.put_multipart("key", parts(store)),
    "ListObjectsV2": lambda store: list(store.list_after("")),
    "DeleteObjects": lambda store: store.delete(["key"]),
}


def parts(store: MemoryStore) -> list[Part]:
    return [CopyPart("key", store.head("key").etag, 0, len(BIG)), BytesPart(b"end")]


def test_it_is_a_store() -> None:
    store: Store = MemoryStore("bucket")
    assert store.bucket == "bucket"


@pytest.mark.parametrize("operation", CALLS)
def test_any_request_can_be_refused_and_has_no_effect_then(operation: str) -> None:
    store = MemoryStore("bucket")
    store.put("key", BIG)

    def refuse(requested: str, key: str) -> None:
        if requested == operation:
            raise StorageUnavailable(requested, "bucket", key, "503 SlowDown")

    store.on_request = refuse
    before = store.request_counts.get(operation, 0)
    with pytest.raises(StorageUnavailable) as caught:
        CALLS[operation](store)
    assert caught.value.operation == operation
    assert store.request_counts[operation] == before + 1
    assert store.peek("key") == BIG


def test_an_abort_that_is_refused_does_not_hide_why() -> None:
    store = MemoryStore("bucket")

    def refuse(requested: str, key: str) -> None:
        if requested in {"UploadPart", "AbortMultipartUpload"}:
            raise StorageUnavailable(requested, "bucket", key, "503 SlowDown")

    store.on_request = refuse
    with pytest.raises(StorageUnavailable) as caught:
        store.put_multipart("key", [BytesPart(b"")])
    assert caught.value.operation == "UploadPart"
    assert store.request_counts == {"CreateMultipartUpload": 1, "UploadPart": 1, "AbortMultipartUpload": 1}


def test_who_watches_sends_no_request() -> None:
    store = MemoryStore("bucket")
    store.put("key", b"body")
    assert (store.peek("key"), store.peek("nothing")) == (b"body", None)
    assert store.request_counts == {"PutObject": 1}


def test_an_object_is_as_old_as_the_clock_says() -> None:
    clock = ManualClock(1_000)
    store = MemoryStore("bucket", clock=clock)
    store.put("old", b"")
    clock.advance(5)
    store.put_multipart("new", [BytesPart(b"")])
    assert [info.last_modified_epoch_ms for info in store.list_after("")] == [1_005, 1_000]


def test_a_presigned_put_is_good_until_it_expires() -> None:
    clock = ManualClock()
    store = MemoryStore("bucket", clock=clock)
    signed = store.presign_put("key", b"just in time", expires_seconds=60)
    clock.advance(60_000)
    assert store.accept(signed.url, b"just in time") == 200
    clock.advance(1)
    assert store.accept(signed.url, b"late") == 403
    assert store.peek("key") == b"just in time"


@contextmanager
def eager_threads() -> Iterator[None]:
    """Threads change places as often as the interpreter can let them."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


@pytest.mark.parametrize("is_multipart", [False, True])
def test_of_many_threads_that_swap_at_once_one_wins_each_round(is_multipart: bool) -> None:
    threads, rounds = 8, 200
    store = MemoryStore("bucket")
    barrier = threading.Barrier(threads, timeout=30)
    wins: list[tuple[int, int]] = []

    def compete(number: int) -> None:
        etag: str | None = None
        for turn in range(rounds):
            condition = IfAbsent() if etag is None else IfMatch(etag)
            body = b"%d %d" % (turn, number)
            barrier.wait()
            try:
                if is_multipart:
                    store.put_multipart("key", [BytesPart(body)], condition=condition)
                else:
                    store.put("key", body, condition=condition)
                wins.append((turn, number))
            except PreconditionFailed:
                pass
            barrier.wait()
            etag = store.head("key").etag

    with eager_threads(), ThreadPoolExecutor(threads) as pool:
        list(pool.map(compete, range(threads)))
    assert [turn for turn, _ in wins] == list(range(rounds))
    assert store.peek("key") == b"%d %d" % wins[-1]
    assert store.request_counts["HeadObject"] == threads * rounds
