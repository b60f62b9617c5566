"""A store in memory with S3's semantics: a shipped fake for tests, right where local S3 servers are not.

Each request goes through `_exchange`, which counts it and hands it to `around`: the place where tests kill, pause,
refuse, repeat, and lose answers.
"""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from timelapse_runtime.runtime.clock import Clock, ManualClock
from timelapse_runtime.runtime.state.contract import (
    MULTIPART_MINIMUM_BYTES,
    BytesPart,
    Condition,
    CopyPart,
    IfAbsent,
    IfMatch,
    ObjectInfo,
    Part,
    PresignedPut,
    StoredObject,
    condition_headers,
)
from timelapse_runtime.runtime.state.errors import ObjectNotFound, PreconditionFailed, StorageError, StorageUnavailable

_PAGE_KEYS = _DELETE_KEYS = 1_000
_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class _Presigned:
    key: str
    body: bytes
    condition: Condition
    content_type: str
    metadata: Mapping[str, str] | None
    expires_epoch_ms: int


class MemoryStore:
    """One bucket. Safe to use from several threads.

    `on_request(operation, key)` is called before each request; what it raises is the request's outcome.
    `around(operation, key, effect)` stands between the caller and the store: it may call `effect` (which does what is
    asked and gives the answer, or raises), do so twice, and answer something else. No lock is held meanwhile.
    """

    def __init__(
        self, bucket: str, *, clock: Clock | None = None, minimum_part_bytes: int = MULTIPART_MINIMUM_BYTES
    ) -> None:
        self.on_request: Callable[[str, str], None] = lambda _operation, _key: None
        self.around: Callable[[str, str, Callable[[], Any]], Any] = lambda _operation, _key, effect: effect()
        self._bucket, self._clock = bucket, clock or ManualClock()
        self._objects: dict[str, tuple[ObjectInfo, bytes]] = {}
        self.is_versioned = False
        self._versions: dict[tuple[str, str], tuple[ObjectInfo, bytes]] = {}
        self._presigned: dict[str, _Presigned] = {}
        self._counts: Counter[str] = Counter()
        self._minimum_part_bytes = minimum_part_bytes
        self._lock = threading.RLock()

    @property
    def bucket(self) -> str:
        """The bucket's name."""
        return self._bucket

    @property
    def minimum_part_bytes(self) -> int:
        """See Store."""
        return self._minimum_part_bytes

    @property
    def request_counts(self) -> Mapping[str, int]:
        """Requests so far, by the names that S3 would count them under."""
        return dict(self._counts)

    def head(self, key: str) -> ObjectInfo:
        """See Store."""
        return self._exchange("HeadObject", key, lambda: self._found("HeadObject", key)[0])

    def get(self, key: str, *, maximum_bytes: int | None = None, version_id: str | None = None) -> StoredObject:
        """See Store. There are earlier versions if `is_versioned`."""
        info, body = self._exchange("GetObject", key, lambda: self._found("GetObject", key, version_id))
        too_long = maximum_bytes is not None and len(body) > maximum_bytes
        return StoredObject(info, b"" if too_long else body)

    def get_changed(self, key: str, etag: str) -> StoredObject | None:
        """See Store."""
        info, body = self._exchange("GetObject", key, lambda: self._found("GetObject", key))
        return None if info.etag == etag else StoredObject(info, body)

    def get_range(self, key: str, start: int, end: int, *, etag: str | None = None) -> StoredObject:
        """See Store."""

        def effect() -> StoredObject:
            info, body = self._found("GetObject", key)
            if etag is not None and info.etag != etag:
                raise PreconditionFailed("GetObject", self._bucket, key, "the object has another ETag")
            return StoredObject(info, body[start:end])

        return self._exchange("GetObject", key, effect)

    def put(
        self,
        key: str,
        body: bytes,
        *,
        condition: Condition = None,
        content_type: str = "application/octet-stream",  # noqa: ARG002 - kept by nobody here
        cache_control: str | None = None,  # noqa: ARG002 - the same
        metadata: Mapping[str, str] | None = None,
    ) -> str:
        """See Store."""
        digest = hashlib.md5(body, usedforsecurity=False).hexdigest()

        def effect() -> str:
            with self._lock:
                self._check("PutObject", key, condition)
                return self._store(key, bytes(body), digest, metadata)

        return self._exchange("PutObject", key, effect)

    def put_multipart(
        self,
        key: str,
        parts: Iterable[Part],
        *,
        condition: Condition = None,
        content_type: str = "application/octet-stream",  # noqa: ARG002 - kept by nobody here
        cache_control: str | None = None,  # noqa: ARG002 - the same
        metadata: Mapping[str, str] | None = None,
    ) -> str:
        """See Store."""
        self._exchange("CreateMultipartUpload", key, lambda: None)
        try:
            bodies = [self._part(key, part) for part in parts]
            return self._exchange(
                "CompleteMultipartUpload", key, lambda: self._complete(key, bodies, condition, metadata)
            )
        except BaseException:
            with contextlib.suppress(StorageError):
                self._exchange("AbortMultipartUpload", key, lambda: None)
            raise

    def list_after(self, prefix: str, after: str = "") -> Iterator[ObjectInfo]:
        """See Store."""
        start = _order(after)
        while True:
            found = self._exchange("ListObjectsV2", prefix, partial(self._listed, prefix, start))
            yield from found[:_PAGE_KEYS]
            if len(found) <= _PAGE_KEYS:
                return
            start = _order(found[_PAGE_KEYS - 1].key)

    def list_folders(self, prefix: str) -> Iterator[str]:
        """See Store."""
        start = b""
        while True:
            found = self._exchange("ListObjectsV2", prefix, partial(self._entries, prefix, start))
            yield from (entry for entry in found[:_PAGE_KEYS] if entry.endswith("/") and entry != prefix)
            if len(found) <= _PAGE_KEYS:
                return
            start = _order(found[_PAGE_KEYS - 1])

    def delete(self, keys: Sequence[str]) -> None:
        """See Store."""
        for start in range(0, len(keys), _DELETE_KEYS):
            self._exchange("DeleteObjects", keys[start], partial(self._remove, keys[start : start + _DELETE_KEYS]))

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
        """See Store. The URLs are good for `accept` and `give` only."""
        url = f"memory://{self._bucket}/{len(self._presigned)}"
        expires = self._clock.now_epoch_ms() + expires_seconds * 1000
        self._presigned[url] = _Presigned(key, body, condition, content_type, metadata, expires)
        described = {"Content-Type": content_type} | ({} if cache_control is None else {"Cache-Control": cache_control})
        described |= {f"x-amz-meta-{name}": value for name, value in (metadata or {}).items()}
        return PresignedPut(url, described | condition_headers(condition), url)

    def accept(self, url: str, body: bytes) -> int:
        """Carry out a presigned PUT; the answer is an HTTP status."""
        presigned = self._presigned[url]
        if self._clock.now_epoch_ms() > presigned.expires_epoch_ms:
            return 403
        if body != presigned.body:
            return 400  # S3: BadDigest
        try:
            self.put(
                presigned.key,
                body,
                condition=presigned.condition,
                content_type=presigned.content_type,
                metadata=presigned.metadata,
            )
        except PreconditionFailed:
            return 412
        return 200

    def give(self, url: str) -> bytes | None:
        """Carry out a presigned GET; the answer is the body, or None where there is none to be had."""
        presigned = self._presigned[url]
        if self._clock.now_epoch_ms() > presigned.expires_epoch_ms:
            return None
        try:
            return self.get(presigned.key).body
        except ObjectNotFound:
            return None

    def peek(self, key: str) -> bytes | None:
        """An object's body, or None, without a request: for who watches."""
        with self._lock:
            found = self._objects.get(key)
            return found[1] if found else None

    def newest_version(self, key: str) -> str:
        """The id of the newest version that was written in a versioned bucket."""
        with self._lock:
            return [version for written, version in self._versions if written == key][-1]

    def _exchange(self, operation: str, key: str, effect: Callable[[], _Answer]) -> _Answer:
        with self._lock:
            self._counts[operation] += 1
        self.on_request(operation, key)
        answer: _Answer = self.around(operation, key, effect)
        return answer

    def _remove(self, keys: Sequence[str]) -> None:
        with self._lock:
            for key in keys:
                self._objects.pop(key, None)

    def _listed(self, prefix: str, after: bytes) -> list[ObjectInfo]:
        """One page, and one object more where it is not the last."""
        with self._lock:
            keys = sorted((k for k in self._objects if k.startswith(prefix) and _order(k) > after), key=_order)
            return [self._objects[key][0] for key in keys[: _PAGE_KEYS + 1]]

    def _entries(self, prefix: str, after: bytes) -> list[str]:
        """As `_listed`, of what a listing by folder shows: the objects of this folder, and the folders in it."""
        with self._lock:
            names = {key[len(prefix) :].partition("/")[:2] for key in self._objects if key.startswith(prefix)}
        found = sorted((f"{prefix}{name}{slash}" for name, slash in names), key=_order)
        return [entry for entry in found if _order(entry) > after][: _PAGE_KEYS + 1]

    def _found(self, operation: str, key: str, version_id: str | None = None) -> tuple[ObjectInfo, bytes]:
        with self._lock:
            found = self._objects.get(key) if version_id is None else self._versions.get((key, version_id))
            if found is None:
                raise ObjectNotFound(operation, self._bucket, key, "there is no such object")
            return found

    def _check(self, operation: str, key: str, condition: Condition) -> None:
        found = self._objects.get(key)
        if isinstance(condition, IfAbsent) and found is not None:
            raise PreconditionFailed(operation, self._bucket, key, "there is an object")
        if isinstance(condition, IfMatch) and (found is None or found[0].etag != condition.etag):
            raise PreconditionFailed(operation, self._bucket, key, "there is no object with this ETag")

    def _part(self, key: str, part: Part) -> bytes:
        if isinstance(part, BytesPart):
            return self._exchange("UploadPart", key, lambda: bytes(part.body))
        return self._exchange("UploadPartCopy", key, lambda: self._copied(part))

    def _complete(
        self, key: str, bodies: Sequence[bytes], condition: Condition, metadata: Mapping[str, str] | None
    ) -> str:
        if not bodies:
            raise StorageUnavailable("CompleteMultipartUpload", self._bucket, key, "MalformedXML: there is no part")
        for body in bodies[:-1]:
            if len(body) < self._minimum_part_bytes:
                cause = f"EntityTooSmall: a part of {len(body)} bytes is not the last"
                raise StorageUnavailable("CompleteMultipartUpload", self._bucket, key, cause)
        digests = b"".join(hashlib.md5(body, usedforsecurity=False).digest() for body in bodies)
        etag = f"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-{len(bodies)}"
        with self._lock:
            self._check("CompleteMultipartUpload", key, condition)
            return self._store(key, b"".join(bodies), etag, metadata)

    def _copied(self, part: CopyPart) -> bytes:
        info, body = self._found("UploadPartCopy", part.key)
        if info.etag != part.etag:
            raise PreconditionFailed("UploadPartCopy", self._bucket, part.key, "the source has another ETag")
        if len(body) < self._minimum_part_bytes:
            cause = f"InvalidRequest: a source of {len(body)} bytes is too small to copy a range from"
            raise StorageUnavailable("UploadPartCopy", self._bucket, part.key, cause)
        if not 0 <= part.start < part.end <= len(body):
            cause = f"InvalidRange: {part.start} to {part.end} is not a range of {len(body)} bytes"
            raise StorageUnavailable("UploadPartCopy", self._bucket, part.key, cause)
        return body[part.start : part.end]

    def _store(self, key: str, body: bytes, digest: str, metadata: Mapping[str, str] | None) -> str:
        etag = f'"{digest}"'
        kept = {name.lower(): value for name, value in (metadata or {}).items()}
        info = ObjectInfo(key, etag, len(body), self._clock.now_epoch_ms(), kept)
        self._objects[key] = (info, body)
        if self.is_versioned:
            self._versions[key, f"version-{len(self._versions)}"] = (info, body)
        return etag


def _order(key: str) -> bytes:
    return key.encode("utf-8", "surrogatepass")
