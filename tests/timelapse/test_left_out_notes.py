"""What a stream's reels and `video.m3u8` say of objects that are no frames."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest

from tests.world import NO_DEADLINE_EPOCH_MS, STREAM, World
from timelapse_runtime.runtime.state.errors import StorageUnavailable
from timelapse_runtime.timelapse.model.left_out import IGNORED, REJECTED, LeftOut
from timelapse_runtime.timelapse.model.playlist import LEFT_OUT

ARRIVAL = {"TIMELAPSE_ORDER": "arrival"}


def in_playlist(world: World) -> list[dict[str, Any]]:
    """The notes in `video.m3u8`."""
    lines = world.video.get(world.keys.newest_video).body.decode().splitlines()
    return [json.loads(line.removeprefix(LEFT_OUT)) for line in lines if line.startswith(LEFT_OUT)]


def notes_of(world: World) -> tuple[LeftOut, ...]:
    return world.reels()[-1].left_out


@pytest.mark.parametrize("order", ["arrival", "name"])
def test_a_rejected_photo_is_noted_at_its_place(order: str) -> None:
    world = World({"TIMELAPSE_ORDER": order})
    function = world.environment()
    world.shoot(function, range(8))
    world.deliver(function, world.upload(8, b"no picture"))
    world.shoot(function, range(9, 14))
    world.sweep(function, drain=True)
    (note,) = notes_of(world)
    assert (note.kind, note.reason, note.key, note.count) == (REJECTED, "unsupported-type", world.key(8), 1)
    # In name order a rejected photo does not wait in the reorder window, which has two frames here.
    assert note.frame == (8 if order == "arrival" else 6)
    assert in_playlist(world) == [json.loads(note.to_json())]


def test_ignored_objects_are_noted_without_their_names() -> None:
    world = World(ARRIVAL)
    function = world.environment()
    world.shoot(function, range(8))
    for name in ("Thumbs.db", "secret plans.txt", "2026-11-26/", "desktop.ini"):
        answer = world.deliver(function, world.upload(0, b"x", key=name))
        assert answer["streams"][STREAM]["ignored"] == 1
    world.shoot(function, range(8, 14))
    world.sweep(function, drain=True)
    assert [(note.kind, note.key) for note in notes_of(world)] == [(IGNORED, "")] * len(notes_of(world))
    assert sum(note.count for note in notes_of(world)) == 3
    assert b"secret" not in world.video.get(world.keys.newest_video).body + world.video.get(world.keys.checkpoint).body


def test_ignored_objects_alone_commit_nothing() -> None:
    world = World(ARRIVAL)
    function = world.environment()
    world.shoot(function, range(8))
    world.sweep(function, drain=True)
    before = world.checkpoint()
    world.deliver(function, world.upload(0, b"x", key="Thumbs.db"))
    world.sweep(function)
    assert world.checkpoint() == before
    world.shoot(function, range(8, 9))
    world.sweep(function, drain=True)
    assert [note.kind for note in notes_of(world)] == [IGNORED]


def test_content_that_comes_later_takes_the_note_away() -> None:
    world = World(ARRIVAL)
    function = world.environment()
    world.shoot(function, range(8))
    world.deliver(function, world.upload(8, b""))
    world.sweep(function, drain=True)
    assert [note.reason for note in notes_of(world)] == ["empty"]
    world.shoot(function, range(8, 12))
    world.sweep(function, drain=True)
    assert notes_of(world) == ()
    assert in_playlist(world) == []


def test_a_photo_that_is_retried_has_no_note() -> None:
    world = World(ARRIVAL)
    world.shoot(before := world.environment(), range(4))
    world.sweep(before, drain=True)
    strict = world.environment(maximum_photo_bytes="1000")
    world.shoot(strict, range(4, 6))
    world.sweep(strict, drain=True)
    assert [(note.key, note.reason) for note in notes_of(world)] == [(world.key(n), "too-large") for n in (4, 5)]
    after = world.environment()
    after.invoke({"retry_rejected": {"stream": STREAM}}, world.context(NO_DEADLINE_EPOCH_MS))
    world.shoot(after, range(6, 7))
    world.sweep(after, drain=True)
    assert notes_of(world) == ()


def test_a_reel_keeps_its_notes_and_the_next_begins_without() -> None:
    world = World(ARRIVAL)
    function = world.environment()
    world.shoot(function, range(8))
    world.deliver(function, world.upload(8, b"no picture"))
    world.sweep(function, close=True)
    world.shoot(function, range(9, 14))
    world.sweep(function, drain=True)
    first, second = world.reels()
    assert [note.key for note in first.left_out] == [world.key(8)]
    assert second.left_out == ()
    assert in_playlist(world) == []


class Killed(BaseException):
    """The process is gone."""


UNAVAILABLE = StorageUnavailable("PutObject", "video-bucket", "", "slow down")


@pytest.mark.parametrize("fault", [Killed(), UNAVAILABLE], ids=["killed", "503"])
def test_a_fault_at_any_request_loses_no_note_of_a_rejected_photo(fault: BaseException) -> None:
    def live(fault_at: int | None) -> tuple[World, int]:
        world, count = World(ARRIVAL), itertools.count()

        def fail(_operation: str, _key: str) -> None:
            if next(count) == fault_at:
                raise fault

        function = world.environment()
        world.shoot(function, range(4))
        world.sweep(function, drain=True)
        bad = world.upload(4, b"no picture")
        world.video.on_request = world.frames.on_request = fail
        try:
            world.deliver(function, bad)
            world.shoot(function, range(5, 8))
            world.sweep(function, drain=True)
        except (Killed, StorageUnavailable):
            function = function if fault is UNAVAILABLE else world.environment()
            world.deliver(function, bad)
            for number in range(5, 8):
                world.upload_once(number)
            world.sweep(function, drain=True)
        world.video.on_request = world.frames.on_request = lambda _operation, _key: None
        return world, next(count)

    _, requests = live(None)
    assert requests > 10
    for fault_at in range(requests - 1):
        world, _ = live(fault_at)
        assert [note.key for note in notes_of(world)] == [world.key(4)], fault_at
