"""Idle streams are swept less often by the schedule, and a lost event is still found within a bounded time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from tests.world import InvocationContext, World
from timelapse_runtime.timelapse.function import Timelapse
from timelapse_runtime.timelapse.sweep_pauses import LONGEST_PAUSE_MS

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
EVERY_MS = 300_000


@pytest.fixture
def world() -> World:
    return World()


def requests(world: World) -> Counter[str]:
    return Counter(world.frames.request_counts) + Counter(world.video.request_counts)


def sweeps(world: World, function: Timelapse, duration_ms: int) -> Iterator[Counter[str]]:
    """Let time pass, with a scheduled sweep every five minutes: the requests of each for one camera."""
    for _ in range(duration_ms // EVERY_MS):
        world.clock.advance(EVERY_MS)
        before = requests(world)
        function.invoke({"sweep": {"stream": "camera", "scheduled": True}}, InvocationContext())
        yield requests(world) - before


def idle_camera(world: World, idle_ms: int) -> Timelapse:
    function = world.environment()
    world.shoot(function, range(8))
    world.sweep(function, drain=True)
    world.clock.advance(idle_ms)
    return function


def test_a_camera_that_has_been_off_for_a_week_is_swept_four_times_a_day(world: World) -> None:
    """With a sweep every five minutes it costs 888 listings a day: three each, and a fourth every hour."""
    function = idle_camera(world, 7 * DAY_MS)
    made = list(sweeps(world, function, DAY_MS))
    assert sum(bool(one) for one in made) == 4
    assert sum(made, Counter())["ListObjectsV2"] <= 4 * 4


def test_a_camera_that_has_just_been_still_is_swept_as_before(world: World) -> None:
    function = idle_camera(world, 0)
    assert all(one for one in sweeps(world, function, HOUR_MS))


@pytest.mark.parametrize("idle_ms", [2 * HOUR_MS, DAY_MS, 100 * DAY_MS])
def test_a_photo_without_an_event_is_found_after_a_24th_of_the_idle_time(world: World, idle_ms: int) -> None:
    function = idle_camera(world, idle_ms)
    list(sweeps(world, function, EVERY_MS))  # a pause begins
    world.upload(8)
    bound_ms = min((idle_ms + EVERY_MS) // 24, LONGEST_PAUSE_MS) + 2 * EVERY_MS
    list(sweeps(world, function, bound_ms))
    world.sweep(function, drain=True)
    assert world.checkpoint().frame_count == 9


def test_an_event_ends_the_pause(world: World) -> None:
    function = idle_camera(world, 7 * DAY_MS)
    list(sweeps(world, function, EVERY_MS))
    world.deliver(function, world.upload(8))
    assert all(one for one in sweeps(world, function, EVERY_MS))
    assert world.checkpoint().frame_count == 9


def test_only_the_schedule_pauses(world: World) -> None:
    function = idle_camera(world, 7 * DAY_MS)
    list(sweeps(world, function, EVERY_MS))
    world.upload(8)
    function.invoke({"sweep": "camera"}, InvocationContext())
    world.sweep(function, drain=True, scheduled=True)
    assert world.checkpoint().frame_count == 9


def test_another_environment_sweeps_at_once(world: World) -> None:
    list(sweeps(world, idle_camera(world, 7 * DAY_MS), EVERY_MS))
    assert all(one for one in sweeps(world, world.environment(), EVERY_MS))
