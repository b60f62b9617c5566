"""The one border where the SDK's errors become ours, row by row, with a client that answers what it is told."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    IncompleteReadError,
    NoCredentialsError,
    ReadTimeoutError,
)
from botocore.parsers import ResponseParserError

from timelapse_runtime.errors import (
    AccessDenied,
    Disposition,
    ObjectNotFound,
    PreconditionFailed,
    StorageError,
    StorageUnavailable,
)
from timelapse_runtime.storage.contract import IfMatch
from timelapse_runtime.storage.s3 import S3Store, make_client

KEYS = {"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s"}


class Events:
    def register(self, *_: object) -> None:
        """Nothing happens here."""


class FakeClient:
    """Raises the same error at each call."""

    def __init__(self, error: Exception) -> None:
        self._error = error
        self.calls: list[str] = []
        self.meta = type("Meta", (), {"events": Events()})()

    def __getattr__(self, name: str) -> Any:
        def call(**_: Any) -> Any:
            self.calls.append(name)
            raise self._error

        return call


def service_error(status: int, code: str) -> ClientError:
    answer: Any = {"Error": {"Code": code, "Message": "why"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, "GetObject")


def store_that_gets(error: Exception) -> tuple[S3Store, FakeClient]:
    client: Any = FakeClient(error)
    return S3Store(client, "bucket", pause=lambda _seconds: None), client


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (service_error(404, "NoSuchKey"), ObjectNotFound),
        (service_error(404, "404"), ObjectNotFound),
        (service_error(404, "NoSuchBucket"), AccessDenied),
        (service_error(404, "NoSuchUpload"), StorageUnavailable),
        (service_error(404, "SomethingNew"), ObjectNotFound),
        (service_error(412, "PreconditionFailed"), PreconditionFailed),
        (service_error(412, "412"), PreconditionFailed),
        (service_error(401, "Unauthorized"), AccessDenied),
        (service_error(403, "AccessDenied"), AccessDenied),
        (service_error(403, "InvalidAccessKeyId"), AccessDenied),
        (service_error(403, "SignatureDoesNotMatch"), AccessDenied),
        (service_error(403, "RequestTimeTooSkewed"), StorageUnavailable),
        (service_error(403, "SomethingNew"), AccessDenied),
        (service_error(400, "ExpiredToken"), AccessDenied),
        (service_error(500, "InternalError"), StorageUnavailable),
        (service_error(503, "SlowDown"), StorageUnavailable),
        (service_error(409, "ConditionalRequestConflict"), StorageUnavailable),
        (service_error(400, "RequestTimeout"), StorageUnavailable),
        (EndpointConnectionError(endpoint_url="http://nowhere"), StorageUnavailable),
        (ConnectTimeoutError(endpoint_url="http://nowhere"), StorageUnavailable),
        (ReadTimeoutError(endpoint_url="http://nowhere"), StorageUnavailable),
        (IncompleteReadError(actual_bytes=1, expected_bytes=2), StorageUnavailable),
        (ResponseParserError("no XML"), StorageUnavailable),
        (NoCredentialsError(), AccessDenied),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)[:40]),
)
def test_an_error_of_the_sdk_becomes_one_of_ours(error: Exception, expected: type[StorageError]) -> None:
    store, _ = store_that_gets(error)
    with pytest.raises(expected) as caught:
        store.get("key")
    assert (caught.value.operation, caught.value.bucket, caught.value.key) == ("GetObject", "bucket", "key")
    assert caught.value.__cause__ is error


def test_a_match_on_a_missing_key_is_a_failed_condition() -> None:
    store, _ = store_that_gets(service_error(404, "NoSuchKey"))
    with pytest.raises(PreconditionFailed):
        store.put("key", b"", condition=IfMatch('"etag"'))


def test_a_missing_bucket_is_no_failed_condition() -> None:
    store, _ = store_that_gets(service_error(404, "NoSuchBucket"))
    with pytest.raises(AccessDenied):
        store.put("key", b"", condition=IfMatch('"etag"'))


def test_crossed_conditional_writes_are_tried_again_and_then_given_up() -> None:
    store, client = store_that_gets(service_error(409, "ConditionalRequestConflict"))
    with pytest.raises(StorageUnavailable) as caught:
        store.put("key", b"", condition=IfMatch('"etag"'))
    assert client.calls == ["put_object"] * 4
    assert caught.value.disposition is Disposition.RETRY


class NoBody:
    """The raw body of an answer that has none."""

    def stream(self) -> Iterator[bytes]:
        return iter(())


@pytest.mark.parametrize("endpoint", [{}, {"AWS_ENDPOINT_URL": "http://one-bucket.test"}], ids=["by host", "by path"])
def test_two_stores_on_one_client_count_their_own_requests(endpoint: dict[str, str]) -> None:
    client = make_client(variables=KEYS | endpoint)
    one, more = S3Store(client, "one-bucket"), S3Store(client, "one-bucket-more")
    events: Any = client.meta.events
    headers: Any = {"ETag": '"etag"'}
    events.register_last("before-send.s3", lambda **_: AWSResponse("url", 200, headers, NoBody()))
    one.put("one-bucket-more/key", b"")
    more.put("key", b"")
    with pytest.raises(StorageUnavailable):  # it has no body
        list(more.list_after(""))
    assert one.request_counts == {"PutObject": 1}
    assert more.request_counts == {"PutObject": 1, "ListObjectsV2": 1}


def test_s3s_own_endpoint_variable_comes_first() -> None:
    one, other = {"AWS_ENDPOINT_URL": "http://all.test"}, {"AWS_ENDPOINT_URL_S3": "http://s3.test"}
    urls = [make_client(variables=KEYS | endpoint).meta.endpoint_url for endpoint in (one, other, one | other)]
    assert urls == ["http://all.test", "http://s3.test", "http://s3.test"]
    assert make_client(variables=KEYS | {"AWS_REGION": "eu-north-1"}).meta.endpoint_url == (
        "https://s3.eu-north-1.amazonaws.com"
    )


def test_no_credentials_are_access_denied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    store = S3Store(make_client(variables={"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9"}), "bucket")
    with pytest.raises(AccessDenied, match="NoCredentialsError"):
        store.get("key")
    with pytest.raises(AccessDenied) as caught:
        store.presign_put("key", expires_seconds=60)
    assert (caught.value.operation, caught.value.key) == ("presign", "key")


def test_an_endpoint_that_is_down_is_unavailable() -> None:
    variables = KEYS | {"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9"}
    with pytest.raises(StorageUnavailable, match=r"127\.0\.0\.1:9"):
        S3Store(make_client(variables=variables), "bucket").get("key")
