"""Playlists against the rules of RFC 8216."""

from __future__ import annotations

import re
from dataclasses import replace

from tests.unit.state.test_checkpoint import REEL
from timelapse_runtime.state.checkpoint import Reel, Segment
from timelapse_runtime.state.playlist import index_playlist, live_playlist


def grown(count: int, *, is_open: bool) -> Reel:
    segments = tuple(Segment(180 * n, 180, f"{n:012d}", 1000 + n, f"{180 * n + 179}") for n in range(count))
    return replace(REEL, segments=segments, last_is_open=is_open)


def test_an_event_playlist_only_grows() -> None:
    before = index_playlist(grown(1, is_open=True)).decode()
    for count in range(2, 6):
        for is_open in (True, False):
            now = index_playlist(grown(count, is_open=is_open)).decode()
            assert now.startswith(before)
            before = now
    assert "#EXT-X-PLAYLIST-TYPE:EVENT" in before
    assert "#EXT-X-ENDLIST" not in before


def test_the_open_segment_is_not_listed() -> None:
    assert index_playlist(grown(3, is_open=True)).count(b"#EXTINF") == 2
    assert live_playlist(grown(3, is_open=True)).count(b"#EXTINF") == 2


def test_the_target_duration_covers_the_longest_segment_and_does_not_change() -> None:
    reel = replace(REEL, fps=29, keyframe_interval=180)
    assert b"#EXT-X-TARGETDURATION:7\n" in index_playlist(replace(reel, segments=()))
    assert b"#EXT-X-TARGETDURATION:7\n" in index_playlist(reel)


def test_a_closed_reels_ranges_tile_its_video() -> None:
    reel = replace(grown(4, is_open=False), is_closed=True)
    text = index_playlist(reel).decode()
    assert "#EXT-X-PLAYLIST-TYPE:VOD" in text
    assert text.endswith("#EXT-X-ENDLIST\n")
    match = re.search(r'#EXT-X-MAP:URI="video.mp4",BYTERANGE="(\d+)@0"', text)
    assert match is not None
    position = int(match[1])
    for size, offset in re.findall(r"#EXT-X-BYTERANGE:(\d+)@(\d+)\nvideo.mp4", text):
        assert int(offset) == position
        position += int(size)
    assert position == reel.size_bytes


def test_the_live_playlists_numbers_run_on_from_reel_to_reel() -> None:
    first = grown(3, is_open=False)
    second = replace(grown(1, is_open=False), number=3, first_sequence=first.first_sequence + 3)
    numbers = [[int(n) for n in re.findall(rb"SEQUENCE:(\d+)", live_playlist(reel))] for reel in (first, second)]
    assert numbers == [[7, 1], [10, 2]]
