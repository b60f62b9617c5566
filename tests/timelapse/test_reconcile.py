"""Photos below the watermark whose events were lost: a sweep finds them, and it costs little."""

from __future__ import annotations

import pytest

from tests.recovery.fake_media import fake_world
from tests.world import STREAM, InvocationContext, World
from timelapse_runtime.timelapse import Timelapse


@pytest.fixture
def world() -> World:
    """Segments of two frames."""
    small = {"TIMELAPSE_KEYFRAME_INTERVAL": "2", "TIMELAPSE_FLUSH_EVERY": "4", "TIMELAPSE_REORDER_WINDOW": "0"}
    return fake_world(small)


def video_without(world: World, *left_out: int) -> Timelapse:
    """An environment with a video of 40 photos but for these, all committed, and swept once."""
    function = world.environment()
    world.shoot(function, [number for number in range(40) if number not in left_out])
    world.sweep(function, drain=True)
    return function


def late(world: World, *numbers: int) -> dict[str, str]:
    return {world.key(number): "late" for number in numbers}


def requests(world: World) -> dict[str, int]:
    return {name: count for store in (world.frames, world.video) for name, count in store.request_counts.items()}


def test_a_recent_one_is_recorded_by_the_next_sweep(world: World) -> None:
    function = video_without(world, 35, 36)
    world.upload(35)
    world.upload(36)
    world.sweep(function)
    assert world.rejections() == late(world, 35, 36)
    assert world.verify().is_right


def test_one_is_found_where_another_photo_was_deleted(world: World) -> None:
    """As many photos are listed as the segment has frames, but they are not the same."""
    function = video_without(world, 35)
    world.frames.delete([f"frames/{STREAM}/{world.key(36)}"])
    world.upload(35)
    world.sweep(function)
    assert world.rejections() == late(world, 35)


def test_by_policy_it_goes_to_the_end_of_the_video(world: World) -> None:
    world.settings["TIMELAPSE_LATE"] = "append"
    function = video_without(world, 35)
    world.upload(35)
    world.sweep(function)
    assert world.rejections() == {}
    assert world.keys_in_video()[-2:] == [world.key(39), world.key(35)]
    world.sweep(world.environment(), all_reels=True)
    assert world.verify().is_right


def test_an_old_one_is_recorded_when_its_reel_has_closed(world: World) -> None:
    function = video_without(world, 3)
    world.upload(3)
    world.sweep(function)
    assert world.rejections() == {}
    world.sweep(function, close=True)
    world.sweep(function)
    assert world.rejections() == late(world, 3)


def test_one_of_an_older_reel_is_recorded_when_all_reels_are_swept(world: World) -> None:
    function = video_without(world, 3)
    for number in (40, 41, 42):
        world.sweep(function, close=True)
        world.shoot(function, [number])
    world.sweep(function)
    world.upload(3)
    world.sweep(function)
    assert world.rejections() == {}
    world.sweep(function, all_reels=True)
    assert world.rejections() == late(world, 3)
    assert world.verify().is_right


def test_it_is_found_among_rejected_photos_before_the_first_reel(world: World) -> None:
    function = world.environment()
    for number in (0, 1, 4):
        world.deliver(function, world.upload(number, b"no photo"))
    world.sweep(function)
    assert world.checkpoint().reel is None
    world.upload(2)
    world.sweep(function)
    assert world.rejections()[world.key(2)] == "late"
    assert world.verify().is_right


def test_it_is_found_where_other_photos_were_deleted(world: World) -> None:
    function = video_without(world, 35)
    world.frames.delete([f"frames/{STREAM}/{world.key(number)}" for number in (34, 36, 38)])
    world.upload(35)
    world.sweep(function)
    assert world.rejections() == late(world, 35)


def test_it_is_found_beside_a_stand_in_for_a_photo_that_was_appended(world: World) -> None:
    """The segment has as many frames as there are photos for it: one of these is its stand-in's."""
    world.settings["TIMELAPSE_REJECTED"] = "repeat"
    function = world.environment()
    world.shoot(function, range(34))
    world.deliver(function, world.upload(36, b"no photo"))
    world.shoot(function, range(37, 40))
    world.sweep(function, drain=True)
    world.upload(36)
    function.invoke({"retry_rejected": STREAM}, InvocationContext())
    assert world.rejections() == {}
    world.upload(35)
    world.sweep(function)
    assert world.rejections() == late(world, 35)
    assert world.verify().is_right


def test_a_photo_whose_key_is_too_long_for_its_record_is_judged_once(world: World) -> None:
    world.settings["TIMELAPSE_LATE"] = "append"
    function = video_without(world)
    world.upload(0, b"no photo", key="000035" + "x" * 995)
    world.sweep(function)
    (record,) = world.rejections().values()
    before = requests(world)
    world.sweep(function)
    assert requests(world)["GetObject"] - before["GetObject"] <= 2
    assert list(world.rejections().values()) == [record] == ["late"]


def test_a_sweep_of_what_is_all_accounted_for_reads_no_segment(world: World) -> None:
    function = video_without(world)
    world.sweep(function, close=True)
    world.sweep(function)
    read: list[str] = []
    world.video.on_request = lambda operation, key: read.append(key) if operation == "GetObject" else None
    world.sweep(function, all_reels=True)
    assert [key for key in read if "/segments/" in key] == []


def test_it_ends_early_where_time_is_short_and_the_next_one_finds_it(world: World) -> None:
    function = video_without(world, 3)
    world.sweep(function, close=True)
    world.upload(3)
    listed = world.frames.request_counts["ListObjectsV2"]

    def an_hour_passes(operation: str, _key: str) -> None:
        if operation == "ListObjectsV2" and world.frames.request_counts[operation] > listed + 1:
            world.clock.advance(3_600_000)

    world.frames.on_request = an_hour_passes
    deadline_epoch_ms = world.clock.now_epoch_ms() + 60_000
    world.sweep(function, deadline_epoch_ms=deadline_epoch_ms)
    assert world.rejections() == {}
    world.frames.on_request = lambda _operation, _key: None
    world.sweep(function)
    assert world.rejections() == late(world, 3)
