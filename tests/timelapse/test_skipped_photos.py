"""Photos that are left out for what they show: recorded, counted, repeated if that is asked for, and tried again."""

from __future__ import annotations

import io
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy
import pytest
from PIL import Image

from tests.probe import ffmpeg_numbers
from tests.timelapse.metric_lines import recorded
from tests.world import PHOTOS, SIZE, World

BLACK = 4
NIGHT_EPOCH_MS, NOON_EPOCH_MS = 1_785_020_400_000, 1_785_063_600_000  # 25 July 2026 23:00, 26 July 11:00 UTC
ARRIVAL = {"TIMELAPSE_ORDER": "arrival", "TIMELAPSE_REORDER_WINDOW": "0"}


def black(seed: int = 0) -> bytes:
    body = io.BytesIO()
    pixels = numpy.random.default_rng(seed).integers(0, 4, (SIZE[1], SIZE[0], 3), numpy.uint8)
    Image.fromarray(pixels).save(body, "JPEG", quality=95)
    return body.getvalue()


def numbers(world: World, folder: Path) -> list[int]:
    path = folder / "video.mp4"
    path.write_bytes(world.video_bytes())
    return ffmpeg_numbers(path)


@pytest.mark.parametrize("order", ["arrival", "name"])
def test_a_dark_photo_is_recorded_and_not_in_the_video(order: str, tmp_path: Path) -> None:
    world = World({"TIMELAPSE_ORDER": order, "TIMELAPSE_SKIP": "dark"})
    function = world.environment()
    for number in range(8):
        world.deliver(function, world.upload(number, black() if number == BLACK else None))
    world.sweep(function, drain=True)
    assert world.rejections() == {world.key(BLACK): "skipped-dark"}
    assert numbers(world, tmp_path) == [0, 1, 2, 3, 5, 6, 7]
    report = world.verify()
    assert report.is_right
    assert report.rejected == {"skipped-dark": 1}


@pytest.mark.parametrize("order", ["arrival", "name"])
def test_the_frame_before_it_is_repeated_if_that_is_asked_for(order: str, tmp_path: Path) -> None:
    world = World({"TIMELAPSE_ORDER": order, "TIMELAPSE_SKIP": "dark", "TIMELAPSE_REJECTED": "repeat"})
    function = world.environment()
    for number in range(8):
        world.deliver(function, world.upload(number, black() if number == BLACK else None))
    world.sweep(function, drain=True)
    assert world.rejections() == {world.key(BLACK): "skipped-dark"}
    assert numbers(world, tmp_path) == [0, 1, 2, 3, 3, 5, 6, 7]


@pytest.mark.parametrize("order", ["arrival", "name"])
def test_it_is_taken_when_the_setting_is_removed_and_not_before(order: str) -> None:
    world = World({"TIMELAPSE_ORDER": order})
    function = world.environment(skip="dark")
    for number in range(8):
        world.deliver(function, world.upload(number, black() if number == BLACK else None))
    retry = {"retry_rejected": {"stream": "camera"}}
    function.invoke(retry, world.context(10**15))
    assert world.rejections() == {world.key(BLACK): "skipped-dark"}
    world.environment().invoke(retry, world.context(10**15))
    assert world.rejections() == {}
    assert sorted(world.keys_in_video()) == [world.key(number) for number in range(8)]


def test_nights_are_left_out_by_the_time_at_which_the_photos_were_taken() -> None:
    world = World({**ARRIVAL, "TIMELAPSE_SKIP": "night", "TIMELAPSE_PLACE": "52.52,13.405"})
    world.clock.advance(NIGHT_EPOCH_MS + 86_400_000 - world.clock.now_epoch_ms())
    function = world.environment()
    keys = [
        f"{epoch_ms}_{number}.jpg" for number, epoch_ms in enumerate((NOON_EPOCH_MS, NIGHT_EPOCH_MS, NOON_EPOCH_MS))
    ]
    for number, key in enumerate(keys):
        world.deliver(function, world.upload(number, key=key))
    world.deliver(function, world.upload(3, key="it tells no time.jpg"))  # so the time of its upload counts
    world.sweep(function, drain=True)
    assert world.rejections() == {keys[1]: "skipped-night", "it tells no time.jpg": "skipped-night"}
    assert world.keys_in_video() == [keys[0], keys[2]]


