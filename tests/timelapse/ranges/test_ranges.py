"""A stream whose photos are read and encoded by ranges is the stream that one environment makes alone."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.photos import with_capture_time
from tests.probe import ffmpeg_lumas
from tests.recovery.fake_media import FakeCodec, FakePicture, fake_photo, photos_and_marks_in, photos_in
from tests.world import PHOTOS, STREAM, World
from timelapse_runtime.runtime.state.errors import StorageUnavailable
from timelapse_runtime.timelapse.commit_plan import segment_key
from timelapse_runtime.timelapse.config import Config, parse_config
from timelapse_runtime.timelapse.errors import DeadlineTooClose, EncoderFailed, is_skip
from timelapse_runtime.timelapse.filters.chain import drawing
from timelapse_runtime.timelapse.filters.contract import Moment
from timelapse_runtime.timelapse.filters.masks import Masks
from timelapse_runtime.timelapse.model.checkpoint import Reel
from timelapse_runtime.timelapse.model.stream_settings import StreamSettings
from timelapse_runtime.timelapse.model.video_size import Size
from timelapse_runtime.timelapse.video.codec import Codec, X264Codec
from timelapse_runtime.timelapse.video.filtered import PictureFilters
from timelapse_runtime.timelapse.video.fit import Picture

START = datetime(1970, 1, 2, 12)
BAD = b"no photo"


@dataclass
class Upload:
    """A photo of a backlog: whether it is usable, and the day that its EXIF block tells (None: none)."""

    is_good: bool = True
    day: int | None = None

    def body(self, number: int) -> bytes:
        taken = None if self.day is None else START + timedelta(days=365 * 25 + self.day, seconds=number)
        return fake_photo(number, taken) if self.is_good else BAD + b"%d" % number


def world_of(uploads: Sequence[Upload], *, has_ranges: bool, codec: Codec | None = None, **variables: str) -> World:
    prefixed = {f"TIMELAPSE_{name.upper()}": value for name, value in variables.items()}
    world = World({"TIMELAPSE_ORDER": "arrival", **prefixed}, codec=codec or FakeCodec(), has_ranges=has_ranges)
    world.clock.advance(86_400_000 * 366 * 30)
    for number, upload in enumerate(uploads):
        world.clock.advance(100)
        world.frames.put(f"frames/{STREAM}/{number:06d}.jpg", upload.body(number))
    return world


def filled(uploads: Sequence[Upload], *, has_ranges: bool, codec: Codec | None = None, **variables: str) -> World:
    world = world_of(uploads, has_ranges=has_ranges, codec=codec, **variables)
    world.sweep(world.environment(), drain=True)
    return world


def shape(reel: Reel) -> tuple[object, ...]:
    return reel.name, reel.frame_count, reel.low_delay, reel.highest_key, reel.after


def shown(world: World) -> list[list[int]]:
    """The photos that the pictures show, by reel. Each segment is decoded."""
    assert world.keys_in_video()
    found = []
    for reel in world.reels():
        bodies = [world.video.get(segment_key(world.keys, reel, one)).body for one in reel.segments]
        found.append([number for body in bodies for number in photos_in(body)])
    return found


def assert_equal(one: World, other: World) -> None:
    assert list(map(shape, one.reels())) == list(map(shape, other.reels()))
    assert one.keys_in_video() == other.keys_in_video()
    assert shown(one) == shown(other)
    assert one.rejections() == other.rejections()
    assert one.verify().to_value() == other.verify().to_value()
    checkpoints = one.checkpoint(), other.checkpoint()
    assert checkpoints[0].watermark == checkpoints[1].watermark
    assert checkpoints[0].ahead == checkpoints[1].ahead


def boundaries(world: World) -> list[list[tuple[int, int]]]:
    return [[(segment.first, segment.count) for segment in reel.segments] for reel in world.reels()]


@pytest.mark.parametrize("order", ["arrival", "name"])
@pytest.mark.parametrize("count", [1, 12, 179, 180, 181, 400])
def test_frames_reels_and_segments_are_those_of_one_environment(count: int, order: str) -> None:
    uploads = [Upload()] * count
    alone, together = (filled(uploads, has_ranges=one, order=order) for one in (False, True))
    assert_equal(alone, together)
    assert boundaries(alone) == boundaries(together)
    assert together.elsewhere_keys == together.keys_in_video(), "the owner reads nothing itself"
    assert together.frames.request_counts["GetObject"] == count


def test_photos_that_cannot_be_used_are_rejected_once_and_make_a_segment_shorter() -> None:
    uploads = [Upload(is_good=number not in (5, 200, 399)) for number in range(400)]
    alone, together = (filled(uploads, has_ranges=one) for one in (False, True))
    assert_equal(alone, together)
    assert len(together.rejections()) == 3
    assert together.frames.request_counts["GetObject"] == 400, "no photo is read twice"
    assert {count for reel in boundaries(together) for _, count in reel} == {12, 11, 3}


def test_a_photo_that_is_repeated_for_a_rejected_one_is_encoded_elsewhere_too() -> None:
    uploads = [Upload(is_good=number % 7 != 3) for number in range(200)]
    alone, together = (filled(uploads, has_ranges=one, rejected="repeat") for one in (False, True))
    assert_equal(alone, together)
    assert together.frames.request_counts["GetObject"] == 200


def test_a_reel_that_only_the_photos_tell_begins_where_it_did() -> None:
    uploads = [Upload(day=number // 130) for number in range(400)]
    alone, together = (filled(uploads, has_ranges=one, reel="day") for one in (False, True))
    assert_equal(alone, together)
    assert len(together.reels()) == 4
    assert together.frames.request_counts["GetObject"] == 400


RUNS = st.lists(st.tuples(st.integers(1, 120), st.integers(0, 3) | st.none()), min_size=1, max_size=4)
SETTINGS = st.fixed_dictionaries(
    {
        "reel": st.sampled_from(["day", "never"]),
        "rejected": st.sampled_from(["skip", "repeat"]),
        "order": st.sampled_from(["arrival", "name"]),
        "keyframe_interval": st.sampled_from(["7", "12", "180", "250"]),
    }
)


@settings(max_examples=25)
@given(RUNS, st.sets(st.integers(0, 400), max_size=6), SETTINGS)
def test_whatever_the_photos_are_the_video_is_the_same(
    runs: list[tuple[int, int | None]], bad: set[int], variables: dict[str, str]
) -> None:
    """Runs of photos of a day, as a clock that jumps tells them, with bad photos: what others guess is often wrong."""
    days = [day for length, day in runs for _ in range(length)]
    uploads = [Upload(is_good=number not in bad, day=day) for number, day in enumerate(days)]
    alone, together = (filled(uploads, has_ranges=one, codec=None, **variables) for one in (False, True))
    if not together.reels():
        assert not alone.reels()
        return
    assert_equal(alone, together)


def test_a_run_that_is_interrupted_everywhere_ends_as_one_that_is_not() -> None:
    uploads = [Upload() for _ in range(400)]
    alone = filled(uploads, has_ranges=False)
    together = world_of(uploads, has_ranges=True)
    while True:  # a new environment each time, which has time for a few photos
        try:
            function = together.environment()
            refuse_after(together, 3)
            together.sweep(function, drain=True)
        except StorageUnavailable:
            continue
        break
    assert together.keys_in_video() == alone.keys_in_video()
    assert shown(together) == shown(alone)


def refuse_after(world: World, puts: int) -> None:
    """S3 takes so many more segments and then none, once."""
    left = puts

    def refuse(operation: str, key: str) -> None:
        nonlocal left
        if operation == "PutObject" and key.endswith(".m4s"):
            left -= 1
            if left == 0:
                raise StorageUnavailable(operation, "video-bucket", key, "503")

    world.video.on_request = refuse


def test_a_deadline_in_the_middle_of_a_group_continues_with_it() -> None:
    together = world_of([Upload() for _ in range(300)], has_ranges=True)
    function = together.environment()
    for limit in (10, 55, 200):
        stop_at(together, limit)
        with pytest.raises(DeadlineTooClose):
            together.sweep(function, drain=True)
    together.frames.on_request = lambda _operation, _key: None
    together.sweep(function, drain=True)
    assert shown(together) == [list(range(300))]


def stop_at(world: World, photo: int) -> None:
    """The owner has no more time when the photo is read elsewhere."""

    def stop(operation: str, key: str) -> None:
        if operation == "GetObject" and key.endswith(f"{photo:06d}.jpg"):
            raise DeadlineTooClose("stopped")

    world.frames.on_request = stop


def test_what_another_process_cannot_read_is_read_by_the_owner() -> None:
    together = world_of([Upload() for _ in range(50)], has_ranges=True)
    failures: list[str] = []

    def refuse(operation: str, key: str) -> None:
        if operation == "GetObject" and key.endswith("000020.jpg") and not failures:
            failures.append(key)
            raise StorageUnavailable(operation, "frames-bucket", key, "503")

    together.frames.on_request = refuse
    together.sweep(together.environment(), drain=True)
    assert failures
    assert shown(together) == [list(range(50))]


def test_a_photo_that_is_written_over_while_its_group_is_encoded_again_costs_no_frame() -> None:
    """Its group is not complete, so it has to be read again, and is another photo then."""
    together = world_of([Upload() for _ in range(50)], has_ranges=True)
    gets: dict[str, int] = {}

    def overwrite(operation: str, key: str) -> None:
        if operation != "GetObject":
            return
        gets[key] = gets.get(key, 0) + 1
        if key.endswith("000020.jpg") and gets[key] == 1:
            raise StorageUnavailable(operation, "frames-bucket", key, "503")
        if key.endswith("000015.jpg") and gets[key] == 2:
            together.frames.on_request = lambda _operation, _key: None
            together.frames.put(key, fake_photo(1015))

    together.frames.on_request = overwrite
    function = together.environment()
    with pytest.raises(EncoderFailed):
        together.sweep(function, drain=True)
    together.sweep(function, drain=True)
    assert sorted(shown(together)[0]) == sorted({*range(50), 1015} - {15})


@pytest.mark.parametrize("failure", [b"", b"rubbish", RuntimeError("no process is left")])
def test_ranges_that_fail_are_encoded_by_the_owner(failure: bytes | RuntimeError) -> None:
    together = world_of([Upload() for _ in range(200)], has_ranges=True)
    usual: Callable[..., object] = together.elsewhere

    def elsewhere(config: object) -> object:
        made = usual(config)

        def encode(_photos: object) -> Future[bytes]:
            if isinstance(failure, RuntimeError):
                raise failure
            future: Future[bytes] = Future()
            future.set_result(failure)
            return future

        made.encode = encode  # type: ignore[attr-defined]
        return made

    together.elsewhere = elsewhere  # type: ignore[method-assign, assignment]
    together.sweep(together.environment(), drain=True)
    assert shown(together) == [list(range(200))]
    assert together.elsewhere_keys == []


def test_filters_see_every_frame_in_order_though_ranges_were_asked_for() -> None:
    uploads = [Upload(number % 7 != 3) for number in range(40)]
    alone, parallel = (filled(uploads, has_ranges=one, codec=FakeCodec(has_filters=True)) for one in (False, True))
    assert_equal(parallel, alone)
    marks = [
        [
            mark
            for one in reel.segments
            for _, mark in photos_and_marks_in(world.video.get(segment_key(world.keys, reel, one)).body)
        ]
        for world in (alone, parallel)
        for reel in world.reels()
    ]
    assert marks[0] == marks[1]
    assert len(set(marks[0])) == alone.checkpoint().frame_count
    assert parallel.elsewhere_keys == []


class Drawings(PictureFilters):
    """Marks a picture with its photo, its moment and the caption."""

    def __init__(self, config: Config) -> None:
        super().__init__({"masks": Masks((), 2, 2)}, drawing(config))
        self._caption = config.caption

    def apply(self, picture: Picture, moment: Moment) -> Picture:
        fake = cast("FakePicture", picture)
        assert fake.mark == 0, "drawn over twice"
        text = f"{fake.photo} {moment.key} {moment.captured_epoch_ms} {self._caption}"
        return cast("Picture", replace(fake, mark=zlib.crc32(text.encode())))


class DrawingCodec(FakeCodec):
    def filters(self, config: Config, size: Size) -> PictureFilters:
        del size
        return Drawings(config)


def marks(world: World) -> list[tuple[int, int]]:
    """The photos that pictures show, with their marks."""
    found: list[tuple[int, int]] = []
    for reel in world.reels():
        for one in reel.segments:
            found += photos_and_marks_in(world.video.get(segment_key(world.keys, reel, one)).body)
    return found


@pytest.mark.parametrize("rejected", ["skip", "repeat"])
def test_what_draws_and_remembers_nothing_is_drawn_elsewhere(rejected: str) -> None:
    uploads = [Upload(number % 7 != 3, day=number // 25) for number in range(60)]
    alone, parallel = (
        filled(uploads, has_ranges=one, codec=DrawingCodec(), reel="day", rejected=rejected, caption="a lake")
        for one in (False, True)
    )
    assert_equal(parallel, alone)
    assert marks(parallel) == marks(alone)
    assert 0 not in dict(marks(alone)).values()
    assert parallel.frames.request_counts["GetObject"] == 60, "no photo is read twice"


@pytest.mark.parametrize("setting", [{"caption": "another lake"}, {"timezone": "Asia/Tokyo"}])
def test_what_is_drawn_otherwise_elsewhere_is_drawn_again(setting: dict[str, str]) -> None:
    uploads = [Upload(day=0) for _ in range(60)]
    alone, parallel = (
        world_of(uploads, has_ranges=one, codec=DrawingCodec(), caption="a lake") for one in (False, True)
    )
    original, config = parallel.elsewhere, parse_config(parallel.variables(**setting))
    parallel.elsewhere = lambda _config: original(config)  # type: ignore[method-assign, assignment]
    for world in (alone, parallel):
        world.sweep(world.environment(), drain=True)
    assert_equal(parallel, alone)
    assert marks(parallel) == marks(alone)
    assert parallel.frames.request_counts["GetObject"] == 120, "each is read here too"


def test_a_clock_and_a_mask_look_the_same_whoever_draws_them(tmp_path: Path) -> None:
    videos = []
    for has_ranges in (False, True):
        settings = {"clock": "%H:%M:%S", "masks": "black 0,0 30,30", "text_size": "20"}
        world = world_of([], has_ranges=has_ranges, codec=X264Codec(), **settings)
        for number in range(30):
            world.upload(number, with_capture_time(PHOTOS[number], START + timedelta(days=9_000, minutes=number)))
        world.sweep(world.environment(), drain=True)
        assert world.frames.request_counts["GetObject"] == 30
        path = tmp_path / f"{has_ranges}.mp4"
        path.write_bytes(world.video_bytes())
        videos.append([luma.astype(float) for luma in ffmpeg_lumas(path)])
    assert len(videos[0]) == len(videos[1]) == 30
    assert max(float(((one - other) ** 2).mean()) for one, other in zip(*videos, strict=True)) < 6  # 40 dB
    assert all(float(luma[:18, :36].max()) < 24 for luma in videos[1])


@pytest.mark.parametrize(("skip", "rejected"), [("dark:9", "skip"), ("dark:9", "repeat"), ("frozen:1", "skip")])
def test_the_same_photos_are_skipped_whoever_reads_them(skip: str, rejected: str) -> None:
    uploads = [Upload(number % 7 != 3) for number in range(60)]
    alone, parallel = (filled(uploads, has_ranges=one, skip=skip, rejected=rejected) for one in (False, True))
    assert_equal(parallel, alone)
    assert any(is_skip(reason) for reason in alone.rejections().values())
    assert bool(parallel.elsewhere_keys) == (skip != "frozen:1")


@pytest.mark.parametrize(("of_function", "of_stream"), [("off", "dark:9"), ("dark:9", "off"), ("dark:9", "dark:20")])
def test_photos_that_others_left_out_by_other_rules_are_read_again(of_function: str, of_stream: str) -> None:
    uploads = [Upload(number % 7 != 3) for number in range(40)]
    alone, parallel = (world_of(uploads, has_ranges=one, skip=of_function) for one in (False, True))
    for world in (alone, parallel):
        world.video.put(world.keys.settings, StreamSettings({"skip": of_stream}).to_json())
        world.sweep(world.environment(), drain=True)
    assert_equal(parallel, alone)
    limit = int(of_stream.partition(":")[2] or 0)
    assert sum(map(is_skip, alone.rejections().values())) == sum(one.is_good for one in uploads[:limit])
    assert parallel.elsewhere_keys == []
