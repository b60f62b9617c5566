"""The next photo is read while this one is worked on, each once and in order; what cannot be used gets a record."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import replace

import pytest

from tests.recovery.fake_media import FakeCodec, FakePhotoDecoder, fake_world
from tests.world import STREAM, ImmediateExecutor, World
from timelapse_runtime.runtime.state.contract import ObjectInfo
from timelapse_runtime.runtime.state.errors import AccessDenied, StorageUnavailable
from timelapse_runtime.timelapse.catalog import Catalog
from timelapse_runtime.timelapse.config import parse_config
from timelapse_runtime.timelapse.errors import FrameRejected
from timelapse_runtime.timelapse.ingest import Ingest, with_next
from timelapse_runtime.timelapse.left_out_notes import LeftOutNotes
from timelapse_runtime.timelapse.model.source_frame import Role, SourceFrame
from timelapse_runtime.timelapse.photo_reader import Ahead, FetchedPhoto, Prefetch, ReadPhoto
from timelapse_runtime.timelapse.rejection_records import RejectionRecords
from timelapse_runtime.timelapse.video.decode import DecodedPhoto, PhotoDecoder


@pytest.fixture
def world() -> World:
    return fake_world()


@pytest.fixture
def executor() -> Iterator[Executor]:
    with ThreadPoolExecutor(1) as one_worker:
        yield one_worker


def photo(key: str) -> ReadPhoto:
    return ReadPhoto(ObjectInfo(key, '"etag"', 1, 0), FrameRejected("test", key))


def listed(key: str) -> SourceFrame:
    return SourceFrame(key, 0)


def ingest(world: World, executor: Executor, codec: FakeCodec | None = None, **variables: str) -> Ingest:
    places = {"TIMELAPSE_FRAMES": "s3://frames-bucket/frames/", "TIMELAPSE_VIDEO": "s3://video-bucket/video/"}
    config, prefix = parse_config(places | variables), f"frames/{STREAM}/"
    catalog = Catalog(world.frames, world.video, world.keys, prefix)
    return Ingest(
        STREAM, config, world.frames, prefix, catalog, records(world), world.clock, codec or FakeCodec(), executor
    )


def records(world: World) -> RejectionRecords:
    return RejectionRecords(
        STREAM, world.video, world.keys, f"frames/{STREAM}/", world.clock, LeftOutNotes(world.clock)
    )


# ---- prefetch


def test_each_item_comes_with_the_next_one() -> None:
    assert list(with_next("abc")) == [("a", "b"), ("b", "c"), ("c", None)]
    assert list(with_next("")) == []


@pytest.mark.parametrize("is_threaded", [True, False])
def test_each_photo_is_read_once_and_in_order(executor: Executor, *, is_threaded: bool) -> None:
    read: list[str] = []

    def get(key: str) -> ReadPhoto:
        read.append(key)
        return photo(key)

    prefetch = Prefetch(get, executor if is_threaded else ImmediateExecutor())
    found = [prefetch.get(listed(key), next_key).info.key for key, next_key in with_next("abc")]
    assert found == ["a", "b", "c"]
    assert sorted(read) == ["a", "b", "c"]


def test_a_photo_is_read_while_the_one_before_it_is_worked_on(executor: Executor) -> None:
    begun = threading.Event()

    def get(key: str) -> ReadPhoto:
        if key == "b":
            begun.set()
        return photo(key)

    Prefetch(get, executor).get(listed("a"), "b")
    assert begun.wait(10)


def test_a_failed_prefetch_is_made_again_in_its_turn() -> None:
    tried: list[str] = []

    def get(key: str) -> ReadPhoto:
        tried.append(key)
        if tried.count("b") == 1:
            raise StorageUnavailable("GetObject", "bucket", key, "503")
        return photo(key)

    prefetch = Prefetch(get, ImmediateExecutor())
    prefetch.get(listed("a"), "b")
    assert prefetch.get(listed("b"), None).info.key == "b"
    assert tried == ["a", "b", "b"]


def test_a_photo_that_is_not_the_next_one_after_all_is_dropped(executor: Executor) -> None:
    prefetch = Prefetch(photo, executor)
    prefetch.get(listed("a"), "b")
    assert prefetch.get(listed("c"), None).info.key == "c"
    assert prefetch.get(listed("b"), None).info.key == "b"


def test_a_prefetch_that_waits_behind_a_stale_one_is_read_at_once(executor: Executor) -> None:
    may_end, begun = threading.Event(), threading.Event()

    def get(key: str) -> ReadPhoto:
        if key == "stale":
            begun.set()
            may_end.wait(10)
        return photo(key)

    try:
        Prefetch(get, executor).get(listed("a"), "stale")
        assert begun.wait(10)
        prefetch = Prefetch(get, executor)
        prefetch.get(listed("b"), "c")
        assert prefetch.get(listed("c"), None).info.key == "c"  # while the one worker is busy
    finally:
        may_end.set()


# ---- decoded ahead


class Decoding:
    """Counts what is decoded, and lets the decoding of `held` wait until it may end."""

    def __init__(self, held: str = "") -> None:
        self.decoded, self._held = list[str](), held
        self.begun, self.may_end = threading.Event(), threading.Event()

    def __call__(self, one: FetchedPhoto) -> ReadPhoto:
        self.decoded.append(one.info.key)
        if one.info.key == self._held:
            self.begun.set()
            self.may_end.wait(10)
        return photo(one.info.key)


def fetched(*keys: str) -> list[FetchedPhoto]:
    return [FetchedPhoto(photo(key).info, b"") for key in keys]


def test_the_guessed_photo_is_decoded_once_and_before_its_turn(executor: Executor) -> None:
    decode, (first, second) = Decoding("b"), fetched("a", "b")
    ahead = Ahead(decode, executor)
    assert ahead.get(first, second).info.key == "a"
    assert decode.begun.wait(10)
    decode.may_end.set()
    assert ahead.get(second, None).info.key == "b"
    assert decode.decoded == ["a", "b"]


def test_if_another_one_comes_the_guessed_one_is_decoded_again_in_its_turn() -> None:
    decode, (first, second, other) = Decoding(), fetched("a", "b", "c")
    ahead = Ahead(decode, ImmediateExecutor())
    ahead.get(first, second)
    assert [ahead.get(one, None).info.key for one in (other, second)] == ["c", "b"]
    assert decode.decoded == ["a", "b", "c", "b"]


def test_a_photo_with_the_same_key_and_other_content_is_another_one() -> None:
    decode, (first, second) = Decoding(), fetched("a", "b")
    again = replace(second, body=b"other")
    ahead = Ahead(decode, ImmediateExecutor())
    ahead.get(first, second)
    ahead.get(again, None)
    assert decode.decoded == ["a", "b", "b"]


def test_one_that_waits_behind_another_is_decoded_at_once(executor: Executor) -> None:
    decode, (first, stale, second, third) = Decoding("stale"), fetched("a", "stale", "b", "c")
    try:
        Ahead(decode, executor).get(first, stale)
        assert decode.begun.wait(10)
        ahead = Ahead(decode, executor)
        ahead.get(second, third)
        assert ahead.get(third, None).info.key == "c"  # while the one worker is busy
    finally:
        decode.may_end.set()


@pytest.mark.parametrize(("at_once", "ahead_count"), [(1, 0), (10, 27)])
def test_a_batch_decodes_each_photo_once_and_most_of_them_ahead(
    world: World, monkeypatch: pytest.MonkeyPatch, at_once: int, ahead_count: int
) -> None:
    """The last ten seconds wait. An event of one photo would gain nothing, and the last one of a batch knows no
    other."""
    decoded, ahead = list[bytes](), list[FetchedPhoto]()
    decode, decode_in_turn = FakePhotoDecoder.decode, Ingest.decode_in_turn

    def decode_and_note(decoder: FakePhotoDecoder, body: bytes) -> DecodedPhoto:
        decoded.append(body)
        return decode(decoder, body)

    def begin_and_note(one: Ingest, now: FetchedPhoto, following: FetchedPhoto | None) -> ReadPhoto:
        ahead.extend([following] if following is not None else [])
        return decode_in_turn(one, now, following)

    monkeypatch.setattr(FakePhotoDecoder, "decode", decode_and_note)
    monkeypatch.setattr(Ingest, "decode_in_turn", begin_and_note)
    function = world.environment(ORDER="arrival")
    for first in range(0, 40, at_once):
        world.deliver(function, *(world.upload(number) for number in range(first, first + at_once)))
    assert len(decoded) == len(set(decoded)) == 30
    assert len(ahead) == ahead_count


# ---- one decoder


def test_one_decoder_decodes_one_photo_at_a_time(world: World, executor: Executor) -> None:
    """A prefetch whose run ended early may still be decoding when the next run's first photo is read."""
    keys = [world.upload(number) for number in range(2)]
    decoding, may_end, overlaps = threading.Event(), threading.Event(), list[bool]()
    is_busy = threading.Lock()

    class WatchedDecoder(FakePhotoDecoder):
        def decode(self, body: bytes) -> DecodedPhoto:
            overlaps.append(not is_busy.acquire(blocking=False))
            try:
                if threading.current_thread() is not threading.main_thread():
                    decoding.set()
                    may_end.wait(10)
                return super().decode(body)
            finally:
                if not overlaps[-1]:
                    is_busy.release()

    class WatchedCodec(FakeCodec):
        def photo_decoder(self, *, maximum_pixels: int, background: tuple[int, int, int]) -> PhotoDecoder:
            del background
            return WatchedDecoder(maximum_pixels=maximum_pixels)  # type: ignore[return-value]

    photos = ingest(world, executor, WatchedCodec())
    photos.read(listed(keys[0]), photos.prefetch(), keys[1])
    assert decoding.wait(10)
    threading.Timer(0.2, may_end.set).start()
    assert photos.read_late(keys[1]) is not None
    assert overlaps == [False, False, False]


