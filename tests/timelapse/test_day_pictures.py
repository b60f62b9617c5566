"""A picture of the day shows each committed frame once, whenever its environment ends."""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import nullcontext
from unittest.mock import patch

import av
import numpy
import pytest
from PIL import Image

from tests.recovery.fake_media import fake_world, photos_and_marks_in, photos_in_picture
from tests.recovery.remade import remaking_of
from tests.world import World
from timelapse_runtime.runtime.state.errors import StorageUnavailable
from timelapse_runtime.runtime.state.memory import MemoryStore
from timelapse_runtime.timelapse import reel_pictures
from timelapse_runtime.timelapse.commit_plan import segment_key
from timelapse_runtime.timelapse.errors import EncoderFailed
from timelapse_runtime.timelapse.model.checkpoint import Reel
from timelapse_runtime.timelapse.model.keys import DAY_PICTURE_FILES, DAY_PICTURES, DIGEST, KEOGRAM, LIGHTEN
from timelapse_runtime.timelapse.stored_reels import PICTURES
from timelapse_runtime.timelapse.video.day_picture import pixels_of
from timelapse_runtime.timelapse.video.digest import _Track

DAY_MS = 24 * 3_600_000
ON = {"TIMELAPSE_DAY_PICTURES": "keogram, lighten, digest"}
SMALL = {"TIMELAPSE_KEYFRAME_INTERVAL": "6", "TIMELAPSE_FLUSH_EVERY": "3", **ON}


@pytest.fixture
def world() -> World:
    """Fake media: a picture is the list of its photos."""
    return fake_world(SMALL)


def is_picture(key: str) -> bool:
    return key.endswith(tuple(DAY_PICTURE_FILES.values()))


def shown(world: World, reel: Reel, kind: str = KEOGRAM) -> list[list[int]] | None:
    """The photos in a stored picture, with their marks."""
    body = world.video.peek(world.keys.picture(reel.path, kind))
    return None if body is None else photos_in_picture(body)


def in_video(world: World, reel: Reel) -> list[list[int]]:
    bodies = (world.video.get(segment_key(world.keys, reel, segment)).body for segment in reel.segments)
    return [list(one) for body in bodies for one in photos_and_marks_in(body)]


def assert_prefix(world: World) -> None:
    """Each picture shows the first frames of its reel, all of them committed, each once."""
    for reel in world.reels():
        for kind in DAY_PICTURES:
            found = shown(world, reel, kind)
            assert found is None or found == in_video(world, reel)[: len(found)]


def assert_complete(world: World) -> None:
    for reel in world.reels():
        for kind in DAY_PICTURES:
            assert shown(world, reel, kind) == in_video(world, reel)


def test_a_picture_is_written_when_a_segment_closes(world: World) -> None:
    function = world.environment()
    counts = set()
    for number in range(30):
        world.shoot(function, [number])
        assert_prefix(world)
        counts |= {len(shown(world, reel) or ()) for reel in world.reels()}
    assert sorted(counts) == [0, 7, 13, 19]  # the first commits in which a segment of six is closed


def test_nothing_is_written_if_it_is_off() -> None:
    world = fake_world(SMALL | {"TIMELAPSE_DAY_PICTURES": "off"})
    world.shoot(world.environment(), range(20))
    assert not [key for key in world.object_keys() if is_picture(key)]


def test_only_what_is_named_is_made() -> None:
    world = fake_world(SMALL | {"TIMELAPSE_DAY_PICTURES": "lighten"})
    world.shoot(world.environment(), range(20))
    assert [key.rpartition("/")[2] for key in world.object_keys() if is_picture(key)] == ["lighten.png"]


@pytest.mark.parametrize("every", [1, 2, 5, 7])
@pytest.mark.parametrize("is_clean", [True, False])
def test_an_end_after_any_frame_loses_and_repeats_nothing(world: World, every: int, *, is_clean: bool) -> None:
    function = world.environment()
    for number in range(40):
        world.shoot(function, [number])
        if number % every == 0:
            if is_clean:
                world.shut_down(function)
            function = world.environment()
        assert_prefix(world)
    world.sweep(function, drain=True)
    assert_complete(world)


def test_a_clean_end_leaves_nothing_to_decode(world: World) -> None:
    world.shoot(function := world.environment(), range(10))
    world.sweep(function, drain=True)
    with patch.object(type(world.codec), "decode_frames", side_effect=AssertionError("decoded")):
        world.shoot(function := world.environment(), range(10, 20))
        world.sweep(function, drain=True)
    assert_complete(world)


