"""Exports of reels whose frames are shown as their photos were taken: the file has the same times, by ffprobe and by
the pictures that ffmpeg decodes."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from datetime import timedelta
from fractions import Fraction
from itertools import accumulate, pairwise
from pathlib import Path

import pytest
from PIL import Image, ImageSequence

from tests.export.test_joined import selector_of, taken_between
from tests.mp4 import read_track
from tests.probe import ffmpeg_numbers, ffprobe_frames
from tests.programs import require_program
from tests.timelapse.test_capture_times import LAST, SETTINGS, WAITS_MS, expected_steps, record
from tests.world import World
from timelapse_runtime.export.exporter import COPY, Wanted, Written, plan_export, write_file
from timelapse_runtime.export.selection import Piece, frame_count
from timelapse_runtime.export.stream_reader import StreamReader

FPS = 30
SHOWN = [one / FPS for one in accumulate(expected_steps(), initial=0.0)]
"""When each frame of `record` is shown, in seconds."""


@pytest.fixture(scope="module", params=["12", "86400"], ids=["low delay", "looks ahead"])
def world(request: pytest.FixtureRequest) -> World:
    return record({"TIMELAPSE_FLUSH_AFTER_SECONDS": request.param})


def write(world: World, pieces: Sequence[Piece], path: Path, wanted: Wanted) -> Written:
    plan, done = plan_export(pieces, wanted), list[int]()
    reader = StreamReader(world.video, world.keys.folder)
    written = write_file(reader, plan, wanted, path, threads=1, metadata={}, on_frames=done.append)
    assert sum(done) == frame_count(plan.pieces)
    return written


def seconds_of(path: Path) -> float:
    """How long the file says that it is."""
    command = [require_program("ffprobe"), "-v", "error", "-show_format", "-of", "json", str(path)]
    found = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return float(json.loads(found)["format"]["duration"])


def judge(path: Path, numbers: Sequence[int], shown: Sequence[float], *, rate: float = FPS, near: float = 1e-4) -> None:
    """The file shows these photos at these times, the last one for one frame's time."""
    found = ffprobe_frames(path)
    assert (found.messages, found.pts[0]) == ("", 0)
    assert [float(pts * found.time_base) for pts in found.pts] == pytest.approx(shown, abs=near)
    assert ffmpeg_numbers(path) == list(numbers)
    assert seconds_of(path) == pytest.approx(shown[-1] + 1 / rate, abs=near + 0.001)
    track = read_track(path)
    assert len(track.sizes) == len(numbers)
    assert all(shown >= decoded for shown, decoded in zip(track.composition_times, track.decode_times, strict=True))


def test_a_copied_reel_keeps_its_times(world: World, tmp_path: Path) -> None:
    written = write(world, selector_of(world).reels(), tmp_path / "all.mp4", Wanted("mp4"))
    assert (written.frame_count, written.copied_count) == (LAST + 1, LAST + 1)
    assert float(written.seconds) == pytest.approx(SHOWN[-1] + 1 / FPS)
    judge(tmp_path / "all.mp4", range(LAST + 1), SHOWN)
    track = read_track(tmp_path / "all.mp4")
    if world.reels()[0].low_delay:  # browsers take a sample's duration for its frame's
        assert track.composition_times == track.decode_times


@pytest.mark.parametrize(("start", "end"), [(0, 7), (3, 12), (5, 6), (7, 16), (8, 15)])
def test_a_range_keeps_its_times(world: World, tmp_path: Path, start: int, end: int) -> None:
    taken = [*accumulate((1 + wait / 1000 for wait in WAITS_MS[1:]), initial=0.0)]
    pieces = taken_between(world, taken[start] - 0.5, taken[end - 1] + 0.5)
    write(world, pieces, tmp_path / "cut.mp4", Wanted("mp4"))
    judge(tmp_path / "cut.mp4", range(start, end), [one - SHOWN[start] for one in SHOWN[start:end]])


@pytest.mark.parametrize("speed", ["2", "0.5", "1.7"])
def test_a_speed_makes_all_times_shorter(world: World, tmp_path: Path, speed: str) -> None:
    written = write(world, selector_of(world).reels(), tmp_path / "fast.mp4", Wanted("mp4", speed=Fraction(speed)))
    assert written.copied_count == LAST + 1
    shown = [one / float(speed) for one in SHOWN]
    judge(tmp_path / "fast.mp4", range(LAST + 1), shown, rate=FPS * float(speed))


@pytest.mark.parametrize("codec", ["h264", "h265", "av1"])
def test_each_codec_keeps_the_times(world: World, tmp_path: Path, codec: str) -> None:
    written = write(world, selector_of(world).reels(), tmp_path / "video.mp4", Wanted("mp4", codec))
    assert written.copied_count == 0
    judge(tmp_path / "video.mp4", range(LAST + 1), SHOWN)


