"""Every S3 call that a client makes or signs, in IAM's words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import NamedTuple
from urllib.parse import unquote
from xml.etree.ElementTree import fromstring

from timelapse_runtime.timelapse.errors import StorageUnavailable
from timelapse_runtime.timelapse.storage.s3_client import S3Answer, S3Client, S3Refused, S3Request

ACTIONS = {
    "AbortMultipartUpload": "s3:AbortMultipartUpload",
    "CompleteMultipartUpload": "s3:PutObject",
    "CreateMultipartUpload": "s3:PutObject",
    "DeleteObjects": "s3:DeleteObject",
    "GetObject": "s3:GetObject",
    "HeadObject": "s3:GetObject",
    "ListObjectsV2": "s3:ListBucket",
    "PutObject": "s3:PutObject",
    "UploadPart": "s3:PutObject",
    "UploadPartCopy": "s3:PutObject",
}
"""What S3 asks IAM (S3 user guide, 'Required permissions for Amazon S3 API operations', read November 2026)."""
_SIGNED = {"GET": "GetObject", "PUT": "PutObject"}


class Permission(NamedTuple):
    """One question to IAM; `prefix` is the condition key s3:prefix, None where a request has none."""

    action: str
    resource: str
    prefix: str | None = None

    @property
    def context(self) -> dict[str, str]:
        return {} if self.prefix is None else {"s3:prefix": self.prefix}


class Recorder:
    """Stands between a client and its callers. `refuse` makes the next call of an operation fail, before it is sent."""

    def __init__(self, client: S3Client) -> None:
        self.operations: set[str] = set()
        self.permissions: set[Permission] = set()
        self.refuse: str | None = None
        self._send, self._presign = client.send, client.presign
        vars(client).update(send=self._sent, presign=self._presigned)

    def _sent(self, request: S3Request, counts: Counter[str]) -> S3Answer:
        self.operations.add(request.operation)
        self.permissions |= set(_needed(request))
        if self.refuse == request.operation:
            self.refuse = None
            raise StorageUnavailable(request.operation, request.bucket, request.key, "refused by the test")
        try:
            return self._send(request, counts)
        except S3Refused as error:
            if error.status == 404:  # S3 says so only to who may list the bucket
                self.permissions.add(Permission("s3:ListBucket", f"arn:aws:s3:::{request.bucket}"))
            raise

    def _presigned(self, method: str, bucket: str, key: str, headers: Mapping[str, str], expires_seconds: int) -> str:
        self.operations.add(_SIGNED[method])
        self.permissions |= set(_needed(S3Request(_SIGNED[method], method, bucket, key)))
        return self._presign(method, bucket, key, headers, expires_seconds)


def _needed(request: S3Request) -> Iterator[Permission]:
    bucket, action = f"arn:aws:s3:::{request.bucket}", ACTIONS[request.operation]
    if action == "s3:ListBucket":
        yield Permission(action, bucket, dict(request.query)["prefix"])
        return
    keys = [request.key]
    if request.operation == "DeleteObjects":
        keys = [str(one.text) for one in fromstring(request.body).iterfind(".//{*}Key")]
    for key in keys:
        yield Permission(action, f"{bucket}/{key}")
    if source := request.headers.get("x-amz-copy-source"):
        yield Permission("s3:GetObject", f"arn:aws:s3:::{unquote(source).removeprefix('/')}")
