"""How requests are sent: again where that helps, never on a connection that is half read, always signed anew."""

from __future__ import annotations

import signal
from concurrent.futures import ThreadPoolExecutor
from types import FrameType

import botocore.session
import pytest

from tests.timelapse.storage.conftest import variables
from tests.timelapse.storage.scripted_server import Answer, ScriptedServer, error
from tests.timelapse.storage.test_s3_errors import FOUND
from timelapse_runtime.timelapse.errors import AccessDenied, StorageUnavailable
from timelapse_runtime.timelapse.storage.contract import BytesPart
from timelapse_runtime.timelapse.storage.s3 import S3Store, make_client
from timelapse_runtime.timelapse.storage.s3_endpoint import Endpoint

WRITTEN = Answer(headers=(("ETag", '"etag"'),))
CREATED = Answer(body=b"<InitiateMultipartUploadResult><UploadId>id</UploadId></InitiateMultipartUploadResult>")
COMPLETED = Answer(body=b'<CompleteMultipartUploadResult><ETag>"etag-1"</ETag></CompleteMultipartUploadResult>')
EMPTY_PAGE = Answer(body=b"<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>")


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


def test_a_connection_that_died_is_no_trouble_of_s3s(
    store: S3Store, server: ScriptedServer, pauses: list[float]
) -> None:
    """It is replaced at once and without a pause, and three attempts are left."""
    busy = error(503, "SlowDown")
    server.answers = [FOUND, None, busy, busy, FOUND]
    store.get("key")
    assert store.get("key").body == b"body"
    assert (len(server.requests), len(pauses)) == (5, 2)


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


def test_each_attempt_is_signed_anew(server: ScriptedServer) -> None:
    moments = iter([1_795_218_901.0, 1_795_305_301.0])
    server.answers = [error(503, "SlowDown"), FOUND]
    client = make_client(variables=variables(server), pause=lambda _seconds: None, now=lambda: next(moments))
    S3Store(client, "bucket").get("key")
    assert [one.headers["x-amz-date"] for one in server.requests] == ["20261120T235501Z", "20261121T235501Z"]
    assert len({one.headers["authorization"] for one in server.requests}) == 2


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
    with pytest.raises(StorageUnavailable, match="x-amz-meta-a") as caught:
        store.put("key", b"", metadata={"a": "one\r\nHost: two"})
    assert "two" not in str(caught.value)
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


def test_each_of_awss_regions_is_asked_in_its_own_domain() -> None:
    for partition in botocore.session.get_session().get_data("endpoints")["partitions"]:
        for region in partition["regions"]:
            host = Endpoint({}).place("bucket", region).host
            assert host == f"bucket.s3.{region}.{partition['dnsSuffix']}"
