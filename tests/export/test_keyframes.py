"""A segment's first picture, from a part of the segment."""

from __future__ import annotations

from datetime import UTC

import pytest

from tests.photos import make_photos, plane_array, read_number
from tests.world import World
from timelapse_runtime.export import keyframes
from timelapse_runtime.export.keyframes import read_keyframe
from timelapse_runtime.export.selection import Selector
from timelapse_runtime.export.stream_reader import StreamReader
from timelapse_runtime.timelapse.commit_plan import segment_key
from timelapse_runtime.timelapse.errors import SegmentCorrupt


@pytest.fixture(scope="module")
def world() -> World:
    """Two segments of 60 photos of 640x320: about 120 kB each."""
    world = World({"TIMELAPSE_KEYFRAME_INTERVAL": "60", "TIMELAPSE_CRF": "18"})
    function = world.environment()
    for number, photo in enumerate(make_photos(120, (640, 320))):
        world.deliver(function, world.upload(number, photo))
    world.sweep(function, drain=True)
    return world


@pytest.mark.parametrize(("least_bytes", "requests"), [(64, 2), (40_000, 1), (10_000_000, 1)])
def test_a_part_that_is_too_short_is_followed_by_the_whole(
    world: World, monkeypatch: pytest.MonkeyPatch, least_bytes: int, requests: int
) -> None:
    monkeypatch.setattr(keyframes, "_LEAST_BYTES", least_bytes)
    monkeypatch.setattr(keyframes, "_SHARE", 10**9)
    reader = StreamReader(world.video, world.keys.folder)
    (reel,) = world.reels()
    reader.init_segment(reel)
    sent: list[str] = []
    world.video.on_request = lambda operation, _key: sent.append(operation)
    frame = read_keyframe(reader, reel, 1)
    world.video.on_request = lambda _operation, _key: None
    assert read_number(plane_array(frame, 0)) == 60
    assert sent == ["GetObject"] * requests


def test_each_part_of_a_segment_gives_the_picture_or_nothing(world: World) -> None:
    """A keyframe that is cut off must not become a grey or half a picture."""
    reader = StreamReader(world.video, world.keys.folder)
    (reel,) = world.reels()
    init_segment, body = reader.init_segment(reel), reader.segment(reel, 0)
    whole = keyframes._first_frame(init_segment, body)
    assert whole is not None
    answers = set()
    for size in range(0, len(body), 997):
        frame = keyframes._first_frame(init_segment, body[:size])
        answers.add(frame is None)
        assert frame is None or bytes(frame.planes[0]) == bytes(whole.planes[0])
    assert answers == {True, False}


def test_a_damaged_segment_is_named() -> None:
    world = World()
    function = world.environment()
    world.shoot(function, range(12))
    world.sweep(function, drain=True)
    (reel,) = world.reels()
    reader = StreamReader(world.video, world.keys.folder)
    world.video.put(segment_key(world.keys, reel, reel.segments[0]), bytes(reel.segments[0].size_bytes))
    with pytest.raises(SegmentCorrupt, match=f"segment 0 of reel {reel.name}"):
        read_keyframe(reader, reel, 0)


def test_the_open_segment_is_read_once_and_kept() -> None:
    """A flush during the export replaces it."""
    world = World()
    function = world.environment()
    world.shoot(function, range(12))
    world.sweep(function, drain=True)
    (reel,) = world.reels()
    reader = StreamReader(world.video, world.keys.folder)
    Selector(reader, world.checkpoint(), UTC)
    world.video.delete([segment_key(world.keys, reel, reel.segments[0])])
    assert read_number(plane_array(read_keyframe(reader, reel, 0), 0)) == 0