# ---- photos and records


def test_a_photo_is_decoded_and_dated_by_s3(world: World) -> None:
    photos = ingest(world, ImmediateExecutor())
    key = world.upload(3)
    found = photos.read(listed(key), photos.prefetch(), None)
    assert found is not None
    assert (found.source.key, found.source.uploaded_epoch_ms) == (key, world.clock.now_epoch_ms())
    assert found.source.role is Role.IN_ORDER
    late = photos.read_late(key)
    assert late is not None
    assert late.source.role is Role.OUT_OF_ORDER


@pytest.mark.parametrize(
    ("body", "reason"), [(b"no photo", "undecodable"), (b"", "empty"), (b"x" * 101, "too-large"), (None, "missing")]
)
def test_a_photo_that_cannot_be_used_gets_a_record(world: World, body: bytes | None, reason: str) -> None:
    photos = ingest(world, ImmediateExecutor(), TIMELAPSE_MAXIMUM_PHOTO_BYTES="100")
    key = world.key(1) if body is None else world.upload(1, body)
    assert photos.read(listed(key), photos.prefetch(), None) is None
    assert [(one.key, one.reason) for one in records(world).read()] == [(key, reason)]
    record = json.loads(world.video.get(world.keys.rejected(key)).body)
    assert (record["key"], record["error_type"]) == (f"frames/{STREAM}/{key}", "Function.FrameRejected")
    records(world).remove([key])
    assert records(world).read() == []


