"""Photos that are not as they should be, from the event to verify: of each there is a frame, or a record."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.timelapse.video.samples import SAMPLES
from tests.timelapse.video.test_decode import bomb
from tests.world import PHOTOS, STREAM, InvocationContext, World
from timelapse_runtime.emulator.s3_event import object_created_event
from timelapse_runtime.runtime.state.errors import AccessDenied
from timelapse_runtime.timelapse import Timelapse


@pytest.fixture
def world() -> World:
    return World()


def forbid(world: World, *keys: str) -> None:
    """S3 answers 403 for these photos."""
    hidden = {f"frames/{STREAM}/{key}" for key in keys}

    def around(operation: str, key: str, effect: Callable[[], Any]) -> Any:
        if operation in ("GetObject", "HeadObject") and key in hidden:
            raise AccessDenied(operation, world.frames.bucket, key, "AccessDenied (HTTP 403)")
        return effect()

    world.frames.around = around


def right(world: World) -> bool:
    report = world.verify()
    assert report.findings == []
    return report.pending == []


# ---- forbidden


@pytest.mark.parametrize("forbidden", [0, 4, 9])
@pytest.mark.parametrize("restarts", [False, True])
def test_a_photo_that_alone_may_not_be_read_is_rejected(world: World, forbidden: int, restarts: bool) -> None:
    forbid(world, world.key(forbidden))
    function = world.environment()
    for number in range(10):
        key = world.upload(number)
        if number == 0 == forbidden:
            with pytest.raises(AccessDenied):  # there is no other photo yet that could clear the role
                world.deliver(function, key)
        else:
            world.deliver(function, key)
        function = world.environment() if restarts else function
    world.sweep(function, drain=True)
    assert world.rejections() == {world.key(forbidden): "forbidden"}
    assert world.keys_in_video() == [world.key(number) for number in range(10) if number != forbidden]
    assert right(world)


def test_where_no_photo_may_be_read_none_is_rejected(world: World) -> None:
    keys = [world.key(number) for number in range(6)]
    forbid(world, *keys)
    function = world.environment()
    for number, key in enumerate(keys):
        world.upload(number)
        with pytest.raises(AccessDenied, match="403"):
            world.deliver(function, key)
    forbid(world)
    world.sweep(function, drain=True)
    assert world.rejections() == {}
    assert world.keys_in_video() == keys
    assert right(world)


def test_credentials_that_are_lost_on_the_way_reject_nothing(world: World) -> None:
    function = world.environment()
    world.shoot(function, range(5))
    forbid(world, *(world.key(number) for number in range(10)))
    for number in range(5, 8):
        with pytest.raises(AccessDenied):
            world.deliver(function, world.upload(number))
    forbid(world)
    world.shoot(function, [8])
    world.sweep(function, drain=True)
    assert world.keys_in_video() == [world.key(number) for number in range(9)]
    assert right(world)


def test_a_forbidden_photo_is_taken_once_it_may_be_read(world: World) -> None:
    forbid(world, world.key(3))
    function = world.environment()
    world.shoot(function, range(8))
    forbid(world)
    function.invoke({"retry_rejected": {"stream": STREAM, "reason": "forbidden"}}, InvocationContext())
    assert world.rejections() == {}
    assert world.keys_in_video() == [world.key(number) for number in (0, 1, 2, 4, 5, 6, 7, 3)]
    assert right(world)


# ---- keys

KEYS = sorted(
    [
        " leading and trailing ",
        "+plus+and space.jpg",
        "%2B%20 already encoded.jpg",
        "..",
        "../../etc/passwd",
        "./a//b/c",
        "newline\nand\ttab\r.jpg",
        "\x01control\x7f",
        "ä-ö-ü-é",
        "日本語の写真.jpg",
        "🎞️.jpg",
        "quotes'\"<>&;=?#@:,$!*()[]{}|\\^~`.jpg",
        "x" * (1_024 - len(f"frames/{STREAM}/")),
        "y" * (1_024 - len(f"frames/{STREAM}/") - 3) + "é.",
        "checkpoint.json",
        "rejected/000001.jpg.json",
    ],
    key=str.encode,
)


def notification(world: World, key: str) -> dict[str, Any]:
    return object_created_event(world.frames.bucket, f"frames/{STREAM}/{key}")


def from_eventbridge(world: World, key: str) -> dict[str, Any]:
    """As EventBridge sends it: the key as it is."""
    detail = {"bucket": {"name": world.frames.bucket}, "object": {"key": f"frames/{STREAM}/{key}"}}
    return {"source": "aws.s3", "detail-type": "Object Created", "detail": detail}


def listed(_world: World, _key: str) -> dict[str, Any]:
    """No event comes; a sweep finds the photo."""
    return {"sweep": {"stream": STREAM}}


@pytest.mark.parametrize("told", [notification, from_eventbridge, listed])
def test_a_key_may_be_anything_that_s3_takes(told: Callable[[World, str], dict[str, Any]]) -> None:
    world = World({"TIMELAPSE_INCLUDE": "*"})
    function = world.environment()
    bad = {key for number, key in enumerate(KEYS) if number % 3 == 2}
    for number, key in enumerate(KEYS):
        world.upload(number, b"no photo" if key in bad else None, key=key)
        function.invoke(told(world, key), InvocationContext())
    world.sweep(function, drain=True)
    assert world.keys_in_video() == [key for key in KEYS if key not in bad]
    assert world.rejections() == dict.fromkeys(sorted(bad), "unsupported-type")
    assert right(world)
    written = {info.key for info in world.video.list_after("")}
    assert all(key.startswith(f"video/{STREAM}/") and len(key.encode()) <= 1_024 for key in written)


# ---- what is in them


def test_photos_of_every_kind_come_into_one_video(world: World) -> None:
    function = world.environment()
    for number, body in enumerate([PHOTOS[0], *SAMPLES.values(), PHOTOS[1]]):
        world.deliver(function, world.upload(number, body))
    world.sweep(function, drain=True)
    assert world.rejections() == {}
    assert len(world.keys_in_video()) == len(SAMPLES) + 2
    assert right(world)


def test_each_record_says_what_was_wrong(world: World) -> None:
    function = world.environment()
    bad = [b"", b"%PDF no photo for us", PHOTOS[9][: len(PHOTOS[9]) // 2], bomb("png", 20_000), bomb("jpeg", 20_000)]
    for number in range(12):
        world.deliver(function, world.upload(number, bad[number // 2] if number % 2 and number < 10 else None))
    world.sweep(function, drain=True)
    reasons = ["empty", "unsupported-type", "undecodable", "too-large", "too-large"]
    assert world.rejections() == {world.key(2 * number + 1): reason for number, reason in enumerate(reasons)}
    for number in range(5):
        record = json.loads(world.video.get(world.keys.rejected(world.key(2 * number + 1))).body)
        assert record["key"] == f"frames/{STREAM}/{world.key(2 * number + 1)}"
        assert record["etag"] == world.frames.head(record["key"]).etag
        assert record["error_type"] == "Function.FrameRejected"
        assert record["detail"]
        assert record["time"].startswith("2026-")
    assert right(world)


def test_a_photo_that_is_overwritten_before_it_is_read_is_in_the_video_once(world: World) -> None:
    function = world.environment()
    keys = [world.upload(number) for number in range(6)]
    for key in keys:
        world.frames.put(f"frames/{STREAM}/{key}", PHOTOS[20])
        world.deliver(function, key)
    late: Timelapse = world.environment()
    world.deliver(late, *keys)  # each overwriting sends an event of its own
    world.sweep(late, drain=True)
    assert world.keys_in_video() == keys
    assert right(world)