def test_each_reel_has_its_own_pictures() -> None:
    world = fake_world(SMALL | {"TIMELAPSE_REEL": "day"})
    function = world.environment()
    for day in range(3):
        world.shoot(function, range(day * 10, day * 10 + 10))
        world.clock.advance(DAY_MS)
    world.sweep(function, close=True)
    assert len(world.reels()) == 3
    assert_complete(world)


def test_a_reel_that_others_have_closed_is_finished(world: World) -> None:
    world.shoot(function := world.environment(), range(10))
    with patch.object(MemoryStore, "put", _refusing_pictures(MemoryStore.put)):
        world.sweep(function, close=True)
    assert shown(world, world.reels()[0]) != in_video(world, world.reels()[0])
    world.shoot(world.environment(), range(10, 16))
    assert shown(world, world.reels()[0]) == in_video(world, world.reels()[0])


def _refusing_pictures(put: object) -> object:
    def refuse(self: MemoryStore, key: str, *args: object, **kwargs: object) -> object:
        if is_picture(key):
            raise StorageUnavailable("PutObject", self.bucket, key, "refused")
        return put(self, key, *args, **kwargs)  # type: ignore[operator]

    return refuse


def test_a_store_that_refuses_pictures_stops_nothing(world: World, caplog: pytest.LogCaptureFixture) -> None:
    function = world.environment()
    with patch.object(MemoryStore, "put", _refusing_pictures(MemoryStore.put)):
        world.shoot(function, range(20))
    assert world.checkpoint().frame_count > 12
    assert "could not bring the pictures of the day up to date" in caplog.text
    world.shoot(function, range(20, 24))
    world.sweep(function, drain=True)
    assert_complete(world)


@pytest.mark.parametrize("body", [b"damaged", None], ids=["damaged", "missing"])
def test_a_picture_that_is_lost_is_made_again(world: World, body: bytes | None) -> None:
    world.shoot(function := world.environment(), range(30))
    where = world.keys.picture(world.reels()[0].path, KEOGRAM)
    world.video.delete([where])
    if body is not None:
        world.video.put(where, body)
    world.shoot(function := world.environment(), range(30, 36))
    world.sweep(function)
    world.sweep(function, drain=True)
    assert_complete(world)


def test_a_picture_of_frames_that_are_not_committed_any_more_is_removed_at_once(world: World) -> None:
    world.shoot(function := world.environment(), range(8))
    world.sweep(function, drain=True)
    earlier = world.video.get(world.keys.checkpoint).body
    world.shoot(function, range(8, 20))
    world.video.put(world.keys.checkpoint, earlier)  # somebody restores it
    world.shoot(function := world.environment(), [20])
    found = shown(world, world.reels()[0])
    assert found is None or found == in_video(world, world.reels()[0])[: len(found)]
    world.sweep(function, drain=True)
    assert_complete(world)


def test_a_slow_camera_s_picture_is_renewed_before_its_segment_closes(world: World) -> None:
    function = world.environment(keyframe_interval="100")
    world.shoot(function, range(8))
    assert shown(world, world.reels()[0]) is None
    world.clock.advance(reel_pictures.WRITE_EVERY_MS)
    world.shoot(function, range(8, 12))
    assert shown(world, world.reels()[0])


def test_frames_that_were_never_here_are_decoded_bit_by_bit(world: World) -> None:
    world.shoot(world.environment(day_pictures="off"), range(50))
    function = world.environment()
    world.shoot(function, range(50, 53))
    assert shown(world, world.reels()[0]) is None
    world.sweep(function)
    world.sweep(function, drain=True)
    assert_complete(world)


def test_a_removed_photo_is_in_no_picture() -> None:
    world = fake_world(SMALL | {"TIMELAPSE_REEL": "day"})
    function = world.environment()
    world.shoot(function, range(10))
    world.sweep(function, close=True)
    remaking_of(world, lambda: None).remove([world.key(4)])
    pictures = [key for key in world.object_keys() if is_picture(key)]
    assert len(pictures) == len(DAY_PICTURES)
    assert all(4 not in [photo for photo, _ in photos_in_picture(world.video.get(key).body)] for key in pictures)
    assert_complete(world)
    assert not world.verify().findings


def test_pictures_are_no_orphans_and_stay(world: World) -> None:
    world.shoot(function := world.environment(), range(20))
    world.sweep(function, close=True)
    before = {key for key in world.object_keys() if is_picture(key)}
    world.clock.advance(DAY_MS)
    world.sweep(function := world.environment(), all_reels=True)
    assert {key for key in world.object_keys() if is_picture(key)} == before
    assert len(before) == len(DAY_PICTURES)
    assert not world.verify().findings


# ---- with pixels


