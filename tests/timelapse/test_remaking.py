"""A photo's frame is taken out of the video, and never comes back."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.hls import MediaPlaylist
from tests.probe import ffmpeg_lumas, ffmpeg_numbers
from tests.recovery.fake_media import fake_world
from tests.recovery.remade import remaking_of
from tests.world import PHOTOS, STREAM, World
from timelapse_runtime.runtime.state.errors import ObjectNotFound
from timelapse_runtime.timelapse import Timelapse
from timelapse_runtime.timelapse.commit_plan import segment_key
from timelapse_runtime.timelapse.editions import Editions
from timelapse_runtime.timelapse.errors import EditionLost, MissingPhotos
from timelapse_runtime.timelapse.model.checkpoint import Reel
from timelapse_runtime.timelapse.model.segment_versions import REPLACED_KEPT_SECONDS
from timelapse_runtime.timelapse.model.stream_settings import config_of
from timelapse_runtime.timelapse.remaking import Remaking

_DAY_MS = 24 * 3_600_000


def remaking(world: World) -> Remaking:
    """As the commands have it."""
    return remaking_of(world, lambda: world.sweep(world.environment(), close=True))


@pytest.fixture(params=["arrival", "name"])
def world(request: pytest.FixtureRequest) -> World:
    return World({"TIMELAPSE_ORDER": request.param, "TIMELAPSE_REEL": "day", "TIMELAPSE_LATE": "append"})


def days(world: World, *lengths: int) -> Timelapse:
    """A reel for each day, the last one open."""
    function, first = world.environment(), 0
    for length in lengths:
        world.clock.advance(_DAY_MS * bool(first))
        world.shoot(function, range(first, first + length))
        first += length
    world.sweep(function, drain=True)
    return function


def names(world: World, count: int, *without: int) -> list[str]:
    return [world.key(number) for number in range(count) if number not in without]


def test_all_but_the_frame_is_there_and_its_reel_has_new_objects(world: World, tmp_path: Path) -> None:
    function = days(world, 16, 20, 5)
    before, old = world.object_keys(), world.reels()[1]
    (change,) = remaking(world).remove([world.key(20)])
    reel, video = world.reels()[1], tmp_path / "video.mp4"
    assert (change.name, change.frames_before, change.frames_after) == (old.name, 20, 19)
    video.write_bytes(world.video_bytes(reel))
    assert ffmpeg_numbers(video) == [number for number in range(16, 36) if number != 20]
    assert world.keys_in_video() == names(world, 41, 20)
    kept = {world.keys.manifest(old.name), world.keys.index(old.name), world.keys.ranges(old.name)}
    replaced = {key for key in before if key.startswith(world.keys.reel(old.name))} - kept
    assert before - world.object_keys() == replaced == set(change.removed)
    assert world.rejections() == {world.key(20): "removed"}
    assert not world.verify().findings
    world.shoot(function, range(41, 44))
    world.sweep(function, close=True, all_reels=True)
    assert world.keys_in_video() == names(world, 44, 20)
    assert not world.verify().findings


@pytest.mark.parametrize("is_closed", [False, True])
def test_a_frame_of_the_newest_reel(world: World, is_closed: bool) -> None:
    function = days(world, 7, 14)
    if is_closed:
        world.sweep(function, close=True)
    old = world.video.get(world.keys.latest).body
    remaking(world).remove([world.key(20)])
    assert world.keys_in_video() == names(world, 20)
    assert world.video.get(world.keys.latest).body != old, "it was the newest picture"
    assert not world.verify().findings
    world.shoot(function, range(21, 30))
    world.sweep(function, close=True)
    assert world.keys_in_video() == names(world, 30, 20)
    assert not world.verify().findings


def test_no_playlist_names_an_object_that_was_removed(world: World) -> None:
    days(world, 13, 14, 5)
    remaking(world).remove([world.key(0), world.key(20)])
    stored = world.object_keys()
    playlists = [key for key in stored if key.endswith("m3u8") and not key.endswith("main.m3u8")]
    assert {key.removeprefix(world.keys.folder) for key in playlists} >= {"week.m3u8", "video.m3u8"}
    for key in playlists:
        folder = key.rpartition("/")[0]
        for entry in MediaPlaylist.parse(world.video.get(key).body).entries:
            assert {f"{folder}/{entry.uri}", f"{folder}/{entry.map}"} <= stored, key


def test_it_does_not_come_back(world: World) -> None:
    function = days(world, 8, 8)
    remaking(world).remove([world.key(3)])
    world.deliver(function, world.key(3))
    world.deliver(world.environment(), world.key(3))
    world.sweep(world.environment(), drain=True, all_reels=True)
    world.upload(3)  # the same content once more
    world.deliver(function, world.key(3))
    world.shoot(function, range(16, 18))
    function.invoke({"retry_rejected": STREAM}, world.context(10**15))
    world.sweep(function, close=True, all_reels=True)
    assert world.keys_in_video() == names(world, 18, 3)
    assert world.rejections() == {world.key(3): "removed"}
    assert not world.verify().findings


def test_a_reel_may_lose_all_of_its_frames(world: World) -> None:
    function = days(world, 3, 14, 2)
    remaking(world).remove(names(world, 3))
    assert world.keys_in_video() == [world.key(number) for number in range(3, 19)]
    assert not world.verify().findings
    world.sweep(function, close=True)
    remaking(world).remove(names(world, 19))
    assert world.keys_in_video() == []
    assert not world.verify().findings
    world.shoot(world.environment(), range(19, 26))
    world.sweep(world.environment(), close=True)
    assert world.keys_in_video() == [world.key(number) for number in range(19, 26)]
    assert not world.verify().findings


def test_a_reel_whose_photos_are_gone_is_not_changed(world: World) -> None:
    days(world, 6, 3)
    world.frames.delete([f"frames/{STREAM}/{world.key(number)}" for number in (1, 2)])
    before = world.object_keys()
    with pytest.raises(MissingPhotos) as error:
        remaking(world).remove([world.key(1)])
    assert error.value.keys == (world.key(2),), "the photo of the frame itself is not needed"
    assert world.object_keys() == before
    remaking(world).remove([world.key(1)], skip_missing=True)
    assert world.keys_in_video() == names(world, 9, 1, 2)


def test_new_content_under_the_key_is_another_photo() -> None:
    world = World({"TIMELAPSE_ORDER": "arrival"})
    function = days(world, 6)
    remaking(world).remove([world.key(2)])
    world.deliver(function, world.upload(2, PHOTOS[40]))
    world.sweep(function, drain=True)
    assert world.keys_in_video() == [*names(world, 6, 2), world.key(2)]
    assert world.rejections() == {}
    assert not world.verify().findings


def test_of_two_that_make_a_reel_again_the_second_one_wins(world: World) -> None:
    days(world, 6, 3)
    first, name = remaking(world), world.reels()[0].name
    begun = first.editions.begin(name)
    remaking(world).remove([world.key(2)])
    with pytest.raises(EditionLost):
        first.editions.show(begun)
    assert world.keys_in_video() == names(world, 9, 2)


class Killed(BaseException):
    """The process ends at this request."""


@pytest.mark.parametrize("is_done", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(
    ("number", "first"), [(3, 1), (9, 4), (16, 7)], ids=["earlier reel", "reel before", "open reel"]
)
def test_a_kill_at_any_request_leaves_a_video_that_the_same_command_finishes(
    number: int, first: int, is_done: bool
) -> None:
    """A function appends meanwhile. Nothing but the removed frame is ever lost, and in the end it is gone. Each
    EVERY-th request, from `first` on, until there is none."""
    at = first
    while run_killed(number, at, is_done=is_done):
        at += EVERY
    assert at > 30


EVERY = 9
"""1 for the whole enumeration."""


def run_killed(number: int, at: int, *, is_done: bool) -> bool:
    """Remove the frame of a photo in a process that is killed at its request number `at`, before or after it took
    effect, and once more in another one. False if it ended before."""
    world = fake_world({"TIMELAPSE_ORDER": "arrival", "TIMELAPSE_REEL": "day"}, None)
    function, numbers = days(world, 7, 8, 3), count(1)
    fired: list[int] = []

    def around(_operation: str, _key: str, effect: Callable[[], Any]) -> Any:
        this = next(numbers)
        if this == at:
            fired.append(this)
            if is_done:
                effect()
            raise Killed
        return effect()

    no_fault = world.video.around
    world.video.around = around
    with suppress(Killed):
        remaking(world).remove([world.key(number)])
    world.video.around = no_fault
    others = [key for key in world.keys_in_video() if key != world.key(number)]
    assert others == names(world, 18, number), f"killed at request {at}"
    world.shoot(function, range(18, 22))
    remaking(world).remove([world.key(number)])
    world.sweep(function, close=True, all_reels=True)
    assert world.keys_in_video() == names(world, 22, number), f"killed at request {at}"
    assert not world.verify().findings, f"killed at request {at}"
    return bool(fired)


def test_a_reel_is_made_again_with_another_look(world: World, tmp_path: Path) -> None:
    function = days(world, 16, 20, 5)
    before, old = world.object_keys(), world.reels()[1]
    work = remaking(world)
    ((change, replaced),) = work.render([old.name], config_of(work.config, {"size": "96x48", "fps": "10"}))
    reel, video = world.reels()[1], tmp_path / "video.mp4"
    assert (reel.width, reel.height, reel.fps, change.frames_after) == (96, 48, 10, 20)
    video.write_bytes(world.video_bytes(reel))
    assert len(list(ffmpeg_lumas(video))) == 20
    assert before < world.object_keys(), "players may still ask for the objects of before"
    assert set(replaced) <= before
    assert not world.verify().findings
    world.clock.advance(REPLACED_KEPT_SECONDS * 1000)
    world.shoot(function, [41])
    world.sweep(function, drain=True, all_reels=True)
    live = MediaPlaylist.parse(world.video.get(world.keys.live).body).entries
    shown_live = {f"{world.keys.folder}{uri}" for entry in live for uri in (entry.uri, entry.map)}
    assert world.object_keys() & set(replaced) == shown_live & set(replaced) != set(replaced)
    assert world.keys_in_video() == names(world, 42)
    assert not world.verify().findings


def test_a_removal_before_the_swap_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A seeded bug: what an edition replaces is deleted before the edition is shown."""
    show = Editions.show

    def removed_too_early(self: Editions, made: Reel) -> Reel:
        old = self.find(made.name)
        self._store.delete([segment_key(self._keys, old, segment) for segment in old.segments])
        self._store.delete([self._keys.video(old.path)])
        return show(self, made)

    monkeypatch.setattr(Editions, "show", removed_too_early)
    with pytest.raises((AssertionError, ObjectNotFound)):
        all(run_killed(3, at, is_done=True) for at in count(1))


def test_a_closed_reel_whose_playlists_are_missing_does_not_stop_a_removal() -> None:
    """The process that closed it was killed before it wrote them."""
    world = fake_world({"TIMELAPSE_REEL": "day"})
    function = world.environment()
    for first in (0, 10):
        world.shoot(function, range(first, first + 10))
        world.sweep(function, close=True)
    newest = world.reels()[-1]
    missing = [world.keys.ranges(newest.name), world.keys.manifest(newest.name), world.keys.week]
    world.video.delete(missing)
    remaking_of(world, lambda: None).remove([world.key(4)])
    assert set(missing) <= set(world.object_keys())
    assert not world.verify().findings
