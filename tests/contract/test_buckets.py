"""Buckets with settings of their own: Object Lock and default encryption with KMS, as far as moto enforces them."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from timelapse_runtime.emulator.s3_server import EmbeddedS3
from timelapse_runtime.runtime.state.contract import MULTIPART_MINIMUM_BYTES, BytesPart, IfAbsent, IfMatch
from timelapse_runtime.runtime.state.s3 import S3Store, make_client

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@pytest.fixture(scope="module")
def moto() -> Iterator[EmbeddedS3]:
    with EmbeddedS3() as running:
        yield running


def create_locked_bucket(client: S3Client, bucket: str) -> None:
    """Create a bucket that keeps each version for a day."""
    client.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
    client.put_object_lock_configuration(
        Bucket=bucket,
        ObjectLockConfiguration={
            "ObjectLockEnabled": "Enabled",
            "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}},
        },
    )


@pytest.fixture(params=["locked", "kms"])
def store(request: pytest.FixtureRequest, moto: EmbeddedS3) -> Iterator[S3Store]:
    """A bucket that keeps each version for a day and refuses PUTs without a checksum; one that encrypts with KMS."""
    bucket = str(request.param)
    with closing(make_client(variables=moto.variables())) as client:
        if bucket == "locked":
            create_locked_bucket(client, bucket)
        else:
            client.create_bucket(Bucket=bucket)
            client.put_bucket_encryption(
                Bucket=bucket,
                ServerSideEncryptionConfiguration={
                    "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}]
                },
            )
        yield S3Store(client, bucket, requester_pays=True)


def presigned_put(store: S3Store, body: bytes, *, etag: str, left_out: str = "") -> tuple[int, str]:
    """Send a presigned PUT without the headers whose names begin with `left_out`. Returns status and body."""
    signed = store.presign_put("key", body, condition=IfMatch(etag), expires_seconds=60)
    headers = {name: value for name, value in signed.headers.items() if not left_out or not name.startswith(left_out)}
    parts = urlsplit(signed.url)
    with closing(http.client.HTTPConnection(parts.netloc)) as connection:
        connection.request("PUT", f"{parts.path}?{parts.query}", body, headers)
        response = connection.getresponse()
        return response.status, response.read().decode()


def test_all_writes_reach_a_bucket_with_object_lock_or_kms(store: S3Store) -> None:
    first = store.put("key", b"first", condition=IfAbsent())
    second = store.put("key", b"second", condition=IfMatch(first))
    assert presigned_put(store, b"third", etag=second)[0] == 200
    assert store.get("key").body == b"third"
    parts = [BytesPart(bytes(MULTIPART_MINIMUM_BYTES)), BytesPart(b"end")]
    store.put_multipart("parts", parts, condition=IfAbsent())
    assert store.head("parts").size_bytes == MULTIPART_MINIMUM_BYTES + 3
    store.delete(["key"])
    assert [info.key for info in store.list_after("")] == ["parts"]


def test_object_lock_refuses_a_put_without_a_checksum(moto: EmbeddedS3) -> None:
    with closing(make_client(variables=moto.variables())) as client:
        create_locked_bucket(client, "strict")
        store = S3Store(client, "strict")
        etag = store.put("key", b"first")
        status, text = presigned_put(store, b"second", etag=etag, left_out="x-amz-")
        assert status == 400
        assert "MissingUploadObjectWithObjectLockHeaders" in text
        assert store.get("key").body == b"first"
