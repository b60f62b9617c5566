"""A stream's finished video, copied from the bucket to a folder."""

from __future__ import annotations

import json
from pathlib import Path

from tests.world import World
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
    assert download.file == tmp_path / "video.mp4"
    assert download.playlist.read_text().startswith("#EXTM3U")
    older, newer = world.reels()
    assert download.file.read_bytes() == world.video_bytes(newer)
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
    download = download_video(world.video, world.keys.folder, tmp_path / "out")
    assert dict(download.rejected_by_reason) == {"unsupported-type": 4, "empty": 1}
    records = [json.loads(path.read_text()) for path in (tmp_path / "out" / "rejected").iterdir()]
    assert {record["key"].removeprefix("frames/camera/") for record in records} == {*keys, "empty.jpg"}
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_second_download_replaces_the_first_and_leaves_other_files_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    first, second = World(), World()
    make_stream(first, (range(6), range(6, 10)))
    make_stream(second, (range(3),))
    download_video(first.video, first.keys.folder, tmp_path)
    assert download_video(second.video, second.keys.folder, tmp_path).frame_count == 3
    assert not (tmp_path / "reels").exists()
    assert len(list((tmp_path / "segments").iterdir())) == 1
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_folder_that_is_not_a_download_loses_nothing(tmp_path: Path) -> None:
    (tmp_path / "segments").mkdir()
    (tmp_path / "segments" / "mine").write_text("mine")
    world = World()
    make_stream(world, (range(3),))
    download_video(world.video, world.keys.folder, tmp_path)
    assert (tmp_path / "segments" / "mine").read_text() == "mine"
