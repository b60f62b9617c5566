"""Presigned PUTs: sent with nothing but what stands in them, as the shutdown extension does it."""

from __future__ import annotations

import http.client
import time
from contextlib import closing
from functools import partial
from urllib.parse import urlsplit

import pytest

from tests.contract.conftest import KnownWrong
from timelapse_runtime.runtime.clock import ManualClock
from timelapse_runtime.runtime.put_sender import HttpxPutSender
from timelapse_runtime.timelapse.errors import ObjectNotFound
from timelapse_runtime.timelapse.storage.contract import Condition, IfAbsent, IfMatch, PresignedPut, Store
from timelapse_runtime.timelapse.storage.memory import MemoryStore
from timelapse_runtime.timelapse.storage.s3 import S3Store

KEY = "a b+c%20d/é.json"


def send(store: Store, signed: PresignedPut, body: bytes) -> int:
    """The answer's status."""
    if isinstance(store, MemoryStore):
        return store.accept(signed.url, body)
    parts = urlsplit(signed.url)
    connection = http.client.HTTPConnection(parts.netloc)
    try:
        connection.request("PUT", f"{parts.path}?{parts.query}", body, dict(signed.headers))
        return connection.getresponse().status
    finally:
        connection.close()


def signed_put(store: Store, condition: Condition = None, expires_seconds: int = 60) -> PresignedPut:
    return store.presign_put(
        KEY,
        condition=condition,
        content_type="application/json",
        cache_control="no-cache",
        expires_seconds=expires_seconds,
    )


def test_it_carries_what_is_to_be_sent(store: Store) -> None:
    described = {"Content-Type": "application/json", "Cache-Control": "no-cache"}
    assert signed_put(store).headers == described
    assert signed_put(store, IfAbsent()).headers == {**described, "If-None-Match": "*"}
    assert signed_put(store, IfMatch('"etag"')).headers == {**described, "If-Match": '"etag"'}
    assert store.presign_put("key", expires_seconds=1).headers == {"Content-Type": "application/octet-stream"}
    assert store.request_counts == {}


def test_it_writes_where_there_is_nothing_once(store: Store) -> None:
    signed = signed_put(store, IfAbsent())
    assert [send(store, signed, b"one"), send(store, signed, b"two")] == [200, 412]
    assert store.get(KEY).body == b"one"


def test_it_writes_over_the_version_it_was_signed_for_once(store: Store) -> None:
    signed = signed_put(store, IfMatch(store.put(KEY, b"old")))
    assert [send(store, signed, b"one"), send(store, signed, b"two")] == [200, 412]
    assert store.get(KEY).body == b"one"


def test_its_read_url_gives_what_is_stored(store: Store) -> None:
    signed = signed_put(store, IfAbsent())
    with closing(HttpxPutSender({})) as sender:
        read = store.give if isinstance(store, MemoryStore) else partial(sender.read, timeout_seconds=10)
        assert read(signed.read_url) is None
        store.put(KEY, b"another's")
        assert (send(store, signed, b"one's own"), read(signed.read_url)) == (412, b"another's")


def test_without_a_condition_it_writes_each_time(store: Store) -> None:
    signed = signed_put(store)
    assert [send(store, signed, b"one"), send(store, signed, b"two")] == [200, 200]
    assert store.get(KEY).body == b"two"


def test_an_expired_one_is_refused(
    store: Store, clock: ManualClock, known_wrong: KnownWrong, monkeypatch: pytest.MonkeyPatch
) -> None:
    known_wrong("moto", "looks at no presigned URL's age")
    with monkeypatch.context() as hour_ago:
        if isinstance(store, S3Store):
            hour_ago.setattr(store._client, "_now", lambda: time.time() - 3_600)
        signed = signed_put(store, expires_seconds=60)
    clock.advance(3_600_000)
    assert send(store, signed, b"late") == 403
    with pytest.raises(ObjectNotFound):
        store.head(KEY)
