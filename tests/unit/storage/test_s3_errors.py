"""The one border where the SDK's errors become ours, row by row, with a client that answers what it is told."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    IncompleteReadError,
    NoCredentialsError,
    ReadTimeoutError,
)

from timelapse_runtime.errors import (
    AccessDenied,
    Disposition,
    ObjectNotFound,
    PreconditionFailed,
    StorageError,
    StorageUnavailable,
)
from timelapse_runtime.local.s3_server import EmbeddedS3
from timelapse_runtime.storage.contract import IfMatch
from timelapse_runtime.storage.s3 import S3Store, make_client


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
        (service_error(412, "PreconditionFailed"), PreconditionFailed),
        (service_error(403, "AccessDenied"), AccessDenied),
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


def test_crossed_conditional_writes_are_tried_again_and_then_given_up() -> None:
    store, client = store_that_gets(service_error(409, "ConditionalRequestConflict"))
    with pytest.raises(StorageUnavailable) as caught:
        store.put("key", b"", condition=IfMatch('"etag"'))
    assert client.calls == ["put_object"] * 4
    assert caught.value.disposition is Disposition.RETRY


def test_two_stores_on_one_client_count_their_own_requests() -> None:
    with EmbeddedS3() as server:
        server.create_buckets("one-bucket", "one-bucket-more")
        client = make_client(variables=server.variables())
        one, more = S3Store(client, "one-bucket"), S3Store(client, "one-bucket-more")
        one.put("one-bucket-more/key", b"")
        more.put("key", b"")
        list(more.list_after(""))
        assert dict(one.request_counts) == {"PutObject": 1}
        assert dict(more.request_counts) == {"PutObject": 1, "ListObjectsV2": 1}


def test_an_endpoint_that_is_down_is_unavailable() -> None:
    variables = {"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s", "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9"}
    with pytest.raises(StorageUnavailable, match=r"127\.0\.0\.1:9"):
        S3Store(make_client(variables=variables), "bucket").get("key")
