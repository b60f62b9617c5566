"""S3 behind the store contract, through boto3: the only module that imports it.

Attempts: boto3 sends a request up to three times (its `standard` mode). A response that was cut short after that, which
boto3 reports as an error or takes for an empty one, is asked for again here, as often. A conditional PUT that was sent
again after a lost response can meet its own success as 412. That stays PreconditionFailed: a caller with a condition to
lose reads back (the checkpoint carries its attempt's id). 409 ConditionalRequestConflict means that two conditional
writes crossed and neither is known to have won; S3's documents say to try again, and so it is done here, with jitter. A
multipart upload whose completion meets 409 has to be started again: StorageUnavailable.

Checksums stay at the SDK's defaults (CRC-32 with each PUT): a bucket with Object Lock refuses a PUT without one.

Sources: S3 API reference (PutObject, CompleteMultipartUpload, UploadPartCopy), S3 user guide 'Conditional writes' and
'Checking object integrity', boto3 1.44, read November 2026.
"""

from __future__ import annotations

import base64
import contextlib
import random
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import boto3.session
import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ProfileNotFound
from botocore.parsers import ResponseParserError

from timelapse_runtime import __version__
from timelapse_runtime.runtime.errors import ConfigError
from timelapse_runtime.runtime.state.contract import (
    MULTIPART_MINIMUM_BYTES,
    BytesPart,
    Condition,
    ObjectInfo,
    Part,
    PresignedPut,
    StoredObject,
    condition_headers,
)
from timelapse_runtime.runtime.state.errors import (
    AccessDenied,
    ObjectNotFound,
    PreconditionFailed,
    StorageError,
    StorageUnavailable,
)

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import (
        CompletedPartTypeDef,
        GetObjectRequestTypeDef,
        HeadObjectRequestTypeDef,
        ListObjectsV2OutputTypeDef,
        ListObjectsV2RequestTypeDef,
    )

_Response = TypeVar("_Response", bound=Mapping[str, Any])
_Result = TypeVar("_Result")

CONNECT_TIMEOUT_SECONDS, READ_TIMEOUT_SECONDS = 3.0, 10.0
_ATTEMPTS = 3
_CONFLICT_ATTEMPTS = 4
_CONFLICT_PAUSE_SECONDS = 0.05
_DELETE_BATCH = 1_000  # DeleteObjects takes no more
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}


class _Conflict(StorageUnavailable):
    """409: two conditional writes crossed."""


class _BeyondTheEnd(StorageUnavailable):
    """416: the range begins after the object's last byte."""


class _NotModified(StorageError):
    """304: the object has the ETag that the reader knows."""


class _CutShort(StorageUnavailable):
    """The response ended too early: asking again is safe and may help."""


_BY_CODE: Mapping[str, type[StorageError]] = {
    "NoSuchKey": ObjectNotFound,
    "NoSuchVersion": ObjectNotFound,
    "NoSuchBucket": AccessDenied,  # needs human intervention, and says nothing about an object
    "NoSuchUpload": StorageUnavailable,  # also what a completion meets whose first response was lost
    "PreconditionFailed": PreconditionFailed,
    "AccessDenied": AccessDenied,
    "InvalidAccessKeyId": AccessDenied,
    "SignatureDoesNotMatch": AccessDenied,
    "ExpiredToken": AccessDenied,
    "RequestTimeTooSkewed": StorageUnavailable,  # frozen between signing and sending: the next signature is valid
    "InvalidRange": _BeyondTheEnd,
}
_BY_STATUS: Mapping[int, type[StorageError]] = {
    304: _NotModified,
    401: AccessDenied,
    403: AccessDenied,
    404: ObjectNotFound,
    409: _Conflict,
    412: PreconditionFailed,
    416: _BeyondTheEnd,
}
_DESCRIPTION = ("ContentLength", "ETag", "LastModified")
_REQUIRED: Mapping[str, Sequence[str]] = {
    "CompleteMultipartUpload": ("ETag",),
    "CreateMultipartUpload": ("UploadId",),
    "GetObject": _DESCRIPTION,
    "HeadObject": _DESCRIPTION,
    "ListObjectsV2": ("IsTruncated",),
    "PutObject": ("ETag",),
    "UploadPart": ("ETag",),
    "UploadPartCopy": ("CopyPartResult",),
}
"""What S3 always sends. Python's HTTP client takes a connection that ends within the headers for the end of a complete
response, and boto3 reads an empty listing out of that: the photos that it hides would come too late."""


