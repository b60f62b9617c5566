"""The object store that everything above is written against: what S3 gives and no more.

A `Store` is bound to one bucket. Keys are whole keys, not relative to anything. Every call either returns, or
raises one of `errors.StorageError`'s leaves; after `StorageUnavailable` from a write it is not known whether the
write happened. Reads and listings see every earlier write (S3 has been strongly consistent since December 2020).

Source: Amazon S3 API reference and user guide, 'Conditional requests', read November 2026.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

MULTIPART_MINIMUM_BYTES = 5 * 1024**2
"""Each part but the last, and each source of a part copy, has at least this size (S3 user guide, 'Quotas')."""
PART_COPY_MAXIMUM_BYTES = 5 * 1024**3
"""A part copy takes at most this much (the same page)."""


@dataclass(frozen=True, slots=True)
class IfAbsent:
    """Write only where there is no object: `If-None-Match: *`."""


@dataclass(frozen=True, slots=True)
class IfMatch:
    """Write only over the object with this ETag (with its quotes, as the store gave it)."""

    etag: str


Condition: TypeAlias = IfAbsent | IfMatch | None


def condition_headers(condition: Condition) -> dict[str, str]:
    """The HTTP header that states a condition."""
    if isinstance(condition, IfAbsent):
        return {"If-None-Match": "*"}
    return {} if condition is None else {"If-Match": condition.etag}


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """What is known of an object without its body. `metadata` is the user metadata (lower-case names).

    `last_modified_epoch_ms` is the same in every answer about an object.
    """

    key: str
    etag: str
    size_bytes: int
    last_modified_epoch_ms: int
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object with its body (the whole of it, or the range that was asked for)."""

    info: ObjectInfo
    body: bytes


@dataclass(frozen=True, slots=True)
class PresignedPut:
    """A PUT of one body that anyone can send until it expires: no credentials, exactly these headers.

    `read_url` is a GET of the same object, valid for the same time; it shows whether a lost write was ours.
    """

    url: str
    headers: Mapping[str, str]
    read_url: str


@dataclass(frozen=True, slots=True)
class CopyPart:
    """A part taken on the server's side: bytes `start` (included) to `end` (excluded) of `key` at `etag`."""

    key: str
    etag: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class BytesPart:
    """A part that is uploaded."""

    body: bytes


Part: TypeAlias = CopyPart | BytesPart


class Store(Protocol):
    """One bucket."""

    @property
    def bucket(self) -> str:
        """The bucket's name."""
        ...

    @property
    def minimum_part_bytes(self) -> int:
        """The least size of each part but the last of `put_multipart`, and of a part copy's source."""
        ...

    @property
    def request_counts(self) -> Mapping[str, int]:
        """Requests sent so far, by S3's name of the operation (`GetObject`, `PutObject`, `UploadPartCopy` …)."""
        ...

    def head(self, key: str) -> ObjectInfo:
        """What is known of `key`. Raises ObjectNotFound."""
        ...

    def get(self, key: str, *, maximum_bytes: int | None = None, version_id: str | None = None) -> StoredObject:
        """The whole object, or an earlier version of it. One longer than `maximum_bytes` is not read: its `body` is cut
        to b"". Raises ObjectNotFound."""
        ...

    def get_changed(self, key: str, etag: str) -> StoredObject | None:
        """The object, or None if it still has this ETag: that answer has no body. Raises ObjectNotFound."""
        ...

    def get_range(self, key: str, start: int, end: int, *, etag: str | None = None) -> StoredObject:
        """Bytes `start` (included) to `end` (excluded); with `etag`, only of that version (PreconditionFailed).

        Like a slice: what lies beyond the object's end is left out. `info.size_bytes` is the whole object's size.
        """
        ...

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
        """Write the object, all or nothing; the answer is its ETag. Raises PreconditionFailed."""
        ...

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
        """Write the object from parts; it appears whole or not at all. Any error aborts the upload.

        `parts` may be lazy: each is sent before the next is asked for. A CopyPart whose source changed, and a
        `condition` that does not hold at the end, raise PreconditionFailed; one whose source is not there raises
        ObjectNotFound. Every part but the last must have MULTIPART_MINIMUM_BYTES; a CopyPart's source must too.
        """
        ...

    def list_after(self, prefix: str, after: str = "") -> Iterator[ObjectInfo]:
        """Objects under `prefix` whose key is greater than `after`, in key order (UTF-8 bytes), page by page."""
        ...

    def list_folders(self, prefix: str) -> Iterator[str]:
        """The distinct `prefix + name + "/"` that keys under `prefix` begin with, in order."""
        ...

    def delete(self, keys: Sequence[str]) -> None:
        """Remove objects; keys that are not there are no error."""
        ...

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
        """A PUT of `body` for another process to send, signed without a request."""
        ...
