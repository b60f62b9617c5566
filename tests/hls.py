"""A strict reader of media playlists, and the rules for one version of a playlist after another.

Source: RFC 8216 (August 2017). It knows the tags that the product writes and fails at any other, so that a misspelt one
is not taken for a comment.
"""

from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

_ONCE = {
    "EXT-X-VERSION": r"7",
    "EXT-X-TARGETDURATION": r"\d+",
    "EXT-X-INDEPENDENT-SEGMENTS": "",
    "EXT-X-PLAYLIST-TYPE": "EVENT|VOD",
    "EXT-X-MEDIA-SEQUENCE": r"\d+",
    "EXT-X-DISCONTINUITY-SEQUENCE": r"\d+",
    "EXT-X-ENDLIST": "",
}
_MAP = re.compile(r'URI="([^"]+)"(?:,BYTERANGE="[1-9]\d*@0")?')
_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


@dataclass(frozen=True)
class Entry:
    """A media segment. `byte_range` is (size, first byte)."""

    uri: str
    seconds: float
    map: str
    sequence: int
    discontinuity: int
    byte_range: tuple[int, int] | None = None
    date: datetime | None = None


@dataclass
class MediaPlaylist:
    """A parsed playlist; `tags` are those that stand once, without their `#`."""

    lines: list[str]
    tags: dict[str, str] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)

    @property
    def has_end(self) -> bool:
        return "EXT-X-ENDLIST" in self.tags

    @property
    def target(self) -> int:
        return int(self.tags["EXT-X-TARGETDURATION"])

    @property
    def sequence(self) -> int:
        return int(self.tags["EXT-X-MEDIA-SEQUENCE"])

    @property
    def seconds(self) -> float:
        return sum(entry.seconds for entry in self.entries)

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Read a playlist and check it by the rules of section 4."""
        text = body.decode("ascii")
        assert text.endswith("\n")
        playlist = cls(text.splitlines())
        assert playlist.lines[0] == "#EXTM3U"
        _Reader(playlist).read()
        playlist._check()
        return playlist

    def _check(self) -> None:
        assert self.entries, "a playlist without a segment"
        assert self.target >= 1
        assert all(math.floor(entry.seconds + 0.5) <= self.target for entry in self.entries)  # 4.3.3.1
        dates = [entry.date for entry in self.entries if entry.date is not None]
        assert all(before < after for before, after in itertools.pairwise(dates))


class _Reader:
    """What stands before a segment's URI belongs to that segment; EXT-X-MAP holds for all that follow."""

    def __init__(self, playlist: MediaPlaylist) -> None:
        self._playlist = playlist
        self._map = ""
        self._discontinuity = 0
        self._pending: dict[str, str] = {}

    def read(self) -> None:
        for line in self._playlist.lines[1:]:
            assert not self._playlist.has_end, "a line after EXT-X-ENDLIST"
            name, _, value = line.removeprefix("#").partition(":")
            if line.startswith("#") and not line.startswith("#EXT"):  # a comment (4.1)
                assert name == "left-out", line
                json.loads(value)
                continue
            if not line.startswith("#"):
                self._end_entry(line)
            elif name in _ONCE:
                assert name not in self._playlist.tags, f"{name} comes twice"
                assert re.fullmatch(_ONCE[name], value), line
                self._playlist.tags[name] = value
                if name == "EXT-X-DISCONTINUITY-SEQUENCE":
                    assert not self._playlist.entries
                    self._discontinuity = int(value)
            elif name == "EXT-X-MAP":
                match = _MAP.fullmatch(value)
                assert match, line
                self._map = match[1]
            else:
                assert name in ("EXTINF", "EXT-X-BYTERANGE", "EXT-X-PROGRAM-DATE-TIME", "EXT-X-DISCONTINUITY"), line
                assert name not in self._pending, f"{name} comes twice before a segment"
                self._pending[name] = value
        assert not self._pending

    def _end_entry(self, uri: str) -> None:
        pending, self._pending = self._pending, {}
        seconds = re.fullmatch(r"(\d+\.\d{6}),", pending["EXTINF"])
        assert seconds, uri
        assert self._map, f"{uri} has no EXT-X-MAP"
        byte_range = date = None
        if "EXT-X-BYTERANGE" in pending:
            size, _, start = pending["EXT-X-BYTERANGE"].partition("@")
            byte_range = int(size), int(start)
        if "EXT-X-PROGRAM-DATE-TIME" in pending:
            assert _DATE.fullmatch(pending["EXT-X-PROGRAM-DATE-TIME"])
            date = datetime.fromisoformat(pending["EXT-X-PROGRAM-DATE-TIME"])
        if "EXT-X-DISCONTINUITY" in pending:
            assert self._playlist.entries, "nothing stands before the discontinuity"
            self._discontinuity += 1
        sequence = int(self._playlist.tags["EXT-X-MEDIA-SEQUENCE"]) + len(self._playlist.entries)
        entry = Entry(uri, float(seconds[1]), self._map, sequence, self._discontinuity, byte_range, date)
        self._playlist.entries.append(entry)