def make_client(*, variables: Mapping[str, str], user_agent: str = "timelapse-runtime") -> S3Client:
    """An S3 client from Lambda's own variables: region, credentials, and `AWS_ENDPOINT_URL_S3` if it is set.

    What is not among `variables` boto3 finds by itself: container and instance credentials, proxies. A profile counts
    where there are no keys. Import and client take about 110 ms of a cold start (docs/performance.md); only S3's data
    is in the package. Raises ConfigError for a profile that does not exist, and for a wrong endpoint.
    """
    endpoint_url = variables.get("AWS_ENDPOINT_URL_S3") or variables.get("AWS_ENDPOINT_URL")
    config = Config(
        signature_version="s3v4",
        connect_timeout=CONNECT_TIMEOUT_SECONDS,
        read_timeout=READ_TIMEOUT_SECONDS,
        retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
        parameter_validation=False,  # a tenth of a GET's CPU; mypy checks the parameters
        # Not `auto`: it presigns for the global host, which redirects to the region's.
        s3={"addressing_style": "path" if endpoint_url else "virtual"},
        proxies={} if urlsplit(endpoint_url or "").hostname in _LOOPBACK else None,  # None: those of the environment
        # Whole: the SDK would build its own for each request, which takes a tenth of a GET's CPU.
        user_agent=f"{user_agent}/{__version__}",
        max_pool_connections=4,
    )
    try:
        session = make_session(variables)
        return session.client("s3", endpoint_url=endpoint_url, verify=variables.get("AWS_CA_BUNDLE"), config=config)
    except ProfileNotFound as error:
        profile = variables.get("AWS_PROFILE") or str(error)
        raise ConfigError("AWS_PROFILE", profile, "a profile of ~/.aws/config or ~/.aws/credentials") from error
    except ValueError as error:
        allowed = "http:// or https:// and a host, such as http://127.0.0.1:9000"
        raise ConfigError("AWS_ENDPOINT_URL_S3", endpoint_url, allowed) from error


def make_session(variables: Mapping[str, str]) -> boto3.session.Session:
    """Credentials and region as `make_client` has them. Raises ProfileNotFound."""
    key_id, profile = variables.get("AWS_ACCESS_KEY_ID"), variables.get("AWS_PROFILE")
    # The SDK refuses a profile of the environment that does not exist, even if nothing of it is needed.
    known = profile is not None or not key_id
    return boto3.session.Session(
        aws_access_key_id=key_id,
        aws_secret_access_key=variables.get("AWS_SECRET_ACCESS_KEY"),
        aws_session_token=variables.get("AWS_SESSION_TOKEN"),
        region_name=variables.get("AWS_REGION") or variables.get("AWS_DEFAULT_REGION"),
        profile_name=None if key_id else profile,
        botocore_session=None if known else botocore.session.Session({"profile": (None, None, None, None)}),
    )


