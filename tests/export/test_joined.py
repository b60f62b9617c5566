"""Exports whose packets are copied: judged by their index, and by another decoder than ours."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Sequence
from datetime import UTC, date
from fractions import Fraction
from pathlib import Path
from random import Random

import pytest

from tests.mp4 import Track, check_file
from tests.photos import make_photos
from tests.probe import ffmpeg_numbers, ffprobe_frames
from tests.programs import require_program
from tests.world import PHOTOS, World
from timelapse_runtime.export.file_times import FileTimes
from timelapse_runtime.export.joined import Counts, JoinedVideo, leading_reel
from timelapse_runtime.export.selection import Piece, Selector, TimeRange, chapters
from timelapse_runtime.export.stream_reader import StreamReader
from timelapse_runtime.timelapse.commit_plan import segment_key


def selector_of(world: World) -> Selector:
    reader = StreamReader(world.video, world.keys.folder)
    return Selector(reader, reader.checkpoint()[0], UTC)


def first_epoch_ms(world: World) -> int:
    return world.reels()[0].segments[0].captured_epoch_ms


def taken_between(world: World, start_seconds: float, end_seconds: float) -> list[Piece]:
    """What was taken in a time after the first photo."""
    began = first_epoch_ms(world)
    wanted = TimeRange(began + round(start_seconds * 1000), began + round(end_seconds * 1000))
    return selector_of(world).times(wanted)


def write(world: World, pieces: Sequence[Piece], path: Path, rate: Fraction | None = None) -> Counts:
    lead = leading_reel(pieces)
    times = FileTimes(rate or Fraction(lead.fps), lead.fps)
    video = JoinedVideo(StreamReader(world.video, world.keys.folder), pieces, times, threads=1)
    video.write(str(path), chapters=list(chapters(pieces)), metadata={"title": "camera"}, on_frames=lambda _: None)
    return video.counts


def judge(path: Path, expected: Sequence[int], *, has_chapters: bool = False) -> Track:
    """The file shows exactly these photos, and nothing in it is unusual."""
    track = check_file(path, len(expected))
    probe = ffprobe_frames(path)
    chapter_track = "Unsupported codec with id 98314 for input stream 1\n"  # as of every MP4 with chapters
    assert probe.messages == (chapter_track if has_chapters else "")
    assert probe.pts[0] == 0
    assert len(probe.steps) <= 1
    assert ffmpeg_numbers(path) == list(expected)
    return track


@pytest.fixture(scope="module")
def world() -> World:
    """60 photos, one a second, in segments of 12; the environment ends after the 40th."""
    world = World()
    first = world.environment()
    world.shoot(first, range(40))
    world.shut_down(first)
    second = world.environment()
    world.shoot(second, range(40, 60))
    world.sweep(second, drain=True)
    return world


def test_all_of_a_reel_is_copied(world: World, tmp_path: Path) -> None:
    counts = write(world, selector_of(world).reels(), tmp_path / "all.mp4")
    assert counts == Counts(copied=60, encoded=0)
    track = judge(tmp_path / "all.mp4", range(60))
    assert track.keyframes == [segment.first for segment in world.reels()[0].segments]


@pytest.mark.parametrize(("start", "end"), [(0, 60), (0, 1), (59, 60), (12, 24), (5, 47), (13, 14), (3, 9), (11, 50)])
def test_a_range_is_cut_at_the_frame(world: World, tmp_path: Path, start: int, end: int) -> None:
    pieces = taken_between(world, start, end)
    counts = write(world, pieces, tmp_path / "cut.mp4")
    judge(tmp_path / "cut.mp4", range(start, end))
    assert counts.copied + counts.encoded == end - start


def test_any_range_is_cut_at_the_frame(world: World, tmp_path: Path) -> None:
    random = Random(13)
    for number in range(25):
        start, end = sorted(random.sample(range(61), 2))
        write(world, taken_between(world, start - 0.5, end - 0.5), tmp_path / f"{number}.mp4")
        judge(tmp_path / f"{number}.mp4", range(start, end))


def test_frames_after_the_first_keyframe_are_not_encoded_again(world: World, tmp_path: Path) -> None:
    """From frame 5 on, 7 frames lead to the keyframe; frame 36 is a P-frame's right behind a complete group."""
    assert write(world, taken_between(world, 5, 60), tmp_path / "cut.mp4") == Counts(copied=48, encoded=7)