def check_update(before: MediaPlaylist, after: MediaPlaylist, *, withdrawn: Collection[str] = ()) -> None:
    """What section 6.2 allows between two versions of one playlist. (Not of `video.m3u8`, whose versions are complete
    playlists that take each other's place.) Segments that are `withdrawn` may go, however few are left; and
    others may have taken their place meanwhile, which were withdrawn before they were listed."""
    assert after.target == before.target
    if before.has_end:
        assert after.lines == before.lines
        return
    if before.tags.get("EXT-X-PLAYLIST-TYPE") == "EVENT":
        assert after.lines[: len(before.lines)] == before.lines
        return
    assert after.tags.get("EXT-X-PLAYLIST-TYPE") == before.tags.get("EXT-X-PLAYLIST-TYPE")
    removed = after.sequence - before.sequence
    is_forced = any(entry.uri in withdrawn for entry in before.entries[:removed])
    assert removed >= 0, "a sequence number went back"
    assert is_forced or removed <= len(before.entries), "segments were never listed"
    kept = before.entries[removed:]
    # Dates are left out: the first segment that is listed always states its own.
    assert [_named(entry) for entry in after.entries[: len(kept)]] == [_named(entry) for entry in kept]
    assert not removed or is_forced or after.seconds >= 3 * after.target, "too few segments were left"


def check_remade(before: MediaPlaylist, after: MediaPlaylist) -> None:
    """A reel's playlist may once more, and then again, be one of the reel as it was made again: another video at the
    same address, whole, none of whose objects the one before had."""
    assert after.has_end, "a reel that was made again is whole"
    folders = {one.map.rpartition("/")[0] for one in after.entries}
    assert all(one.uri.startswith(f"{folder}/") for folder in folders for one in after.entries), "editions are mixed"
    assert not {one.uri for one in before.entries} & {one.uri for one in after.entries}
    assert [one.discontinuity for one in after.entries] == [0] * len(after.entries)


def check_handed_over(before: MediaPlaylist, after: MediaPlaylist) -> None:
    """A playlist that had an end, which nobody who has read it reads again, may once name the same segments as ranges
    of one file. Section 6.2.1 does not provide for it: it is another playlist at the same address."""
    if after.lines == before.lines:
        return
    assert after.has_end
    assert after.target == before.target
    assert all(entry.byte_range is None for entry in before.entries), "ranges are final"
    assert all(entry.byte_range is not None for entry in after.entries)
    assert [(one.seconds, one.map, one.sequence) for one in after.entries] == [
        (one.seconds, one.map, one.sequence) for one in before.entries
    ]


def _named(entry: Entry) -> tuple[object, ...]:
    return entry.uri, entry.seconds, entry.map, entry.sequence, entry.discontinuity, entry.byte_range
