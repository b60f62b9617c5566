"""What S3's answers, and their absence, become: over real sockets, with a server that does as it is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.timelapse.storage.conftest import variables
from tests.timelapse.storage.scripted_server import Answer, ScriptedServer, error
from timelapse_runtime.timelapse.errors import AccessDenied, ObjectNotFound, PreconditionFailed, StorageUnavailable
from timelapse_runtime.timelapse.storage.contract import BytesPart, CopyPart, IfAbsent, IfMatch
from timelapse_runtime.timelapse.storage.s3 import S3Store, make_client

DESCRIBED = (("ETag", '"etag"'), ("Last-Modified", "Fri, 20 Nov 2026 23:55:01 GMT"))
WRITTEN = Answer(headers=(("ETag", '"etag"'),))
FOUND = Answer(body=b"body", headers=DESCRIBED)
CREATED = Answer(body=b"<InitiateMultipartUploadResult><UploadId>id</UploadId></InitiateMultipartUploadResult>")
COMPLETED = Answer(body=b'<CompleteMultipartUploadResult><ETag>"etag-1"</ETag></CompleteMultipartUploadResult>')
ABORTED = Answer(204)


def test_a_connection_that_the_server_closed_meanwhile_is_replaced(store: S3Store, server: ScriptedServer) -> None:
    """A frozen process wakes up with sockets that S3 has long given up."""
    server.answers = [Answer(body=b"one", headers=DESCRIBED, closes=True), FOUND]
    assert store.get("key").body == b"one"
    server.closings.acquire()
    assert store.get("key").body == b"body"
    assert (len(server.requests), server.connection_count) == (2, 2)


@pytest.mark.parametrize("condition", [None, IfAbsent(), IfMatch('"old"')], ids=["none", "absent", "match"])
def test_a_put_on_a_connection_that_dies_is_sent_again_whole(
    store: S3Store, server: ScriptedServer, condition: IfAbsent | IfMatch | None
) -> None:
    server.answers = [FOUND, None, WRITTEN]
    store.get("key")
    assert store.put("key", b"body", condition=condition) == '"etag"'
    assert server.connection_count == 2
    first, second = server.requests[1:]
    assert (first.method, first.body) == (second.method, second.body) == ("PUT", b"body")
    for name in ("if-match", "if-none-match"):
        assert first.headers.get(name) == second.headers.get(name)
    assert (second.headers.get("if-match") or second.headers.get("if-none-match")) == (
        condition and ("*" if isinstance(condition, IfAbsent) else '"old"')
    )
    assert store.request_counts == {"GetObject": 1, "PutObject": 2}


def test_a_put_whose_answer_was_lost_may_meet_its_own_success(store: S3Store, server: ScriptedServer) -> None:
    server.answers = [None, error(412, "PreconditionFailed")]
    with pytest.raises(PreconditionFailed):
        store.put("key", b"body", condition=IfAbsent())
    assert store.request_counts == {"PutObject": 2}


def test_a_service_that_is_busy_is_asked_three_times(store: S3Store, server: ScriptedServer) -> None:
    server.answers = [error(503, "SlowDown"), error(500, "InternalError"), WRITTEN]
    assert store.put("key", b"body") == '"etag"'
    server.answers = [error(503, "SlowDown")] * 3
    with pytest.raises(StorageUnavailable, match="SlowDown"):
        store.put("key", b"body")
    assert store.request_counts == {"PutObject": 6}


def test_crossed_conditional_writes_are_tried_again(
    store: S3Store, server: ScriptedServer, pauses: list[float]
) -> None:
    conflict = error(409, "ConditionalRequestConflict")
    server.answers = [conflict, conflict, conflict, WRITTEN]
    assert store.put("key", b"body", condition=IfAbsent()) == '"etag"'
    assert len(pauses) == 3
    assert min(pauses) > 0


def test_a_body_that_ends_too_early_is_unavailable(store: S3Store, server: ScriptedServer) -> None:
    server.answers = [Answer(body=b"bo", headers=DESCRIBED, missing_bytes=2)]
    with pytest.raises(StorageUnavailable) as caught:
        store.get("key")
    assert (caught.value.operation, caught.value.key) == ("GetObject", "key")


@pytest.mark.parametrize("headers_left", [0, 1])
@pytest.mark.parametrize(
    "operation",
    [
        lambda store: store.get("key"),
        lambda store: store.get_range("key", 0, 2),
        lambda store: store.head("key"),
        lambda store: store.put("key", b"body"),
        lambda store: store.put_multipart("key", [BytesPart(b"body")]),
        lambda store: list(store.list_after("p/")),
        lambda store: list(store.list_folders("p/")),
    ],
    ids=["get", "range", "head", "put", "multipart", "list", "folders"],
)
def test_an_answer_that_ends_within_its_headers_is_unavailable(
    store: S3Store, server: ScriptedServer, operation: Callable[[S3Store], object], headers_left: int
) -> None:
    """Not an empty listing, to name one: the photos that it hides would come too late."""
    server.answers = [Answer(cut_after_lines=1 + headers_left)]
    with pytest.raises(StorageUnavailable):
        operation(store)


def test_an_answer_that_is_no_xml_is_unavailable(store: S3Store, server: ScriptedServer) -> None:
    server.answers = [Answer(body=b"<ListBucketResult><Contents>")]
    with pytest.raises(StorageUnavailable):
        list(store.list_after("p/"))


def test_a_body_that_is_too_long_is_not_waited_for(store: S3Store, server: ScriptedServer) -> None:
    server.answers = [Answer(headers=DESCRIBED, missing_bytes=1_000_000), FOUND]
    assert store.get("key", maximum_bytes=999_999).info.size_bytes == 1_000_000
    assert store.get("key").body == b"body"


def test_a_completion_that_fails_behind_a_200_has_failed(store: S3Store, server: ScriptedServer) -> None:
    late = Answer(200, error(500, "InternalError").body)
    server.answers = [CREATED, WRITTEN, late, late, late, ABORTED]
    with pytest.raises(StorageUnavailable, match="InternalError"):
        store.put_multipart("key", [BytesPart(b"body")])
    assert store.request_counts["CompleteMultipartUpload"] == 3
    assert store.request_counts["AbortMultipartUpload"] == 1


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (404, "NoSuchKey", PreconditionFailed),  # If-Match, and the object is gone
        (404, "NoSuchUpload", StorageUnavailable),  # a completion whose first answer was lost
        (409, "ConditionalRequestConflict", StorageUnavailable),
        (412, "PreconditionFailed", PreconditionFailed),
    ],
)
def test_a_completion_may_be_refused(
    store: S3Store, server: ScriptedServer, status: int, code: str, expected: type[Exception]
) -> None:
    server.answers = [CREATED, WRITTEN, error(status, code), ABORTED]
    with pytest.raises(expected):
        store.put_multipart("key", [BytesPart(b"body")], condition=IfMatch('"old"'))
    assert server.requests[-2].headers["if-match"] == '"old"'
    assert server.requests[-1].method == "DELETE"


def test_an_abort_that_fails_does_not_hide_why(store: S3Store, server: ScriptedServer) -> None:
    server.answers = [CREATED, error(404, "NoSuchKey"), error(403, "AccessDenied")]
    with pytest.raises(ObjectNotFound) as caught:
        store.put_multipart("key", [CopyPart("source", '"etag"', 0, 5)])
    assert (caught.value.operation, caught.value.key) == ("UploadPartCopy", "source")


def test_a_delete_that_fails_for_one_key_fails(store: S3Store, server: ScriptedServer) -> None:
    refused = b"<DeleteResult><Error><Key>b</Key><Code>AccessDenied</Code><Message>no</Message></Error></DeleteResult>"
    server.answers = [Answer(body=refused)]
    with pytest.raises(AccessDenied) as caught:
        store.delete(["a", "b"])
    assert caught.value.key == "b"


def test_what_describes_an_object_is_sent_with_it(store: S3Store, server: ScriptedServer) -> None:
    server.answers = [WRITTEN, CREATED, WRITTEN, COMPLETED]
    described: Any = {"content_type": "video/mp4", "cache_control": "no-cache", "metadata": {"frames": "3"}}
    store.put("key", b"", **described)
    store.put_multipart("key", [BytesPart(b"")], **described)
    for request in server.requests[:2]:
        expected = {"content-type": "video/mp4", "cache-control": "no-cache", "x-amz-meta-frames": "3"}
        assert request.headers.items() >= expected.items()


def test_a_proxy_is_not_asked_for_this_machine(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    server.answers = [FOUND]
    assert S3Store(make_client(variables=variables(server)), "bucket").get("key").body == b"body"
