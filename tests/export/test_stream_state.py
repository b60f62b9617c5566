"""What `timelapse inspect` finds, and how many requests it takes."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.timelapse.stored_reels import StoredReels, frames
from tests.world import PHOTOS, STREAM, World
from timelapse_runtime.export.stream_state import LISTED_OBJECTS, NEWEST_RECORDS, NEWEST_REELS, StateReader
from timelapse_runtime.runtime.state.errors import AccessDenied, ObjectNotFound
from timelapse_runtime.runtime.state.memory import MemoryStore
from timelapse_runtime.timelapse.model.checkpoint import Checkpoint
from timelapse_runtime.timelapse.model.photo_filter import DEFAULT_FILTER, OTHER_TYPE


def state_reader(world: World, *, is_complete: bool = False) -> StateReader:
    return StateReader(
        world.video,
        lambda _bucket: world.frames,
        include=DEFAULT_FILTER,
        now_epoch_ms=world.clock.now_epoch_ms(),
        is_complete=is_complete,
    )


@pytest.mark.parametrize("order", ["arrival", "name"])
def test_what_waits_is_counted_and_the_lag_is_that_of_the_video(order: str) -> None:
    world = World({"TIMELAPSE_ORDER": order})
    function = world.environment()
    world.shoot(function, range(20))
    world.sweep(function, drain=True)
    before = state_reader(world).look(world.keys.folder)
    assert (before.photos.waiting_count, before.lag_ms, before.checkpoint.frame_count) == (0, 0, 20)
    assert before.last_frame is not None
    assert before.last_frame.key == world.key(19)
    for number in range(20, 25):
        world.upload(number)
    state = state_reader(world).look(world.keys.folder)
    assert (state.photos.waiting_count, state.lag_ms) == (5, 5_000)
    assert state.newest_photo is not None
    assert state.newest_photo.key == world.key(24)
    assert state.photos.oldest_waiting_epoch_ms == world.clock.now_epoch_ms() - 4_000


def test_rejected_photos_are_counted_by_reason_and_others_are_ignored() -> None:
    world = World({"TIMELAPSE_ORDER": "arrival"})
    function = world.environment()
    world.shoot(function, range(6))
    world.deliver(function, world.upload(6, b""), world.upload(7, b"no photo"), world.upload(8, PHOTOS[8][:900]))
    world.frames.put(f"frames/{STREAM}/zz-notes.txt", b"")
    world.sweep(function, drain=True)
    state = state_reader(world, is_complete=True).look(world.keys.folder)
    assert state.rejected.reasons == Counter(world.rejections().values())
    assert state.rejected.count == 3
    assert state.photos.ignored == {OTHER_TYPE: 1}
    assert state.photos.listed_count == 10


def test_photos_that_must_not_be_listed_hide_nothing_else() -> None:
    world = World()
    function = world.environment()
    world.shoot(function, range(10))
    world.sweep(function, drain=True)

    def refuse(operation: str, key: str) -> None:
        raise AccessDenied(operation, "frames-bucket", key, "not for you")

    world.frames.on_request = refuse
    state = state_reader(world).look(world.keys.folder)
    assert state.photos.denied is not None
    assert state.checkpoint.frame_count == 10


def test_a_folder_without_a_checkpoint_is_no_stream_but_may_hold_some() -> None:
    world = World()
    function = world.environment()
    world.shoot(function, range(10))
    world.sweep(function, drain=True)
    world.video.put("video/page/index.html", b"")
    with pytest.raises(ObjectNotFound):
        state_reader(world).look("video/")
    (stream,) = state_reader(world).streams("video/")
    assert stream.place == f"s3://{world.video.bucket}/{world.keys.folder}"
    assert stream.checkpoint.frame_count == 10


def long_stream(*, reels: int, segments: int, records: int) -> tuple[MemoryStore, MemoryStore]:
    """A stream whose last reel is open, of frames that are not pictures; its video and its photos."""
    stored, photos = StoredReels(), MemoryStore("frames")
    previous = None
    for number in range(1, reels + 1):
        reel = stored.begin(number, previous=previous)
        for segment in range(segments):
            first = ((number - 1) * segments + segment) * 180
            reel = stored.append(reel, frames(*(f"{one:09d}.jpg" for one in range(first, first + 180))))
        previous = stored.close(reel) if number < reels else reel
    assert previous is not None
    for number in range(reels * segments * 180 + 180):
        photos.put(f"frames/camera/{number:09d}.jpg", b"")
    for number in range(records):
        stored.store.put(stored.keys.rejected(f"{number}.jpg"), b'{"key": "k", "reason": "late"}')
    count, last = reels * segments * 180, previous.segments[-1].last_key
    checkpoint = Checkpoint("s3://frames/frames/camera/", 1, "a", last, (), count, records, previous)
    stored.store.put(stored.keys.checkpoint, checkpoint.to_json())
    return stored.store, photos


def test_a_long_stream_takes_no_more_requests_than_a_short_one() -> None:
    """A day of 86,400 frames is a reel of 480 segments; here the reels are short and many."""
    store, photos = long_stream(reels=NEWEST_REELS + 5, segments=3, records=NEWEST_RECORDS + 50)
    sent: list[str] = []
    store.on_request = photos.on_request = lambda operation, _key: sent.append(operation)
    state = StateReader(store, lambda _: photos, include=DEFAULT_FILTER, now_epoch_ms=0).look("video/camera/")
    # The settings, the checkpoint, the manifests, the last segment, the records; a listing of records and of photos.
    assert Counter(sent) == {"GetObject": 2 + (NEWEST_REELS - 1) + 1 + NEWEST_RECORDS, "ListObjectsV2": 2}
    assert (state.rejected.count, state.rejected.unread_count) == (NEWEST_RECORDS + 50, 50)
    assert len(state.reels) == NEWEST_REELS
    everything = StateReader(store, lambda _: photos, include=DEFAULT_FILTER, now_epoch_ms=0, is_complete=True)
    state = everything.look("video/camera/")
    assert (len(state.reels), state.rejected.unread_count) == (NEWEST_REELS + 5, 0)
    assert state.photos.listed_count == (NEWEST_REELS + 5) * 540 + 180


def test_a_listing_that_finds_no_end_ends() -> None:
    world = World()
    function = world.environment()
    world.shoot(function, range(10))
    world.sweep(function, drain=True)
    for number in range(LISTED_OBJECTS + 1):
        world.frames.put(f"frames/{STREAM}/z{number:06d}.jpg", b"")
    state = state_reader(world).look(world.keys.folder)
    assert (state.photos.is_complete, state.photos.waiting_count) == (False, LISTED_OBJECTS)


def test_a_day_of_a_photo_a_second_takes_five_requests() -> None:
    store, photos = long_stream(reels=1, segments=480, records=0)
    sent: list[str] = []
    store.on_request = photos.on_request = lambda operation, _key: sent.append(operation)
    state = StateReader(store, lambda _: photos, include=DEFAULT_FILTER, now_epoch_ms=0).look("video/camera/")
    assert (state.checkpoint.frame_count, state.photos.waiting_count) == (86_400, 180)
    assert Counter(sent) == {"GetObject": 3, "ListObjectsV2": 2}
