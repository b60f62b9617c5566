"""Every S3 call that a client makes or signs, in IAM's words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import BotoCoreError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

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


class Permission(NamedTuple):
    """One question to IAM; `prefix` is the condition key s3:prefix, None where a request has none."""

    action: str
    resource: str
    prefix: str | None = None

    @property
    def context(self) -> dict[str, str]:
        return {} if self.prefix is None else {"s3:prefix": self.prefix}


class Recorder:
    """Listens to a client. `refuse` makes the next call of an operation fail, before it is sent."""

    def __init__(self, client: S3Client) -> None:
        self.operations: set[str] = set()
        self.permissions: set[Permission] = set()
        self.refuse: str | None = None
        self._last: Mapping[str, Any] = {}
        client.meta.events.register("provide-client-params.s3", self._asked)
        client.meta.events.register("after-call.s3", self._answered)

    def _asked(self, params: dict[str, Any], model: Any, **_: Any) -> None:
        self.operations.add(model.name)
        self.permissions |= set(_needed(model.name, params))
        self._last = params
        if self.refuse == model.name:
            self.refuse = None
            raise BotoCoreError

    def _answered(self, http_response: Any, **_: Any) -> None:
        if http_response.status_code == 404:  # S3 says so only to who may list the bucket
            self.permissions.add(Permission("s3:ListBucket", f"arn:aws:s3:::{self._last['Bucket']}"))


def _needed(operation: str, params: Mapping[str, Any]) -> Iterator[Permission]:
    bucket, action = f"arn:aws:s3:::{params['Bucket']}", ACTIONS[operation]
    if action == "s3:ListBucket":
        yield Permission(action, bucket, params["Prefix"])
        return
    if "VersionId" in params:
        action = "s3:GetObjectVersion"
    for key in [one["Key"] for one in params["Delete"]["Objects"]] if "Delete" in params else [params["Key"]]:
        yield Permission(action, f"{bucket}/{key}")
    if source := params.get("CopySource"):
        yield Permission("s3:GetObject", f"arn:aws:s3:::{source['Bucket']}/{source['Key']}")
