"""S3's requests: signed, sent, tried again. Knows HTTP and S3's errors; what an operation means is `s3.py`'s.

Why not the SDK: its import and its client were 145 of a cold start's 250 ms of CPU, and 1.3 of a GET's 2.3 ms
(docs/performance.md). Retries follow the SDKs' 'standard' mode: three attempts, exponential backoff with full jitter.
Sources: Amazon S3 API reference, 'Error responses'; AWS SDKs and tools reference guide, 'Retry behavior', read
November 2026.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import random
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from timelapse_runtime.http1 import Connection, Reply, date_epoch_seconds
from timelapse_runtime.timelapse.errors import AccessDenied, StorageUnavailable
from timelapse_runtime.timelapse.storage.s3_credentials import NoCredentials
from timelapse_runtime.timelapse.storage.s3_endpoint import Endpoint, Place
from timelapse_runtime.timelapse.storage.s3_xml import parse
from timelapse_runtime.timelapse.storage.sigv4 import (
    EMPTY_SHA256,
    UNSIGNED_PAYLOAD,
    Credentials,
    Signer,
    encoded_path,
    encoded_query,
)

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_log = logging.getLogger(__name__)

_ATTEMPTS = 3
_BACKOFF_SECONDS = 0.5
_REDIRECTED = (301, 307, 400)
_RETRIED_STATUSES = frozenset({429, 500, 502, 503, 504})
_RETRIED_CODES = frozenset(
    {"InternalError", "RequestTimeout", "RequestTimeTooSkewed", "ServiceUnavailable", "SlowDown"}
)
_FIELD = re.compile(r"<(Code|Message|Region)>(.*?)</\1>", re.DOTALL)
_REGION = re.compile(r"[a-z0-9-]{1,40}")


@dataclass(frozen=True, slots=True)
class S3Request:
    """One request, before it is signed. `concerns` is the key (or the prefix) that errors name; `answers_with` the root
    of the XML that a success comes with."""

    operation: str
    method: str
    bucket: str
    key: str = ""
    concerns: str = ""
    query: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)
    maximum_bytes: int | None = None
    answers_with: str = ""


class S3Answer(NamedTuple):
    """A success: `document` is the body's XML where there is to be some."""

    headers: Mapping[str, str]
    body: bytes
    document: Element | None

    def header(self, name: str) -> str:
        """One that S3 always sends. Raises ValueError."""
        if name not in self.headers:
            raise ValueError(f"the answer has no {name}")
        return self.headers[name]


