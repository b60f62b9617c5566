"""A request's answer: the page's files, a stream's objects with ranges, and what the page cannot read by itself.

    /                                  to the page
    /watch/FILE                        the page; streams.json is made at each request
    /watch/details/STREAM.json         reels, and where the photos are
    /watch/photos/STREAM/KEY?etag=E    a photo, if it is still that content
    /STREAM/OBJECT                     what players and the page read: playlists, latest.jpg, reels/

Nothing else is answered: no checkpoint, and nothing outside of the streams' folders.

Source: RFC 9110 (June 2022): ranges in clause 14, If-None-Match and If-Range in 13.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus
from itertools import chain
from pathlib import PurePosixPath
from urllib.parse import parse_qs, unquote, urlsplit

from timelapse_runtime.runtime.state.contract import ObjectInfo, Store
from timelapse_runtime.runtime.state.errors import AccessDenied, ObjectNotFound, PreconditionFailed, StateError
from timelapse_runtime.timelapse.commit_plan import IMMUTABLE, JSON_TYPE, NO_CACHE
from timelapse_runtime.timelapse.errors import TimelapseError
from timelapse_runtime.timelapse.model.keys import EDITION
from timelapse_runtime.timelapse.stored_reels import PICTURES
from timelapse_runtime.watch.files import CONTENT_TYPES, FOLDER, INDEX, OCTETS, STREAMS, page_files, photo_type
from timelapse_runtime.watch.streams import Streams, streams_json

PIECE_BYTES = 4 * 1024**2
"""An object is read and sent in pieces of this size: it may be larger than the memory."""

_OBJECTS = re.compile(rf"(live|main|video|week)\.m3u8|latest\.jpg|reels/[^/]+/({EDITION}/)?(segments/)?[^/]+")
_NEVER_CHANGES = re.compile(rf"reels/[^/]+/({EDITION}/)?(segments/.*|init\.mp4)")
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
_TEXT = "text/plain; charset=utf-8"
_POLICY = (
    "default-src 'self'; connect-src 'self' blob:; media-src 'self' blob:; img-src 'self' blob: data:; "
    "worker-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_ALWAYS = {
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Resource-Policy": "same-origin",  # another page must not show these pictures
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, headers and a body of `size_bytes` in pieces. Taking a piece raises StorageError if the object changed
    or S3 failed meanwhile."""

    status: HTTPStatus
    size_bytes: int
    body: Iterator[bytes]
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Object:
    """An object that may be served, and how."""

    store: Store
    key: str
    content_type: str
    cache_control: str
    etag: str = ""


class Site:
    """Answers GET requests. May be asked by several threads."""

    def __init__(self, streams: Streams) -> None:
        self._streams, self._files = streams, page_files()

    def answer(self, target: str, headers: Mapping[str, str]) -> Answer:
        """The answer to a GET of `target` (path and query). `headers` have names as in `If-None-Match`."""
        try:
            return self._answer(target, headers)
        except ObjectNotFound as error:
            return _refusal(HTTPStatus.NOT_FOUND, str(error))
        except AccessDenied as error:
            return _refusal(HTTPStatus.FORBIDDEN, str(error))
        except (StateError, TimelapseError) as error:
            return _refusal(HTTPStatus.BAD_GATEWAY, str(error))

    def _answer(self, target: str, headers: Mapping[str, str]) -> Answer:
        parts = urlsplit(target)
        path = unquote(parts.path, errors="surrogateescape").removeprefix("/")
        if path in {"", FOLDER.rstrip("/"), FOLDER}:
            return _whole(b"", _TEXT, status=HTTPStatus.FOUND, Location=f"/{FOLDER}{INDEX}")
        name = path.removeprefix(FOLDER)
        if path.startswith(FOLDER):
            if name == STREAMS:
                return _whole(streams_json(self._streams.names(), is_served=True), JSON_TYPE)
            if name in self._files:
                return _whole(self._files[name].body, self._files[name].content_type)
            if match := re.fullmatch(r"details/([^/]+)\.json", name):
                return _whole(json.dumps(self._streams.details(match[1])).encode(), JSON_TYPE)
        found = self._photo(name, parts.query) if path.startswith(FOLDER + "photos/") else self._object(path)
        if found is None:
            return _refusal(HTTPStatus.NOT_FOUND, f"nothing is served at /{path}")
        return _part(found, headers)

    def _object(self, path: str) -> _Object | None:
        name, _, rest = path.partition("/")
        keys = self._streams.keys(name)
        if keys is None or not _OBJECTS.fullmatch(rest) or {".", ".."} & set(rest.split("/")):
            return None
        content_type = CONTENT_TYPES.get(PurePosixPath(rest).suffix, OCTETS)
        cache_control = IMMUTABLE if _NEVER_CHANGES.fullmatch(rest) else NO_CACHE
        return _Object(self._streams.video, keys.folder + rest, content_type, cache_control)

    def _photo(self, path: str, query: str) -> _Object | None:
        name, _, key = path.removeprefix("photos/").partition("/")
        photo = self._streams.photo(name, key)
        if photo is None:
            return None
        etag = parse_qs(query).get("etag", [""])[0]
        return _Object(photo.store, photo.key, photo_type(key), NO_CACHE, etag)


