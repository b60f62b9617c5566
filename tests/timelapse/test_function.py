"""Which stream an event reaches, what an invocation answers, and what becomes of a stream that failed."""

from __future__ import annotations

import weakref
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.recovery.fake_media import FakeCodec, fake_world
from tests.world import PHOTOS, STREAM, InvocationContext, World
from timelapse_runtime.runtime.function import Deadline
from timelapse_runtime.runtime.outbox import read_job
from timelapse_runtime.runtime.state.errors import Fenced, PreconditionFailed, StorageError, StorageUnavailable
from timelapse_runtime.timelapse import Timelapse
from timelapse_runtime.timelapse.errors import ConfigError, UnknownEvent
from timelapse_runtime.timelapse.video.encode import Encoder, EncoderSettings


@pytest.fixture
def world() -> World:
    return fake_world({"TIMELAPSE_REORDER_WINDOW": "0"})


def invoke(function: Timelapse, event: Any) -> dict[str, Any]:
    return function.invoke(event, InvocationContext())


def refuse_checkpoint(world: World, error: type[StorageError]) -> None:
    """Each write of the checkpoint fails from now on."""

    def refuse(operation: str, key: str) -> None:
        if operation == "PutObject" and key == world.keys.checkpoint:
            raise error(operation, world.video.bucket, key, "refused")

    world.video.on_request = refuse


def event_of(world: World, bucket: str, *keys: str) -> dict[str, Any]:
    """S3's notification of these whole keys."""
    record = world.event("x")["Records"][0]
    return {"Records": [{**record, "s3": {"bucket": {"name": bucket}, "object": {"key": key}}} for key in keys]}


def test_an_answer_counts_what_happened_to_each_stream(world: World) -> None:
    function = world.environment()
    first = [world.upload(number) for number in range(5)]
    answer = world.deliver(function, *first, first[0])
    assert answer["streams"][STREAM].pop("bytes_written") > 1_000
    assert answer["streams"] == {STREAM: {"appended": 5, "flushes": 1, "frames_in_video": 1}}
    answer = world.deliver(function, first[0], world.upload(5, b"no photo"))
    assert answer["streams"] == {STREAM: {"duplicates": 1, "rejected": 1, "frames_in_video": 1}}
    environment = answer["environment"]
    assert (environment["id"], environment["appended"], environment["rejected"]) == ("cold-start", 5, 1)
    assert environment["s3_requests"]["GetObject"] > 5


def test_each_folder_is_a_stream(world: World) -> None:
    world.frames.put("frames/garden/1.jpg", PHOTOS[0])
    world.frames.put("frames/roof/1.jpg", PHOTOS[1])
    answer = invoke(
        world.environment(), event_of(world, world.frames.bucket, "frames/garden/1.jpg", "frames/roof/1.jpg")
    )
    assert {name: counts["appended"] for name, counts in answer["streams"].items()} == {"garden": 1, "roof": 1}


def test_all_photos_can_be_one_stream(world: World) -> None:
    world.frames.put("frames/a/1.jpg", PHOTOS[0])
    world.frames.put("frames/2.jpg", PHOTOS[1])
    function = world.environment(stream="all")
    answer = invoke(function, event_of(world, world.frames.bucket, "frames/a/1.jpg", "frames/2.jpg"))
    assert answer["streams"]["all"]["appended"] == 2


@pytest.mark.parametrize("key", ["other/camera/1.jpg", "frames/no-folder.jpg", "frames/", "frames/.trash/1.jpg"])
def test_a_photo_outside_any_stream_is_ignored(world: World, key: str) -> None:
    assert invoke(world.environment(), event_of(world, world.frames.bucket, key))["streams"] == {}
    assert world.object_keys() == set()


def test_what_is_no_photo_is_counted_and_nothing_is_read_or_written(world: World) -> None:
    function = world.environment()
    strays = ["", "Thumbs.db", ".DS_Store", "1.jpg.tmp", "1.xmp", "thumbnails/1.jpg", "raw/"]
    keys = [f"frames/{STREAM}/{key}" for key in strays]
    for key in keys:
        world.frames.put(key, b"no photo")
    before = dict(world.frames.request_counts)
    answer = invoke(function, event_of(world, world.frames.bucket, *keys))
    assert answer["streams"] == {STREAM: {"ignored": len(strays)}}
    assert answer["environment"]["ignored"] == len(strays)
    assert world.frames.request_counts == before
    assert world.object_keys() == set()


