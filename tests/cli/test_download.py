"""A stream's finished video, copied from the bucket to a folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.world import World
from timelapse_runtime.cli import CommandFailed
from timelapse_runtime.cli.download import download_video


def make_stream(world: World, reels: tuple[range, ...]) -> None:
    """A closed reel of each range of photos, and one rejected photo."""
    function = world.environment()
    for numbers in reels:
        world.shoot(function, numbers)
        world.sweep(function, close=True)
    world.deliver(function, world.upload(99, b"not a photo"))
    world.sweep(function, close=True)


def test_the_newest_reel_is_at_the_top_and_earlier_ones_below(tmp_path: Path) -> None:
    world = World()
    make_stream(world, (range(6), range(6, 10)))
    download = download_video(world.video, world.keys.folder, tmp_path)
    assert (download.frame_count, download.rejected_count, download.reel_count) == (10, 1, 2)
    assert (tmp_path / "index.m3u8").read_text().startswith("#EXTM3U")
    older, newer = world.reels()
    assert (tmp_path / "video.mp4").read_bytes() == world.video_bytes(newer)
    assert (tmp_path / "reels" / older.name / "video.mp4").read_bytes() == world.video_bytes(older)
    assert download.size_bytes == len(world.video_bytes(newer)) + len(world.video_bytes(older))
    assert [path.name for path in (tmp_path / "rejected").iterdir()] == ["000099.jpg.json"]


def test_each_record_has_a_file_and_none_lies_outside(tmp_path: Path) -> None:
    world = World({"TIMELAPSE_INCLUDE": "*"})
    function = world.environment()
    world.shoot(function, range(3))
    keys = ["2026/1.jpg", "2027/1.jpg", "../../../../1.jpg", "é" * 200]
    for key in keys:
        world.deliver(function, world.upload(0, b"not a photo", key=key))
    world.deliver(function, world.upload(0, b"", key="empty.jpg"))
    world.sweep(function, close=True)
    (tmp_path / "out").mkdir()
    download = download_video(world.video, world.keys.folder, tmp_path / "out")
    assert dict(download.rejected_by_reason) == {"unsupported-type": 4, "empty": 1}
    records = [json.loads(path.read_text()) for path in (tmp_path / "out" / "rejected").iterdir()]
    assert {record["key"].removeprefix("frames/camera/") for record in records} == {*keys, "empty.jpg"}
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_an_open_reels_video_has_all_that_is_committed(tmp_path: Path) -> None:
    world = World({"TIMELAPSE_FLUSH_EVERY": "4"})
    function = world.environment()
    world.shoot(function, range(30))
    (newest,) = world.reels()
    committed = sum(segment.count for segment in newest.segments)
    stored = [info.key for info in world.video.list_after(world.keys.segments(newest.name))]
    assert len(stored) > len(newest.segments)  # shorter versions of the open one, too
    download = download_video(world.video, world.keys.folder, tmp_path)
    assert download.frame_count == committed > 0
    assert len(list((tmp_path / "segments").iterdir())) == len(newest.segments)


def test_a_stream_whose_photos_are_all_rejected_has_no_video(tmp_path: Path) -> None:
    world = World()
    function = world.environment()
    world.deliver(function, world.upload(0, b"not a photo"))
    with pytest.raises(CommandFailed, match="no photo could be used, so there is no video: 1 unsupported-type"):
        download_video(world.video, world.keys.folder, tmp_path)
