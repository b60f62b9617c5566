"""The segments of closed reels, which `video.mp4` has too, are removed if that is configured."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.hls import MediaPlaylist
from tests.probe import ffprobe_frames
from tests.recovery.fake_media import fake_world
from tests.recovery.scenarios import REMOVAL
from tests.world import World
from timelapse_runtime.timelapse.commit_plan import segment_key
from timelapse_runtime.timelapse.model.checkpoint import Reel, reel_to_json
from timelapse_runtime.timelapse.model.playlist import index_playlist

DAY_MS = 24 * 3_600_000
HOURS_MS = 2 * 3_600_000


@pytest.fixture
def world() -> World:
    """A first day of four photos, whose reel was closed two days ago, and a second of eight."""
    return begun(fake_world(REMOVAL, None))


def begun(world: World) -> World:
    function = world.environment()
    world.shoot(function, range(4))
    world.clock.advance(DAY_MS)
    world.shoot(function, range(4, 12))
    world.sweep(function, drain=True)
    world.clock.advance(2 * DAY_MS)
    return world


def swept(world: World, *, times: int = 3) -> Reel:
    """The first reel after sweeps of a new environment."""
    function = world.environment()
    for _ in range(times):
        world.sweep(function)
    return world.reels()[0]


def segments(world: World, reel: Reel) -> list[str]:
    return [info.key for info in world.video.list_after(world.keys.segments(reel.name))]


def playlist(world: World, reel: Reel) -> MediaPlaylist:
    return MediaPlaylist.parse(world.video.get(world.keys.index(reel.name)).body)


def problems(world: World) -> list[str]:
    return [f"{finding.kind} {finding.where}: {finding.detail}" for finding in world.verify().findings]


def test_by_default_segments_stay() -> None:
    world = begun(fake_world({**REMOVAL, "TIMELAPSE_KEEP_SEGMENTS": "always"}, None))
    reel = swept(world)
    world.clock.advance(HOURS_MS)
    assert reel.video_etag == ""
    assert len(segments(world, swept(world))) == len(reel.segments)


def test_first_they_are_handed_over_and_after_as_long_as_a_reel_plays_they_are_removed(world: World) -> None:
    reel = swept(world)
    assert reel.video_etag == world.video.head(world.keys.video(reel.name)).etag
    assert len(segments(world, reel)) == len(reel.segments)
    assert {entry.uri for entry in playlist(world, reel).entries} == {"video.mp4"}
    assert problems(world) == []

    swept(world)
    assert segments(world, reel), "a player may have read the playlist that names them"
    world.clock.advance(HOURS_MS)
    swept(world)
    assert segments(world, reel) == []
    assert problems(world) == []
    assert world.keys_in_video() == [world.key(number) for number in range(12)]


def test_the_newest_reel_keeps_its_segments_though_it_is_closed(world: World) -> None:
    function = world.environment()
    world.sweep(function, close=True)
    world.clock.advance(30 * DAY_MS)
    swept(world)
    newest = world.checkpoint().reel
    assert newest is not None
    assert newest.is_closed
    assert len(segments(world, newest)) == len(newest.segments)


def test_segments_that_the_live_playlist_names_stay() -> None:
    world = fake_world(REMOVAL, None)
    function = world.environment()
    world.shoot(function, range(4))
    world.clock.advance(DAY_MS)
    world.shoot(function, range(4, 7))
    world.sweep(function, drain=True)
    world.clock.advance(DAY_MS)
    assert [part.name for part in world.checkpoint().tail] == [world.reels()[0].name]
    assert swept(world).video_etag == ""


def test_a_young_reel_keeps_its_segments_for_as_long_as_configured() -> None:
    world = begun(fake_world({**REMOVAL, "TIMELAPSE_KEEP_SEGMENTS": "week"}, None))
    assert swept(world).video_etag == ""
    world.clock.advance(5 * DAY_MS)
    assert swept(world).video_etag


@pytest.mark.parametrize("place", [5, -5])
def test_a_video_that_does_not_hold_them_leaves_them_where_they_are(
    world: World, place: int, caplog: pytest.LogCaptureFixture
) -> None:
    key = world.keys.video(world.reels()[0].name)
    body = bytearray(world.video.get(key).body)
    body[place] ^= 1
    world.video.put(key, bytes(body))
    reel = swept(world)
    assert reel.video_etag == ""
    assert {entry.uri for entry in playlist(world, reel).entries} != {"video.mp4"}
    assert "its video.mp4 does not hold them" in caplog.text


def test_a_video_that_was_replaced_since_it_was_read_back_leaves_them(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    reel = swept(world)
    key = world.keys.video(reel.name)
    world.video.put(key, world.video.get(key).body + b"more")
    world.clock.advance(HOURS_MS)
    swept(world)
    assert len(segments(world, reel)) == len(reel.segments)
    assert "is not the one that was read back" in caplog.text


def test_a_playlist_that_a_crash_left_behind_is_written_before_anything_is_removed(world: World) -> None:
    reel = swept(world)
    index = index_playlist(replace(reel, video_etag=""))
    assert index is not None
    world.video.put(world.keys.index(reel.name), index)
    world.clock.advance(HOURS_MS)
    swept(world)
    assert {entry.uri for entry in playlist(world, reel).entries} == {"video.mp4"}
    assert segments(world, reel), "until the playlist before is no longer played"
    world.clock.advance(HOURS_MS)
    swept(world)
    assert segments(world, reel) == []


def test_one_sweep_of_all_reels_writes_a_playlist_that_a_crash_left_behind_in_an_older_reel(world: World) -> None:
    reel = swept(world)
    function = world.environment()
    world.shoot(function, range(12, 16))
    world.clock.advance(DAY_MS)
    world.shoot(function, range(16, 20))
    world.sweep(function, drain=True)
    index = index_playlist(replace(reel, video_etag=""))
    assert index is not None
    world.video.put(world.keys.index(reel.name), index)
    assert len(problems(world)) == 1
    world.sweep(world.environment(), all_reels=True)
    assert problems(world) == []


def test_the_manifest_of_an_earlier_version_is_read(world: World) -> None:
    reel = world.reels()[0]
    value = json.loads(reel_to_json(reel))
    del value["video_etag"]
    world.video.put(world.keys.manifest(reel.name), json.dumps(value).encode())
    assert world.reels()[0] == reel


def test_another_decoder_plays_the_reel_without_its_segments(tmp_path: Path) -> None:
    world = begun(World(REMOVAL))
    reel = swept(world)
    world.clock.advance(HOURS_MS)
    swept(world)
    assert segments(world, reel) == []
    for name in ("index.m3u8", "init.mp4", "video.mp4"):
        (tmp_path / name).write_bytes(world.video.get(f"{world.keys.reel(reel.name)}{name}").body)
    assert ffprobe_frames(tmp_path / "index.m3u8").frame_count == reel.frame_count == 4
    assert segment_key(world.keys, reel, reel.segments[0]) not in world.object_keys()