def test_strays_beside_photos_are_in_no_video_and_have_no_record(world: World) -> None:
    function = world.environment()
    world.frames.put(f"frames/{STREAM}/Thumbs.db", b"no photo")  # sorts after all photos; its event was lost
    world.shoot(function, range(3))
    answer = world.deliver(function, "zzz.json", world.upload(3))
    assert answer["streams"][STREAM] == {"appended": 1, "ignored": 1, "frames_in_video": 0}
    world.sweep(function, drain=True)
    world.shoot(function, range(4, 6))
    world.sweep(function, drain=True)
    assert world.keys_in_video() == [world.key(number) for number in range(6)]
    assert world.rejections() == {}
    assert world.checkpoint().watermark == world.key(5)


def test_what_counts_as_a_photo_can_be_configured(world: World) -> None:
    function = world.environment(include="*.dat, !small/")
    for number, name in enumerate(("a.dat", "b.jpg", "small/c.dat")):
        world.upload(number, key=name)
    world.deliver(function, "a.dat", "b.jpg", "small/c.dat")
    world.sweep(function, drain=True)
    assert world.keys_in_video() == ["a.dat"]


def test_a_hidden_folder_is_no_stream(world: World) -> None:
    for folder in (".trash", "@eaDir", "thumbs"):
        world.frames.put(f"frames/{folder}/1.jpg", PHOTOS[0])
    assert set(invoke(world.environment(), {"sweep": True})["streams"]) == {"thumbs"}


def test_a_stream_whose_video_would_lie_around_the_photos_is_refused(world: World) -> None:
    places = {"frames": f"s3://{world.frames.bucket}/a/in/", "video": f"s3://{world.frames.bucket}/"}
    world.video = world.frames
    function = world.environment(**places)
    for name in ("a", "b"):
        world.frames.put(f"a/in/{name}/1.jpg", PHOTOS[0])
    events = event_of(world, world.frames.bucket, "a/in/a/1.jpg", "a/in/b/1.jpg")
    assert set(invoke(function, events)["streams"]) == {"b"}
    assert set(invoke(function, {"sweep": {"drain": True}})["streams"]) == {"b"}
    with pytest.raises(ConfigError, match="its own output"):
        invoke(function, {"sweep": "a"})
    written = {info.key for info in world.frames.list_after("") if not info.key.startswith("a/in/")}
    assert {key.partition("/")[0] for key in written} == {"b"}


def test_a_photo_in_another_bucket_is_ignored(world: World) -> None:
    assert invoke(world.environment(), event_of(world, "elsewhere", "frames/camera/1.jpg"))["streams"] == {}


def test_an_event_from_an_unknown_source_is_an_error(world: World) -> None:
    with pytest.raises(UnknownEvent, match="sweep"):
        invoke(world.environment(), {"detail": "?"})


def test_a_sweep_without_a_name_reaches_every_stream(world: World) -> None:
    world.frames.put("frames/garden/1.jpg", PHOTOS[0])
    world.frames.put("frames/roof/1.jpg", PHOTOS[1])
    answer = invoke(world.environment(), {"sweep": {"drain": True}})
    assert {name: counts["frames_in_video"] for name, counts in answer["streams"].items()} == {"garden": 1, "roof": 1}


def test_the_least_recently_used_stream_is_flushed_and_closed(world: World) -> None:
    function = world.environment(open_streams="1")
    world.shoot(function, range(3))
    world.frames.put("frames/other/000.jpg", PHOTOS[0])
    invoke(function, event_of(world, world.frames.bucket, "frames/other/000.jpg"))
    assert world.checkpoint().frame_count == 3


@dataclass
class CountingCodec(FakeCodec):
    """Knows how many encoders were alive at once."""

    alive: weakref.WeakSet[Encoder] = field(default_factory=weakref.WeakSet)
    most: int = 0

    def encoder(self, settings: EncoderSettings, *, first_number: int) -> Encoder:
        encoder = super().encoder(settings, first_number=first_number)
        self.alive.add(encoder)
        self.most = max(self.most, len(self.alive))
        return encoder