def test_a_rejection_does_not_keep_the_photo_in_memory(world: World) -> None:
    """Its traceback would: its frames have the photo's bytes and its picture."""
    info = ObjectInfo("1.jpg", '"etag"', 9, 0)
    rejection = ingest(world, ImmediateExecutor()).decode(FetchedPhoto(info, b"no photo.")).picture
    assert isinstance(rejection, FrameRejected)
    assert rejection.reason == "undecodable"
    assert (rejection.__traceback__, rejection.__cause__, rejection.__context__) == (None, None, None)


def test_the_first_record_of_a_photo_stays(world: World) -> None:
    records(world).add("a", None, FrameRejected("late", "first"))
    records(world).add("a", None, FrameRejected("empty", "second"))
    assert [(one.key, one.reason) for one in records(world).read()] == [("a", "late")]


def test_a_late_photo_that_still_cannot_be_used_gets_no_record(world: World) -> None:
    photos = ingest(world, ImmediateExecutor())
    assert photos.read_late(world.upload(1, b"no photo")) is None
    assert records(world).read() == []


@pytest.mark.parametrize("are_others_readable", [True, False])
def test_a_photo_is_rejected_as_forbidden_only_if_others_can_be_read(
    world: World, *, are_others_readable: bool
) -> None:
    keys = [world.upload(number) for number in range(3)]
    photos = ingest(world, ImmediateExecutor())

    def refuse(operation: str, key: str) -> None:
        if operation == "GetObject" and (key.endswith(keys[1]) or not are_others_readable):
            raise AccessDenied(operation, "frames-bucket", key, "403")

    world.frames.on_request = refuse
    if are_others_readable:
        assert photos.read(listed(keys[1]), photos.prefetch(), None) is None
        assert [(one.key, one.reason) for one in records(world).read()] == [(keys[1], "forbidden")]
    else:
        with pytest.raises(AccessDenied):
            photos.read(listed(keys[1]), photos.prefetch(), None)
        assert records(world).read() == []


# ---- through the function


@pytest.mark.parametrize("is_announced", [True, False])
def test_a_backlog_is_read_once(world: World, *, is_announced: bool) -> None:
    keys = [world.upload(number) for number in range(30)]
    before = world.frames.request_counts.get("GetObject", 0)
    function = world.environment()
    world.deliver(function, *(keys if is_announced else keys[:1]))
    world.sweep(function, drain=True)
    assert world.keys_in_video() == keys
    assert world.frames.request_counts["GetObject"] - before == 30


def test_a_photo_that_was_prefetched_before_a_failure_is_read_again(world: World) -> None:
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
    assert world.keys_in_video() == [world.key(number) for number in range(6)]
    assert world.rejections() == {}