def pixels(world: World, kind: str) -> numpy.ndarray[tuple[int, ...], numpy.dtype[numpy.uint8]]:
    body = world.video.get(world.keys.picture(world.reels()[0].path, kind)).body
    if kind != DIGEST:
        return numpy.asarray(Image.open(io.BytesIO(body)))
    with av.open(io.BytesIO(body), "r") as container:
        return numpy.stack([pixels_of(frame) for frame in container.decode(video=0)])


def test_a_run_that_ends_cleanly_after_each_frame_gives_the_same_pictures() -> None:
    worlds = [World(dict(ON)), World(dict(ON))]
    functions = [world.environment() for world in worlds]
    for number in range(20):
        for world, function in zip(worlds, functions, strict=True):
            world.shoot(function, [number])
        worlds[1].sweep(functions[1], drain=True)
        functions[1] = worlds[1].environment()
    for world, function in zip(worlds, functions, strict=True):
        world.sweep(function, drain=True)
    for kind in (KEOGRAM, LIGHTEN):
        one, other = (pixels(world, kind) for world in worlds)
        assert (one == other).all()
    assert psnr(worlds, DIGEST) >= 32  # encoded in other groups
    assert pixels(worlds[0], KEOGRAM).shape == (64, 20, 3)


def test_what_is_caught_up_is_as_the_video_shows_it() -> None:
    worlds = [World(dict(ON)), World(dict(ON))]
    for world, is_killed in zip(worlds, (False, True), strict=True):
        function = world.environment()
        for number in range(20):
            world.shoot(function, [number])
            if is_killed and number % 6 == 5:
                function = world.environment()
        world.sweep(function, drain=True)
    assert min(psnr(worlds, kind) for kind in (KEOGRAM, LIGHTEN)) >= 40
    assert psnr(worlds, DIGEST) >= 32


def psnr(worlds: Sequence[World], kind: str) -> float:
    """In decibels, between the pictures of two worlds."""
    one, other = (pixels(world, kind).astype(float) for world in worlds)
    assert one.shape == other.shape
    return float(10 * numpy.log10(255**2 / ((one - other) ** 2).mean()))


def test_an_encoder_that_fails_leaves_no_gap_in_a_digest() -> None:
    worlds = [World(dict(ON)), World(dict(ON))]
    for world, fails in zip(worlds, (False, True), strict=True):
        world.shoot(function := world.environment(), range(20))
        with patch.object(_Track, "group", side_effect=EncoderFailed("no memory")) if fails else nullcontext():
            world.sweep(function, drain=True)
        world.shoot(function, range(20, 40))
        world.sweep(function, drain=True)
    assert psnr(worlds, DIGEST) >= 32


def told(world: World, key: str) -> str | None:
    """Which pictures the metadata of an object names."""
    return world.video.head(key).metadata.get(PICTURES)


def test_the_newest_playlist_and_each_manifest_say_which_pictures_there_are() -> None:
    world = fake_world(SMALL | {"TIMELAPSE_REEL": "day"})
    function = world.environment()
    world.shoot(function, range(4))
    world.sweep(function, drain=True)
    assert told(world, world.keys.newest_video) == " ".join(DAY_PICTURES)
    world.shoot(world.environment(), range(4, 10))
    assert told(world, world.keys.newest_video) == " ".join(DAY_PICTURES)
    world.clock.advance(DAY_MS)
    world.shoot(function := world.environment(), range(10, 14))
    world.sweep(function, drain=True)
    first, newest = world.reels()
    assert told(world, world.keys.manifest(first.name)) == " ".join(DAY_PICTURES)
    assert told(world, world.keys.newest_video) == " ".join(DAY_PICTURES)
    world.sweep(function, close=True)
    assert told(world, world.keys.manifest(newest.name)) == " ".join(DAY_PICTURES)


def test_a_manifest_names_the_pictures_of_a_setting_that_was_changed_in_the_middle() -> None:
    world = fake_world(SMALL)
    world.shoot(world.environment(), range(20))
    world.settings["TIMELAPSE_DAY_PICTURES"] = "lighten"
    world.shoot(function := world.environment(), range(20, 30))
    world.sweep(function, close=True)
    assert told(world, world.keys.manifest(world.reels()[0].name)) == " ".join(DAY_PICTURES)


def test_no_object_names_pictures_if_there_are_none() -> None:
    world = fake_world(SMALL | {"TIMELAPSE_DAY_PICTURES": "off"})
    world.shoot(function := world.environment(), range(20))
    world.sweep(function, close=True)
    assert {told(world, key) for key in (world.keys.newest_video, world.keys.manifest(world.reels()[0].name))} == {None}
