"""S3 behind the store contract: operations become requests, and S3's answers and errors ours.

Retries: `s3_client.py` sends a request up to three times. A conditional PUT that was sent again after a lost answer
can meet its own success as 412: that stays a PreconditionFailed here, and who has a condition to lose reads back (the
checkpoint carries its attempt's id). 409 ConditionalRequestConflict means that two conditional writes crossed and
neither is known to have won; S3's documents say to try again, and so it is done here, with jitter. A multipart upload
whose completion meets 409 has to be begun again: StorageUnavailable.

Sources: S3 API reference (PutObject, CompleteMultipartUpload, UploadPartCopy), S3 user guide 'Conditional writes',
read November 2026.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import random
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from timelapse_runtime import __version__
from timelapse_runtime.http1 import date_epoch_seconds
from timelapse_runtime.timelapse.errors import (
    AccessDenied,
    ObjectNotFound,
    PreconditionFailed,
    StorageError,
    StorageUnavailable,
)
from timelapse_runtime.timelapse.storage import s3_xml
from timelapse_runtime.timelapse.storage.contract import (
    BytesPart,
    Condition,
    ObjectInfo,
    Part,
    PresignedPut,
    StoredObject,
    condition_headers,
)
from timelapse_runtime.timelapse.storage.s3_client import S3Answer, S3Client, S3Refused, S3Request
from timelapse_runtime.timelapse.storage.s3_credentials import credentials_of
from timelapse_runtime.timelapse.storage.s3_endpoint import Endpoint
from timelapse_runtime.timelapse.storage.sigv4 import encoded_path

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_Result = TypeVar("_Result")

CONNECT_TIMEOUT_SECONDS, READ_TIMEOUT_SECONDS = 3.0, 10.0
_CONFLICT_TRIES = 4
_CONFLICT_PAUSE_SECONDS = 0.05
_DELETE_BATCH = 1_000  # DeleteObjects takes no more
_METADATA = "x-amz-meta-"


class _Conflict(StorageUnavailable):
    """409: two conditional writes crossed."""


class _BeyondTheEnd(StorageUnavailable):
    """416: the range begins behind the object's last byte."""


_BY_CODE: Mapping[str, type[StorageError]] = {
    "NoSuchKey": ObjectNotFound,
    "NoSuchBucket": AccessDenied,  # nothing heals without a person, and no object's absence may be read out of it
    "NoSuchUpload": StorageUnavailable,  # also what a completion meets whose first answer was lost
    "PreconditionFailed": PreconditionFailed,
    "AccessDenied": AccessDenied,
    "InvalidAccessKeyId": AccessDenied,
    "SignatureDoesNotMatch": AccessDenied,
    "ExpiredToken": AccessDenied,
    "RequestTimeTooSkewed": StorageUnavailable,
    "InvalidRange": _BeyondTheEnd,
}
_BY_STATUS: Mapping[int, type[StorageError]] = {
    401: AccessDenied,
    403: AccessDenied,
    404: ObjectNotFound,
    412: PreconditionFailed,
    416: _BeyondTheEnd,
}


def make_client(
    *,
    variables: Mapping[str, str],
    user_agent: str = "timelapse-runtime",
    pause: Callable[[float], None] = time.sleep,
    now: Callable[[], float] = time.time,
) -> S3Client:
    """An S3 client from Lambda's own variables: region, credentials, `AWS_ENDPOINT_URL_S3` where it is set, proxies
    and certificates. Raises ConfigError. `pause` takes seconds, `now` gives them since the epoch."""
    return S3Client(
        Endpoint(variables),
        credentials_of(variables),
        user_agent=f"{user_agent}/{__version__}",
        connect_timeout_seconds=CONNECT_TIMEOUT_SECONDS,
        read_timeout_seconds=READ_TIMEOUT_SECONDS,
        pause=pause,
        now=now,
    )


