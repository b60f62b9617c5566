"""`timelapse remove`: what it takes as a photo, and what it says."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.cli.streams import VARIABLES, make_stream, target_of
from tests.world import STREAM, World
from timelapse_runtime.cli.remove import described, relative_key, remaking


@pytest.mark.parametrize(
    "given", ["000002.jpg", f"frames/{STREAM}/000002.jpg", f"s3://frames-bucket/frames/{STREAM}/000002.jpg"]
)
def test_a_photo_may_be_named_in_three_ways(given: str) -> None:
    world = World()
    target = target_of(world)
    assert relative_key(given, target.frames) == "000002.jpg"


def test_it_removes_the_frame_and_says_what_is_left_to_do() -> None:
    world = World()
    make_stream(world, 5)
    target = target_of(world)
    with ThreadPoolExecutor(1) as executor:
        changes = remaking(target, VARIABLES, executor).remove(["000002.jpg"])
    assert world.keys_in_video() == [world.key(number) for number in (0, 1, 3, 4)]
    text = "\n".join(described(changes, target))
    (reel,) = world.reels()
    assert f"{reel.name}: 1 frame removed, 4 left" in text
    assert f"invalidate {world.keys.reel(reel.name)}*" in text
    assert not world.verify().findings
