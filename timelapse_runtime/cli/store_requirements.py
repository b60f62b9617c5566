"""What the product needs of a store, as checks that anyone can run: `timelapse check-store`, and the contract suite.

A check gets a `Trial`: the store, and a folder of its own in it. It returns if the requirement holds, and raises
Differs or StorageError if not. It asks for what the code of this project relies on, and for nothing else that S3
promises.

Sources: those of `runtime/state/contract.py` and `runtime/state/s3.py`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from timelapse_runtime.runtime.state.contract import (
    MULTIPART_MINIMUM_BYTES,
    BytesPart,
    Condition,
    CopyPart,
    IfAbsent,
    IfMatch,
    Part,
    PresignedPut,
    Store,
)
from timelapse_runtime.runtime.state.errors import ObjectNotFound, PreconditionFailed, StorageError

BIG = bytes(range(256)) * (MULTIPART_MINIMUM_BYTES // 256)
OTHER = IfMatch('"00000000000000000000000000000000"')
USUAL_KEYS = {
    "space": "a b",
    "plus": "a+b",
    "percent": "100%",
    "encoded space": "a%20b",
    "encoded slash": "a%2Fb",
    "query": "a?b=c&d#e",
    "quotes": "'\"<&>",
    "colon": "2026-11-20T23:55:01.000Z;a@b=c,d~",
    "accent": "é",
    "kanji": "\u65e5\u672c",
    "emoji": "z/\U0001f30d",
    "private use": "z/\uffee",
}
UNUSUAL_KEYS = {
    "tab": "a\tb",
    "newline": "two\nlines",
    "carriage return": "two\rlines",
    "double slash": "a//b",
    "trailing slash": "a/",
    "leading slash": "/a",
    "dot": "./a",
    "dots": "a/../b",
    "dots first": "../a",
}
"""Keys that a store may have trouble with, by what is special in them: those of photos as people name them, and those
that no camera writes."""
_IN_ORDER = ("a", "a b", "a+b", "a/b", "a/b.jpg", "b", "z/é", "z/\u65e5\u672c", "z/\uffee", "z/\U0001f30d")
"""Keys in the order of UTF-8's bytes. That of UTF-16 differs."""
_PAGE_KEYS = 1_000
_WRITERS = 8


class Use(StrEnum):
    """What a requirement is needed for."""

    PHOTOS = "photos"
    VIDEOS = "videos"
    LAMBDA = "Lambda"


@dataclass(frozen=True, slots=True)
class Trial:
    """A store, and the folder in it that belongs to one check. `send` sends a presigned PUT with a body, and returns
    the status; `headers_of` returns the headers of a GET of a presigned address, by lower-case names."""

    store: Store
    folder: str
    send: Callable[[PresignedPut, bytes], int]
    headers_of: Callable[[str], Mapping[str, str]]

    def key(self, name: str) -> str:
        """The key of this name in the folder."""
        return self.folder + name

    def listed(self, after: str = "") -> list[str]:
        """The names in the folder, in the order of the listing."""
        found = self.store.list_after(self.folder, self.key(after) if after else "")
        return [info.key.removeprefix(self.folder) for info in found]


class Differs(Exception):
    """The store does something else than S3. The message says what."""


@dataclass(frozen=True, slots=True)
class Requirement:
    """`meaning`: what goes wrong without it. `check` raises Differs or StorageError if it does not hold."""

    name: str
    needed_for: frozenset[Use]
    meaning: str
    check: Callable[[Trial], None]


REQUIREMENTS: dict[str, Requirement] = {}
"""All of them by name, in the order in which they are tried."""

_Check = Callable[[Trial], None]


def _requires(name: str, meaning: str, *needed_for: Use) -> Callable[[_Check], _Check]:
    def add(check: _Check) -> _Check:
        REQUIREMENTS[name] = Requirement(name, frozenset(needed_for), meaning, check)
        return check

    return add


def _expect(expected: Any, actual: Any, what: str) -> None:
    if actual != expected:
        raise Differs(f"{what}: expected {expected!r}, got {actual!r}")


def _is_refused(what: str, write: Callable[[], object]) -> None:
    """`write` must raise PreconditionFailed."""
    try:
        write()
    except PreconditionFailed:
        return
    raise Differs(f"{what} was not refused")


# ---- objects


