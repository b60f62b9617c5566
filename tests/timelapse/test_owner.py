"""Environments that meet on one stream: one works, the others leave their photos to it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.recovery.fake_media import fake_world
from tests.world import STREAM, World
from timelapse_runtime.emulator.s3_event import object_created_event
from timelapse_runtime.timelapse import Timelapse

LEASE_MS = 75_000


@pytest.fixture
def world() -> World:
    made = fake_world({"TIMELAPSE_ORDER": "arrival", "TIMELAPSE_REORDER_WINDOW": "3"}, None)
    made.are_owners_distinct = True
    return made


def left(answer: dict[str, Any]) -> int | None:
    """How many photos the invocation left to the owner; None if it worked on the stream."""
    found: int | None = answer["streams"][STREAM].get("left_to_owner")
    return found


def requests(world: World) -> int:
    return Counter(world.frames.request_counts).total() + Counter(world.video.request_counts).total()


def test_an_environment_leaves_photos_to_a_live_owner_who_lists_them(world: World) -> None:
    owner, other = world.environment(), world.environment()
    for number in range(30):
        answer = world.deliver(owner if number % 3 == 0 else other, world.upload(number))
        assert left(answer) == (None if number % 3 == 0 else 1)
    world.sweep(owner, drain=True)
    assert world.keys_in_video() == [world.key(number) for number in range(30)]


def test_a_known_lease_costs_no_request(world: World) -> None:
    owner, other = world.environment(), world.environment()
    world.deliver(owner, world.upload(0))
    assert left(world.deliver(other, world.upload(1))) == 1
    before = requests(world)
    assert left(world.deliver(other, world.upload(2), world.upload(3))) == 2
    assert requests(world) == before + 2, "those of the two uploads"


def test_when_the_lease_has_ended_another_environment_takes_over_and_the_owner_leaves_photos_to_it(
    world: World,
) -> None:
    first, second = world.environment(), world.environment()
    for number in range(3):
        world.deliver(first, world.upload(number))
    assert left(world.deliver(second, world.upload(3))) == 1
    world.clock.advance(LEASE_MS)
    assert left(world.deliver(second, world.upload(4))) is None
    answers = [world.deliver(first, world.upload(number)) for number in range(5, 13)]
    assert left(answers[-1]) == 1, "its commit was fenced, and it found the new owner"
    world.sweep(second, drain=True)
    assert world.keys_in_video() == [world.key(number) for number in range(13)]


def test_a_shutdown_ends_the_lease(world: World) -> None:
    first, second = world.environment(), world.environment()
    world.shoot(first, range(3))
    assert left(world.deliver(second, world.upload(3))) == 1
    world.shut_down(first)
    third = world.environment()
    assert left(world.deliver(third, world.upload(4))) is None
    world.sweep(third, drain=True)
    assert world.keys_in_video() == [world.key(number) for number in range(5)]


def test_the_first_shutdown_writes_playlists_although_the_owner_has_claimed_the_stream(
    world: World, tmp_path: Path
) -> None:
    world.outbox = tmp_path
    function = world.environment()
    world.shoot(function, range(3))
    assert world.object_keys() == {world.keys.checkpoint}
    world.shut_down(function)
    assert world.checkpoint().frame_count == 3
    assert {world.keys.newest_video, world.keys.main} <= world.object_keys()


def test_the_same_environment_goes_on_after_a_reset(world: World) -> None:
    world.are_owners_distinct = False
    world.shoot(world.environment(), range(3))
    assert left(world.deliver(world.environment(), world.upload(3))) is None


def test_a_scheduled_sweep_leaves_a_stream_that_is_worked_on_to_its_owner(world: World) -> None:
    owner, other = world.environment(), world.environment()
    world.shoot(owner, range(3))
    assert left(world.sweep(other)) == 0
    world.clock.advance(LEASE_MS)
    assert left(world.sweep(other)) is None
    assert world.keys_in_video() == [world.key(number) for number in range(3)]


@pytest.mark.parametrize("flag", ["drain", "close", "all_reels"])
def test_what_is_asked_for_by_name_is_done_at_once(world: World, flag: str) -> None:
    owner, other = world.environment(), world.environment()
    world.shoot(owner, range(6))
    assert left(world.sweep(other, **{flag: True})) is None
    assert left(world.deliver(other, world.upload(6))) is None


def test_a_sweep_of_a_stream_that_does_not_exist_writes_nothing(world: World) -> None:
    world.sweep(world.environment())
    assert world.object_keys() == set()


def test_a_photo_that_was_written_over_another_one_is_not_left_to_the_owner(world: World) -> None:
    """It may be overwritten before the owner lists it."""
    owner, other = world.environment(), world.environment()

    def write(function: Timelapse, number: int) -> dict[str, Any]:
        world.upload(number, key="snapshot.jpg")
        info = world.frames.get(f"frames/{STREAM}/snapshot.jpg").info
        event = object_created_event(world.frames.bucket, f"frames/{STREAM}/snapshot.jpg", etag=info.etag)
        return function.invoke(event, world.context(10**15))

    for number in range(8):
        write(owner, number)
    for number in range(8, 14):
        assert left(write(other, number)) is None
    world.sweep(other, drain=True)
    assert world.checkpoint().frame_count == 14


def test_a_name_that_the_owner_would_not_list_is_not_left_to_it(world: World) -> None:
    """A counter wraps: a listing that begins near the newest photos does not show the first number."""
    owner, other = world.environment(), world.environment()
    for number in range(12):
        world.deliver(owner, world.upload(number, key=f"{number + 88}.jpg"))
    world.clock.advance(400_000)
    for number in range(12, 20):
        world.deliver(owner, world.upload(number, key=f"9{number}.jpg"))
    assert left(world.deliver(other, world.upload(20, key="00.jpg"))) is None
    world.sweep(other, drain=True)
    assert "00.jpg" in world.keys_in_video()


def test_clocks_that_differ_by_minutes_cost_no_photo(world: World) -> None:
    ahead, behind = world.environment(skew_ms=240_000), world.environment(skew_ms=-240_000)
    for number in range(20):
        world.deliver(ahead if number % 2 else behind, world.upload(number))
    for number in (20, 21):
        world.clock.advance(LEASE_MS)
        answer = world.deliver(behind, world.upload(number))
    assert left(answer) is None, "by its own clock, it has known the lease for so long"
    world.sweep(behind, drain=True)
    assert sorted(world.keys_in_video()) == [world.key(number) for number in range(22)]


def test_a_burst_that_starts_ten_environments_costs_what_one_does(world: World) -> None:
    """60 photos in 3 seconds, of a stream that exists; each environment is told of every tenth."""
    costs = []
    for count in (1, 10):
        world = fake_world({"TIMELAPSE_ORDER": "arrival", "TIMELAPSE_FLUSH_EVERY": "60"}, None)
        world.are_owners_distinct = True
        before = world.environment(flush_every="5")
        world.shoot(before, range(4))
        world.shut_down(before)
        environments = [world.environment() for _ in range(count)]
        encoded, requests_before = 0, requests(world)
        for number in range(4, 64):
            world.clock.advance(-950)
            answer = world.deliver(environments[number % count], world.upload(number))
            encoded += answer["streams"][STREAM].get("appended", 0)
        world.clock.advance(300_000)
        encoded += world.sweep(environments[-1])["streams"][STREAM].get("appended", 0)
        assert world.keys_in_video() == [world.key(number) for number in range(64)]
        assert world.orphans() == set()
        costs.append((encoded, requests(world) - requests_before - 60))
    (encoded_by_one, requests_by_one), (encoded_by_ten, requests_by_ten) = costs
    assert encoded_by_one == 60
    assert encoded_by_ten <= 75
    assert requests_by_ten <= 1.25 * requests_by_one
