"""What S3's answers, and their absence, become: over real sockets, with a server that does as it is told."""

from __future__ import annotations

import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from types import FrameType
from typing import Any

import pytest

from tests.runtime.state.conftest import variables
from tests.runtime.state.scripted_server import Answer, ScriptedServer, error
from timelapse_runtime.runtime.state.contract import BytesPart, CopyPart, IfAbsent, IfMatch
from timelapse_runtime.runtime.state.errors import AccessDenied, ObjectNotFound, PreconditionFailed, StorageUnavailable
from timelapse_runtime.runtime.state.s3 import S3Store, make_client

DESCRIBED = (("ETag", '"etag"'), ("Last-Modified", "Fri, 20 Nov 2026 23:55:01 GMT"))
WRITTEN = Answer(headers=(("ETag", '"etag"'),))
FOUND = Answer(body=b"body", headers=DESCRIBED)
CREATED = Answer(body=b"<InitiateMultipartUploadResult><UploadId>id</UploadId></InitiateMultipartUploadResult>")
COMPLETED = Answer(body=b'<CompleteMultipartUploadResult><ETag>"etag-1"</ETag></CompleteMultipartUploadResult>')
ABORTED = Answer(204)
EMPTY_PAGE = Answer(body=b"<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>")


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


class Interrupted(BaseException):
    """As DeadlineReached and SigtermReceived are."""


@pytest.mark.parametrize(
    "half", [Answer(body=bytes(1_000), headers=FOUND.headers), Answer(headers=FOUND.headers)], ids=["body", "head"]
)
def test_an_interrupted_exchange_leaves_no_connection_behind(
    store: S3Store, server: ScriptedServer, half: Answer
) -> None:
    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise Interrupted

    server.answers = [FOUND, Answer(200, half.body, half.headers, interrupts=True), FOUND]
    store.get("key")
    before = signal.signal(signal.SIGUSR1, interrupt)
    try:
        with pytest.raises(Interrupted):
            store.get("key")
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert store.get("key").body == b"body"
    assert (server.connection_count, len(server.requests)) == (2, 3)


@pytest.mark.parametrize(
    "broken",
    [
        Answer(body=b"bo", headers=FOUND.headers, missing_bytes=2),
        Answer(cut_after_lines=1),
        Answer(cut_after_lines=2),
        None,
    ],
    ids=["body", "head", "headers", "nothing"],
)
def test_an_answer_that_is_not_whole_is_asked_for_again(
    store: S3Store, server: ScriptedServer, broken: Answer | None
) -> None:
    server.answers = [broken, FOUND]
    assert store.get("key").body == b"body"
    assert store.request_counts == {"GetObject": 2}


def test_a_listing_that_is_cut_short_is_asked_for_again(store: S3Store, server: ScriptedServer) -> None:
    server.answers = [Answer(body=b"<ListBucketResult><Contents>"), Answer(), EMPTY_PAGE]
    assert list(store.list_after("p/")) == []
    assert store.request_counts == {"ListObjectsV2": 3}


def test_a_completion_that_fails_late_is_tried_again(store: S3Store, server: ScriptedServer) -> None:
    server.answers = [CREATED, WRITTEN, Answer(200, error(500, "InternalError").body), COMPLETED]
    assert store.put_multipart("key", [BytesPart(b"body")]) == '"etag-1"'


def test_a_session_token_goes_with_each_request_and_nothing_shows_it(server: ScriptedServer) -> None:
    server.answers = [error(403, "AccessDenied")]
    token = {"AWS_SESSION_TOKEN": "a-token-of-a-session", "AWS_SECRET_ACCESS_KEY": "a-secret-key"}
    client = make_client(variables={**variables(server), **token})
    with pytest.raises(Exception, match="AccessDenied") as caught:
        S3Store(client, "bucket").get("key")
    assert server.requests[0].headers["x-amz-security-token"] == "a-token-of-a-session"
    shown = "".join(map(repr, [caught.value, caught.value.__cause__, client, vars(client)]))
    assert not [word for word in token.values() if word in shown]


def test_a_header_with_a_line_end_is_not_sent(store: S3Store, server: ScriptedServer) -> None:
    with pytest.raises(StorageUnavailable, match="Invalid header value"):
        store.put("key", b"", metadata={"a": "one\r\nHost: two"})
    assert server.requests == []


def test_an_answer_that_comes_before_the_body_is_sent_is_taken(store: S3Store, server: ScriptedServer) -> None:
    """S3 need not read what it refuses, and closes."""
    server.answers = [Answer(403, error(403, "AccessDenied").body, reads_body=False, closes=True)]
    with pytest.raises(AccessDenied, match="why"):
        store.put("key", bytes(20_000_000))
    assert store.request_counts == {"PutObject": 1}


def test_threads_share_a_client(store: S3Store, server: ScriptedServer) -> None:
    """One reads ahead while another works: no request and no count is lost."""
    said = (*FOUND.headers, ("Connection", "close"))
    server.answers = [Answer(body=b"body", headers=said, closes=True)] * 40
    with ThreadPoolExecutor(4) as pool:
        bodies = [one.body for one in pool.map(store.get, map(str, range(40)))]
    assert bodies == [b"body"] * 40
    assert store.request_counts["GetObject"] == len(server.requests) == 40


@pytest.mark.parametrize("requester_pays", [True, False])
def test_each_read_and_listing_says_that_the_requester_pays(server: ScriptedServer, *, requester_pays: bool) -> None:
    with closing(make_client(variables=variables(server))) as client:
        store = S3Store(client, "bucket", requester_pays=requester_pays)
        part = Answer(206, b"bo", (*DESCRIBED, ("Content-Range", "bytes 0-1/4")))
        server.answers = [FOUND, part, Answer(headers=DESCRIBED), EMPTY_PAGE, EMPTY_PAGE]
        store.get("key")
        store.get_range("key", 0, 2)
        store.head("key")
        assert list(store.list_after("prefix/")) == []
        assert list(store.list_folders("prefix/")) == []
    said = [request.headers.get("x-amz-request-payer") for request in server.requests]
    assert said == ["requester" if requester_pays else None] * 5