class S3Store:
    """One bucket in S3. Stores may share a client; each counts its own requests, retries included.

    `requester_pays`: reads and listings say that the requester pays, which such a bucket asks for and others ignore.
    """

    def __init__(
        self,
        client: S3Client,
        bucket: str,
        *,
        requester_pays: bool = False,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client, self._bucket, self._pause = client, bucket, pause
        self._requester_pays = requester_pays
        self._counts: Counter[str] = Counter()
        client.meta.events.register("before-send.s3", self._count)

    @property
    def bucket(self) -> str:
        """The bucket's name."""
        return self._bucket

    @property
    def minimum_part_bytes(self) -> int:
        """See Store."""
        return MULTIPART_MINIMUM_BYTES

    @property
    def request_counts(self) -> Mapping[str, int]:
        """Requests sent for this bucket, by S3's name of the operation."""
        return dict(self._counts)

    def head(self, key: str) -> ObjectInfo:
        """See Store."""
        return _info(key, self._head(key))

    def get(self, key: str, *, maximum_bytes: int | None = None, version_id: str | None = None) -> StoredObject:
        """See Store."""
        request = self._get_request(key)
        if version_id is not None:
            request["VersionId"] = version_id

        def get() -> StoredObject:
            response = self._call("GetObject", key, lambda: self._client.get_object(**request))
            info = _info(key, response)
            if maximum_bytes is not None and info.size_bytes > maximum_bytes:
                response["Body"].close()
                return StoredObject(info, b"")
            return StoredObject(info, self._body("GetObject", key, response["Body"]))

        return self._again_if_cut_short(get)

    def get_changed(self, key: str, etag: str) -> StoredObject | None:
        """See Store."""
        request = self._get_request(key)
        request["IfNoneMatch"] = etag

        def get() -> StoredObject:
            response = self._call("GetObject", key, lambda: self._client.get_object(**request))
            return StoredObject(_info(key, response), self._body("GetObject", key, response["Body"]))

        try:
            return self._again_if_cut_short(get)
        except _NotModified:
            return None

    def get_range(self, key: str, start: int, end: int, *, etag: str | None = None) -> StoredObject:
        """See Store."""

        def get() -> StoredObject:
            request = self._get_request(key)
            request["Range"] = f"bytes={start}-{end - 1}"
            if etag is not None:
                request["IfMatch"] = etag
            response = self._call("GetObject", key, lambda: self._client.get_object(**request))
            if "ContentRange" not in response:
                raise _CutShort("GetObject", self._bucket, key, "the response has no Content-Range")
            whole_size_bytes = int(response["ContentRange"].rpartition("/")[2])
            return StoredObject(_info(key, response, whole_size_bytes), self._body("GetObject", key, response["Body"]))

        if start < end:  # HTTP has no empty range, and S3 answers one with the whole object
            with contextlib.suppress(_BeyondTheEnd):
                return self._again_if_cut_short(get)
        return StoredObject(_info(key, self._head(key, etag)), b"")

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
        described = {**_described(content_type, cache_control, metadata), **_conditional(condition)}
        for left in reversed(range(_CONFLICT_ATTEMPTS)):
            try:
                response = self._call_again(
                    "PutObject",
                    key,
                    lambda: self._client.put_object(Bucket=self._bucket, Key=key, Body=body, **described),
                )
                return str(response["ETag"])
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
        bucket, described = self._bucket, _described(content_type, cache_control, metadata)
        created = self._call_again(
            "CreateMultipartUpload",
            key,
            lambda: self._client.create_multipart_upload(Bucket=bucket, Key=key, **described),
        )
        upload_id = created["UploadId"]
        try:
            done: list[CompletedPartTypeDef] = [
                {"PartNumber": number, "ETag": self._upload_part(key, upload_id, number, part)}
                for number, part in enumerate(parts, start=1)
            ]
            response = self._call_again(
                "CompleteMultipartUpload",
                key,
                lambda: self._client.complete_multipart_upload(
                    Bucket=bucket,
                    Key=key,
                    UploadId=upload_id,
                    MultipartUpload={"Parts": done},
                    **_conditional(condition),
                ),
            )
        except BaseException:
            with contextlib.suppress(StorageError):  # the bucket's lifecycle rule removes what stays
                self._call(
                    "AbortMultipartUpload",
                    key,
                    lambda: self._client.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload_id),
                )
            raise
        return str(response["ETag"])

    def list_after(self, prefix: str, after: str = "") -> Iterator[ObjectInfo]:
        """See Store."""
        request: ListObjectsV2RequestTypeDef = {"Bucket": self._bucket, "Prefix": prefix}
        if after:
            request["StartAfter"] = after
        for page in self._pages(prefix, request):
            for entry in page.get("Contents", ()):
                modified = _epoch_ms(entry["LastModified"])
                yield ObjectInfo(entry["Key"], entry["ETag"], entry["Size"], modified)

    def list_folders(self, prefix: str) -> Iterator[str]:
        """See Store."""
        for page in self._pages(prefix, {"Bucket": self._bucket, "Prefix": prefix, "Delimiter": "/"}):
            for entry in page.get("CommonPrefixes", ()):
                yield entry["Prefix"]

    def delete(self, keys: Sequence[str]) -> None:
        """See Store."""
        for start in range(0, len(keys), _DELETE_BATCH):
            batch = keys[start : start + _DELETE_BATCH]
            response = self._call(
                "DeleteObjects",
                batch[0],
                lambda named=batch: self._client.delete_objects(  # type: ignore[misc]
                    Bucket=self._bucket, Delete={"Objects": [{"Key": key} for key in named], "Quiet": True}
                ),
            )
            for error in response.get("Errors", ()):
                code = error.get("Code", "")
                kind = _BY_CODE.get(code, StorageUnavailable)
                raise kind("DeleteObjects", self._bucket, error.get("Key", "?"), error.get("Message", "?"), code=code)

    def presign_put(
        self,
        key: str,
        body: bytes,
        *,
        condition: Condition = None,
        content_type: str = "application/octet-stream",
        cache_control: str | None = None,
        metadata: Mapping[str, str] | None = None,
        expires_seconds: int,
    ) -> PresignedPut:
        """See Store. All headers are signed, the body's checksum among them: the sender must send exactly these."""
        checksum = base64.b64encode(zlib.crc32(body).to_bytes(4)).decode()
        headers = {
            "Content-Type": content_type,
            **condition_headers(condition),
            "x-amz-checksum-crc32": checksum,
            "x-amz-sdk-checksum-algorithm": "CRC32",  # Object Lock asks for this header or Content-MD5 (PutObject)
        }
        if cache_control is not None:
            headers["Cache-Control"] = cache_control
        headers |= {f"x-amz-meta-{name}": value for name, value in (metadata or {}).items()}
        described = {**_described(content_type, cache_control, metadata), **_conditional(condition)}
        checked = {"ChecksumAlgorithm": "CRC32", "ChecksumCRC32": checksum}
        parameters = {"Bucket": self._bucket, "Key": key, **checked, **described}
        url = self._translated("presign", key, lambda: self._presigned("put_object", parameters, expires_seconds))
        read_url = self._presigned("get_object", {"Bucket": self._bucket, "Key": key}, expires_seconds)
        return PresignedPut(url, headers, read_url)

    def _presigned(self, method: str, parameters: Mapping[str, str], expires_seconds: int) -> str:
        return self._client.generate_presigned_url(method, Params=parameters, ExpiresIn=expires_seconds)

    def _get_request(self, key: str) -> GetObjectRequestTypeDef:
        request: GetObjectRequestTypeDef = {"Bucket": self._bucket, "Key": key}
        if self._requester_pays:
            request["RequestPayer"] = "requester"
        return request

    def _head(self, key: str, etag: str | None = None) -> Mapping[str, Any]:
        request: HeadObjectRequestTypeDef = {"Bucket": self._bucket, "Key": key}
        if etag is not None:
            request["IfMatch"] = etag
        if self._requester_pays:
            request["RequestPayer"] = "requester"
        return self._call_again("HeadObject", key, lambda: self._client.head_object(**request))

    def _upload_part(self, key: str, upload_id: str, number: int, part: Part) -> str:
        if isinstance(part, BytesPart):
            body = part.body
            sent = self._call_again(
                "UploadPart",
                key,
                lambda: self._client.upload_part(
                    Bucket=self._bucket, Key=key, UploadId=upload_id, PartNumber=number, Body=body
                ),
            )
            return str(sent["ETag"])
        copied = self._call_again(
            "UploadPartCopy",
            part.key,
            lambda: self._client.upload_part_copy(
                Bucket=self._bucket,
                Key=key,
                UploadId=upload_id,
                PartNumber=number,
                CopySource={"Bucket": self._bucket, "Key": part.key},
                CopySourceRange=f"bytes={part.start}-{part.end - 1}",
                CopySourceIfMatch=part.etag,
            ),
        )
        return str(copied["CopyPartResult"]["ETag"])

    def _pages(self, prefix: str, request: ListObjectsV2RequestTypeDef) -> Iterator[ListObjectsV2OutputTypeDef]:
        if self._requester_pays:
            request["RequestPayer"] = "requester"
        while True:
            page = self._call_again("ListObjectsV2", prefix, lambda: self._client.list_objects_v2(**request))
            yield page
            if not page["IsTruncated"]:
                return
            request["ContinuationToken"] = page["NextContinuationToken"]

    def _call_again(self, operation: str, key: str, send: Callable[[], _Response]) -> _Response:
        return self._again_if_cut_short(lambda: self._call(operation, key, send))

    def _again_if_cut_short(self, action: Callable[[], _Result]) -> _Result:
        for left in reversed(range(_ATTEMPTS)):
            try:
                return action()
            except _CutShort:
                if not left:
                    raise
        raise AssertionError("unreachable")

    def _call(self, operation: str, key: str, send: Callable[[], _Response]) -> _Response:
        """One call of the client. Raises StorageError; _CutShort if the response lacks what S3 always sends."""
        response = self._translated(operation, key, send)
        if missing := [name for name in _REQUIRED.get(operation, ()) if name not in response]:
            raise _CutShort(operation, self._bucket, key, f"the response has no {', '.join(missing)}")
        return response

    def _body(self, operation: str, key: str, body: Any) -> bytes:
        try:
            return bytes(body.read())
        except BotoCoreError as error:  # the SDK sends a request again, but not after its response has begun
            raise _CutShort(operation, self._bucket, key, f"{type(error).__name__}: {error}") from error

    def _translated(self, operation: str, key: str, action: Callable[[], _Result]) -> _Result:
        """The one border where the SDK's exceptions become ours."""
        try:
            return action()
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
            kind = _BY_CODE.get(code) or _BY_STATUS.get(status, StorageUnavailable)
            if operation in {"PutObject", "CompleteMultipartUpload"} and kind is ObjectNotFound:
                kind = PreconditionFailed  # If-Match on a key that is not there: S3 answers 404
            cause = f"{code} (HTTP {status}): {error.response.get('Error', {}).get('Message', '')}"
            raise kind(operation, self._bucket, key, cause, code=code) from error
        except ResponseParserError as error:
            raise _CutShort(operation, self._bucket, key, f"invalid XML: {error}") from error
        except BotoCoreError as error:
            code = type(error).__name__
            kind = AccessDenied if "Credential" in code else StorageUnavailable
            raise kind(operation, self._bucket, key, f"{code}: {error}", code=code) from error

    def _count(self, request: Any, event_name: str, **_: Any) -> None:
        sent = urlsplit(request.url)
        in_path = sent.netloc == urlsplit(self._client.meta.endpoint_url).netloc
        if sent.path.split("/")[1] == self._bucket if in_path else sent.netloc.startswith(f"{self._bucket}."):
            self._counts[event_name.rpartition(".")[2]] += 1


def _conditional(condition: Condition) -> dict[str, Any]:
    """The SDK's parameters are named as the headers are, without hyphens."""
    return {name.replace("-", ""): value for name, value in condition_headers(condition).items()}


def _described(content_type: str, cache_control: str | None, metadata: Mapping[str, str] | None) -> dict[str, Any]:
    described: dict[str, Any] = {"ContentType": content_type}
    if cache_control is not None:
        described["CacheControl"] = cache_control
    if metadata:
        described["Metadata"] = dict(metadata)
    return described


def _info(key: str, response: Mapping[str, Any], size_bytes: int | None = None) -> ObjectInfo:
    size = response["ContentLength"] if size_bytes is None else size_bytes
    modified = _epoch_ms(response["LastModified"])
    return ObjectInfo(key, response["ETag"], size, modified, response.get("Metadata", {}))


def _epoch_ms(moment: datetime) -> int:
    """In whole seconds, as a GET tells it. Listings of MinIO and ministack have milliseconds, S3's have none (November
    2026); a photo whose time differs between the two would be taken for two photos."""
    return int(moment.timestamp()) * 1000
