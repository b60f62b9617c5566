"""Each check of `timelapse check-store` notices a store that differs from S3 in one way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from timelapse_runtime.cli.check_store import Finding, check, uses
from timelapse_runtime.cli.store_requirements import REQUIREMENTS, Trial, Use
from timelapse_runtime.runtime.state.contract import (
    BytesPart,
    Condition,
    CopyPart,
    IfMatch,
    ObjectInfo,
    Part,
    StoredObject,
)
from timelapse_runtime.runtime.state.errors import StorageUnavailable
from timelapse_runtime.runtime.state.memory import MemoryStore

HEADERS = {"content-type": "application/vnd.apple.mpegurl; charset=utf-8", "cache-control": "no-cache"}


class Store(MemoryStore):
    """A bucket, to be spoiled in one way."""

    def __init__(self) -> None:
        super().__init__("bucket")


class StaleReads(Store):
    def get(self, key: str, **options: Any) -> StoredObject:
        found = super().get(key, **options)
        return replace(found, body=b"0") if found.body == b"1" else found


class StaleListings(Store):
    def list_after(self, prefix: str, after: str = "") -> Iterator[ObjectInfo]:
        return (replace(info, etag='"of before"') for info in super().list_after(prefix, after))


class NothingIsMissing(Store):
    def head(self, key: str) -> ObjectInfo:
        return ObjectInfo(key, '"etag"', 0, 0) if key.endswith("nothing") else super().head(key)


class OneETag(Store):
    def put(self, key: str, body: bytes, **options: Any) -> str:
        super().put(key, body, **options)
        return '"the same"'


class BareETags(Store):
    def put(self, key: str, body: bytes, **options: Any) -> str:
        return super().put(key, body, **options).strip('"')


class OtherTimes(Store):
    def list_after(self, prefix: str, after: str = "") -> Iterator[ObjectInfo]:
        listed = super().list_after(prefix, after)
        return (replace(info, last_modified_epoch_ms=info.last_modified_epoch_ms + 1_000) for info in listed)


class NoMetadata(Store):
    def head(self, key: str) -> ObjectInfo:
        return replace(super().head(key), metadata={})


class WholeRanges(Store):
    def get_range(self, key: str, start: int, end: int, *, etag: str | None = None) -> StoredObject:
        return super().get_range(key, 0, 10**6 if start == 8 else end, etag=etag)


class RangesOfAnyETag(Store):
    def get_range(self, key: str, start: int, end: int, *, etag: str | None = None) -> StoredObject:
        del etag
        return super().get_range(key, start, end)


class NoConditions(Store):
    def put(self, key: str, body: bytes, *, condition: Condition = None, **options: Any) -> str:
        del condition
        return super().put(key, body, **options)


class NoMatchOfMissing(Store):
    """As MinIO until August 2025."""

    def put(self, key: str, body: bytes, *, condition: Condition = None, **options: Any) -> str:
        is_kept = not isinstance(condition, IfMatch) or self.peek(key) is not None
        return super().put(key, body, condition=condition if is_kept else None, **options)


class NoMatchAtAll(Store):
    """As Ceph's gateway, version 16."""

    def put(self, key: str, body: bytes, *, condition: Condition = None, **options: Any) -> str:
        wanted = IfMatch(condition.etag.strip('"')) if isinstance(condition, IfMatch) else condition
        return super().put(key, body, condition=wanted, **options)


class TwoWinners(Store):
    def put(self, key: str, body: bytes, *, condition: Condition = None, **options: Any) -> str:
        return super().put(key, body, condition=None if body in (b"1", b"2") else condition, **options)


class UnorderedListings(Store):
    """In the order of UTF-16, as Java's strings."""

    def list_after(self, prefix: str, after: str = "") -> Iterator[ObjectInfo]:
        return iter(sorted(super().list_after(prefix, after), key=lambda info: info.key.encode("utf-16-be")))


class ListingsFromTheBeginning(Store):
    def list_after(self, prefix: str, after: str = "") -> Iterator[ObjectInfo]:
        del after
        return super().list_after(prefix)


class OnePage(Store):
    def list_after(self, prefix: str, after: str = "") -> Iterator[ObjectInfo]:
        return iter(list(super().list_after(prefix, after))[:1_000])


class DeepFolders(Store):
    def list_folders(self, prefix: str) -> Iterator[str]:
        return iter(sorted({info.key.rpartition("/")[0] + "/" for info in self.list_after(prefix)} - {prefix}))


class NoPluses(Store):
    def list_after(self, prefix: str, after: str = "") -> Iterator[ObjectInfo]:
        return (replace(info, key=info.key.replace("+", " ")) for info in super().list_after(prefix, after))


class CleanPaths(Store):
    def put(self, key: str, body: bytes, **options: Any) -> str:
        return super().put(key.replace("//", "/"), body, **options)


class NoParts(Store):
    def put_multipart(self, key: str, parts: Iterable[Part], **_options: Any) -> str:
        del parts
        raise StorageUnavailable("CreateMultipartUpload", self.bucket, key, "NotImplemented")


