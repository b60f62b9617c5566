"""Presigned PUTs: sent with nothing but what stands in them, as the shutdown extension does it."""

from __future__ import annotations

import http.client
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from urllib.parse import urlsplit

import pytest

from tests.contract.conftest import KnownWrong
from timelapse_runtime.runtime.clock import ManualClock
from timelapse_runtime.runtime.put_sender import HttpxPutSender
from timelapse_runtime.runtime.state.contract import Condition, IfAbsent, IfMatch, PresignedPut, Store
from timelapse_runtime.runtime.state.errors import ObjectNotFound
from timelapse_runtime.runtime.state.memory import MemoryStore

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


def signed_put(store: Store, body: bytes, condition: Condition = None, expires_seconds: int = 60) -> PresignedPut:
    return store.presign_put(
        KEY,
        body,
        condition=condition,
        content_type="application/json",
        cache_control="no-cache",
        expires_seconds=expires_seconds,
    )


def test_it_carries_what_must_be_sent(store: Store) -> None:
    described = {"Content-Type": "application/json", "Cache-Control": "no-cache"}
    checksum = {"x-amz-checksum-crc32": "emyG8Q==", "x-amz-sdk-checksum-algorithm": "CRC32"}  # of b"one"
    if isinstance(store, MemoryStore):
        checksum = {}
    assert signed_put(store, b"one").headers == {**described, **checksum}
    assert signed_put(store, b"one", IfAbsent()).headers == {**described, **checksum, "If-None-Match": "*"}
    assert signed_put(store, b"one", IfMatch('"etag"')).headers == {**described, **checksum, "If-Match": '"etag"'}
    plain = store.presign_put("key", b"one", expires_seconds=1).headers
    assert plain == {"Content-Type": "application/octet-stream", **checksum}
    assert store.request_counts == {}


def test_it_writes_its_metadata(store: Store) -> None:
    signed = store.presign_put(KEY, b"one", metadata={"attempt": "a1"}, expires_seconds=60)
    assert signed.headers["x-amz-meta-attempt"] == "a1"
    assert send(store, signed, b"one") == 200
    assert store.head(KEY).metadata == {"attempt": "a1"}


def test_it_writes_once_if_there_is_nothing(store: Store) -> None:
    one, two = (signed_put(store, body, IfAbsent()) for body in (b"one", b"two"))
    assert [send(store, one, b"one"), send(store, two, b"two")] == [200, 412]
    assert store.get(KEY).body == b"one"


def test_it_writes_over_the_version_it_was_signed_for_once(store: Store, known_wrong: KnownWrong) -> None:
    known_wrong("radosgw", "compares If-Match with the ETag without quotes")
    etag = store.put(KEY, b"old")
    one, two = (signed_put(store, body, IfMatch(etag)) for body in (b"one", b"two"))
    assert [send(store, one, b"one"), send(store, two, b"two")] == [200, 412]
    assert store.get(KEY).body == b"one"


def test_it_writes_no_other_body(store: Store, known_wrong: KnownWrong) -> None:
    for server in ("moto", "radosgw"):
        known_wrong(server, "compares no checksum with the body")
    assert send(store, signed_put(store, b"one"), b"two") == 400
    with pytest.raises(ObjectNotFound):
        store.head(KEY)


def test_its_read_url_gives_what_is_stored(store: Store) -> None:
    signed = signed_put(store, b"one's own", IfAbsent())
    with closing(HttpxPutSender({})) as sender:
        read = store.give if isinstance(store, MemoryStore) else partial(sender.read, timeout_seconds=10)
        assert read(signed.read_url) is None
        store.put(KEY, b"another's")
        assert (send(store, signed, b"one's own"), read(signed.read_url)) == (412, b"another's")


def test_without_a_condition_it_writes_each_time(store: Store) -> None:
    for body in (b"one", b"two"):
        assert send(store, signed_put(store, body), body) == 200
        assert store.get(KEY).body == body


def test_an_expired_one_is_refused(
    store: Store, clock: ManualClock, known_wrong: KnownWrong, monkeypatch: pytest.MonkeyPatch
) -> None:
    known_wrong("moto", "looks at no presigned URL's age")
    with monkeypatch.context() as hour_ago:
        then = datetime.now(UTC).replace(tzinfo=None) - timedelta(hours=1)
        hour_ago.setattr("botocore.auth.get_current_datetime", lambda: then)  # it has no clock to be given
        signed = signed_put(store, b"late", expires_seconds=60)
    clock.advance(3_600_000)
    assert send(store, signed, b"late") == 403
    with pytest.raises(ObjectNotFound):
        store.head(KEY)