def hanging(world: World, bodies: Sequence[bytes], *, restarts: bool) -> None:
    function = world.environment()
    for number, body in enumerate(bodies):
        if restarts:
            function = world.environment()
        world.deliver(function, world.upload(number, body))
        if restarts:
            world.sweep(function, drain=True)
    world.sweep(function, drain=True)


@pytest.mark.parametrize("rejected", ["skip", "repeat"])
@pytest.mark.parametrize("restarts", [False, True])
def test_a_camera_that_hangs_adds_no_frames_whatever_is_restarted(rejected: str, *, restarts: bool) -> None:
    bodies = [PHOTOS[number] for number in (0, 0, 1, 2, 2, 2, 3, 2)]
    world = World({**ARRIVAL, "TIMELAPSE_SKIP": "frozen", "TIMELAPSE_REJECTED": rejected})
    hanging(world, bodies, restarts=restarts)
    frozen = [1, 4, 5]
    assert world.rejections() == {world.key(number): "skipped-frozen" for number in frozen}
    shown = [number for number in range(len(bodies)) if rejected == "repeat" or number not in frozen]
    assert world.keys_in_video() == [world.key(number) for number in shown]
    assert world.verify().is_right


def test_a_photo_that_is_compared_with_one_that_is_gone_becomes_a_frame() -> None:
    world = World({**ARRIVAL, "TIMELAPSE_SKIP": "frozen"})
    hanging(world, [PHOTOS[0], PHOTOS[1]], restarts=True)
    world.frames.delete([f"frames/camera/{world.key(number)}" for number in (0, 1)])
    function = world.environment()
    world.deliver(function, world.upload(2, PHOTOS[1]))
    world.sweep(function, drain=True)
    assert world.keys_in_video() == [world.key(number) for number in range(3)]


def test_the_first_frame_of_a_reel_is_compared_with_nothing() -> None:
    world = World({**ARRIVAL, "TIMELAPSE_SKIP": "frozen", "TIMELAPSE_REEL": "day"})
    function = world.environment()
    world.deliver(function, world.upload(0, PHOTOS[0]))
    world.deliver(function, world.upload(1, PHOTOS[0]))
    world.clock.advance(86_400_000)
    world.deliver(function, world.upload(2, PHOTOS[0]))
    world.deliver(function, world.upload(3, PHOTOS[0]))
    world.sweep(function, drain=True)
    assert world.keys_in_video() == [world.key(0), world.key(2)]
    assert len(world.reels()) == 2


def test_a_frozen_photo_is_not_tried_again_while_the_rule_is_on() -> None:
    world = World({**ARRIVAL})
    function = world.environment(skip="frozen")
    for number, body in enumerate([PHOTOS[0], PHOTOS[0], PHOTOS[1]]):
        world.deliver(function, world.upload(number, body))
    retry = {"retry_rejected": {"stream": "camera"}}
    function.invoke(retry, world.context(10**15))
    assert world.rejections() == {world.key(1): "skipped-frozen"}
    world.environment().invoke(retry, world.context(10**15))
    assert world.keys_in_video() == [world.key(0), world.key(2), world.key(1)]


def test_an_alarm_for_rejected_photos_does_not_sound_for_those_that_are_left_out_on_purpose(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    world = World({**ARRIVAL, "TIMELAPSE_SKIP": "dark"})
    function = world.environment()
    with recorded() as lines:
        for number, body in enumerate([None, black(1), b"no photo", black(2)]):
            world.deliver(function, world.upload(number, body))
        answer = world.sweep(function, drain=True)
    assert sum(line["Rejected"] for line in lines) == 1
    assert sum(line["Skipped"] for line in lines) == 2
    assert answer["streams"]["camera"]["frames_in_video"] == 1
    levels = {record.reason: record.levelname for record in caplog.records if record.message == "frame rejected"}  # type: ignore[attr-defined]
    assert levels == {"skipped-dark": "INFO", "unsupported-type": "WARNING"}
