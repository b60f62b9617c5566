"""A video whose frames are shown as their photos were taken: judged by ffprobe, whatever ends between two frames."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.hls import MediaPlaylist
from tests.probe import ffmpeg_numbers, ffprobe_frames
from tests.world import World
from timelapse_runtime.timelapse import Timelapse
from timelapse_runtime.timelapse.model.frame_times import TICKS_PER_FRAME
from timelapse_runtime.timelapse.stored_reels import read_segment
from timelapse_runtime.timelapse.video.boxes import read_sources
from timelapse_runtime.timelapse.video.sample_table import SampleTable

WAITS_MS = (0, 4_000, 4_000, 1_000, 3_000, 20_000, 4_000, 7_200_000, 0, 0, 6_000, 90_000, 4_000, 4_000, 4_000, 5_000)
"""Between two photos, beside the second that `World.upload` takes. At 60 times the speed, two seconds are a frame."""
LAST = len(WAITS_MS) - 1
SETTINGS = {
    "TIMELAPSE_SPEED": "60",
    "TIMELAPSE_HOLD_SECONDS": "1",
    "TIMELAPSE_KEYFRAME_INTERVAL": "24",
    "TIMELAPSE_FLUSH_EVERY": "4",
}
HOLD_FRAMES = 24
"""No longer than the longest segment, though the setting asks for a second."""


def expected_steps() -> list[float]:
    """For how long each frame but the last is shown, in frames' times: written out, not computed by the product."""
    waits = [1 + wait / 1000 for wait in WAITS_MS[1:]]
    steps, lag = list[float](), 0.0
    for wait in waits:
        step = min(max(wait / 2 - lag, 1.0), float(HOLD_FRAMES))
        lag = min(max(0.0, step - (wait / 2 - lag)), float(HOLD_FRAMES))
        steps.append(step)
    return steps


Ending = Callable[[World, Timelapse], Timelapse]


def nothing(_world: World, function: Timelapse) -> Timelapse:
    return function


def shutdown(world: World, function: Timelapse) -> Timelapse:
    world.shut_down(function)
    return world.environment()


def crash(world: World, _function: Timelapse) -> Timelapse:
    return world.environment()


def record(settings: dict[str, str], after_each: Ending = nothing) -> World:
    world = World({**SETTINGS, **settings})
    function = world.environment()
    for number, wait in enumerate(WAITS_MS):
        world.clock.advance(wait)
        world.shoot(function, [number])
        function = after_each(world, function) if number < LAST else function
    world.sweep(function, close=True)
    return world


def steps(pts: Sequence[int]) -> list[float]:
    return [(after - before) / TICKS_PER_FRAME for before, after in itertools.pairwise(pts)]


def folder(world: World, path: Path) -> Path:
    for key in world.object_keys():
        where = path / key.removeprefix(world.keys.folder)
        where.parent.mkdir(parents=True, exist_ok=True)
        where.write_bytes(world.video.get(key).body)
    return path


@pytest.mark.parametrize("flush_after", ["12", "86400"], ids=["low delay", "looks ahead"])
@pytest.mark.parametrize("after_each", [nothing, shutdown, crash])
def test_every_end_between_two_frames_leaves_the_same_times(
    after_each: Ending, flush_after: str, tmp_path: Path
) -> None:
    world = record({"TIMELAPSE_FLUSH_AFTER_SECONDS": flush_after}, after_each)
    (reel,) = world.reels()
    video = folder(world, tmp_path) / world.keys.video(reel.path).removeprefix(world.keys.folder)
    found = ffprobe_frames(video)
    assert (steps(found.pts), found.pts[0], found.messages) == (expected_steps(), 0, "")
    assert ffmpeg_numbers(video) == list(range(LAST + 1))
    assert world.verify().is_right


@pytest.mark.parametrize("flush_after", ["12", "86400"], ids=["low delay", "looks ahead"])
def test_playlists_say_how_long_segments_are(flush_after: str, tmp_path: Path) -> None:
    world = record({"TIMELAPSE_FLUSH_AFTER_SECONDS": flush_after})
    (reel,) = world.reels()
    assert reel.reorder_frames == (1 if flush_after == "12" else 2)
    # How long the last frames are shown is known when others follow: the first ones' delay stands in for it.
    known = expected_steps()[: LAST + 1 - reel.reorder_frames]
    for key in (world.keys.newest_video, world.keys.index(reel.name), world.keys.ranges(reel.name)):
        playlist = MediaPlaylist.parse(world.video.get(key).body)
        assert playlist.target == math.ceil(HOLD_FRAMES / 30)
        assert all(0 < entry.seconds <= HOLD_FRAMES / 30 for entry in playlist.entries)
        assert playlist.seconds == pytest.approx((reel.reorder_frames + sum(known)) / 30, abs=1e-5)
        found = ffprobe_frames(folder(world, tmp_path) / key.removeprefix(world.keys.folder))
        ticks = found.time_base * 30 * TICKS_PER_FRAME
        assert steps([round(pts * ticks) for pts in found.pts]) == pytest.approx(expected_steps(), abs=0.02)


def test_a_segment_is_as_long_as_its_fragments_say() -> None:
    world = record({"TIMELAPSE_FLUSH_AFTER_SECONDS": "86400"})
    (reel,) = world.reels()
    for position, segment in enumerate(reel.segments):
        table = SampleTable()
        table.append(read_segment(world.video, world.keys, reel, position))
        assert table.ticks == segment.duration_ticks


def test_another_speed_begins_a_reel() -> None:
    world = World(SETTINGS | {"TIMELAPSE_REEL": "never"})
    function = world.environment()
    world.shoot(function, range(3))
    world.shut_down(function)
    function = world.environment(speed="120")
    world.shoot(function, range(3, 6))
    world.shut_down(function)
    function = world.environment(speed="off")
    world.shoot(function, range(6, 8))
    world.sweep(function, close=True)
    assert [(reel.speed, reel.frame_count) for reel in world.reels()] == [(60, 3), (120, 3), (0, 2)]
    assert world.verify().is_right


def test_verify_finds_a_segment_that_claims_another_duration() -> None:
    world = record({})
    checkpoint = world.checkpoint()
    assert checkpoint.reel is not None
    first, *rest = checkpoint.reel.segments
    longer = replace(first, duration_ticks=first.duration_ticks + 1)
    wrong = replace(checkpoint, reel=replace(checkpoint.reel, segments=(longer, *rest)))
    world.video.put(world.keys.checkpoint, wrong.to_json())
    assert "segment-time" in {finding.kind for finding in world.verify().findings}


@pytest.mark.parametrize("order", ["arrival", "name"])
@pytest.mark.parametrize("speed", ["off", "60"])
def test_each_segment_tells_when_its_first_photo_was_taken(order: str, speed: str) -> None:
    """Within a burst, behind gaps and shutdowns, and in a closed reel."""
    world = record({"TIMELAPSE_ORDER": order, "TIMELAPSE_SPEED": speed, "TIMELAPSE_KEYFRAME_INTERVAL": "3"}, shutdown)
    for reel in world.reels():
        firsts = [
            read_sources(read_segment(world.video, world.keys, reel, position))[0].captured_epoch_ms
            for position in range(len(reel.segments))
        ]
        assert firsts == sorted(set(firsts))
        for key in (world.keys.newest_video, world.keys.ranges(reel.name)):
            playlist = MediaPlaylist.parse(world.video.get(key).body)
            told = [round(one.date.timestamp() * 1000) if one.date else None for one in playlist.entries]
            assert told == firsts
    assert len(world.reels()) == 1
