"""Closed reels that are rendered as H.265 and as AV1: judged by ffmpeg, and by what the playlists say."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest

from tests.export.test_joined import judge
from tests.hls import MediaPlaylist
from tests.mp4 import check_file
from tests.photos import make_photos
from tests.probe import ffmpeg_numbers
from tests.programs import require_program
from tests.timelapse.test_remaking import remaking
from tests.world import World
from timelapse_runtime.export.exporter import Wanted, Written, plan_export, write_file
from timelapse_runtime.export.selection import Selector
from timelapse_runtime.export.stream_reader import StreamReader
from timelapse_runtime.timelapse.model.checkpoint import Reel
from timelapse_runtime.timelapse.model.quality import AV1, H264, H265, codec_named
from timelapse_runtime.timelapse.stored_reels import read_segment

_DAY_MS = 24 * 3_600_000
_LENGTHS = 20, 5
TAGS = {H265: "hvc1", AV1: "av01"}


def two_days() -> World:
    """A closed reel of 20 frames, in segments of 12, and an open one."""
    world, first = World({"TIMELAPSE_ORDER": "arrival", "TIMELAPSE_REEL": "day"}), 0
    function = world.environment()
    for length in _LENGTHS:
        world.clock.advance(_DAY_MS * bool(first))
        for number, photo in enumerate(make_photos(length, (192, 128), first=first), start=first):
            world.deliver(function, world.upload(number, photo))
        first += length
    world.sweep(function, drain=True)
    return world


def render(world: World, codec: str) -> Reel:
    """The closed reel of two_days, rendered."""
    work, old = remaking(world), world.reels()[0]
    config = replace(work.config.for_codec(codec, {"preset": "ultrafast"}), size=(192, 128))
    ((change, _),) = work.render([old.name], config)
    assert (change.frames_before, change.frames_after) == (20, 20)
    return world.reels()[0]


def probed(path: Path) -> dict[str, Any]:
    """The video stream, as ffprobe describes it."""
    command = [require_program("ffprobe"), "-v", "error", "-show_streams", "-of", "json", str(path)]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)["streams"][0]
    assert isinstance(found, dict)
    return found


@pytest.fixture(scope="module", params=TAGS)
def rendered(request: pytest.FixtureRequest) -> tuple[str, World]:
    """A codec, and three days: a closed reel in it, one as recorded, and one that is open."""
    world, codec = two_days(), str(request.param)
    render(world, codec)
    world.clock.advance(_DAY_MS)
    function = world.environment()
    world.deliver(function, world.upload(25, next(make_photos(1, (192, 128), first=25))))
    world.sweep(function, drain=True)
    return codec, world


def test_each_frame_is_there_and_players_are_told_the_codec(rendered: tuple[str, World], tmp_path: Path) -> None:
    codec, world = rendered
    reel, *live = world.reels()
    assert (codec_named(reel.codecs), {codec_named(one.codecs) for one in live}) == (codec, {H264})
    path = tmp_path / "video.mp4"
    path.write_bytes(world.video_bytes(reel))
    assert ffmpeg_numbers(path) == [*range(20)]
    assert check_file(path, 20).sample_entries == [TAGS[codec]]
    stream = probed(path)
    assert (stream["color_range"], stream["color_space"], stream["start_pts"]) == ("tv", "smpte170m", 0)
    assert not world.verify().findings


def test_each_reels_own_playlist_plays(rendered: tuple[str, World], tmp_path: Path) -> None:
    _, world = rendered
    for key in world.object_keys():
        path = tmp_path / key.removeprefix(world.keys.folder)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(world.video.get(key).body)
    week = MediaPlaylist.parse((tmp_path / "week.m3u8").read_bytes())
    assert [entry.discontinuity for entry in week.entries] == [0, 0, 1]
    for reel in world.reels()[:2]:
        listed = tmp_path / "reels" / reel.name / "video.m3u8"
        assert len(ffmpeg_numbers(listed)) == reel.frame_count


def export(world: World, path: Path, *names: str) -> Written:
    """The reels with these names, or all of them."""
    reader, wanted = StreamReader(world.video, world.keys.folder), Wanted("mp4")
    pieces = Selector(reader, world.checkpoint(), UTC).reels(names, everything=not names)
    plan = plan_export(pieces, wanted)
    return write_file(reader, plan, wanted, path, threads=1, metadata={}, on_frames=lambda _: None)


def test_its_packets_are_exported_as_they_are(rendered: tuple[str, World], tmp_path: Path) -> None:
    codec, world = rendered
    written = export(world, tmp_path / "export.mp4", world.reels()[0].name)
    assert (written.frame_count, written.copied_count) == (20, 20)
    assert judge(tmp_path / "export.mp4", range(20)).sample_entries == [TAGS[codec]]


def test_all_of_a_stream_of_two_codecs_is_exported_as_h264(rendered: tuple[str, World], tmp_path: Path) -> None:
    written = export(rendered[1], tmp_path / "export.mp4")
    assert (written.frame_count, written.copied_count) == (26, 0)
    assert judge(tmp_path / "export.mp4", range(26), has_chapters=True).sample_entries[0] == "avc1"


def test_a_removal_keeps_the_codec() -> None:
    world = two_days()
    render(world, H265)
    remaking(world).remove([world.key(7)])
    reel = world.reels()[0]
    assert (codec_named(reel.codecs), reel.frame_count) == (H265, 19)
    assert not world.verify().findings


@pytest.mark.parametrize("codec", [H264, H265])
def test_a_slow_cameras_reel_looks_ahead_when_nobody_waits(codec: str) -> None:
    """What is recorded of it gives each frame at once, for which B-frames are given up."""
    world = World({"TIMELAPSE_ORDER": "arrival", "TIMELAPSE_REEL": "day"})
    function = world.environment()
    for number, photo in enumerate(make_photos(20, (192, 128))):
        world.clock.advance(60_000)
        world.deliver(function, world.upload(number, photo))
    world.sweep(function, close=True)
    before = world.reels()[-1]
    assert (before.low_delay, before.reorder_frames) == (True, 0)
    work = remaking(world)
    list(work.render([before.name], replace(work.config.for_codec(codec, {}), size=(192, 128))))
    after = world.reels()[-1]
    assert (after.low_delay, after.reorder_frames) == (True, 2)
    assert read_segment(world.video, world.keys, after, 0)
    assert not world.verify().findings
