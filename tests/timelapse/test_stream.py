"""One stream from its first photo to its last, over every end that an environment can have."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hls import MediaPlaylist
from tests.photos import make_photos, read_number
from tests.probe import ffmpeg_lumas, ffmpeg_numbers, ffprobe_frames
from tests.recovery.fake_media import FakeCodec, fake_photo, photos_in
from tests.world import NO_DEADLINE_EPOCH_MS, PHOTOS, SIZE, STREAM, InvocationContext, World
from timelapse_runtime.emulator.s3_event import object_created_event
from timelapse_runtime.runtime.state.errors import StorageUnavailable
from timelapse_runtime.timelapse.commit_plan import segment_key
from timelapse_runtime.timelapse.errors import DeadlineTooClose
from timelapse_runtime.timelapse.model.playlist import index_playlist
from timelapse_runtime.timelapse.model.segment_versions import REPLACED_KEPT_SECONDS


@pytest.fixture
def world() -> World:
    return World()


def names(world: World, numbers: range | list[int]) -> list[str]:
    return [world.key(number) for number in numbers]


def test_every_photo_is_in_the_video_once_and_in_order(world: World, tmp_path: Path) -> None:
    function = world.environment()
    world.shoot(function, range(40))
    world.sweep(function, drain=True)
    assert world.keys_in_video() == names(world, range(40))
    video = tmp_path / "video.mp4"
    video.write_bytes(world.video_bytes())
    assert [read_number(luma) for luma in ffmpeg_lumas(video)] == list(range(40))
    probe = ffprobe_frames(video)
    assert (probe.frame_count, len(probe.steps), probe.messages) == (40, 1, "")


@pytest.mark.parametrize("every", [1, 3, 7])
def test_a_kill_after_any_number_of_frames_loses_nothing(world: World, every: int) -> None:
    function = world.environment()
    for number in range(30):
        world.shoot(function, [number])
        if number % every == every - 1:
            function = world.environment()
    world.sweep(function, drain=True)
    assert world.keys_in_video() == names(world, range(30))
    assert world.rejections() == {}


@pytest.mark.parametrize("length", [1, 2, 3])
def test_environments_of_few_frames_keep_the_videos_time(world: World, tmp_path: Path, length: int) -> None:
    """An x264 that is drained after one frame gives packets whose dts leaves no room for reordering."""
    for start in range(0, 12, length):
        function = world.environment()
        world.shoot(function, range(start, start + length))
        world.shut_down(function)
    world.sweep(world.environment(), drain=True)
    video = tmp_path / "video.mp4"
    video.write_bytes(world.video_bytes())
    probe = ffprobe_frames(video)
    assert (probe.frame_count, len(probe.steps), probe.messages) == (12, 1, "")
    assert list(ffmpeg_numbers(video)) == list(range(12))
    assert len(world.reels()[0].segments) == 12 // length


@pytest.mark.parametrize("with_extension", [True, False], ids=["extension", "alone"])
def test_a_shutdown_saves_every_frame(world: World, tmp_path: Path, *, with_extension: bool) -> None:
    world.outbox = tmp_path if with_extension else None
    function = world.environment()
    for start in (0, 3, 11):
        world.shoot(function, range(start, {0: 3, 3: 11, 11: 20}[start]))
        world.shut_down(function)
        assert world.keys_in_video() == names(world, range({0: 3, 3: 11, 11: 20}[start]))
        function = world.environment()
    assert world.checkpoint().frame_count == 20


def test_a_shutdown_without_time_to_drain_saves_what_is_complete(world: World, tmp_path: Path) -> None:
    world.outbox = tmp_path
    function = world.environment(flush_every="60")
    world.shoot(function, range(20))
    world.shut_down(function, budget_ms=0)
    saved = world.checkpoint().frame_count
    assert 0 < saved < 20
    assert world.keys_in_video() == names(world, range(saved))
    function = world.environment()
    world.sweep(function, drain=True)
    assert world.keys_in_video() == names(world, range(20))


def test_a_shutdown_claims_no_frame_that_no_listing_has_shown(world: World, tmp_path: Path) -> None:
    world.outbox = tmp_path
    function = world.environment(flush_every="60", reorder_window="0")
    world.shoot(function, [0])
    world.upload(1)  # its event is lost
    world.shoot(function, [2, 3])
    world.shut_down(function)
    checkpoint = world.checkpoint()
    assert checkpoint.watermark == world.key(0)
    assert checkpoint.ahead == (world.key(2), world.key(3))
    world.sweep(world.environment(), drain=True)
    assert world.rejections() == {world.key(1): "late"}
    assert world.keys_in_video() == names(world, [0, 2, 3])
    assert world.checkpoint().watermark == world.key(3)


def test_a_shutdown_without_space_for_its_plan_loses_nothing(world: World, tmp_path: Path) -> None:
    world.outbox = tmp_path
    (tmp_path / f"{STREAM}.unfinished").symlink_to("/dev/full")
    function = world.environment(flush_every="60")
    world.shoot(function, range(7))
    world.shut_down(function)
    world.sweep(world.environment(), drain=True)
    assert world.keys_in_video() == names(world, range(7))


def test_a_plan_does_not_begin_a_reel_before_the_last_one_is_finished(world: World, tmp_path: Path) -> None:
    world.outbox = tmp_path
    function = world.environment(reorder_window="2")
    world.shoot(function, range(6))

    def refuse(operation: str, key: str) -> None:
        if operation == "PutObject" and key.endswith("video.mp4"):
            raise StorageUnavailable(operation, "bucket", key, "503")

    world.video.on_request = refuse
    world.sweep(function, close=True)
    world.shoot(function, [6])  # waits in the window
    world.shut_down(function)
    world.video.on_request = lambda _operation, _key: None
    world.sweep(world.environment(), drain=True)
    assert [reel.frame_count for reel in world.reels()] == [6, 1]
    assert world.verify().findings == []


def test_a_flush_within_a_listing_passes_nothing_that_the_listing_is_still_to_show(world: World) -> None:
    function = world.environment(flush_every="2")
    world.deliver(function, world.upload(2, b"no photo"))
    world.upload(1)
    world.upload(0, b"no photo")
    world.deliver(function, world.upload(3, b"no photo"))  # the flush lists, and 0 makes another one due
    world.sweep(function, drain=True)
    assert world.keys_in_video() == names(world, [1])
    assert set(world.rejections()) == set(names(world, [0, 2, 3]))


def test_a_shutdown_after_a_listing_that_broke_off_passes_nothing_that_it_did_not_show(world: World) -> None:
    function = world.environment()
    world.deliver(function, world.upload(2, b"no photo"))
    world.upload(1)
    world.upload(0, b"no photo")

    def refuse(_operation: str, key: str) -> None:
        if key.endswith(world.key(1)):
            raise StorageUnavailable("GetObject", "bucket", key, "503")

    world.frames.on_request = refuse
    with pytest.raises(StorageUnavailable):
        world.sweep(function)
    world.shut_down(function)
    world.frames.on_request = lambda _operation, _key: None
    world.sweep(world.environment(), drain=True)
    assert world.keys_in_video() == names(world, [1])
    assert set(world.rejections()) == set(names(world, [0, 2]))


def test_a_lost_event_is_found_by_the_next_flush(world: World) -> None:
    function = world.environment()
    world.shoot(function, range(3))
    world.upload(3)
    world.shoot(function, range(4, 12))
    world.sweep(function, drain=True)
    assert world.keys_in_video() == names(world, range(12))


@pytest.mark.parametrize("order", [[1, 0, 2, 3], [3, 2, 1, 0], [2, 3, 0, 1]])
def test_events_in_any_order_make_the_video_in_key_order(world: World, order: list[int]) -> None:
    function = world.environment(flush_every="60", reorder_window="1")
    world.upload(10, key="000000-first.jpg")
    world.deliver(function, "000000-first.jpg")
    keys = {number: world.upload(number) for number in order}
    for number in order:
        world.deliver(function, keys[number])
    world.sweep(function, drain=True)
    assert world.keys_in_video() == sorted(["000000-first.jpg", *keys.values()])


def test_an_event_that_comes_again_adds_nothing(world: World) -> None:
    function = world.environment()
    world.shoot(function, range(12))
    for number in range(12):
        world.deliver(function, world.key(number))
    function = world.environment()
    world.deliver(function, world.key(11), world.key(0))
    world.sweep(function, drain=True)
    assert world.keys_in_video() == names(world, range(12))
    assert world.rejections() == {}


def test_a_frame_below_committed_ones_is_rejected_as_late(world: World) -> None:
    function = world.environment()
    world.shoot(function, [0, *range(2, 12)])
    world.sweep(function, drain=True)
    world.shoot(function, [1])
    assert world.rejections() == {world.key(1): "late"}
    assert world.keys_in_video() == names(world, [0, *range(2, 12)])


BAD_PHOTOS = {
    "empty": (b"", "empty"),
    "text": (b"these are words\n", "unsupported-type"),
    "cut off": (PHOTOS[5][:1000], "undecodable"),
    "damaged": (PHOTOS[5][:700] + b"\xff\xd9" + PHOTOS[5][900:], "undecodable"),
}


@pytest.mark.parametrize("kind", BAD_PHOTOS)
def test_a_bad_photo_is_recorded_and_the_video_goes_on(world: World, kind: str) -> None:
    body, reason = BAD_PHOTOS[kind]
    function = world.environment()
    world.shoot(function, range(5))
    answer = world.deliver(function, world.upload(5, body))
    assert answer["streams"][STREAM]["rejected"] == 1
    world.shoot(function, range(6, 12))
    world.sweep(function, drain=True)
    assert world.keys_in_video() == names(world, [0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11])
    assert world.rejections() == {world.key(5): reason}
    assert world.checkpoint().rejected_count == 1


@pytest.mark.parametrize("after_a_reel", [False, True])
def test_a_commit_of_rejections_alone_drops_no_frame_that_waits(world: World, *, after_a_reel: bool) -> None:
    function = world.environment()
    if after_a_reel:
        world.shoot(function, range(3))
        world.sweep(function, close=True)
    world.deliver(function, world.upload(3, b"no photo"))
    world.shoot(function, range(4, 8))
    world.sweep(function)  # the frames wait in window and encoder; the rejection is covered
    world.shoot(function, range(8, 12))
    world.sweep(function, drain=True)
    assert world.keys_in_video() == names(world, [*(range(3) if after_a_reel else ()), *range(4, 12)])
    assert world.verify().findings == []


def test_bad_photos_at_the_end_are_covered_by_the_watermark(world: World) -> None:
    function = world.environment()
    world.shoot(function, range(5))
    world.deliver(function, world.upload(5, b"no photo"))
    world.sweep(function, drain=True)
    assert world.checkpoint().watermark == world.key(5)


def test_a_photo_that_is_gone_is_recorded_as_missing(world: World) -> None:
    function = world.environment()
    world.shoot(function, range(3))
    world.deliver(function, world.key(3))
    world.shoot(function, [4])
    world.sweep(function, drain=True)
    assert world.rejections() == {world.key(3): "missing"}
    assert world.keys_in_video() == names(world, [0, 1, 2, 4])


def test_a_photo_of_another_size_becomes_a_frame_of_the_videos_size(world: World) -> None:
    function = world.environment()
    world.shoot(function, range(3))
    world.deliver(function, world.upload(3, next(make_photos(1, (300, 300)))))
    world.shoot(function, range(4, 8))
    world.sweep(function, drain=True)
    assert world.keys_in_video() == names(world, range(8))
    reel = world.checkpoint().reel
    assert reel is not None
    assert (reel.width, reel.height) == SIZE


@pytest.mark.parametrize(
    ("bucket", "operation", "part"),
    [
        ("frames", "GetObject", ""),
        ("frames", "ListObjectsV2", ""),
        ("video", "PutObject", "init.mp4"),
        ("video", "PutObject", "segments/"),
        ("video", "PutObject", "checkpoint.json"),
    ],
)
def test_a_storage_failure_fails_the_invocation_and_the_retry_repairs_it(
    world: World, bucket: str, operation: str, part: str
) -> None:
    function = world.environment(flush_every="9")
    world.shoot(function, range(10))

    def refuse(requested: str, key: str) -> None:
        if requested == operation and part in key:
            raise StorageUnavailable(requested, bucket, key, "503 SlowDown")

    store = world.frames if bucket == "frames" else world.video
    world.upload(10)
    store.on_request = refuse
    with pytest.raises(StorageUnavailable):
        world.deliver(function, world.key(10))
    store.on_request = lambda _operation, _key: None
    world.deliver(function, world.key(10))
    world.shoot(function, range(11, 20))
    world.sweep(function, drain=True)
    assert world.keys_in_video() == names(world, range(20))


def test_a_backlog_larger_than_the_time_left_is_done_piece_by_piece(world: World) -> None:
    for number in range(20):
        world.upload(number)
    function = world.environment()
    reads = 0

    def tick(operation: str, _key: str) -> None:
        nonlocal reads
        if operation == "GetObject":
            reads += 1
            world.clock.advance(300)

    world.frames.on_request = tick
    tries = 0
    while True:
        tries += 1
        try:
            world.deliver(function, world.key(19), deadline_epoch_ms=world.clock.now_epoch_ms() + 4000)
            break
        except DeadlineTooClose:
            assert tries < 20
    assert tries > 1
    assert reads <= 20 + tries - 1, "the next photo is read ahead in vain where the time is up"
    world.sweep(function, drain=True)
    assert world.keys_in_video() == names(world, range(20))


def test_two_environments_on_one_stream_make_one_video(world: World) -> None:
    one, other = world.environment(), world.environment()
    for number in range(30):
        world.shoot(one if number % 2 else other, [number])
    world.sweep(one, drain=True)
    world.sweep(other, drain=True)
    assert world.keys_in_video() == names(world, range(30))
    assert world.rejections() == {}


def test_an_environment_that_wakes_late_is_fenced_and_reloads(world: World) -> None:
    frozen = world.environment()
    world.shoot(frozen, range(8))
    other = world.environment()
    world.shoot(other, range(8, 20))
    world.sweep(other, drain=True)
    generation = world.checkpoint().generation
    world.shoot(frozen, range(20, 30))
    world.sweep(frozen, drain=True)
    assert world.keys_in_video() == names(world, range(30))
    assert world.checkpoint().generation > generation


def test_a_lost_answer_to_the_commit_is_recognised_as_ones_own(world: World) -> None:
    function = world.environment()
    world.shoot(function, range(3))
    put = world.video.put
    lost: list[str] = []

    def lose_answer(key: str, body: bytes, **how: object) -> str:
        etag = put(key, body, **how)  # type: ignore[arg-type]
        if key == world.keys.checkpoint and not lost:
            lost.append(etag)
            raise StorageUnavailable("PutObject", "bucket", key, "the connection broke")
        return etag

    world.video.put = lose_answer  # type: ignore[method-assign]
    world.shoot(function, range(3, 9))
    assert lost
    generation = world.checkpoint().generation
    world.sweep(function, drain=True)
    assert world.checkpoint().generation == generation + 1
    assert world.keys_in_video() == names(world, range(9))


def test_a_damaged_segment_ends_its_reel_and_is_reported(world: World, caplog: pytest.LogCaptureFixture) -> None:
    function = world.environment()
    world.shoot(function, range(30))
    world.sweep(function, drain=True)
    reel = world.checkpoint().reel
    assert reel is not None
    last = reel.segments[-1]
    segment = next(key for key in world.object_keys() if f"/{last.first:08d}-" in key)
    body = bytearray(world.video.get(segment).body)
    body[len(body) // 2 : len(body) // 2 + 200] = b"\x55" * 200
    world.video.put(segment, bytes(body))
    function = world.environment()
    world.shoot(function, range(30, 36))
    world.sweep(function, drain=True)
    lost = names(world, range(last.first, 30))
    assert world.rejections() == dict.fromkeys(lost, "segment-damaged")
    assert world.keys_in_video() == names(world, [*range(last.first), *range(30, 36)])
    assert [reel.is_closed for reel in world.reels()] == [True, False]
    assert "stored segment is damaged" in caplog.text


def test_a_new_day_begins_a_new_reel(world: World) -> None:
    function = world.environment(reel="day", timezone="UTC")
    world.shoot(function, range(10))
    world.clock.advance(24 * 3600 * 1000)
    world.shoot(function, range(10, 20))
    world.sweep(function, drain=True)
    first, second = world.reels()
    assert (first.frame_count, second.frame_count) == (10, 10)
    assert first.is_closed
    assert first.date < second.date
    assert world.keys_in_video() == names(world, range(20))
    assert world.video.get(world.keys.index(first.name)).body == index_playlist(first)
    assert len(world.media_bytes(first)) == first.media_size_bytes
    world.deliver(function, world.key(4))  # a repeated event of yesterday
    assert world.rejections() == {}


def test_a_commit_between_two_reels_forgets_neither(world: World) -> None:
    function = world.environment()
    world.shoot(function, range(6))
    world.sweep(function, close=True)
    world.deliver(function, world.upload(6, b"no photo"))
    world.sweep(function, drain=True)
    checkpoint = world.checkpoint()
    assert (checkpoint.watermark, checkpoint.frame_count) == (world.key(6), 6)
    world.shoot(world.environment(), range(7, 14))
    world.sweep(function, drain=True)
    assert [reel.number for reel in world.reels()] == [1, 2]
    assert world.keys_in_video() == names(world, [0, 1, 2, 3, 4, 5, *range(7, 14)])


def test_a_closed_reels_playlist_waits_for_its_video(world: World) -> None:
    function = world.environment()
    world.shoot(function, range(9))
    seen = []

    def watch(operation: str, key: str) -> None:
        if operation == "PutObject" and key.startswith(world.keys.reels) and not key.endswith(".m4s"):
            seen.append(key.rpartition("/")[2])

    world.video.on_request = watch
    world.sweep(function, close=True)
    assert seen == ["index.m3u8", "reel.json", "index.m3u8", "video.mp4", "video.m3u8"]


@pytest.mark.parametrize("change", [{"fps": "25"}, {"keyframe_interval": "24"}, {"size": "192x96"}, {"preset": "slow"}])
def test_changed_settings_begin_a_new_reel(world: World, change: dict[str, str]) -> None:
    function = world.environment()
    world.shoot(function, range(12))
    world.sweep(function, drain=True)
    function = world.environment(**change)
    world.shoot(function, range(12, 40))
    world.sweep(function, drain=True)
    assert [reel.frame_count for reel in world.reels()] == [12, 28]
    assert world.keys_in_video() == names(world, range(40))


def test_a_changed_quality_goes_on_in_the_same_reel(world: World) -> None:
    function = world.environment()
    world.shoot(function, range(12))
    world.sweep(function, drain=True)
    function = world.environment(crf="30")
    world.shoot(function, range(12, 24))
    world.sweep(function, drain=True)
    assert [reel.frame_count for reel in world.reels()] == [24]
    assert world.keys_in_video() == names(world, range(24))


def test_a_sweep_of_a_stream_that_has_been_still_drains_it(world: World) -> None:
    function = world.environment(flush_after_seconds="60")
    world.shoot(function, range(8))
    world.sweep(function)
    assert world.checkpoint().frame_count < 8
    world.clock.advance(61_000)
    function.invoke({"sweep": True}, InvocationContext())
    assert world.checkpoint().frame_count == 8


def test_a_sweep_removes_segments_that_no_checkpoint_names(world: World) -> None:
    function = world.environment()
    world.shoot(function, range(12))
    reel = world.checkpoint().reel
    assert reel is not None
    world.video.put(world.keys.segments(reel.name) + "00000008-5-abandoned.m4s", b"left by a crash")
    generation = world.checkpoint().generation
    assert len(world.orphans()) == 2, "it, and the shorter open segment that the second flush replaced"
    world.sweep(function)
    assert len(world.orphans()) == 1
    assert world.checkpoint().generation > generation, "who left it can no longer commit it"
    world.sweep(function, drain=True)
    assert world.keys_in_video() == names(world, range(12))


def test_a_replaced_segment_stays_while_a_viewer_may_ask_for_it_and_its_removal_is_no_commit(world: World) -> None:
    function = world.environment()
    world.shoot(function, range(7))
    newest = MediaPlaylist.parse(world.video.get(world.keys.newest_video).body)
    world.shoot(function, range(7, 12))
    named = {f"{world.keys.folder}{entry.uri}" for entry in newest.entries}
    assert world.orphans() & named
    world.sweep(function, drain=True)
    assert named <= world.object_keys()
    world.clock.advance(REPLACED_KEPT_SECONDS * 1000)
    generation = world.checkpoint().generation
    world.sweep(world.environment())
    assert world.orphans() == set()
    assert world.checkpoint().generation == generation


def test_a_sweep_removes_what_was_begun_for_photos_that_turned_out_to_be_bad(world: World) -> None:
    """Nothing was committed but rejections: there is no reel to which a leftover could belong."""
    function = world.environment()
    world.deliver(function, world.upload(0, b"no photo"))
    world.sweep(function)
    assert world.checkpoint().reel is None
    left = world.keys.segments("2026-09-21-0001") + "00000000-1-abandoned.m4s"
    world.video.put(left, b"left by a crash")
    world.sweep(world.environment())
    assert world.video.peek(left) is None


def test_a_video_whose_checkpoint_was_lost_is_left_as_it_is(world: World) -> None:
    world.shoot(world.environment(), range(12))
    before = {key for key in world.object_keys() if "/reels/" in key}
    world.video.delete([world.keys.checkpoint])
    world.clock.advance(24 * 3_600_000)
    world.sweep(world.environment(reel="day", keyframe_interval="4"), all_reels=True)
    assert before <= world.object_keys()
    assert {finding.kind for finding in world.verify().findings} >= {"orphan"}


def test_after_each_flush_the_video_holds_what_is_committed(world: World) -> None:
    function = world.environment()
    for number in range(30):
        world.shoot(function, [number])
        if (reel := world.checkpoint().reel) is not None:
            assert len(world.media_bytes()) == reel.media_size_bytes


@pytest.mark.parametrize("has_filters", [False, True])
def test_no_discarded_picture_is_repeated(*, has_filters: bool) -> None:
    settings = {"TIMELAPSE_REJECTED": "repeat", "TIMELAPSE_REORDER_WINDOW": "0", "TIMELAPSE_FLUSH_EVERY": "4"}
    world = World(settings, codec=FakeCodec(has_filters=has_filters))
    function = world.environment()
    evens = range(0, 60, 2)
    for number in evens:
        world.deliver(function, world.upload(number, fake_photo(number)))
    (reel,) = world.reels()
    newest = evens[reel.frame_count - 1]
    assert newest < evens[-3], "some frames are encoded and not committed"
    world.deliver(function, world.upload(newest + 1, b"no photo"))
    world.sweep(function, drain=True)
    shown = list[int]()
    for reel in world.reels():
        for segment in reel.segments:
            shown += photos_in(world.video.get(segment_key(world.keys, reel, segment)).body)
    assert shown == sorted([*evens, newest])


@pytest.mark.parametrize("order", ["arrival", "name"])
def test_what_others_have_committed_is_not_missing_to_an_environment_that_is_behind(order: str) -> None:
    world = World({"TIMELAPSE_ORDER": order})
    behind, other = world.environment(), world.environment()
    world.deliver(behind, world.upload(0))
    key = world.upload(1)
    where = f"frames/{STREAM}/{key}"
    event = object_created_event(world.frames.bucket, where, etag=world.frames.head(where).etag)
    world.deliver(other, world.key(0), key)
    world.sweep(other, drain=True)
    world.frames.delete([where])
    behind.invoke(event, world.context(NO_DEADLINE_EPOCH_MS))
    assert world.rejections() == {}
    assert world.keys_in_video() == [world.key(0), key]
