"""S3 does not answer: the invocation ends with an error before Lambda would end the process, and nothing is wrong."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from tests.world import InvocationContext, World
from timelapse_runtime.runtime.clock import SystemClock
from timelapse_runtime.runtime.function import Deadline
from timelapse_runtime.runtime.interrupts import DeadlineReached, deadline_alarm

pytestmark = pytest.mark.timeout(60, method="thread")


def hang(*_request: Any) -> None:
    threading.Event().wait()


@pytest.mark.parametrize("operation", ["GetObject", "ListObjectsV2", "PutObject"])
def test_a_call_that_hangs_fails_its_invocation_and_loses_nothing(operation: str) -> None:
    world = World()
    function = world.environment()
    world.shoot(function, range(7))
    late = [world.upload(number) for number in range(7, 12)]

    def around(what: str, _key: str, effect: Callable[[], Any]) -> Any:
        return hang() if what == operation else effect()

    for store in (world.frames, world.video):
        store.around = around
    with pytest.raises(DeadlineReached), deadline_alarm(soon(), SystemClock()):
        function.invoke(world.event(*late), InvocationContext())
    for store in (world.frames, world.video):
        store.around = lambda _what, _key, effect: effect()
    world.deliver(function, *late)
    world.sweep(function, drain=True)
    assert world.keys_in_video() == [world.key(number) for number in range(12)]
    assert world.verify().is_right


def soon() -> Deadline:
    return Deadline(SystemClock().now_epoch_ms() + 300)


@pytest.mark.parametrize("jump_hours", [-30, -1, 1, 30])
def test_a_clock_that_jumps_changes_no_frame(jump_hours: int) -> None:
    """A frozen process thaws hours later; NTP sets a clock back, here over midnight as well."""
    world = World()
    function = world.environment(reel="day", flush_every="3")
    for first in range(0, 20, 5):
        world.shoot(function, range(first, first + 5))
        world.clock.advance(jump_hours * 3_600_000)
        world.shut_down(function)
        function = world.environment(reel="day", flush_every="3")
    world.sweep(function, drain=True)
    assert world.keys_in_video() == [world.key(number) for number in range(20)]
    assert world.rejections() == {}
    assert world.verify().is_right
    names = [reel.name for reel in world.reels()]
    assert len(set(names)) == len(names) == (4 if jump_hours == 30 else 1)  # a day that comes back begins no reel