class S3Refused(Exception):
    """S3 answered with an error that another attempt does not heal. `code` is S3's word, "" where there is no body."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{code or 'no code'} (HTTP {status}): {message}")
        self.status, self.code = status, code


class S3Client:
    """Sends requests to any bucket. May be used from several threads."""

    def __init__(
        self,
        endpoint: Endpoint,
        credentials: Callable[[], Credentials],
        *,
        user_agent: str,
        connect_timeout_seconds: float,
        read_timeout_seconds: float,
        pause: Callable[[float], None] = time.sleep,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._endpoint, self._credentials, self._user_agent = endpoint, credentials, user_agent
        self._connect_timeout_seconds, self._read_timeout_seconds = connect_timeout_seconds, read_timeout_seconds
        self._pause, self._now = pause, now
        self._skew_seconds = 0.0
        self._regions: dict[str, str] = {}
        self._signers: dict[str, Signer] = {}
        self._idle: dict[tuple[str, str], list[Connection]] = {}
        self._lock = threading.Lock()

    def send(self, request: S3Request, counts: Counter[str]) -> S3Answer:
        """The answer, a success. Each attempt adds to `counts`. Raises S3Refused, StorageUnavailable, AccessDenied."""
        for left in reversed(range(_ATTEMPTS)):
            try:
                return self._attempt(request, counts)
            except S3Refused as error:
                trouble: Exception = error
                if error.status not in _RETRIED_STATUSES and error.code not in _RETRIED_CODES:
                    raise
            except NoCredentials as error:
                raise AccessDenied(request.operation, request.bucket, request.concerns, str(error)) from error
            except (OSError, ValueError) as error:
                trouble = error
            if left:
                self._pause(random.random() * _BACKOFF_SECONDS * 2 ** (_ATTEMPTS - 1 - left))  # noqa: S311 - jitter
        cause = str(trouble) if isinstance(trouble, S3Refused) else f"{type(trouble).__name__}: {trouble}"
        where = self._place(request.bucket).host
        raise StorageUnavailable(request.operation, request.bucket, request.concerns, f"{where}: {cause}") from trouble

    def close(self) -> None:
        """Close the connections that are not in use; it may go on with new ones."""
        for connections in self._idle.values():
            _close(connections)

    __del__ = close

    def presign(self, method: str, bucket: str, key: str, headers: Mapping[str, str], expires_seconds: int) -> str:
        """A URL for this very request with these headers. Raises AccessDenied without credentials."""
        place = self._place(bucket)
        path = encoded_path(place.bucket_in_path, key)
        try:
            credentials = self._credentials()
        except NoCredentials as error:
            raise AccessDenied("presign", bucket, key, str(error)) from error
        query = self._signer(bucket).query(
            credentials,
            method,
            path,
            {"Host": place.host, **headers},
            expires_seconds=expires_seconds,
            epoch_seconds=self._now() + self._skew_seconds,
        )
        return f"{place.scheme}://{place.host}{path}?{query}"

    def _attempt(self, request: S3Request, counts: Counter[str]) -> S3Answer:
        reply = self._exchange(request, counts)
        if self._has_moved(request.bucket, reply):
            reply = self._exchange(request, counts)
        document = None
        if reply.status < 300:
            if not request.answers_with:
                return S3Answer(reply.headers, reply.body, None)
            document = parse(reply.body)
            if document.tag == request.answers_with:
                return S3Answer(reply.headers, reply.body, document)
            if document.tag != "Error":  # which some operations send behind a 200
                raise ValueError(f"the answer is no {request.answers_with} but {document.tag[:80]!r}")
        found = _fields(reply.body)
        code = found.get("Code", "")
        if code == "RequestTimeTooSkewed" and "date" in reply.headers:
            self._skew_seconds = date_epoch_seconds(reply.headers["date"]) - self._now()
        raise S3Refused(reply.status, code, found.get("Message", ""))

    def _has_moved(self, bucket: str, reply: Reply) -> bool:
        """Whether another region is to be asked from now on. S3 says which, in a header or in the error."""
        if reply.status not in _REDIRECTED:
            return False
        known = self._region(bucket)
        region = reply.headers.get("x-amz-bucket-region") or _fields(reply.body).get("Region", known)
        if region == known or not _REGION.fullmatch(region):
            return False
        _log.warning(
            "bucket %s is in %s, not in %s: its requests go there from now on, and cost more", bucket, region, known
        )
        self._regions[bucket] = region
        return True

    def _exchange(self, request: S3Request, counts: Counter[str]) -> Reply:
        """Once; and once more where a connection that was kept open turns out to be dead."""
        place, credentials = self._place(request.bucket), self._credentials()
        idle = self._idle.setdefault((place.scheme, place.host), [])
        while True:
            connection = _living(idle)
            was_kept = connection is not None
            if connection is None:
                connection = self._endpoint.connect(place, self._connect_timeout_seconds)
            with self._lock:
                counts[request.operation] += 1
            try:
                reply = self._sent(request, place, credentials, connection)
            except (OSError, ValueError) as error:
                connection.close()
                if was_kept:  # the others are as old: after a freeze of hours each of them would cost a time-out
                    _close(idle)
                    if not connection.has_answered and not isinstance(error, TimeoutError):
                        continue
                raise
            except BaseException:  # SIGTERM, the alarm: what is half read is of no more use
                connection.close()
                raise
            if connection.is_kept:
                idle.append(connection)
            else:
                connection.close()
            return reply

    def _sent(self, request: S3Request, place: Place, credentials: Credentials, connection: Connection) -> Reply:
        path, query = encoded_path(place.bucket_in_path, request.key), encoded_query(request.query)
        payload = UNSIGNED_PAYLOAD  # TLS guards it
        if place.scheme == "http":
            payload = hashlib.sha256(request.body).hexdigest() if request.body else EMPTY_SHA256
        headers = self._signer(request.bucket).headers(
            credentials,
            request.method,
            path,
            query,
            {"Host": place.host, **request.headers},
            payload=payload,
            epoch_seconds=self._now() + self._skew_seconds,
        )
        prefix, proxy_headers = self._endpoint.proxying(place)
        return connection.exchange(
            request.method,
            prefix + (f"{path}?{query}" if query else path),
            {**headers, **proxy_headers, "User-Agent": self._user_agent},
            request.body,
            timeout_seconds=self._read_timeout_seconds,
            maximum_bytes=request.maximum_bytes,
        )

    def _region(self, bucket: str) -> str:
        return self._regions.get(bucket, self._endpoint.region)

    def _place(self, bucket: str) -> Place:
        return self._endpoint.place(bucket, self._region(bucket))

    def _signer(self, bucket: str) -> Signer:
        region = self._region(bucket)
        return self._signers.setdefault(region, Signer(region))


def _fields(body: bytes) -> dict[str, str]:
    """Of an error. Not with a parser: what comes with an error is not always XML."""
    return dict(_FIELD.findall(body.decode("utf-8", "replace")))


def _close(idle: list[Connection]) -> None:
    with contextlib.suppress(IndexError):  # another thread took the last one
        while idle:
            idle.pop().close()


def _living(idle: list[Connection]) -> Connection | None:
    """A kept connection that the other side has not closed. After a freeze of hours there may be none."""
    with contextlib.suppress(IndexError):  # another thread took the last one
        while idle:
            connection = idle.pop()
            if not connection.is_stale():
                return connection
            connection.close()
    return None