class EqualParts(Store):
    """As Cloudflare's R2."""

    def put_multipart(self, key: str, parts: Iterable[Part], **options: Any) -> str:
        known: Sequence[Part] = list(parts)
        sizes = [len(one.body) if isinstance(one, BytesPart) else one.end - one.start for one in known]
        if len(set(sizes[:-1])) > 1:
            raise StorageUnavailable("CompleteMultipartUpload", self.bucket, key, "InvalidPart")
        return super().put_multipart(key, known, **options)


class WholeCopies(Store):
    def put_multipart(self, key: str, parts: Iterable[Part], **options: Any) -> str:
        whole = [replace(one, start=0) if isinstance(one, CopyPart) else one for one in parts]
        return super().put_multipart(key, whole, **options)


class CopiesOfAnyETag(Store):
    def put_multipart(self, key: str, parts: Iterable[Part], **options: Any) -> str:
        current = [replace(one, etag=self.head(one.key).etag) if isinstance(one, CopyPart) else one for one in parts]
        return super().put_multipart(key, current, **options)


class NoConditionsAtTheEnd(Store):
    def put_multipart(self, key: str, parts: Iterable[Part], *, condition: Condition = None, **options: Any) -> str:
        del condition
        return super().put_multipart(key, parts, **options)


class NoPresignedConditions(Store):
    def presign_put(self, key: str, body: bytes, *, condition: Condition = None, **options: Any) -> Any:
        del condition
        return super().presign_put(key, body, **options)


class NoChecksums(Store):
    def accept(self, url: str, body: bytes) -> int:
        status = super().accept(url, body)
        return 200 if status == 400 else status


def trial_of(store: MemoryStore, headers: Mapping[str, str] = HEADERS) -> Trial:
    return Trial(store, "folder/", lambda signed, body: store.accept(signed.url, body), lambda _url: headers)


@pytest.mark.parametrize("name", REQUIREMENTS)
def test_a_store_as_s3_is_has_no_difference(name: str) -> None:
    assert check(REQUIREMENTS[name], trial_of(Store())).difference is None


@pytest.mark.parametrize(
    ("name", "spoiled"),
    [
        ("read after write", StaleReads),
        ("read after write", StaleListings),
        ("missing objects", NothingIsMissing),
        ("ETags", OneETag),
        ("ETags", BareETags),
        ("one time for one object", OtherTimes),
        ("metadata and headers", NoMetadata),
        ("ranges", WholeRanges),
        ("ranges", RangesOfAnyETag),
        ("write if absent (If-None-Match)", NoConditions),
        ("write if unchanged (If-Match)", NoConditions),
        ("write if unchanged (If-Match)", NoMatchOfMissing),
        ("write if unchanged (If-Match)", NoMatchAtAll),
        ("one winner", TwoWinners),
        ("the order of listings", UnorderedListings),
        ("the order of listings", ListingsFromTheBeginning),
        ("pages of listings", OnePage),
        ("folders", DeepFolders),
        ("keys with special characters", NoPluses),
        ("keys that no camera writes", CleanPaths),
        ("uploads in parts", NoParts),
        ("parts of different sizes", EqualParts),
        ("copies of ranges", WholeCopies),
        ("copies only of what is unchanged (x-amz-copy-source-if-match)", CopiesOfAnyETag),
        ("conditions on uploads in parts", NoConditionsAtTheEnd),
        ("presigned conditional PUTs", NoPresignedConditions),
        ("checksums", NoChecksums),
    ],
)
def test_a_difference_is_found(name: str, spoiled: Callable[[], MemoryStore]) -> None:
    assert check(REQUIREMENTS[name], trial_of(spoiled())).difference


@pytest.mark.parametrize(
    "headers", [{}, HEADERS | {"cache-control": "public"}, HEADERS | {"content-type": "text/plain"}]
)
def test_headers_that_were_not_kept_are_found(headers: Mapping[str, str]) -> None:
    assert check(REQUIREMENTS["metadata and headers"], trial_of(Store(), headers)).difference


def test_what_a_store_can_be_used_for_follows_from_what_does_not_hold() -> None:
    def found(*missing: str) -> dict[str, bool]:
        findings = [Finding(one, "differs" if name in missing else None) for name, one in REQUIREMENTS.items()]
        return {use.name: works for use, works in uses(findings).items()}

    assert found() == {"PHOTOS": True, "VIDEOS": True, "LAMBDA": True}
    assert found("checksums", "conditions on uploads in parts")["VIDEOS"]
    assert found("one winner") == {"PHOTOS": True, "VIDEOS": False, "LAMBDA": True}
    assert found("folders") == {"PHOTOS": False, "VIDEOS": True, "LAMBDA": True}
    assert found("presigned conditional PUTs") == {"PHOTOS": True, "VIDEOS": True, "LAMBDA": False}
    assert set(Use) == {use for one in REQUIREMENTS.values() for use in one.needed_for}
