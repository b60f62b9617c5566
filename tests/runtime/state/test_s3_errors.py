"""The one border where S3's errors become ours, row by row; and where S3 is asked for."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.runtime.state.conftest import variables
from tests.runtime.state.scripted_server import Answer, ScriptedServer, error
from timelapse_runtime.runtime.errors import ConfigError
from timelapse_runtime.runtime.state.contract import IfMatch
from timelapse_runtime.runtime.state.errors import (
    AccessDenied,
    ObjectNotFound,
    PreconditionFailed,
    StorageError,
    StorageUnavailable,
)
from timelapse_runtime.runtime.state.s3 import S3Store, make_client

KEYS = {"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s"}
FOUND = Answer(body=b"body", headers=(("ETag", '"etag"'), ("Last-Modified", "Fri, 20 Nov 2026 23:55:01 GMT")))


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (404, "NoSuchKey", ObjectNotFound),
        (404, "NoSuchBucket", AccessDenied),
        (404, "NoSuchUpload", StorageUnavailable),
        (404, "SomethingNew", ObjectNotFound),
        (412, "PreconditionFailed", PreconditionFailed),
        (401, "Unauthorized", AccessDenied),
        (403, "AccessDenied", AccessDenied),
        (403, "InvalidAccessKeyId", AccessDenied),
        (403, "SignatureDoesNotMatch", AccessDenied),
        (403, "SomethingNew", AccessDenied),
        (400, "ExpiredToken", AccessDenied),
        (400, "SomethingNew", StorageUnavailable),
        (403, "RequestTimeTooSkewed", StorageUnavailable),
        (409, "ConditionalRequestConflict", StorageUnavailable),
    ],
)
def test_an_error_of_s3_becomes_one_of_ours(
    store: S3Store, server: ScriptedServer, status: int, code: str, expected: type[StorageError]
) -> None:
    server.answers = [error(status, code)]
    with pytest.raises(expected, match=rf"{code} \(HTTP {status}\): why") as caught:
        store.get("key")
    assert (caught.value.operation, caught.value.bucket, caught.value.key) == ("GetObject", "bucket", "key")
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (500, "InternalError"),
        (502, "BadGateway"),
        (503, "SlowDown"),
        (504, "Gateway"),
        (400, "RequestTimeout"),
    ],
)
def test_what_may_heal_is_tried_three_times_and_then_unavailable(
    store: S3Store, server: ScriptedServer, status: int, code: str
) -> None:
    server.answers = [*[error(status, code)] * 3, FOUND]
    with pytest.raises(StorageUnavailable, match=code):
        store.get("key")
    assert len(server.requests) == 3
    assert store.get("key").body == b"body"


@pytest.mark.parametrize(
    ("status", "expected"), [(404, ObjectNotFound), (403, AccessDenied), (412, PreconditionFailed)]
)
def test_an_error_without_a_body_is_known_by_its_status(
    store: S3Store, server: ScriptedServer, status: int, expected: type[StorageError]
) -> None:
    server.answers = [Answer(status)]
    with pytest.raises(expected):
        store.head("key")


def test_a_match_on_a_missing_key_is_a_failed_condition(store: S3Store, server: ScriptedServer) -> None:
    server.answers = [error(404, "NoSuchKey")]
    with pytest.raises(PreconditionFailed):
        store.put("key", b"", condition=IfMatch('"etag"'))


def test_a_missing_bucket_is_no_failed_condition(store: S3Store, server: ScriptedServer) -> None:
    server.answers = [error(404, "NoSuchBucket")]
    with pytest.raises(AccessDenied):
        store.put("key", b"", condition=IfMatch('"etag"'))


def test_crossed_conditional_writes_are_tried_again_and_then_given_up(store: S3Store, server: ScriptedServer) -> None:
    server.answers = [error(409, "ConditionalRequestConflict")] * 5
    with pytest.raises(StorageUnavailable):
        store.put("key", b"", condition=IfMatch('"etag"'))
    assert len(server.requests) == 4


def test_a_bucket_of_another_region_is_asked_there(server: ScriptedServer) -> None:
    moved = Answer(301, error(301, "PermanentRedirect").body, (("x-amz-bucket-region", "eu-north-1"),))
    server.answers = [moved, FOUND, FOUND]
    store = S3Store(make_client(variables={**variables(server), "AWS_REGION": "us-west-2"}), "bucket")
    assert [store.get("key").body, store.get("key").body] == [b"body"] * 2
    regions = [request.headers["authorization"].split("/")[2] for request in server.requests]
    assert regions == ["us-west-2", "eu-north-1", "eu-north-1"]


def test_two_stores_on_one_client_count_their_own_requests(server: ScriptedServer) -> None:
    client = make_client(variables=variables(server))
    one, more = S3Store(client, "one-bucket"), S3Store(client, "one-bucket-more")
    written = Answer(headers=(("ETag", '"etag"'),))
    server.answers = [written, written, error(403, "AccessDenied")]
    one.put("one-bucket-more/key", b"")
    more.put("key", b"")
    with pytest.raises(AccessDenied):
        list(more.list_after(""))
    assert one.request_counts == {"PutObject": 1}
    assert more.request_counts == {"PutObject": 1, "ListObjectsV2": 1}


def test_s3s_own_endpoint_variable_comes_first() -> None:
    one, other = {"AWS_ENDPOINT_URL": "http://all.test"}, {"AWS_ENDPOINT_URL_S3": "http://s3.test:9000"}
    urls = [make_client(variables=KEYS | endpoint).meta.endpoint_url for endpoint in (one, other, one | other)]
    assert urls == ["http://all.test", "http://s3.test:9000", "http://s3.test:9000"]


@pytest.mark.parametrize(
    ("bucket", "region", "host"),
    [
        ("photos", "eu-north-1", "photos.s3.eu-north-1.amazonaws.com"),
        (
            "photos.example.org",
            "eu-north-1",
            "s3.eu-north-1.amazonaws.com/photos.example.org",
        ),
        ("photos", "cn-north-1", "photos.s3.cn-north-1.amazonaws.com.cn"),
        (
            "arn:aws:s3:eu-west-1:123456789012:accesspoint/cam",
            "eu-west-1",
            "cam-123456789012.s3-accesspoint.eu-west-1.amazonaws.com",
        ),
    ],
)
def test_presigned_urls_name_the_buckets_own_host(bucket: str, region: str, host: str) -> None:
    client = make_client(variables={**KEYS, "AWS_REGION": region})
    signed = S3Store(client, bucket).presign_put("key", b"", expires_seconds=60)
    assert signed.url.startswith(f"https://{host}/key?")


@pytest.mark.parametrize(
    ("call", "operation"),
    [
        (lambda store: store.get("key"), "GetObject"),
        (lambda store: store.presign_put("key", b"", expires_seconds=60), "presign"),
    ],
)
def test_no_credentials_are_access_denied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: Callable[[S3Store], object], operation: str
) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    store = S3Store(make_client(variables={"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9"}), "bucket")
    with pytest.raises(AccessDenied, match="NoCredentialsError") as caught:
        call(store)
    assert (caught.value.operation, caught.value.key) == (operation, "key")


def test_a_persons_profile_is_used_where_the_variables_hold_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: ScriptedServer
) -> None:
    (tmp_path / "credentials").write_text("[camera]\naws_access_key_id = theirs\naws_secret_access_key = secret\n")
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_PROFILE", "camera")
    server.answers = [FOUND]
    store = S3Store(make_client(variables={"AWS_ENDPOINT_URL_S3": server.endpoint_url}), "bucket")
    assert store.get("key").body == b"body"
    assert "Credential=theirs/" in server.requests[0].headers["authorization"]


@pytest.mark.parametrize(
    ("variables", "wrong"),
    [
        ({"AWS_PROFILE": "no-such-profile"}, "AWS_PROFILE"),
        ({**KEYS, "AWS_ENDPOINT_URL_S3": "127.0.0.1:9000"}, "AWS_ENDPOINT_URL_S3"),
        ({**KEYS, "AWS_ENDPOINT_URL_S3": "nowhere"}, "AWS_ENDPOINT_URL_S3"),
    ],
)
def test_a_wrong_profile_or_endpoint_is_a_config_error(variables: dict[str, str], wrong: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make_client(variables=variables)
    assert caught.value.variable == wrong


def test_a_refusal_has_s3s_own_code(server: ScriptedServer) -> None:
    server.answers = [error(403, "InvalidAccessKeyId")]
    with pytest.raises(AccessDenied) as caught:
        S3Store(make_client(variables=variables(server)), "bucket").get("key")
    assert caught.value.code == "InvalidAccessKeyId"


def test_an_endpoint_that_is_down_is_unavailable() -> None:
    nowhere = KEYS | {"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9"}
    with pytest.raises(StorageUnavailable, match=r"127\.0\.0\.1:9"):
        S3Store(make_client(variables=nowhere), "bucket").get("key")