@_requires(
    "read after write",
    "A photo or a commit that was written is not seen by the next request: frames are lost or are there twice.",
    Use.PHOTOS,
    Use.VIDEOS,
)
def _read_after_write(trial: Trial) -> None:
    for number in range(10):
        body = b"%d" % number
        etag = trial.store.put(trial.key("key"), body)
        found = trial.store.get(trial.key("key"))
        _expect((body, etag), (found.body, found.info.etag), "a GET after a PUT")
        _expect(found.info, trial.store.head(trial.key("key")), "a HEAD after a PUT")
        _expect([etag], [info.etag for info in trial.store.list_after(trial.folder)], "a listing after a PUT")
    trial.store.delete([trial.key("key"), trial.key("never there")])
    _expect([], trial.listed(), "a listing after a deletion")


@_requires(
    "missing objects",
    "What is missing cannot be told from what is forbidden: a new stream cannot begin. Without the permission to list "
    "the bucket, S3 itself does this.",
    Use.PHOTOS,
    Use.VIDEOS,
)
def _missing_objects(trial: Trial) -> None:
    for name in ("HEAD", "GET"):
        try:
            trial.store.head(trial.key("nothing")) if name == "HEAD" else trial.store.get(trial.key("nothing"))
        except ObjectNotFound:
            continue
        raise Differs(f"{name} found an object that was never written")


@_requires(
    "ETags",
    "A photo that is replaced is not noticed, and one that stays is taken for a new one.",
    Use.PHOTOS,
    Use.VIDEOS,
)
def _etags(trial: Trial) -> None:
    first = trial.store.put(trial.key("key"), b"one")
    if not (len(first) > 2 and first.startswith('"') and first.endswith('"')):
        raise Differs(f"the ETag {first!r} has no quotes")
    if trial.store.put(trial.key("key"), b"two") == first:
        raise Differs("two contents have the same ETag")


@_requires(
    "one time for one object",
    "A photo whose listing tells another time than its GET is taken for two photos.",
    Use.PHOTOS,
)
def _one_time(trial: Trial) -> None:
    for number in range(4):
        trial.store.put(trial.key(f"photo-{number}"), b"body")
        time.sleep(0.15)  # some lie within a second
    for info in trial.store.list_after(trial.folder):
        read, head = trial.store.get(info.key).info, trial.store.head(info.key)
        times = read.last_modified_epoch_ms, head.last_modified_epoch_ms
        _expect((info.last_modified_epoch_ms,) * 2, times, "the times of GET and HEAD")


@_requires(
    "metadata and headers",
    "Players refuse playlists and videos of another type, or show old ones from a cache; a video that is there is "
    "written again from its beginning.",
    Use.VIDEOS,
)
def _headers(trial: Trial) -> None:
    key, described = trial.key("key"), {"content_type": "application/vnd.apple.mpegurl", "cache_control": "no-cache"}
    trial.store.put(key, b"#EXTM3U", **described, metadata={"frames": "3"})  # type: ignore[arg-type]
    _expect({"frames": "3"}, dict(trial.store.head(key).metadata), "metadata")
    signed = trial.store.presign_put(key, b"", expires_seconds=60)
    headers = trial.headers_of(signed.read_url)
    found = headers.get("content-type", "").partition(";")[0], headers.get("cache-control")
    _expect(tuple(described.values()), found, "Content-Type and Cache-Control")


@_requires("ranges", "Segments cannot be read in parts: export and players read whole videos, or fail.", Use.VIDEOS)
def _ranges(trial: Trial) -> None:
    body, key = b"0123456789", trial.key("key")
    etag = trial.store.put(key, body)
    for start, end in ((0, 10), (8, 99), (9, 10), (10, 12), (50, 60), (3, 3), (0, 0)):
        found = trial.store.get_range(key, start, end, etag=etag)
        _expect((body[start:end], 10), (found.body, found.info.size_bytes), f"bytes {start} to {end}")
    trial.store.put(key, b"another body")
    _is_refused("a range of an ETag that is no longer there", lambda: trial.store.get_range(key, 2, 5, etag=etag))


# ---- conditional writes


@_requires(
    "write if absent (If-None-Match)",
    "Two processes that begin a stream overwrite each other's first commit: frames are lost.",
    Use.VIDEOS,
)
def _if_absent(trial: Trial) -> None:
    key = trial.key("key")
    trial.store.put(key, b"first", condition=IfAbsent())
    _is_refused("If-None-Match: * over an object", lambda: trial.store.put(key, b"second", condition=IfAbsent()))
    _expect(b"first", trial.store.get(key).body, "the object after that")


