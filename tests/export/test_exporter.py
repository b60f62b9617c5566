"""Files whose frames are encoded again, and what is decided for which wish."""

from __future__ import annotations

import json
import os
import subprocess
from datetime import UTC
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageSequence

from tests.export.test_joined import judge, selector_of
from tests.mp4 import check_file
from tests.photos import make_photos, read_number
from tests.probe import ffmpeg_numbers
from tests.programs import require_program
from tests.world import World
from timelapse_runtime.export.animation import MAXIMUM_RATE, USUAL_SECONDS
from timelapse_runtime.export.errors import CannotExport
from timelapse_runtime.export.exporter import COPY, Wanted, Written, kind_of, plan_export, write_file
from timelapse_runtime.export.selection import Selector, frame_count
from timelapse_runtime.export.stream_reader import StreamReader


@pytest.fixture(scope="module")
def world() -> World:
    """60 photos of 320x160, in segments of 12."""
    world = World()
    function = world.environment()
    for number, photo in enumerate(make_photos(60, (320, 160))):
        world.deliver(function, world.upload(number, photo))
    world.sweep(function, drain=True)
    return world


def write(world: World, path: Path, wanted: Wanted) -> Written:
    reader = StreamReader(world.video, world.keys.folder)
    plan = plan_export(Selector(reader, world.checkpoint(), UTC).reels(), wanted)
    done: list[int] = []
    written = write_file(reader, plan, wanted, path, threads=1, metadata={"title": "camera"}, on_frames=done.append)
    assert sum(done) == written.frame_count == frame_count(plan.pieces)
    return written


def stream_of(path: Path) -> dict[str, object]:
    command = [require_program("ffprobe"), "-v", "error", "-show_streams", "-of", "json", str(path)]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)["streams"][0]
    assert isinstance(found, dict)
    return found


def test_no_thread_becomes_a_real_time_thread(world: World, tmp_path: Path) -> None:
    """As root, SVT-AV1 would starve the machine, and every test after this one."""
    before, wanted = os.sched_getscheduler(0), Wanted("mp4", "av1")
    reader = StreamReader(world.video, world.keys.folder)
    plan = plan_export(Selector(reader, world.checkpoint(), UTC).reels(), wanted)
    found: set[int] = set()

    def look(_frames: int) -> None:
        found.update(os.sched_getscheduler(int(task.name)) for task in Path("/proc/self/task").iterdir())

    write_file(reader, plan, wanted, tmp_path / "video.mp4", threads=2, metadata={}, on_frames=look)
    look(0)
    assert found == {before}


@pytest.mark.parametrize(
    ("codec", "name", "tag"), [("h264", "h264", "avc1"), ("h265", "hevc", "hvc1"), ("av1", "av1", "av01")]
)
def test_each_codec_shows_each_frame(world: World, tmp_path: Path, codec: str, name: str, tag: str) -> None:
    written = write(world, tmp_path / "video.mp4", Wanted("mp4", codec))
    assert (written.frame_count, written.copied_count) == (60, 0)
    track = check_file(tmp_path / "video.mp4", 60)
    assert track.sample_entries == [tag]
    assert ffmpeg_numbers(tmp_path / "video.mp4") == [*range(60)]
    stream = stream_of(tmp_path / "video.mp4")
    assert (stream["codec_name"], stream["start_pts"], stream["avg_frame_rate"]) == (name, 0, "30/1")
    assert (stream["color_range"], stream["color_space"]) == ("tv", "smpte170m")


def test_another_size_has_bars_beside_another_shape(world: World, tmp_path: Path) -> None:
    written = write(world, tmp_path / "video.mp4", Wanted("mp4", COPY, (640, 480)))
    assert (written.size, written.copied_count) == ((640, 480), 0)
    stream = stream_of(tmp_path / "video.mp4")
    assert (stream["width"], stream["height"]) == (640, 480)
    check_file(tmp_path / "video.mp4", 60)


@pytest.mark.parametrize(
    ("speed", "numbers", "rate", "copied"),
    [
        ("1", range(60), Fraction(30), 60),
        ("2", range(60), Fraction(60), 60),
        ("0.5", range(60), Fraction(15), 60),
        ("4", range(0, 60, 2), Fraction(60), 0),
        ("10", range(0, 60, 5), Fraction(60), 0),
        ("24", range(0, 60, 12), Fraction(60), 0),
    ],
)
def test_a_speed_leaves_out_no_more_frames_than_it_must(
    world: World, tmp_path: Path, speed: str, numbers: range, rate: Fraction, copied: int
) -> None:
    written = write(world, tmp_path / "video.mp4", Wanted("mp4", speed=Fraction(speed)))
    assert (written.rate, written.copied_count) == (rate, copied)
    track = judge(tmp_path / "video.mp4", numbers)
    assert Fraction(track.decode_times[1], track.time_scale) == 1 / rate


def test_only_the_beginnings_of_segments_are_read_if_only_keyframes_are_wanted(world: World, tmp_path: Path) -> None:
    """Each segment is small here: one GET. Those of real streams are read in part (`test_keyframes.py`)."""
    sent: list[str] = []
    world.video.on_request = lambda operation, key: sent.append(f"{operation} {key.rpartition('.')[2]}")
    try:
        write(world, tmp_path / "video.mp4", Wanted("mp4", speed=Fraction(48)))
    finally:
        world.video.on_request = lambda _operation, _key: None
    assert sent.count("GetObject m4s") == 3
    assert ffmpeg_numbers(tmp_path / "video.mp4") == [0, 24, 48]


@pytest.mark.parametrize("kind", ["gif", "webp"])
def test_an_animation_shows_its_frames_for_ever(world: World, tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"video.{kind}"
    written = write(world, path, Wanted(kind))
    assert (written.size, written.rate) == ((320, 160), Fraction(15))
    with Image.open(path) as image:
        assert image.info["loop"] == 0
        frames = [np.asarray(frame.convert("L")) for frame in ImageSequence.Iterator(image)]
        assert [read_number(frame) for frame in frames] == [*range(0, 60, 2)]


def test_an_animation_is_short_and_small_unless_it_is_asked_for_more() -> None:
    world = World()
    function = world.environment(fps="2")
    world.shoot(function, range(60))
    world.sweep(function, drain=True)
    pieces = selector_of(world).reels()
    plan = plan_export(pieces, Wanted("gif"))
    assert plan.rate <= MAXIMUM_RATE
    assert frame_count(plan.pieces) / plan.rate <= USUAL_SECONDS
    assert frame_count(plan_export(pieces, Wanted("gif", speed=Fraction(1))).pieces) == 60
    assert plan.size == (128, 64)


def test_too_large_an_animation_is_refused(world: World, tmp_path: Path) -> None:
    with pytest.raises(CannotExport, match=r"30 frames of 8000x4000 are too many .* --speed"):
        write(world, tmp_path / "video.gif", Wanted("gif", size=(8000, 4000)))


def test_the_name_says_what_the_file_is() -> None:
    assert [kind_of(Path(name)) for name in ("a.mp4", "a.b.GIF", "a.webp")] == ["mp4", "gif", "webp"]
    for name in ("video", "video.mov", "mp4"):
        with pytest.raises(CannotExport, match="must end in"):
            kind_of(Path(name))
