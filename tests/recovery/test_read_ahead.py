"""The next photo is read while this one is worked on: each once, in order, and never an old one."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from tests.recovery.fake_media import fake_media
from tests.world import STREAM, World, at_once
from timelapse_runtime.timelapse.config import parse_config
from timelapse_runtime.timelapse.errors import StorageUnavailable
from timelapse_runtime.timelapse.ingest import Intake
from timelapse_runtime.timelapse.read_ahead import ReadAhead, in_thread, with_following
from timelapse_runtime.timelapse.storage.contract import ObjectInfo, StoredObject
from timelapse_runtime.timelapse.video.decode import DecodedPhoto, PhotoDecoder


@pytest.fixture
def world() -> Iterator[World]:
    with fake_media():
        yield World()


def photo(key: str) -> StoredObject:
    return StoredObject(ObjectInfo(key, '"etag"', 1, 0), key.encode())


@pytest.mark.parametrize("begin", [in_thread, at_once])
def test_each_photo_is_read_once_and_in_order(begin: object) -> None:
    read: list[str] = []

    def get(key: str) -> StoredObject:
        read.append(key)
        return photo(key)

    reads = ReadAhead(get, begin)  # type: ignore[arg-type]
    found = [reads.get(key, following).info.key for key, following in with_following("abc")]
    assert found == read == ["a", "b", "c"]


def test_a_photo_is_read_while_the_one_before_it_is_worked_on() -> None:
    begun = threading.Event()

    def get(key: str) -> StoredObject:
        if key == "b":
            begun.set()
        return photo(key)

    ReadAhead(get, in_thread).get("a", "b")
    assert begun.wait(10)


def test_a_read_ahead_that_fails_is_made_again_in_its_turn() -> None:
    tried: list[str] = []

    def get(key: str) -> StoredObject:
        tried.append(key)
        if tried.count("b") == 1:
            raise StorageUnavailable("GetObject", "bucket", key, "503")
        return photo(key)

    reads = ReadAhead(get, in_thread)
    reads.get("a", "b")
    assert reads.get("b", None).info.key == "b"
    assert tried == ["a", "b", "b"]


def test_a_photo_that_is_not_the_next_one_after_all_is_left() -> None:
    reads = ReadAhead(photo, in_thread)
    reads.get("a", "b")
    assert reads.get("c", None).body == b"c"
    assert reads.get("b", None).body == b"b"


def test_one_decoder_decodes_one_photo_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A read ahead that was forgotten may still be decoding when the next invocation's first photo is read."""
    world = World()
    keys = [world.upload(number) for number in range(2)]
    decoding, may_end, overlaps = threading.Event(), threading.Event(), []
    is_busy = threading.Lock()
    decode = PhotoDecoder.decode

    def watched(self: PhotoDecoder, body: bytes) -> DecodedPhoto:
        overlaps.append(not is_busy.acquire(blocking=False))
        try:
            if threading.current_thread() is not threading.main_thread():
                decoding.set()
                may_end.wait(10)
            return decode(self, body)
        finally:
            if not overlaps[-1]:
                is_busy.release()

    monkeypatch.setattr(PhotoDecoder, "decode", watched)
    places = {"TIMELAPSE_FRAMES": "s3://frames-bucket/frames/", "TIMELAPSE_VIDEO": "s3://video-bucket/video/"}
    config = parse_config(places)
    intake = Intake(config, world.frames, world.video, world.keys, f"frames/{STREAM}/", world.clock)
    intake.take(keys[0], keys[1])
    assert decoding.wait(10)
    intake.forget_ahead()
    threading.Timer(0.2, may_end.set).start()
    assert intake.take(keys[1]) is not None
    assert overlaps == [False, False, False]


@pytest.mark.parametrize("is_announced", [True, False])
def test_a_backlog_is_read_once(world: World, *, is_announced: bool) -> None:
    keys = [world.upload(number) for number in range(30)]
    before = world.frames.request_counts.get("GetObject", 0)
    function = world.environment()
    world.deliver(function, *(keys if is_announced else keys[:1]))
    world.sweep(function, drain=True)
    assert world.keys_in_film() == keys
    assert world.frames.request_counts["GetObject"] - before == 30


def test_what_was_read_ahead_of_a_failure_is_read_anew(world: World) -> None:
    function = world.environment(reorder_window="0")
    world.shoot(function, range(4))
    keys = [world.upload(number, b"no photo") for number in (4, 5)]

    def refuse(operation: str, key: str) -> None:
        if operation == "PutObject" and key.endswith(f"{keys[0]}.json"):
            raise StorageUnavailable(operation, "bucket", key, "503")

    world.video.on_request = refuse
    with pytest.raises(StorageUnavailable):
        world.deliver(function, *keys)
    world.video.on_request = lambda _operation, _key: None
    for number in (4, 5):
        world.frames.delete([f"frames/{STREAM}/{world.key(number)}"])
        world.upload(number)
    world.deliver(function, *keys)
    world.sweep(function, drain=True)
    assert world.keys_in_film() == [world.key(number) for number in range(6)]
    assert world.rejections() == {}