@_requires(
    "write if unchanged (If-Match)",
    "Each commit after the first one fails, or overwrites that of another process: nothing works, or frames are lost.",
    Use.VIDEOS,
)
def _if_match(trial: Trial) -> None:
    key = trial.key("key")
    _is_refused("If-Match on a missing key", lambda: trial.store.put(key, b"new", condition=OTHER))
    _expect([], trial.listed(), "a listing after that")
    etag = trial.store.put(key, b"old")
    _is_refused("If-Match with another ETag", lambda: trial.store.put(key, b"new", condition=OTHER))
    _expect(b"old", trial.store.get(key).body, "the object after that")
    try:
        written = trial.store.put(key, b"new", condition=IfMatch(etag))
    except PreconditionFailed as error:
        raise Differs(f"If-Match with the object's own ETag {etag} was refused: {error.cause}") from error
    _expect((b"new", written), (trial.store.get(key).body, trial.store.head(key).etag), "the object after If-Match")


@_requires(
    "one winner",
    "Two processes that commit at the same moment both believe that they have: frames are lost.",
    Use.VIDEOS,
)
def _one_winner(trial: Trial) -> None:
    for name, condition in (("absent", IfAbsent()), ("there", IfMatch(trial.store.put(trial.key("there"), b"0")))):
        winners = _winners(trial, trial.key(name), condition)
        _expect(1, len(winners), f"writers that won, where it was {name}")
        _expect(b"%d" % winners[0], trial.store.get(trial.key(name)).body, "the winner's body")


def _winners(trial: Trial, key: str, condition: Condition) -> list[int]:
    """Of many who write at once under one condition, those who were told that they did."""

    def write(number: int) -> bool:
        try:
            trial.store.put(key, b"%d" % number, condition=condition)
        except StorageError:
            return False
        return True

    numbers = range(1, _WRITERS + 1)
    with ThreadPoolExecutor(_WRITERS) as pool:
        return [number for number, won in zip(numbers, pool.map(write, numbers), strict=True) if won]


# ---- listings


@_requires(
    "the order of listings",
    "New photos are looked for after a known key: where listings are in another order, photos are not found.",
    Use.PHOTOS,
    Use.VIDEOS,
)
def _order(trial: Trial) -> None:
    for name in reversed(_IN_ORDER):
        trial.store.put(trial.key(name), b"")
    _expect(list(_IN_ORDER), trial.listed(), "a listing")
    for after in ("a b", "a b0", "z/\uffee"):
        expected = [name for name in _IN_ORDER if name.encode() > after.encode()]
        _expect(expected, trial.listed(after), f"a listing after {after!r}")
    _expect([], [info.key for info in trial.store.list_after(trial.folder, trial.folder + "\U0010ffff")], "the rest")
    everything = [info.key for info in trial.store.list_after(trial.folder, trial.folder[:-1])]
    _expect(len(_IN_ORDER), len(everything), "keys after one that sorts before the folder")


@_requires("pages of listings", "Of more than 1,000 photos, some are not found.", Use.PHOTOS, Use.VIDEOS)
def _pages(trial: Trial) -> None:
    names = [f"{number:05d}/photo" for number in range(_PAGE_KEYS + 3)]
    with ThreadPoolExecutor(_WRITERS) as pool:
        list(pool.map(lambda name: trial.store.put(trial.key(name), b""), names))
    _expect(names, trial.listed(), "a listing of two pages")
    _expect(names[2:], trial.listed(names[1]), "a listing after a key")
    folders = [folder.removeprefix(trial.folder) for folder in trial.store.list_folders(trial.folder)]
    _expect([name.removesuffix("photo") for name in names], folders, "the folders")
    trial.store.delete([trial.key(name) for name in names])
    _expect([], trial.listed(), "a listing after all were deleted")


@_requires("folders", "Cameras are not found: each folder of photos is one.", Use.PHOTOS)
def _folders(trial: Trial) -> None:
    for name in ("", "a/1", "a/2", "b c/d/3", "é+/1", "4"):
        trial.store.put(trial.key(name), b"")
    folders = [folder.removeprefix(trial.folder) for folder in trial.store.list_folders(trial.folder)]
    _expect(["a/", "b c/", "é+/"], folders, "the folders")


@_requires("keys with special characters", "Photos with such names are not read.", Use.PHOTOS, Use.VIDEOS)
def _special_keys(trial: Trial) -> None:
    _try_keys(trial, USUAL_KEYS)


@_requires("keys that no camera writes", "A photo with such a name is not read.")
def _unusual_keys(trial: Trial) -> None:
    _try_keys(trial, UNUSUAL_KEYS)


def _try_keys(trial: Trial, keys: Mapping[str, str]) -> None:
    wrong = [name for name, text in keys.items() if not _is_usable(trial, f"{trial.folder}{name}/{text}")]
    _expect([], wrong, "keys that do not work, by what is special in them")


def _is_usable(trial: Trial, key: str) -> bool:
    try:
        etag = trial.store.put(key, b"body")
        found = trial.store.get(key).body, [(info.key, info.etag) for info in trial.store.list_after(key[:-1])]
        trial.store.delete([key])
        return found == (b"body", [(key, etag)]) and key not in {info.key for info in trial.store.list_after(key[:-1])}
    except StorageError:
        return False


