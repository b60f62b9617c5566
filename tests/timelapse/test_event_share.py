"""Photos of which other environments are told too: they wait unread, and are read when a flush is due."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from tests.recovery.fake_media import fake_world
from tests.world import STREAM, World
from timelapse_runtime.emulator.s3_event import object_created_event
from timelapse_runtime.timelapse import Timelapse
from timelapse_runtime.timelapse.event_share import EventShare
from timelapse_runtime.timelapse.intake import PhotoHint
from timelapse_runtime.timelapse.model.source_frame import SourceFrame

KNOWN = 8


@pytest.fixture
def world() -> World:
    """A stream of some photos that nobody works on."""
    made = fake_world(
        {"TIMELAPSE_ORDER": "arrival", "TIMELAPSE_REORDER_WINDOW": "4", "TIMELAPSE_FLUSH_EVERY": "20"}, None
    )
    before = made.environment()
    made.shoot(before, range(KNOWN))
    made.shut_down(before)
    return made


def upload(world: World, numbers: Iterable[int]) -> list[dict[str, Any]]:
    """20 photos a second; their events, as S3 sends them."""
    events = []
    for number in numbers:
        world.clock.advance(-950)
        where = f"frames/{STREAM}/{world.upload(number)}"
        found = next(info for info in world.frames.list_after(where[:-1]) if info.key == where)
        events.append(object_created_event(world.frames.bucket, where, etag=found.etag))
    return events


def tell(world: World, function: Timelapse, events: Iterable[dict[str, Any]]) -> int:
    """Deliver the events, one by one: how many photos were read for them."""
    before = world.frames.request_counts.get("GetObject", 0)
    for event in events:
        function.invoke(event, world.context(10**15))
    return world.frames.request_counts.get("GetObject", 0) - before


def frames(world: World) -> int:
    return world.checkpoint().frame_count


def test_photos_wait_unread_where_others_are_told_of_them(world: World) -> None:
    owner = world.environment()
    events = upload(world, range(KNOWN, KNOWN + 6))
    assert tell(world, owner, events[:1]) == 0
    assert tell(world, owner, upload(world, range(KNOWN + 6, KNOWN + 9))) == 0
    assert frames(world) == KNOWN
    world.sweep(owner, drain=True)
    assert world.keys_in_video() == [world.key(number) for number in range(KNOWN + 9)]


def test_they_are_read_and_committed_when_they_fill_a_flush(world: World) -> None:
    owner = world.environment()
    tell(world, owner, upload(world, range(KNOWN, KNOWN + 20))[:1])
    assert frames(world) == KNOWN
    read = tell(world, owner, upload(world, range(KNOWN + 20, KNOWN + 24)))
    assert read == 20, "all but the four that others may come before"
    assert frames(world) > KNOWN
    world.sweep(owner, drain=True)
    assert world.keys_in_video() == [world.key(number) for number in range(KNOWN + 24)]


def test_they_are_read_and_committed_when_the_first_has_waited_for_long(world: World) -> None:
    owner = world.environment()
    tell(world, owner, upload(world, range(KNOWN, KNOWN + 10))[:1])
    world.clock.advance(45_000)
    tell(world, owner, upload(world, [KNOWN + 10]))
    assert frames(world) > KNOWN


def test_an_environment_that_is_told_of_all_photos_reads_them_at_once(world: World) -> None:
    owner = world.environment()
    for number in range(KNOWN, KNOWN + 10):
        assert tell(world, owner, upload(world, [number])) == 1


def test_a_repeated_event_of_a_photo_that_waits_is_a_duplicate(world: World) -> None:
    owner = world.environment()
    event, *_ = upload(world, range(KNOWN, KNOWN + 6))
    tell(world, owner, [event])
    answer = owner.invoke(event, world.context(10**15))
    assert answer["streams"][STREAM]["duplicates"] == 1


def test_a_photo_that_is_gone_before_it_is_read_has_a_record(world: World) -> None:
    owner = world.environment()
    tell(world, owner, upload(world, range(KNOWN, KNOWN + 6))[:1])
    tell(world, owner, upload(world, [KNOWN + 6]))
    world.frames.delete([f"frames/{STREAM}/{world.key(KNOWN + 6)}"])
    world.sweep(owner, drain=True)
    assert frames(world) == KNOWN + 6
    assert world.rejections() == {world.key(KNOWN + 6): "missing"}


def test_a_name_that_no_listing_shows_ends_the_waiting(world: World) -> None:
    owner = world.environment()
    tell(world, owner, upload(world, range(KNOWN, KNOWN + 6))[:1])
    world.upload(50, key="-.jpg")
    where = f"frames/{STREAM}/-.jpg"
    etag = next(info.etag for info in world.frames.list_after(where[:-5]) if info.key == where)
    read = tell(world, owner, [object_created_event(world.frames.bucket, where, etag=etag)])
    assert read == 7, "the six that waited, and this one"


def photo(number: int, seconds: float = 0.05) -> SourceFrame:
    return SourceFrame(f"{number:04d}.jpg", round(1_790_000_000_000 + 1_000 * seconds * number), etag=f"e{number}")


def hint(number: int) -> PhotoHint:
    return PhotoHint(f"{number:04d}.jpg", f"e{number}")


@pytest.mark.parametrize(("missed", "seconds", "reads_late"), [(3, 1, False), (4, 1, True), (4, 5, False)])
def test_a_crowd_of_photos_that_were_not_announced_here_makes_others_wait(
    missed: int, seconds: float, *, reads_late: bool
) -> None:
    share = EventShare(window=16, hold_ms=10_000, longest_ms=45_000)
    share.listed([photo(number, seconds) for number in range(missed + 1)], [hint(0)])
    assert share.reads_late is reads_late


def test_the_waiting_ends_where_nearly_all_photos_are_announced_here() -> None:
    share = EventShare(window=16, hold_ms=10_000, longest_ms=45_000)
    share.listed([photo(number) for number in range(5)], [hint(0)])
    for told, reads_late in ((25, True), (60, False)):
        for number in range(5, 5 + told):
            share.put_off(hint(number), 0)
        share.listed([photo(number) for number in range(5 + told)], [])
        assert share.reads_late is reads_late
