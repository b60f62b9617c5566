"""The options that say which frames."""

from __future__ import annotations

import argparse
import re
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

import pytest

from tests.photos import with_capture_time
from tests.world import PHOTOS, World
from timelapse_runtime.cli import CommandFailed
from timelapse_runtime.cli.selected import selected, zone_of
from timelapse_runtime.cli.selection_options import add_selection
from timelapse_runtime.export.errors import CannotExport
from timelapse_runtime.export.selection import frame_count, thinned
from timelapse_runtime.export.stream_reader import StreamReader
from timelapse_runtime.timelapse.errors import ConfigError
from timelapse_runtime.timelapse.model.stream_settings import StreamSettings


def chosen(world: World, *arguments: str, zone: tzinfo = UTC, folder: str | None = None) -> list[int]:
    """The numbers of the frames in the stream that the options name."""
    parser = argparse.ArgumentParser()
    add_selection(parser)
    reader = StreamReader(world.video, folder or world.keys.folder)
    pieces = selected(reader, parser.parse_args(arguments), zone)
    before = {
        reel.name: sum(one.frame_count for one in world.reels()[:number]) for number, reel in enumerate(world.reels())
    }
    return [before[piece.reel.name] + piece.segment.first + offset for piece in pieces for offset in piece.offsets]


@pytest.fixture(scope="module")
def world() -> World:
    """Two reels: 30 photos from 23:59:40 of a day (UTC) on, and 20 the next day."""
    world = World()
    first = world.environment()
    world.clock.advance(-world.clock.now_epoch_ms() % 86_400_000 - 21_000)
    world.shoot(first, range(30))
    world.sweep(first, close=True)
    world.clock.advance(86_400_000)
    world.shoot(first, range(30, 50))
    world.sweep(first, drain=True)
    return world


def day_of(world: World, number: int) -> str:
    """The day of the first photo, or of one of the next."""
    began = world.reels()[0].segments[0].captured_epoch_ms / 1000
    return datetime.fromtimestamp(began + number * 86_400, UTC).date().isoformat()


def test_the_newest_reel_is_the_default(world: World) -> None:
    assert chosen(world) == [*range(30, 50)]
    assert chosen(world, "--all") == [*range(50)]
    first, second = (reel.name for reel in world.reels())
    assert chosen(world, "--reel", first) == [*range(30)]
    assert chosen(world, "--reel", second, "--reel", first) == [*range(50)]


def test_a_range_has_its_beginning_and_not_its_end(world: World) -> None:
    day = day_of(world, 0)
    assert chosen(world, "--from", f"{day}T23:59:45", "--to", f"{day}T23:59:50") == [*range(5, 10)]
    assert chosen(world, "--from", f"{day}T23:59:45Z", "--to", f"{day}T23:59:45.5Z") == [5]
    assert chosen(world, "--to", f"{day}T23:59:42") == [0, 1]


def test_a_day_is_all_of_the_day(world: World) -> None:
    assert chosen(world, "--from", day_of(world, 0), "--to", day_of(world, 0)) == [*range(20)]
    assert chosen(world, "--from", day_of(world, 1), "--to", day_of(world, 1)) == [*range(20, 30)]
    assert chosen(world, "--from", day_of(world, 1)) == [*range(20, 50)]


def test_times_are_those_of_the_time_zone(world: World) -> None:
    east = ZoneInfo("Asia/Tokyo")
    assert chosen(world, "--from", day_of(world, 1), "--to", day_of(world, 1), zone=east) == [*range(30)]
    assert chosen(world, "--from", f"{day_of(world, 1)}T08:59:45", "--to", day_of(world, 1), zone=east) == [
        *range(5, 30)
    ]


def test_the_time_zone_is_the_streams_own_or_that_of_the_shell() -> None:
    world, shell = World(), {"TIMELAPSE_TIMEZONE": "Asia/Tokyo"}
    reader = StreamReader(world.video, world.keys.folder)
    assert zone_of(shell, reader) == ZoneInfo("Asia/Tokyo")
    with pytest.raises(ConfigError, match="TIMELAPSE_TIMEZONE"):
        zone_of({"TIMELAPSE_TIMEZONE": "Mars"}, reader)
    world.video.put(world.keys.settings, StreamSettings({"timezone": "Europe/Berlin"}).to_json())
    assert zone_of(shell, reader) == ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("text", "expected"), [("1s", [49]), ("10s", [*range(40, 50)]), ("1m", [*range(30, 50)]), ("2d", [*range(50)])]
)
def test_the_last_of_it_ends_with_the_newest_frame(world: World, text: str, expected: list[int]) -> None:
    assert chosen(world, "--last", text) == expected