# ---- objects of several parts


@_requires("uploads in parts", "A `video.mp4` of more than 10 MiB cannot be written, and flushes fail.", Use.VIDEOS)
def _parts(trial: Trial) -> None:
    etag = trial.store.put_multipart(trial.key("key"), [BytesPart(BIG), BytesPart(b"end")], metadata={"frames": "7"})
    found = trial.store.get(trial.key("key"))
    _expect(True, found.body == BIG + b"end", "whether the bytes are right")
    _expect((etag, {"frames": "7"}), (found.info.etag, dict(found.info.metadata)), "ETag and metadata")


@_requires(
    "parts of different sizes",
    "A `video.mp4` of more than 10 MiB cannot be written, and flushes fail.",
    Use.VIDEOS,
)
def _unequal_parts(trial: Trial) -> None:
    """As a video grows: a new head with the first fragments, a copy of the others, and what is new."""
    key, rest = trial.key("key"), BIG + b"the rest"
    etag = trial.store.put(key, BIG + rest)
    parts: list[Part] = [BytesPart(b"head" + BIG), CopyPart(key, etag, len(BIG), len(BIG + rest)), BytesPart(b"new")]
    trial.store.put_multipart(key, parts, condition=IfMatch(etag))
    _expect(True, trial.store.get(key).body == b"head" + BIG + rest + b"new", "whether the bytes are right")


@_requires(
    "copies of ranges",
    "A `video.mp4` that grows inside the store gets wrong bytes.",
    Use.VIDEOS,
)
def _copies(trial: Trial) -> None:
    name = "a b+c%20d e=f&g/é\U0001f30d.mp4"
    etag = trial.store.put(trial.key(name), b"head" + BIG + b"tail")
    trial.store.put_multipart(trial.key("key"), [CopyPart(trial.key(name), etag, 4, 4 + len(BIG)), BytesPart(b"end")])
    _expect(True, trial.store.get(trial.key("key")).body == BIG + b"end", "whether the bytes are right")


@_requires(
    "copies only of what is unchanged (x-amz-copy-source-if-match)",
    "If two processes publish a `video.mp4` at the same moment, it may have the bytes of both, until the next flush. "
    "Playlists and segments are right all the same.",
)
def _copy_conditions(trial: Trial) -> None:
    etag = trial.store.put(trial.key("source"), BIG)
    trial.store.put(trial.key("source"), BIG[::-1])
    parts = [CopyPart(trial.key("source"), etag, 0, len(BIG))]
    _is_refused("a copy of another ETag", lambda: trial.store.put_multipart(trial.key("key"), parts))


@_requires(
    "conditions on uploads in parts",
    "If two processes publish a `video.mp4` at the same moment, the older one may stay until the next flush. Playlists "
    "and segments are right all the same.",
)
def _part_conditions(trial: Trial) -> None:
    trial.store.put(trial.key("key"), b"old")
    for name, condition in {"If-None-Match": IfAbsent(), "If-Match": OTHER}.items():
        _is_refused(
            f"{name} at the end of an upload",
            lambda condition=condition: trial.store.put_multipart(  # type: ignore[misc]
                trial.key("key"), [BytesPart(b"new")], condition=condition
            ),
        )
    _expect(b"old", trial.store.get(trial.key("key")).body, "the object after that")


# ---- presigned PUTs


@_requires(
    "presigned conditional PUTs",
    "What an environment of Lambda leaves behind at its shutdown is not written: the next one encodes it again.",
    Use.LAMBDA,
)
def _presigned(trial: Trial) -> None:
    key = trial.key("a b+c%20d/é.json")
    for before in (False, True):
        condition = IfMatch(trial.store.put(key, b"old")) if before else IfAbsent()
        signed = {
            body: trial.store.presign_put(
                key,
                body,
                condition=condition,
                content_type="application/json",
                cache_control="no-cache",
                expires_seconds=60,
            )
            for body in (b"one", b"two")
        }
        statuses = [trial.send(put, body) for body, put in signed.items()]
        name = "If-Match" if before else "If-None-Match"
        _expect([200, 412], statuses, f"the statuses of two presigned PUTs with {name}")
        _expect(b"one", trial.store.get(key).body, "the object after that")


@_requires(
    "checksums",
    "A body that was damaged on its way is stored. TLS makes that unlikely.",
)
def _checksums(trial: Trial) -> None:
    signed = trial.store.presign_put(trial.key("key"), b"one", expires_seconds=60)
    _expect(400, trial.send(signed, b"two"), "the status of a PUT whose checksum is that of another body")
