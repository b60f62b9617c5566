"""Playlists against the rules of RFC 8216, over random lives of a stream."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from typing import Self

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.timelapse.model.test_checkpoint import REEL
from timelapse_runtime.timelapse.model.checkpoint import Reel, Segment
from timelapse_runtime.timelapse.model.playlist import index_playlist, live_playlist


@dataclass
class Playlist:
    """A media playlist, parsed by the grammar of RFC 8216 section 4: each segment is (seconds, byte range, URI)."""

    tags: dict[str, str]
    segments: list[tuple[float, str | None, str]]

    @classmethod
    def parse(cls, body: bytes) -> Self:
        lines = body.decode().splitlines()
        assert lines[0] == "#EXTM3U"
        assert body.endswith(b"\n")
        tags: dict[str, str] = {}
        segments: list[tuple[float, str | None, str]] = []
        seconds: float | None = None
        byte_range: str | None = None
        for line in lines[1:]:
            if line.startswith("#EXTINF:"):
                assert seconds is None
                seconds = float(line.removeprefix("#EXTINF:").removesuffix(","))
            elif line.startswith("#EXT-X-BYTERANGE:"):
                byte_range = line.removeprefix("#EXT-X-BYTERANGE:")
            elif line.startswith("#"):
                name, _, value = line.partition(":")
                assert name not in tags, f"{name} comes twice"
                tags[name] = value
            else:
                assert seconds is not None, f"{line} has no EXTINF"
                segments.append((seconds, byte_range, line))
                seconds = byte_range = None
        return cls(tags, segments)


def check(playlist: Playlist) -> None:
    """What section 4 asks of every media playlist."""
    assert int(playlist.tags["#EXT-X-VERSION"]) >= 6  # EXT-X-MAP in a playlist that is no I-frame playlist
    target = int(playlist.tags["#EXT-X-TARGETDURATION"])
    assert target >= 1
    for seconds, _, _ in playlist.segments:
        assert math.floor(seconds + 0.5) <= target  # 4.3.3.1: rounded to the nearest integer


def segment(first: int, count: int, attempt: int = 0) -> Segment:
    return Segment(first, count, f"{attempt:012d}", 1000 + first + count, "00000000", f"{first + count - 1:06d}.jpg")


def grown(count: int, *, is_open: bool) -> Reel:
    return replace(REEL, segments=tuple(segment(180 * n, 180) for n in range(count)), last_is_open=is_open)


@st.composite
def lives(draw: st.DrawFn) -> list[Reel]:
    """A reel after each of its commits: the open segment grows, closes when it is full or its encoder ends."""
    fps, interval = draw(st.integers(1, 120)), draw(st.integers(1, 1800))
    reel = replace(REEL, fps=fps, keyframe_interval=interval, segments=(), last_is_open=False)
    seen = [reel]
    for attempt in range(draw(st.integers(1, 12))):
        kept, room = list(reel.segments), interval
        if reel.last_is_open:
            last = kept[-1]
            more = draw(st.integers(0, interval - last.count))
            if more:
                kept[-1] = segment(last.first, last.count + more, attempt)
            room = interval if draw(st.booleans()) else 0
        if room and draw(st.booleans()):
            first = kept[-1].first + kept[-1].count if kept else 0
            kept.append(segment(first, draw(st.integers(1, interval)), attempt))
        is_open = bool(kept) and (draw(st.booleans()) if len(kept) > len(reel.segments) else reel.last_is_open)
        reel = replace(reel, segments=tuple(kept), last_is_open=is_open)
        seen.append(reel)
    return [*seen, replace(reel, last_is_open=False, is_closed=True)]


@given(lives())
def test_the_playlist_of_an_open_reel_only_grows(life: list[Reel]) -> None:
    before = b""
    for reel in life[:-1]:
        now = index_playlist(reel)
        assert now.startswith(before)
        before = now
        playlist = Playlist.parse(now)
        check(playlist)
        assert playlist.tags["#EXT-X-PLAYLIST-TYPE"] == "EVENT"
        assert "#EXT-X-ENDLIST" not in playlist.tags
        assert sum(seconds for seconds, _, _ in playlist.segments) == pytest.approx(
            sum(one.count for one in reel.closed_segments) / reel.fps, abs=1e-5
        )


@given(lives())
def test_the_playlist_of_a_closed_reel_has_the_same_target_and_all_its_frames(life: list[Reel]) -> None:
    open_playlist, closed = Playlist.parse(index_playlist(life[-2])), Playlist.parse(index_playlist(life[-1]))
    check(closed)
    assert closed.tags["#EXT-X-PLAYLIST-TYPE"] == "VOD"
    assert "#EXT-X-ENDLIST" in closed.tags
    for name in ("#EXT-X-TARGETDURATION", "#EXT-X-MEDIA-SEQUENCE"):
        assert closed.tags[name] == open_playlist.tags[name]
    assert len(closed.segments) == len(life[-1].segments)


@given(lives())
def test_a_closed_reels_ranges_tile_its_video(life: list[Reel]) -> None:
    reel = life[-1]
    playlist = Playlist.parse(index_playlist(reel))
    match = re.fullmatch(r'URI="video.mp4",BYTERANGE="(\d+)@0"', playlist.tags["#EXT-X-MAP"])
    assert match is not None
    position = int(match[1])
    for _, byte_range, uri in playlist.segments:
        assert byte_range is not None
        size, offset = map(int, byte_range.split("@"))
        assert (offset, uri) == (position, "video.mp4")
        position += size
    assert position == reel.size_bytes


@given(st.lists(lives(), min_size=1, max_size=3))
def test_the_live_playlists_sequence_numbers_never_go_back(stories: list[list[Reel]]) -> None:
    last_sequence, last_discontinuity, end = 0, -1, 0
    for number, life in enumerate(stories, start=1):
        first_sequence = end
        for step in life:
            reel = replace(step, number=number, name=f"2026-11-20-{number:04d}", first_sequence=first_sequence)
            playlist = Playlist.parse(live_playlist(reel))
            check(playlist)
            assert "#EXT-X-PLAYLIST-TYPE" not in playlist.tags
            sequence = int(playlist.tags["#EXT-X-MEDIA-SEQUENCE"])
            discontinuity = int(playlist.tags["#EXT-X-DISCONTINUITY-SEQUENCE"])
            assert sequence >= last_sequence
            assert discontinuity >= last_discontinuity
            last_sequence, last_discontinuity = sequence, discontinuity
            # A segment keeps its number for as long as it is listed (6.2.1).
            assert [uri for _, _, uri in playlist.segments] == [
                f"reels/{reel.name}/segments/{one.first:08d}-{one.count}-{one.attempt}.m4s"
                for one in reel.closed_segments
            ]
            end = first_sequence + len(reel.segments)


def test_the_open_segment_is_not_listed() -> None:
    assert len(Playlist.parse(index_playlist(grown(3, is_open=True))).segments) == 2
    assert len(Playlist.parse(live_playlist(grown(3, is_open=True))).segments) == 2


@pytest.mark.parametrize(("fps", "interval", "target"), [(30, 180, 6), (29, 180, 7), (120, 1, 1), (1, 1800, 1800)])
def test_the_target_duration_covers_the_longest_segment_before_there_is_one(
    fps: int, interval: int, target: int
) -> None:
    reel = replace(REEL, fps=fps, keyframe_interval=interval, segments=())
    assert Playlist.parse(index_playlist(reel)).tags["#EXT-X-TARGETDURATION"] == str(target)
    assert Playlist.parse(live_playlist(reel)).tags["#EXT-X-TARGETDURATION"] == str(target)
