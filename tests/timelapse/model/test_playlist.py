"""Playlists against the rules of RFC 8216, over random lives of a stream."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.hls import MediaPlaylist, check_update
from tests.timelapse.model.test_checkpoint import CHECKPOINT, REEL
from timelapse_runtime.timelapse.model.checkpoint import Checkpoint, Reel, ReelTail, Segment
from timelapse_runtime.timelapse.model.playlist import (
    index_playlist,
    live_playlist,
    main_playlist,
    ranges_playlist,
    tail_before,
    video_playlist,
)

HEAD_BYTES = 1234


def segment(first: int, count: int, attempt: int = 0, *, captured_epoch_ms: int = 0) -> Segment:
    name, last_key = f"{attempt:012d}", f"{first + count - 1:06d}.jpg"
    return Segment(first, count, name, 1000 + first + count, "00000000", last_key, captured_epoch_ms=captured_epoch_ms)


def grown(count: int, *, is_open: bool, number: int = 1, sequence: int = 0, is_closed: bool = False) -> Reel:
    segments = tuple(segment(180 * n, 180) for n in range(count))
    name, discontinuity = f"2026-11-20-{number:04d}", number - 1
    return replace(
        REEL,
        number=number,
        name=name,
        segments=segments,
        last_is_open=is_open,
        is_closed=is_closed,
        first_sequence=sequence,
        discontinuity=discontinuity,
    )


@st.composite
def reel_lives(draw: st.DrawFn, fps: int = 30, interval: int = 180) -> list[Reel]:
    """A reel after each of its commits: the open segment grows, closes when it is full or its encoder ends."""
    reel = replace(REEL, fps=fps, keyframe_interval=interval, segments=(), last_is_open=False)
    seen = [reel]
    for attempt in range(draw(st.integers(1, 12))):
        kept, room = list(reel.segments), interval
        if reel.last_is_open:
            last = kept[-1]
            more = draw(st.integers(0, interval - last.count))
            if more:
                kept[-1] = segment(last.first, last.count + more, attempt, captured_epoch_ms=last.captured_epoch_ms)
            room = interval if draw(st.booleans()) else 0
        if room and draw(st.booleans()):
            first = kept[-1].first + kept[-1].count if kept else 0
            time = draw(st.integers(0, 10**13))
            kept.append(segment(first, draw(st.integers(1, interval)), attempt, captured_epoch_ms=time))
        is_open = bool(kept) and (draw(st.booleans()) if len(kept) > len(reel.segments) else reel.last_is_open)
        reel = replace(reel, segments=tuple(kept), last_is_open=is_open)
        seen.append(reel)
    return [*seen, replace(reel, last_is_open=False, is_closed=True)]


@st.composite
def lives(draw: st.DrawFn) -> list[Checkpoint]:
    """A stream after each of its commits, over a few reels with the same settings."""
    fps, interval = draw(st.integers(1, 120)), draw(st.integers(1, 1800))
    seen: list[Checkpoint] = []
    last: Reel | None = None
    for _ in range(draw(st.integers(1, 6))):
        number = (last.number if last else 0) + draw(st.integers(1, 2))  # numbers may be left out
        sequence = last.first_sequence + len(last.segments) if last else 0
        discontinuity = last.discontinuity + bool(last.segments) if last else 0
        for step in draw(reel_lives(fps, interval)):
            reel = replace(
                step,
                number=number,
                name=f"2026-11-20-{number:04d}",
                first_sequence=sequence,
                discontinuity=discontinuity,
            )
            tail = tail_before(reel, seen[-1] if seen else None)
            seen.append(replace(CHECKPOINT, reel=reel, tail=tail))
            last = reel
    return seen


def parsed(body: bytes | None) -> MediaPlaylist:
    assert body is not None
    return MediaPlaylist.parse(body)


@given(reel_lives())
def test_a_reels_index_only_grows_and_ends_with_the_reel(life: list[Reel]) -> None:
    before: MediaPlaylist | None = None
    for reel in life:
        body = index_playlist(reel)
        assert (body is None) == (not reel.closed_segments), "an empty playlist is never written"
        if body is None:
            continue
        playlist = MediaPlaylist.parse(body)
        if before is not None:
            check_update(before, playlist)
        assert playlist.tags["EXT-X-PLAYLIST-TYPE"] == "EVENT"
        assert playlist.has_end == reel.is_closed
        assert len(playlist.entries) == len(reel.closed_segments)
        before = playlist


@given(lives())
def test_the_newest_video_has_all_frames_and_an_end(life: list[Checkpoint]) -> None:
    for checkpoint in life:
        reel = checkpoint.reel
        assert reel is not None
        body = video_playlist(reel)
        assert (body is None) == (not reel.segments)
        if body is not None:
            playlist = MediaPlaylist.parse(body)
            assert (playlist.tags["EXT-X-PLAYLIST-TYPE"], playlist.has_end) == ("VOD", True)
            assert playlist.seconds == pytest.approx(reel.frame_count / reel.fps, abs=1e-4)
            assert {entry.map for entry in playlist.entries} == {f"reels/{reel.name}/init.mp4"}


@given(lives())
def test_the_live_playlist_never_empties_nor_goes_back(life: list[Checkpoint]) -> None:
    before: MediaPlaylist | None = None
    for checkpoint in life:
        body = live_playlist(checkpoint)
        if body is None:
            assert before is None
            continue
        playlist = MediaPlaylist.parse(body)
        assert "EXT-X-PLAYLIST-TYPE" not in playlist.tags
        assert not playlist.has_end
        if before is not None:
            check_update(before, playlist)
        before = playlist


@given(lives())
def test_the_tail_is_not_longer_than_needed(life: list[Checkpoint]) -> None:
    for checkpoint in life:
        if checkpoint.tail:
            playlist = parsed(live_playlist(checkpoint))
            assert playlist.seconds - playlist.entries[0].seconds < 3 * playlist.target


@given(reel_lives())
def test_a_closed_reels_ranges_tile_its_video(life: list[Reel]) -> None:
    reel = life[-1]
    if not reel.segments:
        return
    playlist, position = parsed(ranges_playlist(reel, HEAD_BYTES)), HEAD_BYTES
    assert (playlist.tags["EXT-X-PLAYLIST-TYPE"], playlist.has_end) == ("VOD", True)
    for entry, one in zip(playlist.entries, reel.segments, strict=True):
        assert (entry.byte_range, entry.uri, entry.map) == ((one.size_bytes, position), "video.mp4", "init.mp4")
        position += one.size_bytes


def test_the_open_segment_is_in_the_newest_video_alone() -> None:
    reel = grown(3, is_open=True)
    assert len(parsed(index_playlist(reel)).entries) == 2
    assert len(parsed(live_playlist(replace(CHECKPOINT, reel=reel))).entries) == 2
    assert len(parsed(video_playlist(reel)).entries) == 3


def test_the_end_of_the_reel_before_stays_behind_a_discontinuity_until_the_next_one_has_enough() -> None:
    day = replace(CHECKPOINT, reel=grown(10, is_open=False, is_closed=True), tail=())
    seen = []
    for count in range(1, 5):
        reel = grown(count, is_open=True, number=2, sequence=10)
        day = replace(day, reel=reel, tail=tail_before(reel, day))
        playlist = parsed(live_playlist(day))
        listed = [(entry.uri[6:21], entry.discontinuity) for entry in playlist.entries]
        seen.append((playlist.sequence, [name[-1] + str(discontinuity) for name, discontinuity in listed]))
    assert seen == [(7, ["10"] * 3), (8, ["10"] * 2 + ["21"]), (9, ["10", "21", "21"]), (10, ["21"] * 3)]


def test_a_playlists_target_covers_the_earlier_reels_segments() -> None:
    tail = (ReelTail("2026-11-19-0001", 10, 300, 0, 0, (segment(0, 300),)),)
    playlist = parsed(live_playlist(replace(CHECKPOINT, reel=grown(2, is_open=True, number=2, sequence=1), tail=tail)))
    assert (playlist.target, [entry.seconds for entry in playlist.entries]) == (30, [30, 6])


@pytest.mark.parametrize(("fps", "interval", "target"), [(30, 180, 6), (29, 180, 7), (120, 1, 1), (1, 1800, 1800)])
def test_the_target_duration_covers_the_longest_segment_before_there_is_one(
    fps: int, interval: int, target: int
) -> None:
    reel = replace(REEL, fps=fps, keyframe_interval=interval, segments=(segment(0, 1),), last_is_open=False)
    assert parsed(index_playlist(reel)).target == target
    assert parsed(video_playlist(reel)).target == target


def test_capture_times_are_stated_where_they_rise() -> None:
    times = (1_700_000_000_000, 0, 1_600_000_000_000, 1_700_000_060_001)
    segments = tuple(segment(n, 1, captured_epoch_ms=time) for n, time in enumerate(times))
    playlist = parsed(video_playlist(replace(REEL, segments=segments)))
    stated = [entry.date and entry.date.isoformat() for entry in playlist.entries]
    assert stated == ["2023-11-14T22:13:20+00:00", None, None, "2023-11-14T22:14:20.001000+00:00"]


def test_a_playlist_that_grows_states_no_times() -> None:
    reel = replace(REEL, segments=(segment(0, 1, captured_epoch_ms=1_700_000_000_000),), last_is_open=False)
    for body in (index_playlist(reel), live_playlist(replace(CHECKPOINT, reel=reel))):
        assert [entry.date for entry in parsed(body).entries] == [None]


def test_the_multivariant_playlist_names_size_codec_and_bit_rate() -> None:
    reel = replace(REEL, segments=(replace(segment(0, 180), size_bytes=1_500_000),), codecs="avc1.64001F")
    variant = b'BANDWIDTH=2097152,CODECS="avc1.64001F",RESOLUTION=640x360,FRAME-RATE=30.000'
    start = b"#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-STREAM-INF:"
    assert main_playlist(reel) == start + variant + b"\nvideo.m3u8\n"
    assert b"CODECS" not in (main_playlist(replace(reel, codecs="")) or b"")
    longer = replace(reel, segments=(*reel.segments, segment(180, 180)))
    assert main_playlist(longer) == main_playlist(reel), "it is not written by each flush"
    assert main_playlist(replace(reel, segments=())) is None
