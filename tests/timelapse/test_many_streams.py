"""Many streams in one event: what fails or is slow in one of them does not reach the others."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.recovery.fake_media import fake_photo, fake_world
from tests.world import InvocationContext, World
from timelapse_runtime.emulator.s3_event import object_created_event
from timelapse_runtime.runtime.state.errors import StorageUnavailable
from timelapse_runtime.timelapse import Timelapse
from timelapse_runtime.timelapse.errors import DeadlineTooClose, UnknownEvent
from timelapse_runtime.timelapse.model.checkpoint import Checkpoint

NAMES = [f"camera-{number}" for number in range(10)]
BAD = NAMES[3]


@pytest.fixture
def world() -> World:
    return fake_world({"TIMELAPSE_ORDER": "arrival", "TIMELAPSE_OPEN_STREAMS": "20"})


def upload(world: World, *names: str, count: int = 1) -> list[str]:
    """Photos of each stream in turn; their keys."""
    keys = []
    for number in range(count):
        for name in names:
            world.clock.advance(1_000)
            keys.append(f"frames/{name}/{world.clock.now_epoch_ms()}-{number}.jpg")
            world.frames.put(keys[-1], fake_photo(number))
    return keys


def sqs(world: World, keys: list[str]) -> dict[str, Any]:
    """A message for each photo; its key is the message's id."""
    bodies = {key: json.dumps(object_created_event(world.frames.bucket, key)) for key in keys}
    return {"Records": [{"eventSource": "aws:sqs", "messageId": key, "body": body} for key, body in bodies.items()]}


def failing(name: str, error: type[StorageUnavailable] = StorageUnavailable) -> Callable[[str, str], None]:
    """Each request to the video of one stream fails."""

    def fail(operation: str, key: str) -> None:
        if key.startswith(f"video/{name}/"):
            raise error(operation, "video-bucket", key, "down")

    return fail


def failed(answer: dict[str, Any]) -> list[str]:
    return [one["itemIdentifier"] for one in answer["batchItemFailures"]]


def frame_counts(world: World) -> dict[str, int]:
    """Of each stream that has a checkpoint."""
    found = {}
    for name in NAMES:
        if (body := world.video.peek(f"video/{name}/checkpoint.json")) is not None:
            found[name] = Checkpoint.from_json(body).frame_count
    return found


def invoke(function: Timelapse, event: Any, context: InvocationContext | None = None) -> dict[str, Any]:
    return function.invoke(event, context or InvocationContext())


def test_of_ten_streams_in_a_batch_one_fails_alone(world: World, caplog: pytest.LogCaptureFixture) -> None:
    function = world.environment()
    keys = upload(world, *NAMES, count=6)
    world.video.on_request = failing(BAD)
    answer = invoke(function, sqs(world, keys))
    assert failed(answer) == [key for key in keys if f"/{BAD}/" in key]
    assert set(answer["streams"]) == set(NAMES) - {BAD}
    assert [record.__dict__["stream"] for record in caplog.records if record.levelname == "ERROR"] == [BAD]
    world.video.on_request = lambda _operation, _key: None
    assert failed(invoke(function, sqs(world, [key for key in keys if f"/{BAD}/" in key]))) == []
    invoke(function, {"sweep": {"drain": True}})
    assert frame_counts(world) == dict.fromkeys(NAMES, 6)


def test_a_message_that_is_no_event_fails_alone(world: World) -> None:
    function = world.environment()
    event = sqs(world, upload(world, "garden"))
    event["Records"] += [{"eventSource": "aws:sqs", "messageId": "poison", "body": "{"}]
    answer = invoke(function, event)
    assert (failed(answer), set(answer["streams"])) == (["poison"], {"garden"})
    event["Records"] = event["Records"][1:]
    with pytest.raises(UnknownEvent):
        invoke(function, event)


def test_an_event_that_is_no_batch_fails_after_the_others_work_is_done(world: World) -> None:
    function = world.environment()
    upload(world, *NAMES, count=2)
    world.video.on_request = failing(BAD)
    with pytest.raises(StorageUnavailable):
        invoke(function, {"sweep": {"drain": True}})
    assert frame_counts(world) == dict.fromkeys(set(NAMES) - {BAD}, 2)


def test_a_batch_is_committed_once_for_each_stream(world: World) -> None:
    function = world.environment(flush_every="6")
    upload(world, *NAMES)
    invoke(function, {"sweep": {"drain": True}})
    commits = []
    world.video.on_request = lambda operation, key: commits.append(key) if operation == "PutObject" else None
    answer = invoke(function, sqs(world, upload(world, *NAMES, count=6)))
    assert {name: counts["appended"] for name, counts in answer["streams"].items()} == dict.fromkeys(NAMES, 6)
    checkpoints = [key for key in commits if key.endswith("checkpoint.json")]
    assert checkpoints == [f"video/{name}/checkpoint.json" for name in NAMES]


def test_a_stream_with_a_backlog_leaves_the_others_their_time(world: World) -> None:
    """Reading a photo takes a second here, and an invocation has a minute."""
    function = world.environment()
    upload(world, NAMES[0], count=100)
    upload(world, *NAMES[1:], count=2)
    read: list[str] = []

    def take_time(operation: str, key: str) -> None:
        if operation == "GetObject" and key.startswith("frames/"):
            world.clock.advance(1_000)
            read.append(key.split("/")[1])

    world.frames.on_request = take_time
    with pytest.raises(DeadlineTooClose):
        invoke(function, {"sweep": {"drain": True}}, InvocationContext(60_000))
    assert frame_counts(world).items() >= dict.fromkeys(NAMES[1:], 2).items()
    assert read[-1] == NAMES[0], "it has the time that the others left"
    assert 55 < len(read) < 65, "the whole minute is used"


def test_a_stream_that_failed_comes_last_the_next_time(world: World) -> None:
    function = world.environment()
    order: list[str] = []

    def record(operation: str, key: str) -> None:
        if operation == "GetObject" and key.startswith("frames/"):
            order.append(key.split("/")[1])

    upload(world, *NAMES)
    world.video.on_request = failing(NAMES[0])
    with pytest.raises(StorageUnavailable):
        invoke(function, {"sweep": True})
    world.video.on_request = lambda _operation, _key: None
    upload(world, *NAMES)
    world.frames.on_request = record
    invoke(function, {"sweep": True})
    assert list(dict.fromkeys(order)) == [*NAMES[1:], NAMES[0]]
