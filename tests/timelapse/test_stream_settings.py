"""A stream's own settings: when they are read, when they count, and what a damaged object does."""

from __future__ import annotations

import json
import logging
from collections import Counter
from pathlib import Path

import pytest

from tests.recovery.fake_media import fake_world
from tests.world import STREAM, World
from timelapse_runtime.runtime.state.errors import AccessDenied
from timelapse_runtime.timelapse.model.checkpoint import Reel

FIVE_MINUTES_MS = 5 * 60_000


@pytest.fixture
def world() -> World:
    return fake_world({"TIMELAPSE_FLUSH_EVERY": "3", "TIMELAPSE_REORDER_WINDOW": "0"})


def write(world: World, **settings: object) -> None:
    body = {"format": 1, "revision": 1, "settings": settings}
    world.video.put(world.keys.settings, json.dumps(body).encode())


def spans(reel: Reel) -> list[tuple[int, int]]:
    """First frame and number of frames of each segment."""
    return [(segment.first, segment.count) for segment in reel.segments]


def test_a_stream_has_its_own_settings_from_its_first_frame(world: World) -> None:
    write(world, fps=12, size="64x48")
    function = world.environment()
    world.shoot(function, range(8))
    world.sweep(function, drain=True)
    (reel,) = world.reels()
    assert (reel.fps, reel.width, reel.height) == (12, 64, 48)
    assert world.checkpoint().settings == {"fps": "12", "size": "64x48"}
    assert world.verify().findings == []


def test_other_streams_do_not_have_them(world: World) -> None:
    write(world, fps=12)
    function = world.environment()
    world.frames.put("frames/other/000001.jpg", world.frames.get(f"frames/{STREAM}/{world.upload(1)}").body)
    function.invoke({"poll": True}, world.context(10**15))
    function.invoke({"sweep": True}, world.context(10**15))
    world.sweep(function, drain=True)
    function.invoke({"sweep": {"stream": "other", "drain": True}}, world.context(10**15))
    other = json.loads(world.video.get("video/other/checkpoint.json").body)
    assert (world.reels()[0].fps, other["reel"]["fps"]) == (12, 30)


@pytest.mark.parametrize("change", [{"fps": 12}, {"size": "64x48"}, {"keyframe_interval": 5}])
def test_a_change_that_a_reel_cannot_hold_begins_a_reel_at_the_first_frame_after_it(
    world: World, change: dict[str, object]
) -> None:
    function = world.environment()
    world.shoot(function, range(7))
    write(world, **change)
    world.clock.advance(FIVE_MINUTES_MS)
    world.shoot(function, range(7, 12))
    world.sweep(function, drain=True)
    first, second = world.reels()
    assert (first.frame_count, second.frame_count) == (8, 4), "photo 7 is listed by the flush before the change"
    assert first.is_closed
    assert world.keys_in_video() == [world.key(number) for number in range(12)]
    assert world.verify().findings == []


def test_in_arrival_order_the_photo_that_comes_next_is_the_first_with_a_change() -> None:
    world = fake_world({"TIMELAPSE_ORDER": "arrival", "TIMELAPSE_KEYFRAME_INTERVAL": "60"})
    function = world.environment()
    world.shoot(function, range(20))
    write(world, crf=30)
    world.clock.advance(FIVE_MINUTES_MS)
    world.shoot(function, range(20, 30))
    world.sweep(function, drain=True)
    (reel,) = world.reels()
    assert spans(reel) == [(0, 20), (20, 10)]
    assert world.checkpoint().settings == {"crf": "30"}
    assert world.verify().findings == []


def test_a_change_of_quality_begins_a_segment(world: World) -> None:
    function = world.environment()
    world.shoot(function, range(7))
    write(world, crf=30)
    world.clock.advance(FIVE_MINUTES_MS)
    world.shoot(function, range(7, 12))
    world.sweep(function, drain=True)
    (reel,) = world.reels()
    assert spans(reel) == [(0, 8), (8, 4)]
    assert world.verify().findings == []


def test_a_change_waits_for_five_minutes_at_most_and_costs_a_request_in_that_time(world: World) -> None:
    function = world.environment()
    world.shoot(function, range(3))
    write(world, crf=30)
    requests = Counter[str]()
    world.video.on_request = lambda _operation, key: requests.update([key])
    world.shoot(function, range(3, 9))
    assert requests[world.keys.settings] == 0
    world.clock.advance(FIVE_MINUTES_MS)
    world.shoot(function, range(9, 19))
    assert requests[world.keys.settings] == 2, "one that shows the change, and one where the stream is opened again"
    assert world.checkpoint().settings == {"crf": "30"}
    world.clock.advance(FIVE_MINUTES_MS)
    world.shoot(function, range(19, 25))
    assert requests[world.keys.settings] == 3


def test_the_same_settings_written_otherwise_change_nothing(world: World) -> None:
    write(world, background="black")
    function = world.environment()
    world.shoot(function, range(7))
    write(world, BACKGROUND="000000", fps=30)
    world.clock.advance(FIVE_MINUTES_MS)
    world.shoot(function, range(7, 11))
    world.sweep(function, drain=True)
    (reel,) = world.reels()
    assert spans(reel) == [(0, 11)]


def test_settings_that_are_removed_leave_those_of_the_function(world: World) -> None:
    write(world, crf=30)
    function = world.environment()
    world.shoot(function, range(4))
    world.video.delete([world.keys.settings])
    world.clock.advance(FIVE_MINUTES_MS)
    world.shoot(function, range(4, 8))
    world.sweep(function, drain=True)
    assert world.checkpoint().settings == {}
    assert [count for _, count in spans(world.reels()[0])] == [5, 3]


