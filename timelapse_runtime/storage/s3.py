"""S3 behind the store contract. The only module that imports the AWS SDK.

Retries: the SDK tries an idempotent call again on its own (standard mode, three attempts, jittered). A conditional PUT
that was retried after a lost answer can meet its own success as 412: that stays a PreconditionFailed here, and who
has a condition to lose reads back (the checkpoint carries its attempt's id). 409 ConditionalRequestConflict means
that two conditional writes crossed and neither is known to have won; S3's documents say to try again, and so it is
done here, with jitter. A multipart upload whose completion meets 409 has to be begun again: StorageUnavailable.

Sources: S3 API reference (PutObject, CompleteMultipartUpload, UploadPartCopy), S3 user guide 'Conditional writes',
read November 2026.
"""

from __future__ import annotations

import contextlib
import random
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar, cast
from urllib.parse import urlsplit

import botocore.session
from botocore.config import Config as BotoConfig
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from timelapse_runtime.errors import (
    AccessDenied,
    ObjectNotFound,
    PreconditionFailed,
    StorageError,
    StorageUnavailable,
)
from timelapse_runtime.storage.contract import (
    BytesPart,
    Condition,
    ObjectInfo,
    Part,
    PresignedPut,
    StoredObject,
    condition_headers,
)

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_Result = TypeVar("_Result")

CONNECT_TIMEOUT_SECONDS, READ_TIMEOUT_SECONDS = 3.0, 10.0
_ATTEMPTS = 3
_CONFLICT_TRIES = 4
_CONFLICT_PAUSE_SECONDS = 0.05
_DELETE_BATCH = 1_000  # DeleteObjects takes no more


class _Conflict(StorageUnavailable):
    """409: two conditional writes crossed."""


class _BeyondTheEnd(StorageUnavailable):
    """416: the range begins behind the object's last byte."""


_BY_CODE: Mapping[str, type[StorageError]] = {
    "NoSuchKey": ObjectNotFound,
    "404": ObjectNotFound,
    "NoSuchBucket": AccessDenied,  # nothing heals without a person, and no object's absence may be read out of it
    "NoSuchUpload": StorageUnavailable,  # also what a completion meets whose first answer was lost
    "PreconditionFailed": PreconditionFailed,
    "412": PreconditionFailed,
    "AccessDenied": AccessDenied,
    "InvalidAccessKeyId": AccessDenied,
    "SignatureDoesNotMatch": AccessDenied,
    "ExpiredToken": AccessDenied,
    "RequestTimeTooSkewed": StorageUnavailable,  # frozen between signing and sending: the next signature is good
    "InvalidRange": _BeyondTheEnd,
}
_BY_STATUS: Mapping[int, type[StorageError]] = {
    401: AccessDenied,
    403: AccessDenied,
    404: ObjectNotFound,
    412: PreconditionFailed,
}


def make_client(*, variables: Mapping[str, str], user_agent: str = "timelapse-runtime") -> S3Client:
    """An S3 client from Lambda's own variables: region, credentials, and `AWS_ENDPOINT_URL_S3` where it is set.

    Checksums only where S3 requires them: they cost a tenth of a GET, and TLS and ETags guard the bytes.
    """
    endpoint_url = variables.get("AWS_ENDPOINT_URL_S3") or variables.get("AWS_ENDPOINT_URL")
    config = BotoConfig(
        signature_version="s3v4",
        connect_timeout=CONNECT_TIMEOUT_SECONDS,
        read_timeout=READ_TIMEOUT_SECONDS,
        retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        s3={"addressing_style": "path"} if endpoint_url else {},
        proxies={} if _is_this_machine(endpoint_url) else None,  # None: those of the environment
        user_agent_extra=user_agent,
        max_pool_connections=4,
    )
    # botocore, not boto3's layer above it: the same client, imported in half the time.
    client = botocore.session.get_session().create_client(
        "s3",
        region_name=variables.get("AWS_REGION") or variables.get("AWS_DEFAULT_REGION") or "us-east-1",
        endpoint_url=endpoint_url,
        aws_access_key_id=variables.get("AWS_ACCESS_KEY_ID"),
        aws_secret_access_key=variables.get("AWS_SECRET_ACCESS_KEY"),
        aws_session_token=variables.get("AWS_SESSION_TOKEN"),
        config=config,
    )
    return cast("S3Client", client)


