"""A sweep that finds a full bucket: several invocations, one GET a photo, reels by the days of the photos."""

from __future__ import annotations

import random
from contextlib import suppress
from datetime import datetime, timedelta

import pytest

from tests.recovery.fake_media import fake_photo, fake_world, photos_in
from tests.world import STREAM, World
from timelapse_runtime.timelapse.commit_plan import segment_key
from timelapse_runtime.timelapse.errors import DeadlineTooClose
from timelapse_runtime.timelapse.verify_report import Outcome

COUNT, DAYS = 3_000, 6
START = datetime(2024, 5, 1, 6)
SETTINGS = {
    "TIMELAPSE_ORDER": "arrival",
    "TIMELAPSE_REEL": "day",
    "TIMELAPSE_FLUSH_EVERY": "60",
    "TIMELAPSE_KEYFRAME_INTERVAL": "180",
}


def taken(number: int) -> datetime:
    day, place = divmod(number, COUNT // DAYS)
    return START + timedelta(days=day, minutes=place)


def fill(world: World, days: list[int], *, step_ms: int = 25) -> None:
    """Upload the days in this order, ten photos at a time, one every `step_ms` on average."""
    draw = random.Random(1)
    for day in days:
        numbers = list(range(day * COUNT // DAYS, (day + 1) * COUNT // DAYS))
        for start in range(0, len(numbers), 10):
            for number in draw.sample(numbers[start : start + 10], len(numbers[start : start + 10])):
                world.clock.advance(step_ms)
                world.frames.put(f"frames/{STREAM}/IMG_{number}.JPG", fake_photo(number, taken(number)))


def numbers_by_reel(world: World) -> dict[str, list[int]]:
    found = {}
    for reel in world.reels():
        bodies = (world.video.get(segment_key(world.keys, reel, segment)).body for segment in reel.segments)
        found[reel.name] = [number for body in bodies for number in photos_in(body)]
    return found


def sweep_to_the_end(world: World, invocation_ms: int, *, new_environments: bool = False) -> int:
    """Sweeps of so many milliseconds, in which each request takes 10; the number of invocations."""
    world.frames.on_request = world.video.on_request = lambda _operation, _key: world.clock.advance(10)
    function = world.environment()
    for number in range(1, 1_000):
        try:
            world.sweep(function, drain=True, deadline_epoch_ms=world.clock.now_epoch_ms() + invocation_ms)
        except DeadlineTooClose:
            function = world.environment() if new_environments else function
        else:
            return number
    raise AssertionError("there is no end")


@pytest.mark.parametrize("days", [[0, 1, 2, 3, 4, 5], [3, 0, 5, 1, 4, 2], [5, 4, 3, 2, 1, 0]])
def test_a_full_bucket_becomes_reels_of_its_days(days: list[int]) -> None:
    world = fake_world(SETTINGS)
    fill(world, days)
    world.clock.advance(86_400_000)
    assert sweep_to_the_end(world, 10_000) > 3
    assert world.frames.request_counts["GetObject"] <= 1.05 * COUNT
    per_day = COUNT // DAYS
    assert numbers_by_reel(world) == {
        f"2024-05-0{day + 1}-000{day + 1}": list(range(day * per_day, (day + 1) * per_day)) for day in range(DAYS)
    }
    report = world.verify()
    assert (report.outcome, report.out_of_place_count) == (Outcome.ALL_IN_VIDEO, 0)


def test_the_last_photos_of_a_slow_upload_keep_the_order_that_the_whole_listing_told() -> None:
    """They wait together, and are too few to tell how far uploads overtake each other."""
    world = fake_world(SETTINGS)
    fill(world, [0, 1, 2, 3, 4, 5], step_ms=2_000)
    sweep_to_the_end(world, 20_000)
    assert [number for numbers in numbers_by_reel(world).values() for number in numbers] == list(range(COUNT))


def test_random_names_with_times_become_reels_of_their_days() -> None:
    world = fake_world(SETTINGS)
    draw = random.Random(2)
    for number in draw.sample(range(COUNT), COUNT):
        world.clock.advance(25)
        key = f"{draw.getrandbits(32):08x}-{taken(number):%Y%m%dT%H%M%S}.jpg"
        world.frames.put(f"frames/{STREAM}/{key}", fake_photo(number))
    sweep_to_the_end(world, 10_000)
    assert world.frames.request_counts["GetObject"] <= 1.01 * COUNT
    assert [number for numbers in numbers_by_reel(world).values() for number in numbers] == list(range(COUNT))
    assert len(world.reels()) == DAYS
    assert (world.verify().outcome, world.verify().out_of_place_count) == (Outcome.ALL_IN_VIDEO, 0)


def test_days_that_only_the_folders_tell_are_enough() -> None:
    """Network cameras write no EXIF; a program walked through their folders in whatever order the disk had them."""
    world = fake_world(SETTINGS)
    per_day = COUNT // DAYS
    for day in [3, 0, 5, 1, 4, 2]:
        for number in range(day * per_day, (day + 1) * per_day):
            world.clock.advance(25)
            key = f"{taken(number):%Y/%m/%d}/{number % per_day}.jpg"
            world.frames.put(f"frames/{STREAM}/{key}", fake_photo(number))
    sweep_to_the_end(world, 10_000)
    assert world.frames.request_counts["GetObject"] <= 1.05 * COUNT
    assert [number for numbers in numbers_by_reel(world).values() for number in numbers] == list(range(COUNT))
    assert len(world.reels()) == DAYS


def test_environments_that_are_lost_change_nothing_in_the_order() -> None:
    """What they had not committed is read again: up to a flush and what the encoder held."""
    world = fake_world(SETTINGS)
    fill(world, [3, 0, 5, 1, 4, 2])
    assert sweep_to_the_end(world, 3_500, new_environments=True) > 20
    assert [number for numbers in numbers_by_reel(world).values() for number in numbers] == list(range(COUNT))
    assert len(world.reels()) == DAYS
    assert world.verify().outcome is Outcome.ALL_IN_VIDEO


def test_photos_that_come_meanwhile_follow() -> None:
    """A camera goes on while its old photos are taken."""
    world = fake_world(SETTINGS)
    fill(world, [1, 0, 2])
    world.clock.advance(60_000)
    function = world.environment()
    world.frames.on_request = lambda _operation, _key: world.clock.advance(10)
    for number in range(COUNT // 2, COUNT // 2 + 20):
        world.frames.put(
            f"frames/{STREAM}/IMG_{number}.JPG", fake_photo(number, START + timedelta(days=860, minutes=number))
        )
        with suppress(DeadlineTooClose):
            world.deliver(function, f"IMG_{number}.JPG", deadline_epoch_ms=world.clock.now_epoch_ms() + 5_000)
    world.sweep(function, drain=True)
    assert [number for numbers in numbers_by_reel(world).values() for number in numbers] == list(range(COUNT // 2 + 20))
    assert world.verify().outcome is Outcome.ALL_IN_VIDEO
