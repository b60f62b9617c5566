"""`timelapse remove`: what it takes as a photo, and what it says."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.cli.streams import VARIABLES, make_stream, target_of
from tests.world import STREAM, World
from timelapse_runtime.cli import CommandFailed
from timelapse_runtime.cli.remove import described, explained, relative_key, remaking
from timelapse_runtime.runtime.state.errors import AccessDenied


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


@pytest.mark.parametrize(
    ("operation", "where", "permission"),
    [
        ("GetObject", "frames/camera/", "s3:GetObject on arn:aws:s3:::frames-bucket/frames/camera/"),
        ("PutObject", "video.mp4", "s3:PutObject on arn:aws:s3:::video-bucket/video/camera/reels/"),
        ("DeleteObjects", "reels/", "s3:DeleteObject on arn:aws:s3:::video-bucket/video/camera/reels/"),
    ],
)
def test_a_refusal_says_that_the_frames_may_still_be_there_and_what_to_do(
    operation: str, where: str, permission: str
) -> None:
    world = World()
    make_stream(world, 5)
    target = target_of(world)

    def refuse(asked: str, key: str) -> None:
        if asked == operation and where in key:
            raise AccessDenied(asked, permission.partition(":::")[2].partition("/")[0], key, "AccessDenied")

    for store in (world.frames, world.video):
        store.on_request = refuse
    with ThreadPoolExecutor(1) as executor, pytest.raises(CommandFailed) as failed:
        with explained(target, "the frames may still be in the video"):
            remaking(target, VARIABLES, executor).remove(["000002.jpg"])
    text = str(failed.value)
    assert permission in text
    assert "This is not done: the frames may still be in the video. The same command, run again, does the rest" in text
    assert f"`timelapse policy operator {target.frames} {target.video}`" in text
    for store in (world.frames, world.video):
        store.on_request = lambda _operation, _key: None
    with ThreadPoolExecutor(1) as executor:
        remaking(target, VARIABLES, executor).remove(["000002.jpg"])
    assert world.keys_in_video() == [world.key(number) for number in (0, 1, 3, 4)]
    assert not world.verify().findings