def test_what_is_not_there_is_said_with_what_there_is(world: World) -> None:
    with pytest.raises(CannotExport, match=r"there are frames from 20.* to 20"):
        chosen(world, "--from", "2031-01-01")
    with pytest.raises(CannotExport, match=f"there is no reel 2020-01-01-0001 .*{world.reels()[0].name}"):
        chosen(world, "--reel", "2020-01-01-0001")
    with pytest.raises(CommandFailed, match="exclude each other"):
        chosen(world, "--last", "1h", "--from", "2020-01-01")
    with pytest.raises(CommandFailed, match=r"no video at .*there are s3://video-bucket/video/camera/"):
        chosen(world, folder="video/other/")


@pytest.mark.parametrize("text", ["", "0s", "2", "h", "2h3", "-1h"])
def test_a_time_span_has_units(text: str) -> None:
    with pytest.raises(SystemExit):
        chosen(World(), f"--last={text}")


def test_every_third_frame_is_counted_over_segments(world: World) -> None:
    parser = argparse.ArgumentParser()
    add_selection(parser)
    reader = StreamReader(world.video, world.keys.folder)
    pieces = thinned(selected(reader, parser.parse_args(["--all"]), UTC), 7)
    assert frame_count(pieces) == 8
    first = {reel.name: number for reel, number in zip(world.reels(), (0, 30), strict=True)}
    numbers = [first[piece.reel.name] + piece.segment.first + one for piece in pieces for one in piece.offsets]
    assert numbers == [*range(0, 50, 7)]


def test_segments_without_a_time_are_read(world: World) -> None:
    """As they were written before there was one."""
    known = world.video.get(world.keys.checkpoint).body
    keys = [world.keys.checkpoint, *(world.keys.manifest(reel.name) for reel in world.reels()[:-1])]
    bodies = {key: world.video.get(key).body for key in keys}
    day = day_of(world, 0)
    try:
        for key, body in bodies.items():
            world.video.put(key, re.sub(rb'"captured_epoch_ms": ?\d+', b'"captured_epoch_ms":0', body))
        assert world.reels()[0].segments[0].captured_epoch_ms == 0
        assert chosen(world, "--from", f"{day}T23:59:45", "--to", f"{day}T23:59:50") == [*range(5, 10)]
        assert chosen(world, "--last", "10s") == [*range(40, 50)]
        assert chosen(world, "--all") == [*range(50)]
    finally:
        for key, body in bodies.items():
            world.video.put(key, body)
    assert world.video.get(world.keys.checkpoint).body == known


def test_a_clock_that_is_set_back_takes_no_frame_away() -> None:
    """20 photos; an hour back; 20 photos that tell earlier times; in one reel, whose order is that of the uploads."""
    world = World({"TIMELAPSE_ORDER": "arrival"})
    function = world.environment()
    noon = datetime(2026, 11, 25, 12, tzinfo=UTC)
    world.clock.advance(round(noon.timestamp() * 1000) - world.clock.now_epoch_ms())
    for number in range(40):
        taken = noon + timedelta(seconds=number, hours=-1 if number >= 20 else 0)
        world.deliver(function, world.upload(number, with_capture_time(PHOTOS[number], taken)))
    world.sweep(function, drain=True)
    assert chosen(world, "--from", "2026-11-25T12:00:05", "--to", "2026-11-25T12:00:10") == [*range(5, 10)]
    assert chosen(world, "--from", "2026-11-25T11:00:25", "--to", "2026-11-25T11:00:35") == [*range(25, 35)]
    assert chosen(world, "--from", "2026-11-25T10:59", "--to", "2026-11-25T12:01") == [*range(40)]
    assert chosen(world, "--from", "2026-11-25", "--to", "2026-11-25") == [*range(40)]