def test_another_size_keeps_the_times(world: World, tmp_path: Path) -> None:
    write(world, selector_of(world).reels(), tmp_path / "video.mp4", Wanted("mp4", COPY, (256, 192)))
    found = ffprobe_frames(tmp_path / "video.mp4")
    assert [float(pts * found.time_base) for pts in found.pts] == pytest.approx(SHOWN, abs=1e-4)


@pytest.mark.parametrize("speed", [6, 30])
def test_what_players_cannot_show_is_left_out_and_what_is_held_stays(world: World, tmp_path: Path, speed: int) -> None:
    """At 6 times the speed no frame of the reel is shown for less than 1/180 s: a frame that is held is in the file,
    even if it comes right after another one."""
    written = write(world, selector_of(world).reels(), tmp_path / "fast.mp4", Wanted("mp4", speed=Fraction(speed)))
    found, numbers = ffprobe_frames(tmp_path / "fast.mp4"), ffmpeg_numbers(tmp_path / "fast.mp4")
    seconds = [float(pts * found.time_base) for pts in found.pts]
    assert written.frame_count == len(numbers) < LAST + 1
    assert all(after - before > 1 / 61 for before, after in pairwise(seconds))
    assert all(
        -1e-4 < second - SHOWN[number] / speed < 1 / 60 + 1e-4 for number, second in zip(numbers, seconds, strict=True)
    )
    ends = [*SHOWN[1:], SHOWN[-1]]
    held = {number for number, end in enumerate(ends) if (end - SHOWN[number]) / speed > 2 / 60}
    assert held <= set(numbers)
    assert held or speed == 30


@pytest.mark.parametrize("kind", ["gif", "webp"])
@pytest.mark.parametrize("speed", [None, Fraction(1, 2)])
def test_an_animation_keeps_the_times(world: World, tmp_path: Path, kind: str, speed: Fraction | None) -> None:
    path = tmp_path / f"video.{kind}"
    write(world, selector_of(world).reels(), path, Wanted(kind, speed=speed))
    slower = 1 / float(speed or 1)
    with Image.open(path) as image:
        durations = []
        for frame in ImageSequence.Iterator(image):
            frame.load()
            durations.append(frame.info["duration"] / 1000)
    shown = [*accumulate(durations[:-1], initial=0.0)]
    assert all(one > 0.015 for one in durations)
    assert shown[-1] == pytest.approx(SHOWN[-1] * slower, abs=0.06)
    assert durations[-1] < 0.2 * slower  # libwebp shows the last picture for as long as all others in the mean
    held = [number for number, (begin, end) in enumerate(pairwise(SHOWN)) if end - begin > 0.3]
    assert [begin for begin, end in pairwise(shown) if end - begin > 0.3 * slower] == pytest.approx(
        [SHOWN[number] * slower for number in held], abs=0.06
    )


def test_reels_with_and_without_times_follow_each_other(tmp_path: Path) -> None:
    """The frames of a reel without times are shown for one frame's time each, and so is the last one before another
    reel."""
    world = World(SETTINGS)
    function = world.environment()
    for number in range(4):
        world.clock.advance(9_000 * (number == 2))
        world.shoot(function, [number])
    world.sweep(function, close=True)
    function = world.environment(speed="off")
    world.shoot(function, range(4, 8))
    world.sweep(function, close=True)
    assert [reel.speed for reel in world.reels()] == [60, 0]
    write(world, selector_of(world).reels(everything=True), tmp_path / "both.mp4", Wanted("mp4"))
    frames = [0, 1, 5.5, 6.5, 7.5, 8.5, 9.5, 10.5]  # the second frame came half a frame's time early
    judge(tmp_path / "both.mp4", range(8), [number / FPS for number in frames])


def test_a_day_begins_at_its_first_frame(tmp_path: Path) -> None:
    world = World(SETTINGS | {"TIMELAPSE_REEL": "never"})
    function = world.environment()
    for number in range(6):
        world.clock.advance(int(timedelta(hours=10) / timedelta(milliseconds=1)))
        world.shoot(function, [number])
    world.sweep(function, drain=True)
    pieces = selector_of(world).reels()
    written = write(world, pieces, tmp_path / "days.mp4", Wanted("mp4"))
    assert len(written.chapters) > 2
    shown = [24 * number / FPS for number in range(6)]
    command = [require_program("ffprobe"), "-v", "error", "-show_chapters", "-of", "json", str(tmp_path / "days.mp4")]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)["chapters"]
    assert [float(one["start_time"]) for one in found] == pytest.approx(
        [shown[first] for first, _ in written.chapters], abs=0.001
    )