DAMAGED = (
    b"",
    b"{",
    b"[]",
    b"null",
    b'"fps=12"',
    b"{}",
    b'{"format": 2, "settings": {}}',
    b'{"format": 1, "settings": []}',
    b'{"format": 1, "settings": {"fps": 12.5}}',
    b'{"format": 1, "settings": {"fps": true}}',
    b'{"format": 1, "settings": {"fps": "500"}}',
    b'{"format": 1, "settings": {"crf": "20", "fsp": "12"}}',
    b'{"format": 1, "settings": {"open_streams": "3"}}',
    b'{"format": 1, "settings": {"order": "name"}}',
    b'{"format": 1, "settings": {"masks": "10,10"}}',
    b'{"format": 1, "revision": "x", "settings": {}}',
    b"[" * 16_000,
    b"\xff\xfe",
    b"x" * 100_000,
)


@pytest.mark.parametrize("body", DAMAGED, ids=lambda body: body[:40])
def test_a_damaged_object_stops_no_camera_and_the_settings_before_stay(
    world: World, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    write(world, fps=12)
    function = world.environment()
    world.shoot(function, range(4))
    world.video.put(world.keys.settings, body)
    for start in (4, 8):
        world.clock.advance(FIVE_MINUTES_MS)
        with caplog.at_level(logging.ERROR):
            world.shoot(function, range(start, start + 4))
    world.shoot(world.environment(), range(12, 16))
    world.sweep(world.environment(), drain=True)
    (reel,) = world.reels()
    assert (reel.fps, reel.frame_count) == (12, 16)
    record, *others = [one for one in caplog.records if one.levelno == logging.ERROR]
    assert len(others) == 2, "one from each environment"
    assert vars(record)["settings"] == f"s3://{world.video.bucket}/{world.keys.settings}"
    assert vars(record)["stream"] == STREAM
    assert vars(record)["problem"]


def test_a_damaged_object_without_anything_before_leaves_the_functions_settings(world: World) -> None:
    world.video.put(world.keys.settings, b"{")
    function = world.environment()
    world.shoot(function, range(5))
    world.sweep(function, drain=True)
    assert world.reels()[0].fps == 30
    assert world.keys_in_video() == [world.key(number) for number in range(5)]


def test_masks_stay_if_the_object_is_damaged_before_another_environment_comes(world: World) -> None:
    """Also if the first thing that the environment meets is an object that is no photo, before it knows the stream."""
    write(world, masks="10,10 50,50")
    world.shoot(world.environment(), range(4))
    world.video.put(world.keys.settings, b"{")
    function = world.environment()
    function.invoke(world.event("Thumbs.db"), world.context(10**15))
    world.shoot(function, range(4, 8))
    function.invoke(world.event("Thumbs.db"), world.context(10**15))
    world.clock.advance(FIVE_MINUTES_MS)
    function.invoke(world.event("Thumbs.db"), world.context(10**15))
    world.shoot(function, range(8, 12))
    assert world.checkpoint().settings == {"masks": "10,10 50,50"}


def test_the_stream_decides_what_a_photo_is(world: World) -> None:
    write(world, include="*.dat, !x*")
    function = world.environment()
    for number, key in enumerate(["0.dat", "1.jpg", "2.dat", "x.dat", "3.dat"]):
        answer = world.deliver(function, world.upload(number, key=key))
        assert ("ignored" in answer["streams"][STREAM]) == (key in ("1.jpg", "x.dat"))
    world.sweep(function, drain=True)
    assert world.keys_in_video() == ["0.dat", "2.dat", "3.dat"]


def test_settings_that_cannot_be_read_fail_their_stream_alone(world: World) -> None:
    def refuse(operation: str, key: str) -> None:
        if key == world.keys.settings:
            raise AccessDenied(operation, world.video.bucket, key, "no")

    world.video.on_request = refuse
    function = world.environment()
    world.frames.put("frames/other/000001.jpg", b"")
    event = world.event(world.upload(0), world.upload(1, key="Thumbs.db"))
    event["Records"] += world.event("x")["Records"]
    event["Records"][-1]["s3"]["object"]["key"] = "frames/other/000001.jpg"
    with pytest.raises(AccessDenied):
        function.invoke(event, world.context(10**15))
    world.video.on_request = lambda _operation, _key: None
    assert world.rejections() == {}
    assert json.loads(world.video.get("video/other/rejected/000001.jpg.json").body)["reason"] == "empty"


def test_an_owner_that_lost_the_stream_reads_the_settings_again_when_it_takes_over(world: World) -> None:
    first, second = world.environment(), world.environment()
    world.shoot(first, range(4))
    write(world, crf=30)
    world.shoot(second, range(4, 8))
    world.sweep(second, drain=True)
    assert world.checkpoint().settings == {"crf": "30"}
    world.shoot(first, range(8, 12))
    world.sweep(first, drain=True)
    assert world.checkpoint().settings == {"crf": "30"}
    assert world.keys_in_video() == [world.key(number) for number in range(12)]


def test_a_shutdown_after_a_change_that_was_not_read_yet_loses_nothing(tmp_path: Path) -> None:
    world = fake_world({"TIMELAPSE_FLUSH_EVERY": "3"}, tmp_path / "outbox")
    function = world.environment()
    world.shoot(function, range(5))
    write(world, fps=12)
    world.shut_down(function)
    world.shoot(world.environment(), range(5, 9))
    world.sweep(world.environment(), drain=True)
    assert [reel.fps for reel in world.reels()] == [30, 12]
    assert world.keys_in_video() == [world.key(number) for number in range(9)]
