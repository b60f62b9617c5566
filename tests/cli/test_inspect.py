"""`timelapse inspect`: what it prints."""

from __future__ import annotations

from datetime import UTC
from zoneinfo import ZoneInfo

import pytest

from tests.recovery.scenarios import REMOVAL
from tests.world import STREAM, World
from timelapse_runtime.cli import CommandFailed
from timelapse_runtime.cli.inspect import inspect
from timelapse_runtime.cli.inspect_report import Report
from timelapse_runtime.export.stream_state import StateReader
from timelapse_runtime.runtime.state.errors import AccessDenied
from timelapse_runtime.timelapse.model.location import Location
from timelapse_runtime.timelapse.model.photo_filter import DEFAULT_FILTER
from timelapse_runtime.timelapse.model.stream_settings import StreamSettings


def inspected(world: World, folder: str, zone: str = "UTC", keep_segments: str = "always") -> Report:
    include, now = DEFAULT_FILTER, world.clock.now_epoch_ms()
    reader = StateReader(world.video, lambda _bucket: world.frames, include=include, now_epoch_ms=now)
    settings = {"TIMEZONE": UTC if zone == "UTC" else ZoneInfo(zone), "KEEP_SEGMENTS": keep_segments}
    return inspect(reader, world.video, Location(world.video.bucket, folder), settings)


def world_of(count: int) -> World:
    world = World({"TIMELAPSE_ORDER": "arrival"})
    function = world.environment()
    world.shoot(function, range(count))
    world.deliver(function, world.upload(count, b""))
    world.sweep(function, drain=True)
    return world


def test_the_text_has_a_line_for_each_subject() -> None:
    world = world_of(14)
    world.upload(20)
    world.clock.advance(90_000)
    text = "\n".join(inspected(world, world.keys.folder).lines())
    lines = {line.split()[0]: line for line in text.splitlines()}
    assert "14 frames in 1 reel; the last was taken 2" in lines["video"]
    assert "UTC (000013.jpg):" in lines["video"]
    assert "the newest came 1 min ago (000020.jpg)" in lines["photos"]
    assert "1 photo, the oldest came 1 min ago; the video is 2 s behind the newest photo" in lines["waiting"]
    assert "1: empty 1" in lines["rejected"]
    assert lines["ignored"].split()[1] == "0"
    assert "128x64 30 fps" in text
    assert not text.count("1970")


def test_times_are_in_the_time_zone_that_is_asked_for() -> None:
    world = world_of(5)
    (line,) = [line for line in inspected(world, world.keys.folder, "Asia/Tokyo").lines() if line.startswith("video")]
    assert " JST (" in line


def test_the_json_has_the_same() -> None:
    world = world_of(14)
    world.upload(20)
    value = inspected(world, world.keys.folder).to_value()
    assert (value["frame_count"], value["waiting_count"], value["lag_ms"]) == (14, 1, 2_000)
    assert value["rejected_by_reason"] == {"empty": 1}
    assert [(reel["frame_count"], reel["is_closed"]) for reel in value["reels"]] == [(14, False)]
    assert value["newest_photo"]["key"] == "000020.jpg"


def test_it_says_how_long_segments_stay_and_of_which_reels_they_are_gone() -> None:
    world = World({"TIMELAPSE_REEL": "day", "TIMELAPSE_KEYFRAME_INTERVAL": "2"} | REMOVAL)
    function = world.environment()
    for first in (0, 6, 12):
        world.shoot(function, range(first, first + 6))
        world.sweep(function, close=True)
        world.clock.advance(2 * 86_400_000)
    world.sweep(function)
    world.sweep(function)
    report = inspected(world, world.keys.folder)
    text = "\n".join(report.lines())
    assert "kept for ever (TIMELAPSE_KEEP_SEGMENTS of this machine; the function's counts), removed of 2 of 3" in text
    assert text.count("closed, in video.mp4 alone") == 2
    value = report.to_value()
    assert [reel["is_in_video_alone"] for reel in value["reels"]] == [False, True, True]
    assert value["keep_segments"] == "always"
    world.video.put(world.keys.settings, StreamSettings({"keep_segments": "day"}).to_json())
    own = inspected(world, world.keys.folder)
    assert "kept for a day after their reel is closed (TIMELAPSE_KEEP_SEGMENTS of the stream)" in "\n".join(own.lines())
    assert own.to_value()["keep_segments"] == "day"


def test_a_folder_of_streams_has_a_line_for_each() -> None:
    world = world_of(14)
    report = inspected(world, "video/")
    (line,) = report.lines()
    assert line.split()[0] == STREAM
    assert "14 frames, 1 rejected, 0 waiting" in line
    assert [one["frame_count"] for one in report.to_value()["streams"]] == [14]


def test_a_place_without_a_stream_is_named() -> None:
    world = world_of(5)
    with pytest.raises(CommandFailed, match=r"no video at s3://video-bucket/video/cam2/ .there are .*video/camera/"):
        inspected(world, "video/cam2/")


def test_photos_that_must_not_be_listed_are_said_to_be_so() -> None:
    world = world_of(5)

    def refuse(operation: str, key: str) -> None:
        raise AccessDenied(operation, "frames-bucket", key, "AccessDenied (HTTP 403)")

    world.frames.on_request = refuse
    text = "\n".join(inspected(world, world.keys.folder).lines())
    assert "need s3:ListBucket on arn:aws:s3:::frames-bucket" in text
    assert text.count("not known") == 2


def test_a_streams_own_settings_are_shown_and_obeyed() -> None:
    world = world_of(5)
    assert "settings      none of its own" in list(inspected(world, world.keys.folder).lines())
    own = StreamSettings({"timezone": "Asia/Tokyo", "include": "*.dat"})
    world.video.put(world.keys.settings, own.to_json())
    world.upload(30)
    world.upload(31, key="31.dat")
    report = inspected(world, world.keys.folder)
    lines = {line.split()[0]: line for line in report.lines()}
    assert lines["settings"].endswith("include=*.dat, timezone=Asia/Tokyo")
    assert " JST (" in lines["video"]
    assert report.to_value()["waiting_count"] == 1, "31.dat"
    assert report.to_value()["settings"] == own.values


def test_settings_that_cannot_be_used_are_named() -> None:
    world = world_of(5)
    world.video.put(world.keys.settings, b'{"format": 1, "settings": {"fps": "x"}}')
    report = inspected(world, world.keys.folder)
    (line,) = [line for line in report.lines() if line.startswith("settings")]
    assert "PROBLEM: fps is 'x'; allowed: 1 to 120" in line
    assert report.to_value()["settings_problem"]
