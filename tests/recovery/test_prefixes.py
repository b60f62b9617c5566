"""Whatever an event claims, only what is configured is read and written."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest

from tests.world import STREAM, InvocationContext, World
from timelapse_runtime.runtime.state.errors import StateError
from timelapse_runtime.timelapse.errors import ConfigError, TimelapseError

FRAMES, VIDEO = "frames-bucket", "video-bucket"


def created(bucket: str, key: str) -> dict[str, Any]:
    s3 = {"bucket": {"name": bucket}, "object": {"key": key}}
    return {"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": s3}]}


HOSTILE: dict[str, dict[str, Any]] = {
    "another bucket": created("somebody-elses", f"frames/{STREAM}/000001.jpg"),
    "the video's bucket": created(VIDEO, f"video/{STREAM}/checkpoint.json"),
    "another prefix": created(FRAMES, "secret/000001.jpg"),
    "up and out": created(FRAMES, "frames/../secret/000001.jpg"),
    "up and out, encoded": created(FRAMES, "frames/%2e%2e/%2e%2e/secret"),
    "no stream": created(FRAMES, "frames/000001.jpg"),
    "an absolute key": created(FRAMES, f"/frames/{STREAM}/000001.jpg"),
    "a stream that looks like another prefix": created(FRAMES, "frames/../000001.jpg"),
    "a sweep of everything else": {"sweep": "../../secret"},
    "a retry of everything else": {"retry_rejected": "../../secret"},
    "from EventBridge": {
        "source": "aws.s3",
        "detail-type": "Object Created",
        "detail": {"bucket": {"name": VIDEO}, "object": {"key": f"video/{STREAM}/live.m3u8"}},
    },
}


@pytest.mark.parametrize("event", HOSTILE.values(), ids=HOSTILE)
def test_only_the_configured_places_are_read_and_written(event: dict[str, Any]) -> None:
    world = World()
    world.frames.put("secret/000001.jpg", b"secret")
    world.video.put("secret/000001.jpg", b"secret")
    function = world.environment()
    world.shoot(function, range(3))
    asked: list[tuple[str, str, str]] = []
    world.frames.on_request = lambda operation, key: asked.append((FRAMES, operation, key))
    world.video.on_request = lambda operation, key: asked.append((VIDEO, operation, key))
    with contextlib.suppress(StateError, TimelapseError):
        function.invoke(event, InvocationContext())
    world.sweep(function, drain=True)
    places = {FRAMES: "frames/", VIDEO: "video/"}
    assert [one for one in asked if not one[2].startswith(places[one[0]])] == []
    assert [
        operation for bucket, operation, _ in asked if bucket == FRAMES and operation.startswith(("Put", "Del"))
    ] == []
    assert world.video.peek("secret/000001.jpg") == b"secret"
    assert world.keys_in_video() == [world.key(number) for number in range(3)]


@pytest.mark.parametrize(
    ("frames", "video"),
    [
        ("s3://one/", "s3://one/video/"),
        ("s3://one/frames/", "s3://one/frames/"),
        ("s3://one/frames/", "s3://one/frames/video/"),
        ("s3://one", "s3://one"),
    ],
)
def test_a_video_among_the_photos_is_refused_at_init(frames: str, video: str) -> None:
    world = World(settings={"TIMELAPSE_FRAMES": frames, "TIMELAPSE_VIDEO": video})
    with pytest.raises(ConfigError, match="its own output"):
        world.environment()
