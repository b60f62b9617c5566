"""A process is killed at each of its requests, one run per request; another one finishes the input.

A kill after a request that S3 carried out is, for the store, the same as a kill before the next one; so `before`
covers both. (In-process, by an exception: the real SIGKILL is in the integration tests.)
"""

from __future__ import annotations

import contextlib

import pytest

from tests.world import World
from timelapse_runtime.state.checkpoint import Checkpoint, key_order
from timelapse_runtime.storage.memory import MemoryStore

FRAMES = 26
BAD_PHOTOS = (4, 9)  # the photos that are bad


class Killed(BaseException):
    """The process is gone."""


def play(world: World) -> None:
    """The scenario: flushes within a segment and over its end, bad photos, a lost event, a restart, a new reel."""
    function = world.environment()
    for number in range(FRAMES):
        body = b"no photo" if number in BAD_PHOTOS else None
        key = world.upload(number, body)
        if number != 7:
            world.deliver(function, key)
        if number == 13:
            world.shut_down(function)
            function = world.environment()
        if number == 18:
            world.sweep(function, close=True)
    world.sweep(function, drain=True)


def finish(world: World) -> None:
    """Everything the first process did not live to see."""
    function = world.environment()
    for number in range(FRAMES):
        world.upload_once(number, b"no photo" if number in BAD_PHOTOS else None)
    world.sweep(function, drain=True)
    world.sweep(world.environment(), drain=True)


def check(world: World) -> None:
    good = [world.key(number) for number in range(FRAMES) if number not in BAD_PHOTOS]
    assert world.keys_in_film() == good
    assert set(world.rejections()) == {world.key(number) for number in BAD_PHOTOS}
    checkpoint = world.checkpoint()
    assert (checkpoint.frame_count, checkpoint.rejected_count) == (len(good), len(BAD_PHOTOS))
    assert checkpoint.watermark == world.key(FRAMES - 1)
    assert checkpoint.ahead == ()
    report = world.audit()
    assert (report.findings, report.pending) == ([], [])
    for reel in world.reels():
        assert len(world.film(reel)) == reel.size_bytes


class Watch:
    """After each write: the watermark never goes back, and no segment that the checkpoint names is missing."""

    def __init__(self, world: World) -> None:
        self._world, self._watermark = world, ""

    def __call__(self) -> None:
        store: MemoryStore = self._world.video
        stored = store.peek(self._world.keys.checkpoint)
        if stored is not None:
            checkpoint = Checkpoint.from_json(stored)
            assert key_order(checkpoint.watermark) >= key_order(self._watermark)
            self._watermark = checkpoint.watermark


def count_requests() -> int:
    world, requests = World(), 0

    def count(_operation: str, _key: str) -> None:
        nonlocal requests
        requests += 1

    world.frames.on_request = world.video.on_request = count
    play(world)
    total = requests
    check(world)
    return total


REQUESTS = count_requests()


@pytest.mark.parametrize("part", range(8))
def test_a_kill_at_any_request_loses_nothing_and_doubles_nothing(part: int) -> None:
    for victim in range(part, REQUESTS, 8):
        world = World()
        watch = Watch(world)
        left = victim

        def kill(_operation: str, _key: str) -> None:
            nonlocal left
            watch()  # noqa: B023 - called within this round
            left -= 1
            if left < 0:
                raise Killed

        world.frames.on_request = world.video.on_request = kill
        with contextlib.suppress(Killed):
            play(world)
        world.frames.on_request = world.video.on_request = lambda _operation, _key: None
        finish(world)
        check(world)