class S3Store:
    """One bucket in S3. Two stores may share a client; each counts its own requests, retries included."""

    def __init__(self, client: S3Client, bucket: str, *, pause: Callable[[float], None] = time.sleep) -> None:
        self._client, self._bucket, self._pause = client, bucket, pause
        self._counts: Counter[str] = Counter()
        client.meta.events.register("before-send.s3", self._count)

    @property
    def bucket(self) -> str:
        """The bucket's name."""
        return self._bucket

    @property
    def request_counts(self) -> Mapping[str, int]:
        """Requests sent for this bucket, by S3's name of the operation."""
        return dict(self._counts)

    def head(self, key: str) -> ObjectInfo:
        """See Store."""
        return _info(key, self._call("HeadObject", key, Key=key))

    def get(self, key: str, *, maximum_bytes: int | None = None) -> StoredObject:
        """See Store."""
        answer = self._call("GetObject", key, Key=key)
        info = _info(key, answer)
        if maximum_bytes is not None and info.size_bytes > maximum_bytes:
            answer["Body"].close()
            return StoredObject(info, b"")
        return StoredObject(info, self._body("GetObject", key, answer))

    def get_range(self, key: str, start: int, end: int, *, etag: str | None = None) -> StoredObject:
        """See Store."""
        arguments: dict[str, Any] = {"Key": key} | ({} if etag is None else {"IfMatch": etag})
        if start < end:  # HTTP has no empty range, and S3 answers one with the whole object
            with contextlib.suppress(_BeyondTheEnd):
                answer = self._call("GetObject", key, **arguments, Range=f"bytes={start}-{end - 1}")
                whole = int(str(answer["ContentRange"]).rpartition("/")[2])
                return StoredObject(_info(key, answer, whole), self._body("GetObject", key, answer))
        return StoredObject(_info(key, self._call("HeadObject", key, **arguments)), b"")

    def put(
        self,
        key: str,
        body: bytes,
        *,
        condition: Condition = None,
        content_type: str = "application/octet-stream",
        cache_control: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> str:
        """See Store."""
        arguments = {
            "Key": key,
            "Body": body,
            **_conditional(condition),
            **_described(content_type, cache_control, metadata),
        }
        for left in reversed(range(_CONFLICT_TRIES)):
            try:
                return str(self._call("PutObject", key, **arguments)["ETag"])
            except _Conflict:
                if not left:
                    raise
                self._pause(_CONFLICT_PAUSE_SECONDS * (1 + random.random()))  # noqa: S311 - jitter, no secret
        raise AssertionError("unreachable")

    def put_multipart(
        self,
        key: str,
        parts: Iterable[Part],
        *,
        condition: Condition = None,
        content_type: str = "application/octet-stream",
        cache_control: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> str:
        """See Store."""
        described = _described(content_type, cache_control, metadata)
        upload_id = self._call("CreateMultipartUpload", key, Key=key, **described)["UploadId"]
        upload = {"Key": key, "UploadId": upload_id}
        try:
            done = [
                {"PartNumber": number, "ETag": self._upload_part(key, {**upload, "PartNumber": number}, part)}
                for number, part in enumerate(parts, start=1)
            ]
            answer = self._call(
                "CompleteMultipartUpload", key, **upload, MultipartUpload={"Parts": done}, **_conditional(condition)
            )
        except BaseException:
            with contextlib.suppress(StorageError):  # the bucket's lifecycle rule removes what stays
                self._call("AbortMultipartUpload", key, **upload)
            raise
        return str(answer["ETag"])

    def list_after(self, prefix: str, after: str = "") -> Iterator[ObjectInfo]:
        """See Store."""
        arguments: dict[str, Any] = {"Prefix": prefix}
        if after:
            arguments["StartAfter"] = after
        for page in self._pages(prefix, arguments):
            for entry in page.get("Contents", ()):
                yield ObjectInfo(entry["Key"], entry["ETag"], entry["Size"], _epoch_ms(entry["LastModified"]))

    def list_folders(self, prefix: str) -> Iterator[str]:
        """See Store."""
        for page in self._pages(prefix, {"Prefix": prefix, "Delimiter": "/"}):
            for entry in page.get("CommonPrefixes", ()):
                yield entry["Prefix"]

    def delete(self, keys: Sequence[str]) -> None:
        """See Store."""
        for start in range(0, len(keys), _DELETE_BATCH):
            batch = [{"Key": key} for key in keys[start : start + _DELETE_BATCH]]
            answer = self._call("DeleteObjects", batch[0]["Key"], Delete={"Objects": batch, "Quiet": True})
            for error in answer.get("Errors", ()):
                kind = _BY_CODE.get(error.get("Code", ""), StorageUnavailable)
                raise kind("DeleteObjects", self._bucket, error.get("Key", "?"), error.get("Message", "?"))

    def presign_put(
        self,
        key: str,
        *,
        condition: Condition = None,
        content_type: str = "application/octet-stream",
        cache_control: str | None = None,
        expires_seconds: int,
    ) -> PresignedPut:
        """See Store. Content type, cache control and condition are signed: the sender must send just these."""
        arguments = {"Bucket": self._bucket, "Key": key, **_described(content_type, cache_control, None)}
        try:
            url = self._client.generate_presigned_url(
                "put_object", Params={**arguments, **_conditional(condition)}, ExpiresIn=expires_seconds
            )
            read_url = self._client.generate_presigned_url(
                "get_object", Params={"Bucket": self._bucket, "Key": key}, ExpiresIn=expires_seconds
            )
        except BotoCoreError as error:
            raise AccessDenied("presign", self._bucket, key, str(error)) from error
        described = {"Content-Type": content_type} | ({} if cache_control is None else {"Cache-Control": cache_control})
        return PresignedPut(url, described | condition_headers(condition), read_url)

    def _upload_part(self, key: str, upload: dict[str, Any], part: Part) -> str:
        if isinstance(part, BytesPart):
            return str(self._call("UploadPart", key, **upload, Body=part.body)["ETag"])
        answer = self._call(
            "UploadPartCopy",
            part.key,
            **upload,
            CopySource={"Bucket": self._bucket, "Key": part.key},
            CopySourceRange=f"bytes={part.start}-{part.end - 1}",
            CopySourceIfMatch=part.etag,
        )
        return str(answer["CopyPartResult"]["ETag"])

    def _pages(self, prefix: str, arguments: dict[str, Any]) -> Iterator[dict[str, Any]]:
        token: dict[str, Any] = {}
        while True:
            page = self._call("ListObjectsV2", prefix, **arguments, **token)
            yield page
            if not page.get("IsTruncated"):
                return
            token = {"ContinuationToken": page["NextContinuationToken"]}

    def _call(self, operation: str, key: str, **arguments: Any) -> dict[str, Any]:
        method = _METHODS[operation]
        answer: dict[str, Any] = self._translated(
            operation, key, lambda: getattr(self._client, method)(Bucket=self._bucket, **arguments)
        )
        due = (*_DUE.get(operation, ()), *(("ContentRange",) if "Range" in arguments else ()))
        if missing := [name for name in due if name not in answer]:
            cause = f"the answer was cut short: it has no {', '.join(missing)}"
            raise StorageUnavailable(operation, self._bucket, key, cause)
        return answer

    def _body(self, operation: str, key: str, answer: dict[str, Any]) -> bytes:
        return self._translated(operation, key, lambda: bytes(answer["Body"].read()))

    def _translated(self, operation: str, key: str, action: Callable[[], _Result]) -> _Result:
        """The one border where the SDK's exceptions become ours."""
        try:
            return action()
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
            kind = _BY_CODE.get(code) or _BY_STATUS.get(status, StorageUnavailable)
            if status == 409:
                kind = _Conflict
            elif operation in {"PutObject", "CompleteMultipartUpload"} and kind is ObjectNotFound:
                kind = PreconditionFailed  # If-Match on a key that is not there: S3 answers 404
            cause = f"{code} (HTTP {status}): {error.response.get('Error', {}).get('Message', '')}"
            raise kind(operation, self._bucket, key, cause) from error
        except (BotoCoreError, ResponseParserError) as error:
            kind = AccessDenied if "Credential" in type(error).__name__ else StorageUnavailable
            raise kind(operation, self._bucket, key, f"{type(error).__name__}: {error}") from error

    def _count(self, request: Any, event_name: str, **_: Any) -> None:
        sent = urlsplit(request.url)
        in_path = sent.netloc == urlsplit(self._client.meta.endpoint_url).netloc
        if sent.path.split("/")[1] == self._bucket if in_path else sent.netloc.startswith(f"{self._bucket}."):
            self._counts[event_name.rpartition(".")[2]] += 1


_METHODS = {
    "AbortMultipartUpload": "abort_multipart_upload",
    "CompleteMultipartUpload": "complete_multipart_upload",
    "CreateMultipartUpload": "create_multipart_upload",
    "DeleteObjects": "delete_objects",
    "GetObject": "get_object",
    "HeadObject": "head_object",
    "ListObjectsV2": "list_objects_v2",
    "PutObject": "put_object",
    "UploadPart": "upload_part",
    "UploadPartCopy": "upload_part_copy",
}
_DESCRIPTION = ("ContentLength", "ETag", "LastModified")
_DUE = {
    "CompleteMultipartUpload": ("ETag",),
    "CreateMultipartUpload": ("UploadId",),
    "GetObject": _DESCRIPTION,
    "HeadObject": _DESCRIPTION,
    "ListObjectsV2": ("IsTruncated",),
    "PutObject": ("ETag",),
    "UploadPart": ("ETag",),
    "UploadPartCopy": ("CopyPartResult",),
}
"""What S3 always tells. Python's HTTP client takes a connection that ends within the headers for the end of a whole
answer, and the SDK reads an empty listing out of that."""


def _is_this_machine(url: str | None) -> bool:
    return url is not None and urlsplit(url).hostname in {"127.0.0.1", "::1", "localhost"}


def _conditional(condition: Condition) -> dict[str, str]:
    """The SDK's arguments are named as the headers are, without hyphens."""
    return {name.replace("-", ""): value for name, value in condition_headers(condition).items()}


def _described(content_type: str, cache_control: str | None, metadata: Mapping[str, str] | None) -> dict[str, Any]:
    described: dict[str, Any] = {"ContentType": content_type}
    if cache_control is not None:
        described["CacheControl"] = cache_control
    if metadata:
        described["Metadata"] = dict(metadata)
    return described


def _info(key: str, answer: Mapping[str, Any], size_bytes: int | None = None) -> ObjectInfo:
    size = answer["ContentLength"] if size_bytes is None else size_bytes
    return ObjectInfo(key, answer["ETag"], size, _epoch_ms(answer["LastModified"]), answer.get("Metadata", {}))


def _epoch_ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