class S3Store:
    """One bucket in S3. Stores may share a client; each counts its own requests, retries included."""

    def __init__(self, client: S3Client, bucket: str, *, pause: Callable[[float], None] = time.sleep) -> None:
        self._client, self._bucket, self._pause = client, bucket, pause
        self._counts: Counter[str] = Counter()

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
        return self._call("HeadObject", "HEAD", key, lambda answer: _info(key, answer))

    def get(self, key: str, *, maximum_bytes: int | None = None) -> StoredObject:
        """See Store."""
        return self._call("GetObject", "GET", key, lambda answer: _object(key, answer), maximum_bytes=maximum_bytes)

    def get_range(self, key: str, start: int, end: int, *, etag: str | None = None) -> StoredObject:
        """See Store."""
        matching = {} if etag is None else {"If-Match": etag}
        if start < end:  # HTTP has no empty range, and S3 answers one with the whole object
            headers = {"Range": f"bytes={start}-{end - 1}", **matching}
            with contextlib.suppress(_BeyondTheEnd):
                return self._call("GetObject", "GET", key, lambda answer: _range(key, answer), headers=headers)
        info = self._call("HeadObject", "HEAD", key, lambda answer: _info(key, answer), headers=matching)
        return StoredObject(info, b"")

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
        headers = _described(content_type, cache_control, metadata) | condition_headers(condition)
        for left in reversed(range(_CONFLICT_TRIES)):
            try:
                return self._call("PutObject", "PUT", key, _etag, headers=headers, body=body)
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
        upload = ("uploadId", self._begun(key, _described(content_type, cache_control, metadata)))
        try:
            etags = [
                self._upload_part(key, (("partNumber", str(number)), upload), part)
                for number, part in enumerate(parts, start=1)
            ]
            return self._call(
                "CompleteMultipartUpload",
                "POST",
                key,
                lambda answer: s3_xml.text(_document(answer), "ETag"),
                query=(upload,),
                headers={"Content-Type": "application/xml", **condition_headers(condition)},
                body=s3_xml.completion(etags),
                answers_with="CompleteMultipartUploadResult",
            )
        except BaseException:
            with contextlib.suppress(StorageError):  # the bucket's lifecycle rule removes what stays
                self._call("AbortMultipartUpload", "DELETE", key, lambda _: None, query=(upload,))
            raise

    def list_after(self, prefix: str, after: str = "") -> Iterator[ObjectInfo]:
        """See Store."""
        for page in self._pages(prefix, (("start-after", after),) if after else (), s3_xml.objects):
            yield from page

    def list_folders(self, prefix: str) -> Iterator[str]:
        """See Store."""
        for page in self._pages(prefix, (("delimiter", "/"),), s3_xml.folders):
            yield from page

    def delete(self, keys: Sequence[str]) -> None:
        """See Store."""
        for start in range(0, len(keys), _DELETE_BATCH):
            batch = keys[start : start + _DELETE_BATCH]
            body = s3_xml.deletion(batch)
            digest = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()  # S3 asks for it
            answer = self._call(
                "DeleteObjects",
                "POST",
                batch[0],
                _document,
                query=(("delete", ""),),
                headers={"Content-Type": "application/xml", "Content-MD5": digest},
                body=body,
                answers_with="DeleteResult",
            )
            for error in answer.iterfind("Error"):
                kind = _BY_CODE.get(error.findtext("Code", ""), StorageUnavailable)
                raise kind("DeleteObjects", self._bucket, error.findtext("Key", "?"), error.findtext("Message", "?"))

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
        headers = _described(content_type, cache_control, None) | condition_headers(condition)
        url = self._client.presign("PUT", self._bucket, key, headers, expires_seconds)
        return PresignedPut(url, headers, self._client.presign("GET", self._bucket, key, {}, expires_seconds))

    def _begun(self, key: str, headers: Mapping[str, str]) -> str:
        return self._call(
            "CreateMultipartUpload",
            "POST",
            key,
            lambda answer: s3_xml.text(_document(answer), "UploadId"),
            query=(("uploads", ""),),
            headers=headers,
            answers_with="InitiateMultipartUploadResult",
        )

    def _upload_part(self, key: str, query: tuple[tuple[str, str], ...], part: Part) -> str:
        if isinstance(part, BytesPart):
            return self._call("UploadPart", "PUT", key, _etag, query=query, body=part.body)
        headers = {
            "x-amz-copy-source": encoded_path(self._bucket, part.key),
            "x-amz-copy-source-range": f"bytes={part.start}-{part.end - 1}",
            "x-amz-copy-source-if-match": part.etag,
        }
        return self._call(
            "UploadPartCopy",
            "PUT",
            key,
            lambda answer: s3_xml.text(_document(answer), "ETag"),
            concerns=part.key,
            query=query,
            headers=headers,
            answers_with="CopyPartResult",
        )

    def _pages(
        self, prefix: str, query: tuple[tuple[str, str], ...], read: Callable[[Element], Iterator[_Result]]
    ) -> Iterator[list[_Result]]:
        query = (("list-type", "2"), ("encoding-type", "url"), ("prefix", prefix), *query)
        token: str | None = ""
        while token is not None:
            page, token = self._call(
                "ListObjectsV2",
                "GET",
                "",
                lambda answer: (list(read(_document(answer))), s3_xml.next_token(_document(answer))),
                concerns=prefix,
                query=(*query, ("continuation-token", token)) if token else query,
                answers_with="ListBucketResult",
            )
            yield page

    def _call(
        self,
        operation: str,
        method: str,
        key: str,
        read: Callable[[S3Answer], _Result],
        *,
        concerns: str | None = None,
        **parts: Any,
    ) -> _Result:
        """Send, and `read` the answer. `concerns` is the key that an error names, where it is not `key`."""
        named = key if concerns is None else concerns
        target = "" if operation == "DeleteObjects" else key
        request = S3Request(operation, method, self._bucket, target, named, **parts)
        try:
            return read(self._client.send(request, self._counts))
        except S3Refused as error:
            kind = _BY_CODE.get(error.code) or _BY_STATUS.get(error.status, StorageUnavailable)
            if error.status == 409:
                kind = _Conflict
            elif operation in {"PutObject", "CompleteMultipartUpload"} and kind is ObjectNotFound:
                kind = PreconditionFailed  # If-Match on a key that is not there: S3 answers 404
            raise kind(operation, self._bucket, named, str(error)) from error
        except ValueError as error:
            raise StorageUnavailable(operation, self._bucket, named, str(error)) from error


