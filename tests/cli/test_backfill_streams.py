"""What a backfill finds below a place, how much of it is done, and what it says if there is nothing."""

from __future__ import annotations

import pytest

from tests.recovery.fake_media import fake_photo, fake_world
from tests.world import STREAM, World
from timelapse_runtime.cli import CommandFailed
from timelapse_runtime.cli.backfill_streams import Streams
from timelapse_runtime.timelapse.config import Config, parse_config


def config(world: World, **variables: str) -> Config:
    places = {
        "TIMELAPSE_FRAMES": f"s3://{world.frames.bucket}/frames/",
        "TIMELAPSE_VIDEO": f"s3://{world.video.bucket}/video/",
    }
    return parse_config(places | {f"TIMELAPSE_{name}": value for name, value in variables.items()})


def streams(world: World, **variables: str) -> Streams:
    return Streams(config(world, **variables), world.frames, world.video)


@pytest.mark.parametrize("order", ["arrival", "name"])
def test_photos_are_counted_and_those_that_the_video_has(order: str) -> None:
    world = fake_world({"TIMELAPSE_ORDER": order})
    function = world.environment()
    for number in range(30):
        world.upload(number, fake_photo(number))
    world.upload(0, b"", key="Thumbs.db")
    (before,) = streams(world, ORDER=order).look()
    assert (before.name, before.photo_count, before.covered_count) == (STREAM, 30, 0)
    assert sum(before.ignored.values()) == 1
    world.sweep(function, drain=True)
    world.upload(30, fake_photo(30))
    (after,) = streams(world, ORDER=order).look()
    assert (after.photo_count, after.covered_count) == (31, 30)
    assert after.before == world.checkpoint()


def test_a_stream_whose_order_is_to_change_is_not_counted_by_its_checkpoint() -> None:
    world = fake_world({"TIMELAPSE_ORDER": "name"})
    world.shoot(world.environment(), range(6))
    (stream,) = streams(world, ORDER="arrival").look()
    assert (stream.photo_count, stream.covered_count) == (6, 0)


def test_each_folder_is_a_stream_and_hidden_ones_are_not() -> None:
    world = fake_world()
    for key in ("north/1.jpg", "south/1.jpg", ".cache/1.jpg", "empty/readme.txt"):
        world.frames.put(f"frames/{key}", b"photo 1")
    assert [stream.name for stream in streams(world).look()] == ["north", "south"]
    (together,) = streams(world, STREAM="all").look()
    assert (together.name, together.prefix, together.photo_count) == ("all", "frames/", 2)


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ([], "there is nothing in s3://frames-bucket/frames/"),
        (["camera/clip.mov"], "not a photo's suffix: 1"),
        (["1.jpg"], "--stream NAME"),
        (["2024/05/01/1.jpg", "2023/05/01/1.jpg"], "are dates (2023, 2024)"),
        (["2024-05-01/1.jpg", "20240502/1.jpg"], "are dates (2024-05-01, 20240502)"),
    ],
)
def test_nothing_to_do_is_explained(keys: list[str], says: str) -> None:
    world = fake_world()
    for key in keys:
        world.frames.put(f"frames/{key}", b"photo 1")
    with pytest.raises(CommandFailed) as caught:
        streams(world).look()
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_that_looks_like_a_date_may_be_one_camera_among_others() -> None:
    world = fake_world()
    for key in ("2024/1.jpg", "garden/1.jpg"):
        world.frames.put(f"frames/{key}", b"photo 1")
    assert [stream.name for stream in streams(world).look()] == ["2024", "garden"]
