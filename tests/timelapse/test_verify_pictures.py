"""Pictures of the day are damaged by hand: the verifier names each."""

from __future__ import annotations

import pytest

from tests.world import World
from timelapse_runtime.timelapse.model.keys import DAY_PICTURES
from timelapse_runtime.timelapse.verify_report import Outcome


def stream(count: int, **settings: str) -> World:
    world = World({"TIMELAPSE_DAY_PICTURES": "keogram, lighten, digest", **settings})
    world.shoot(function := world.environment(), range(count))
    world.sweep(function, drain=True)
    return world


@pytest.fixture
def world() -> World:
    return stream(20)


def picture(world: World, kind: str) -> str:
    return world.keys.picture(world.reels()[0].path, kind)


def test_pictures_as_the_function_writes_them_are_right(world: World) -> None:
    report = world.verify()
    assert (report.outcome, report.pictures_behind_count, report.unchecked_pictures_count) == (
        Outcome.ALL_IN_VIDEO,
        0,
        0,
    )


@pytest.mark.parametrize("kind", DAY_PICTURES)
def test_a_damaged_picture_is_named(world: World, kind: str) -> None:
    where = picture(world, kind)
    body = world.video.get(where).body
    world.video.put(where, body[: len(body) // 2])
    (finding,) = world.verify().findings
    assert (finding.kind, finding.where) == ("picture", where)
    assert "the function makes it again" in finding.detail


@pytest.mark.parametrize("kind", DAY_PICTURES)
def test_a_picture_with_more_frames_than_its_reel_is_named(world: World, kind: str) -> None:
    world.video.put(picture(world, kind), (longer := stream(40)).video.get(picture(longer, kind)).body)
    (finding,) = world.verify().findings
    assert "40 frames are in it; the reel has 20" in finding.detail


@pytest.mark.parametrize("kind", DAY_PICTURES)
def test_a_picture_of_another_size_is_named(world: World, kind: str) -> None:
    other = stream(20, TIMELAPSE_SIZE="64x48")
    world.video.put(picture(world, kind), other.video.get(picture(other, kind)).body)
    assert [finding.where for finding in world.verify().findings] == [picture(world, kind)]


@pytest.mark.parametrize("kind", DAY_PICTURES)
def test_a_picture_with_fewer_frames_is_a_note(world: World, kind: str) -> None:
    shorter = stream(10)
    world.video.put(picture(world, kind), shorter.video.get(picture(shorter, kind)).body)
    report = world.verify()
    assert (report.outcome, report.pictures_behind_count) == (Outcome.ALL_IN_VIDEO, 1)
