"""A video of another tool becomes the beginning of a stream: judged by ffmpeg, frame by frame."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.adopt.files import X264, adopt_into, decoded, make, published
from tests.world import World
from timelapse_runtime.adopt.errors import CannotAdopt


def test_a_plain_file_is_copied_and_photos_follow(tmp_path: Path) -> None:
    world, old = World(), make(tmp_path / "old.mp4", *X264)
    adopted = adopt_into(world, old)
    assert (adopted.reel.frame_count, adopted.copied_count, adopted.is_finished) == (60, 60, True)
    assert decoded(published(world, tmp_path / "new.mp4")) == decoded(old)
    report = world.verify()
    assert report.is_right, report.findings
    function = world.environment()
    world.shoot(function, range(20))
    world.sweep(function, drain=True)
    report = world.verify()
    assert report.is_right, report.findings
    assert (report.frame_count, report.adopted_count) == (80, 60)
    assert [reel.frame_count for reel in world.reels()] == [60, 20]
    assert decoded(published(world, tmp_path / "new.mp4", 0)) == decoded(old)


def test_a_run_that_is_repeated_changes_nothing(tmp_path: Path) -> None:
    world, old = World(), make(tmp_path / "old.mp4", *X264)
    adopt_into(world, old)
    before = {key: world.video.get(key).info.etag for key in world.object_keys()}
    adopt_into(world, old)
    assert {key: world.video.get(key).info.etag for key in world.object_keys()} == before


def test_a_stream_with_frames_is_left_alone(tmp_path: Path) -> None:
    world, old = World(), make(tmp_path / "old.mp4", *X264)
    function = world.environment()
    world.shoot(function, range(5))
    world.sweep(function, drain=True)
    before = world.object_keys()
    with pytest.raises(CannotAdopt, match="has 5 frames already"):
        adopt_into(world, old)
    assert world.object_keys() == before
