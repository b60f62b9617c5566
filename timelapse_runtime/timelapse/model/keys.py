"""Where a stream's objects lie, below the stream's folder. Frame keys are relative to the stream's prefix here."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from types import MappingProxyType

_S3_KEY_LIMIT_BYTES = 1024
DAY_PICTURES = KEOGRAM, LIGHTEN, DIGEST = "keogram", "lighten", "digest"
"""Kinds of pictures of a whole reel; a digest moves."""
DAY_PICTURE_FILES = MappingProxyType({KEOGRAM: "keogram.png", LIGHTEN: "lighten.png", DIGEST: "digest.mp4"})
EDITION = r"r\d{4,}-[0-9a-f]{12}"
"""The name of an edition of a reel, as a regular expression: its number, and what is unique to it."""
_SEGMENT_NAME = re.compile(r"(\d{8,})-(\d+)-[^/]*\.m4s")


def key_order(key: str) -> bytes:
    """S3's order of keys: UTF-8 bytes. (Python's own order, by code points, is the same; that of UTF-16 is not.)"""
    return key.encode("utf-8", "surrogatepass")


@dataclass(frozen=True, slots=True)
class StreamKeys:
    """Object keys of one stream; `folder` ends with a slash (or is empty)."""

    folder: str

    @property
    def checkpoint(self) -> str:
        """The commit point."""
        return f"{self.folder}checkpoint.json"

    @property
    def settings(self) -> str:
        """What is configured for this stream alone (`model/stream_settings.py`). People write it, the function does
        not."""
        return f"{self.folder}settings.json"

    @property
    def live(self) -> str:
        """The playlist that runs over all reels, at a fixed address."""
        return f"{self.folder}live.m3u8"

    @property
    def newest_video(self) -> str:
        """The playlist of the newest reel so far, at a fixed address."""
        return f"{self.folder}video.m3u8"

    @property
    def main(self) -> str:
        """The multivariant playlist, which names `newest_video`."""
        return f"{self.folder}main.m3u8"

    @property
    def week(self) -> str:
        """The playlist of the closed reels of a week."""
        return f"{self.folder}week.m3u8"

    @property
    def latest(self) -> str:
        """The newest frame, small."""
        return f"{self.folder}latest.jpg"

    @property
    def reels(self) -> str:
        """The folder of all reels."""
        return f"{self.folder}reels/"

    def reel(self, reel: str) -> str:
        """A reel's folder."""
        return f"{self.reels}{reel}/"

    def init(self, path: str) -> str:
        """ftyp + moov. `path` is the reel's (`Reel.path`): its name, or that and an edition."""
        return f"{self.reel(path)}init.mp4"

    def segments(self, path: str) -> str:
        """The folder of a reel's segments, by its path."""
        return f"{self.reel(path)}segments/"

    def index(self, reel: str) -> str:
        """A reel's playlist."""
        return f"{self.reel(reel)}index.m3u8"

    def ranges(self, reel: str) -> str:
        """A closed reel's playlist of ranges in its `video`."""
        return f"{self.reel(reel)}video.m3u8"

    def video(self, path: str) -> str:
        """A reel in one file, by its path."""
        return f"{self.reel(path)}video.mp4"

    def picture(self, path: str, kind: str) -> str:
        """A picture of a reel, by its path; `kind` is one of DAY_PICTURES."""
        return f"{self.reel(path)}{DAY_PICTURE_FILES[kind]}"

    def manifest(self, reel: str) -> str:
        """A closed reel's entry in full: what the checkpoint held of it when it closed."""
        return f"{self.reel(reel)}reel.json"

    @property
    def kept(self) -> str:
        """The folder of copies of photos that are not in the video yet."""
        return f"{self.folder}kept/"

    def kept_photo(self, position: str) -> str:
        """The copy of a photo."""
        return f"{self.kept}{position}"

    @property
    def ahead_parts(self) -> str:
        """The folder of what has become too long for the checkpoint (`model/ahead_parts.py`)."""
        return f"{self.folder}ahead/"

    def ahead_part(self, attempt: str) -> str:
        """One of these objects."""
        return f"{self.ahead_parts}{attempt}.json"

    @property
    def backfills(self) -> str:
        """The folder of the plans of backfills that are under way (`ranges/stored_ranges.py`)."""
        return f"{self.folder}backfill/"

    def backfill(self, plan: str) -> str:
        """The folder of one of them."""
        return f"{self.backfills}{plan}/"

    @property
    def rejections(self) -> str:
        """The folder of the rejected frames' records."""
        return f"{self.folder}rejected/"

    def rejected(self, frame_key: str) -> str:
        """The record of a frame that could not be used. A key too long for S3 is replaced by its hash."""
        key = f"{self.rejections}{frame_key}.json"
        if len(key.encode("utf-8", "surrogatepass")) <= _S3_KEY_LIMIT_BYTES:
            return key
        digest = hashlib.sha256(frame_key.encode("utf-8", "surrogatepass")).hexdigest()
        return f"{self.rejections}sha256-{digest}.json"


def reel_name(number: int, date: str) -> str:
    """`2026-11-20-0001`: sorts by time, tells the day, and never repeats within a stream."""
    return f"{date}-{number:04d}"


def reel_number(name: str) -> int:
    """The number in a reel's name; -1 where it is no reel's name."""
    number = name.rpartition("-")[2]
    return int(number) if number.isdecimal() else -1


def next_edition(last: str, unique: str) -> str:
    """The name of the edition that follows `last` (empty: the one that was recorded); `unique` has 12 hexadecimal
    digits. Names compare by `edition_number`."""
    return f"r{edition_number(last) + 1:04d}-{unique}"


def edition_number(edition: str) -> int:
    """0 of the edition that was recorded."""
    return int(edition[1:].partition("-")[0]) if edition else 0


def edition_in(key: str) -> str:
    """The edition whose folder the key of an object, relative to its reel's folder, lies in; empty: none."""
    folder = key.partition("/")[0]
    return folder if re.fullmatch(EDITION, folder) else ""


def segment_name(first: int, count: int, attempt: str) -> str:
    """`00000180-60-9f3c2a1b.m4s`; `attempt` is unique per write, so that no segment is ever written over."""
    return f"{first:08d}-{count}-{attempt}.m4s"


def segment_span(name: str) -> tuple[int, int]:
    """The first frame and the frame count in a segment's name. Raises ValueError if it is no segment's name."""
    match = _SEGMENT_NAME.fullmatch(name)
    if match is None:
        raise ValueError(f"{name} is not a segment's name")
    return int(match[1]), int(match[2])