def _part(found: _Object, headers: Mapping[str, str]) -> Answer:
    """The object, or the range of it that is asked for. Raises StorageError."""
    info = found.store.head(found.key)
    if found.etag and found.etag != info.etag:
        return _refusal(HTTPStatus.GONE, "the photo was written over after it became a frame")
    described = {"Content-Type": found.content_type, "Cache-Control": found.cache_control, "ETag": info.etag}
    described |= {"Last-Modified": formatdate(info.last_modified_epoch_ms / 1000, usegmt=True)}
    described |= {"Accept-Ranges": "bytes", **_ALWAYS}
    if PICTURES in info.metadata:
        described[f"X-Amz-Meta-{PICTURES.title()}"] = info.metadata[PICTURES]
    if headers.get("If-None-Match") in {info.etag, "*"}:
        return Answer(HTTPStatus.NOT_MODIFIED, 0, iter(()), described)
    asked = headers.get("Range") if headers.get("If-Range") in {None, info.etag} else None
    span = _span(asked, info.size_bytes)
    if span is None:
        body = _pieces(found.store, info, 0, info.size_bytes)
        return Answer(HTTPStatus.OK, info.size_bytes, body, described)
    start, end = span
    if start >= end:
        described["Content-Range"] = f"bytes */{info.size_bytes}"
        return Answer(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, 0, iter(()), described)
    described["Content-Range"] = f"bytes {start}-{end - 1}/{info.size_bytes}"
    return Answer(HTTPStatus.PARTIAL_CONTENT, end - start, _pieces(found.store, info, start, end), described)


def _span(asked: str | None, size_bytes: int) -> tuple[int, int] | None:
    """The bytes of a Range header, first included, last excluded; none of them if it cannot be satisfied. None stands
    for the whole: that is the answer to no range, to several, and to one in another unit (RFC 9110, 14.2)."""
    match = _RANGE.fullmatch((asked or "").strip())
    if match is None or not (match[1] or match[2]):
        return None
    if not match[1]:
        return max(size_bytes - int(match[2]), 0), size_bytes
    start, last = int(match[1]), int(match[2] or size_bytes)
    return None if last < start else (start, min(last + 1, size_bytes))


def _pieces(store: Store, info: ObjectInfo, start: int, end: int) -> Iterator[bytes]:
    """The bytes of one version of an object. The first piece is read at once: an error becomes a status."""

    def read(first: int) -> bytes:
        body = store.get_range(info.key, first, min(first + PIECE_BYTES, end), etag=info.etag).body
        if len(body) != min(PIECE_BYTES, end - first):
            raise PreconditionFailed("GetObject", store.bucket, info.key, "the object has another size")
        return body

    if start >= end:
        return iter(())
    first = read(start)
    return chain((first,), (read(next_start) for next_start in range(start + PIECE_BYTES, end, PIECE_BYTES)))


def _whole(body: bytes, content_type: str, *, status: HTTPStatus = HTTPStatus.OK, **headers: str) -> Answer:
    described = {"Content-Type": content_type, "Cache-Control": NO_CACHE, **_ALWAYS, **headers}
    return Answer(status, len(body), iter((body,)), described)


def _refusal(status: HTTPStatus, reason: str) -> Answer:
    return _whole(f"{reason}\n".encode("utf-8", "replace"), _TEXT, status=status)