def _described(content_type: str, cache_control: str | None, metadata: Mapping[str, str] | None) -> dict[str, str]:
    described = {"Content-Type": content_type}
    if cache_control is not None:
        described["Cache-Control"] = cache_control
    return described | {_METADATA + name.lower(): value for name, value in (metadata or {}).items()}


def _document(answer: S3Answer) -> Element:
    assert answer.document is not None, "a request without answers_with"
    return answer.document


def _etag(answer: S3Answer) -> str:
    return answer.header("etag")


def _info(key: str, answer: S3Answer, size_bytes: int | None = None) -> ObjectInfo:
    size = int(answer.header("content-length")) if size_bytes is None else size_bytes
    modified_epoch_ms = date_epoch_seconds(answer.header("last-modified")) * 1000
    found = answer.headers.items()
    metadata = {name.removeprefix(_METADATA): value for name, value in found if name.startswith(_METADATA)}
    return ObjectInfo(key, answer.header("etag"), size, modified_epoch_ms, metadata)


def _object(key: str, answer: S3Answer) -> StoredObject:
    return StoredObject(_info(key, answer), answer.body)


def _range(key: str, answer: S3Answer) -> StoredObject:
    return StoredObject(_info(key, answer, int(answer.header("content-range").rpartition("/")[2])), answer.body)