def test_frames_that_are_encoded_again_look_the_same(world: World, tmp_path: Path) -> None:
    write(world, taken_between(world, 5, 60), tmp_path / "cut.mp4")
    write(world, selector_of(world).reels(), tmp_path / "all.mp4")
    compare = "[1:v]trim=start_frame=5,setpts=PTS-STARTPTS[all];[0:v][all]psnr=stats_file=-"
    command = [require_program("ffmpeg"), "-nostdin", "-v", "error", "-i", str(tmp_path / "cut.mp4")]
    command += ["-i", str(tmp_path / "all.mp4"), "-lavfi", compare, "-f", "null", "-"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    values = [line.partition("psnr_avg:")[2].split()[0] for line in done.stdout.splitlines() if "psnr_avg" in line]
    assert len(values) == 55
    assert set(values[7:]) == {"inf"}
    assert min(map(float, values[:7])) > 38


@pytest.mark.parametrize("upgrade_at", [0, 30, 50])
def test_reels_with_and_without_an_edit_list_are_one_kind(tmp_path: Path, upgrade_at: int) -> None:
    world = World()
    function = world.environment()
    for numbers in (range(30), range(30, 50)):
        world.shoot(function, numbers)
        world.sweep(function, close=True)
        if upgrade_at == numbers.stop:
            world.upgrade()
    everything = selector_of(world).reels(everything=True)
    assert write(world, everything, tmp_path / "all.mp4") == Counts(copied=50, encoded=0)
    judge(tmp_path / "all.mp4", range(50))
    counts = write(world, taken_between(world, 5, 45), tmp_path / "cut.mp4")
    judge(tmp_path / "cut.mp4", range(5, 45))
    assert counts.copied >= 30


def mixed_world(change: Callable[[World], None]) -> World:
    """Two reels of different kinds: 30 photos, and the 20 that `change` takes."""
    world = World()
    first = world.environment()
    photos = make_photos(30, (320, 160)) if change is other_size else PHOTOS[:30]
    for number, photo in enumerate(photos):
        world.deliver(first, world.upload(number, photo))
    world.sweep(first, close=True)
    change(world)
    assert len({reel.init_sha256 for reel in world.reels()}) == 2
    return world


def slow_camera(world: World) -> None:
    function = world.environment()
    for number in range(30, 50):
        world.clock.advance(60_000)
        world.shoot(function, [number])
    world.sweep(function, drain=True)
    assert world.reels()[-1].low_delay


def other_rate(world: World) -> None:
    function = world.environment(fps="24")
    world.shoot(function, range(30, 50))
    world.sweep(function, drain=True)


def other_preset(world: World) -> None:
    function = world.environment(preset="slower")
    world.shoot(function, range(30, 50))
    world.sweep(function, drain=True)


def other_size(world: World) -> None:
    function = world.environment()
    for number, photo in enumerate(make_photos(20, (640, 320), first=30), start=30):
        world.deliver(function, world.upload(number, photo))
    world.sweep(function, drain=True)
    assert world.reels()[-1].width == 640


@pytest.mark.parametrize("change", [slow_camera, other_rate, other_preset, other_size])
def test_a_reel_of_another_kind_is_encoded_to_that_of_most_frames(
    change: Callable[[World], None], tmp_path: Path
) -> None:
    world = mixed_world(change)
    pieces = selector_of(world).reels(everything=True)
    counts = write(world, pieces, tmp_path / "both.mp4")
    assert counts == Counts(copied=30, encoded=20)
    judge(tmp_path / "both.mp4", range(50))
    assert leading_reel(pieces) == world.reels()[0]


@pytest.mark.parametrize("change", [slow_camera, other_rate, other_preset, other_size])
def test_each_kind_of_reel_can_be_cut(change: Callable[[World], None], tmp_path: Path) -> None:
    world = mixed_world(change)
    second = world.reels()[-1]
    pieces = [
        Piece(second, position, range(segment.count)[5 * (position == 0) :], [date(2026, 11, 25)])
        for position, segment in enumerate(second.segments)
    ]
    counts = write(world, pieces, tmp_path / "cut.mp4")
    assert counts.copied == 20 - second.segments[0].count
    judge(tmp_path / "cut.mp4", range(35, 50))


def test_without_a_matching_encoder_all_frames_are_encoded(world: World, tmp_path: Path) -> None:
    pieces = taken_between(world, 5, 60)
    reader = StreamReader(world.video, world.keys.folder)
    video = JoinedVideo(reader, pieces, FileTimes(Fraction(30), 30), threads=1, presets=())
    video.write(str(tmp_path / "cut.mp4"), chapters=(), metadata={}, on_frames=lambda _: None)
    assert video.counts == Counts(copied=0, encoded=55)
    judge(tmp_path / "cut.mp4", range(5, 60))


def test_another_frame_rate_needs_no_encoder(world: World, tmp_path: Path) -> None:
    counts = write(world, selector_of(world).reels(), tmp_path / "slow.mp4", Fraction(15, 2))
    assert counts == Counts(copied=60, encoded=0)
    track = judge(tmp_path / "slow.mp4", range(60))
    assert Fraction(track.decode_times[1], track.time_scale) == Fraction(2, 15)


def test_segments_that_were_removed_are_read_from_the_closed_reels_file(tmp_path: Path) -> None:
    world = World()
    function = world.environment()
    world.shoot(function, range(30))
    world.sweep(function, close=True)
    (reel,) = world.reels()
    world.video.delete([segment_key(world.keys, reel, segment) for segment in reel.segments])
    write(world, taken_between(world, 5, 30), tmp_path / "cut.mp4")
    judge(tmp_path / "cut.mp4", range(5, 30))


def test_each_day_is_a_chapter(tmp_path: Path) -> None:
    """The day changes within a segment: the chapter begins at the frame."""
    world = World()
    function = world.environment()
    world.clock.advance(-world.clock.now_epoch_ms() % 86_400_000 - 20_000)
    world.shoot(function, range(30))
    world.clock.advance(86_400_000 - 5_000)
    world.shoot(function, range(30, 50))
    world.sweep(function, drain=True)
    pieces = selector_of(world).reels()
    days = list(chapters(pieces))
    assert [first for first, _ in days] == [0, 19, 30]
    write(world, pieces, tmp_path / "days.mp4")
    judge(tmp_path / "days.mp4", range(50), has_chapters=True)
    command = [require_program("ffprobe"), "-v", "error", "-show_chapters", "-of", "json", str(tmp_path / "days.mp4")]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)["chapters"]
    assert [(round(float(one["start_time"]) * 30), one["tags"]["title"]) for one in found] == [
        (first, day.isoformat()) for first, day in days
    ]
