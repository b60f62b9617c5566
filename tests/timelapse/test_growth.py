"""Nothing of a stream grows without bound: a reel ends before its checkpoint is too long, and a year is like a month.

At full size: `python -m tests.timelapse.year`.
"""

from __future__ import annotations

from dataclasses import asdict

import pytest

from tests.recovery.fake_media import fake_world
from tests.timelapse.test_field_cases import Camera
from tests.timelapse.year import LIMIT_BYTES, Year, bulk_upload, is_like
from timelapse_runtime.timelapse.model.checkpoint import (
    ARRIVAL_ORDER,
    MAXIMUM_HISTORY_BYTES,
    Checkpoint,
    history_size_bytes,
)

SETTINGS = {
    "TIMELAPSE_ORDER": "arrival",
    "TIMELAPSE_FLUSH_EVERY": "4",
    "TIMELAPSE_KEYFRAME_INTERVAL": "2",
    "TIMELAPSE_REEL": "never",
}


def long_name(number: int) -> str:
    """As long as a key of S3 can be behind the prefix of the tests."""
    return f"{number:0980d}.jpg"


@pytest.mark.parametrize("restarts", [False, True])
def test_a_reel_ends_before_its_checkpoint_is_too_long(*, restarts: bool) -> None:
    """With names of almost 1,000 characters a segment takes more than a kilobyte."""
    camera, sizes = Camera(fake_world(SETTINGS)), list[int]()
    for number in range(480):
        camera.shoot([long_name(number)], number, start=number)
        if (stored := camera.world.video.peek(camera.world.keys.checkpoint)) is not None:
            sizes.append(len(stored))
        if restarts and number % 50 == 49:
            camera.restart()
    assert camera.finish() == list(range(480))
    assert 2 <= len(camera.world.reels()) <= 4  # it is not ended again and again either
    assert MAXIMUM_HISTORY_BYTES < max(sizes) <= LIMIT_BYTES + 2 * len(long_name(0))


def test_what_is_ahead_of_the_watermark_is_bounded_in_bytes() -> None:
    """Unless a photo has to be waited for, the watermark follows if names are long."""
    camera = Camera(fake_world(SETTINGS | {"TIMELAPSE_KEYFRAME_INTERVAL": "1800", "TIMELAPSE_FLUSH_EVERY": "40"}))
    camera.shoot([long_name(number) for number in range(280)])
    ahead = camera.world.checkpoint().ahead
    assert len(str(list(ahead))) <= 80_000
    assert len(ahead) > 40
    assert camera.finish() == list(range(280))


def test_the_size_that_ends_a_reel_is_that_of_the_stored_checkpoint_without_what_is_ahead() -> None:
    ahead = ('001790000000000 etag "quoted" ü.jpg', "001790000000001 etag 2.jpg")
    without, checkpoint = (
        Checkpoint("s3://frames/camera/", 1, "-", "0", positions, 0, 0, None, ARRIVAL_ORDER)
        for positions in ((), ahead)
    )
    assert history_size_bytes(checkpoint) == history_size_bytes(without)
    assert history_size_bytes(checkpoint, checkpoint.to_json()) == history_size_bytes(checkpoint)


def test_a_photo_a_second_fills_a_whole_reel() -> None:
    """The usual day is not cut: 100,000 frames in segments of 180, with the names of a usual camera."""
    camera = Camera(fake_world(SETTINGS | {"TIMELAPSE_KEYFRAME_INTERVAL": "12", "TIMELAPSE_FLUSH_EVERY": "12"}))
    camera.shoot([f"2026-11-26T{number:06d}Z.jpg" for number in range(240)])
    checkpoint = camera.world.checkpoint()
    assert checkpoint.reel is not None
    per_segment = (history_size_bytes(checkpoint) - 1_000) / len(checkpoint.reel.segments)
    assert per_segment * 100_000 / 180 < MAXIMUM_HISTORY_BYTES


def test_the_last_quarter_is_like_the_second() -> None:
    year = Year(days=48, photos_a_day=40, expire_days=6)
    _, second, *_, last = [asdict(quarter) for quarter in year.run()]
    assert [name for name, value in last.items() if name != "days" and not is_like(value, second[name])] == []
    assert last["photos_kept"] == 6 * 40


def test_the_checkpoints_of_a_bulk_upload_stay_small() -> None:
    """While 2,400 photos are put in the order in which they were taken, the watermark stands still."""
    one = bulk_upload(120)
    assert one.largest_bytes < LIMIT_BYTES / 2
    assert one.all_bytes / one.photos < 2_000
