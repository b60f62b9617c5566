"""`timelapse retry-rejected`: photos that can be used now are appended."""

from __future__ import annotations

from tests.cli.streams import VARIABLES, make_stream, target_of
from tests.world import PHOTOS, STREAM, World
from timelapse_runtime.cli.retry import retry_rejected


def test_a_rejected_photo_that_can_be_used_now_is_appended() -> None:
    world = World()
    function = world.environment()
    world.shoot(function, range(5))
    world.deliver(function, world.upload(5, b"not a photo"))
    world.sweep(function, close=True)
    assert world.rejections() == {world.key(5): "unsupported-type"}
    world.frames.put(f"frames/{STREAM}/{world.key(5)}", PHOTOS[5])
    target = target_of(world)
    assert retry_rejected(target, VARIABLES, reason="late")["frames_in_video"] == 5
    counts = retry_rejected(target, VARIABLES)
    assert (counts["appended"], counts["frames_in_video"]) == (1, 6)
    assert world.rejections() == {}


def test_without_rejected_photos_nothing_happens() -> None:
    world = World()
    make_stream(world, 3)
    before = world.object_keys()
    assert retry_rejected(target_of(world), VARIABLES)["frames_in_video"] == 3
    assert world.object_keys() == before
