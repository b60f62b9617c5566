"""The page's files, as they are in this package, and how the objects beside them are served."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import PurePosixPath

from timelapse_runtime.timelapse.commit_plan import IMMUTABLE, JSON_TYPE, NO_CACHE, SEGMENT_TYPE, VIDEO_TYPE
from timelapse_runtime.timelapse.model.playlist import CONTENT_TYPE as PLAYLIST_TYPE

FOLDER = "watch/"
"""Where the page lies beside the streams. Its names and those of a stream's objects differ, so a stream may have this
name, too."""
INDEX = "index.html"
STREAMS = "streams.json"

CONTENT_TYPES: Mapping[str, str] = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".jpg": "image/jpeg",
    ".js": "text/javascript; charset=utf-8",
    ".json": JSON_TYPE,
    ".m3u8": PLAYLIST_TYPE,
    ".m4s": SEGMENT_TYPE,
    ".mjs": "text/javascript; charset=utf-8",
    ".mp4": VIDEO_TYPE,
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
"""By suffix; of the page's files and of a stream's objects."""
PHOTO_TYPES: Mapping[str, str] = {
    ".avif": "image/avif",
    ".bmp": "image/bmp",
    ".gif": "image/gif",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
}
"""By suffix, in lower case: the photos that browsers show. Others are downloaded."""
OCTETS = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class PageFile:
    """One of the page's files."""

    name: str
    body: bytes

    @property
    def content_type(self) -> str:
        """Its media type."""
        return CONTENT_TYPES[PurePosixPath(self.name).suffix]

    @property
    def cache_control(self) -> str:
        """The player library has its version in its name; all else may change with the next version of the page."""
        return IMMUTABLE if self.name.startswith("hls-1") else NO_CACHE


def page_files() -> dict[str, PageFile]:
    """All of the page's files by name, read once."""
    folder = resources.files(__package__) / "page"
    found = (PageFile(entry.name, entry.read_bytes()) for entry in folder.iterdir() if entry.is_file())
    return {file.name: file for file in sorted(found, key=lambda file: file.name)}


def photo_type(key: str) -> str:
    """The media type under which a photo is served. Nothing that a browser would run."""
    return PHOTO_TYPES.get(PurePosixPath(key).suffix.lower(), OCTETS)