@pytest.mark.parametrize(
    ("settings", "most"),
    [
        ({"TIMELAPSE_OPEN_STREAMS": "3"}, 3),
        ({"TIMELAPSE_SIZE": "1920x1080", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512"}, 2),
        ({"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512"}, 1),  # of unknown size: each may be of the largest
    ],
)
def test_no_event_opens_more_streams_than_are_allowed_or_fit_into_the_memory(
    settings: dict[str, str], most: int
) -> None:
    codec = CountingCodec()
    world = World({"TIMELAPSE_REORDER_WINDOW": "0", "TIMELAPSE_PRESET": "veryfast"} | settings, codec=codec)
    names = [f"camera-{number}" for number in range(6)]
    keys = [f"frames/{name}/{number}.jpg" for name in names for number in range(3)]
    for key in keys:
        world.frames.put(key, PHOTOS[int(key[-5])])
    function = world.environment()
    invoke(function, event_of(world, world.frames.bucket, *keys))
    assert codec.most == most
    answer = invoke(function, {"sweep": {"drain": True}})
    assert {name: counts["frames_in_video"] for name, counts in answer["streams"].items()} == dict.fromkeys(names, 3)


def test_a_stream_that_cannot_be_committed_is_closed_all_the_same(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    function = world.environment(open_streams="1")
    world.shoot(function, range(3))
    refuse_checkpoint(world, StorageUnavailable)
    world.frames.put("frames/other/000.jpg", PHOTOS[0])
    answer = invoke(function, event_of(world, world.frames.bucket, "frames/other/000.jpg"))
    assert answer["streams"]["other"]["appended"] == 1
    assert "closed without its last frames" in caplog.text
    world.video.on_request = lambda _operation, _key: None
    world.sweep(function, drain=True)
    assert world.keys_in_video() == [world.key(number) for number in range(3)]


def test_a_fenced_stream_is_loaded_again_and_the_work_done(world: World) -> None:
    one, two = world.environment(), world.environment()
    world.shoot(one, range(3))
    world.shoot(two, range(3, 6))
    world.sweep(two, drain=True)
    world.shoot(one, range(6, 9))
    world.sweep(one, drain=True)
    assert world.keys_in_video() == [world.key(number) for number in range(9)]


def test_a_stream_that_is_fenced_again_and_again_fails_the_invocation(world: World) -> None:
    function = world.environment()
    keys = [world.upload(number) for number in range(9)]
    refuse_checkpoint(world, PreconditionFailed)
    with pytest.raises(Fenced):
        world.deliver(function, *keys)


def test_after_a_storage_error_the_stream_stays_open_and_the_retry_continues(world: World) -> None:
    function = world.environment()
    world.deliver(function, world.upload(0))
    keys = [world.key(0), *(world.upload(number) for number in range(1, 9))]
    refuse_checkpoint(world, StorageUnavailable)
    with pytest.raises(StorageUnavailable):
        world.deliver(function, *keys)
    world.video.on_request = lambda _operation, _key: None
    reads = world.frames.request_counts["GetObject"]
    world.deliver(function, *keys)
    world.sweep(function, drain=True)
    assert world.keys_in_video() == keys
    assert world.frames.request_counts["GetObject"] <= reads + len(keys) - 5, "encoded frames are not read again"


@pytest.mark.parametrize("with_extension", [True, False])
def test_a_shutdown_leaves_a_job_or_commits_by_itself(world: World, tmp_path: Path, *, with_extension: bool) -> None:
    world.outbox = tmp_path if with_extension else None
    function = world.environment()
    world.shoot(function, range(3))
    world.shut_down(function)
    assert world.checkpoint().frame_count == 3
    assert list(tmp_path.iterdir()) == [], "the job was sent"


def test_a_job_holds_the_commit_in_order(world: World, tmp_path: Path) -> None:
    world.outbox = tmp_path
    function = world.environment()
    world.shoot(function, range(8))
    deadline_ms = world.clock.now_epoch_ms() + 10_000
    function.flush(Deadline(deadline_ms))
    function.close(Deadline(deadline_ms))
    (path,) = tmp_path.glob("*.job")
    bodies = [put.body for put in read_job(path).puts]
    commit = next(position for position, body in enumerate(bodies) if body.startswith(b'{"format"'))
    assert commit >= 1, "segments come before the checkpoint"
    assert all(body.startswith(b"#EXTM3U") for body in bodies[commit + 1 :])
