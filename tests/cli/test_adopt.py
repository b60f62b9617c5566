"""`timelapse adopt`: what it says, and what it reads beside the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.adopt.files import X264, adopt_into, decoded, make
from tests.cli.streams import target_of
from tests.world import World
from timelapse_runtime.adopt.errors import CannotAdopt
from timelapse_runtime.cli.adopt import _download, _photos_of, _text, _value
from timelapse_runtime.timelapse.model.location import Location


def test_it_says_what_was_done(tmp_path: Path) -> None:
    world, old = World(), make(tmp_path / "old.mp4", *X264, "-r", "24")
    adopted, count = adopt_into(world, old, began="2024-05-01T12:00:00Z"), len(decoded(old))
    first, rate, times = _text(adopted, target_of(world)).splitlines()
    assert first.startswith(f"s3://video-bucket/video/camera/: {count} frames of 192x128, 0.")
    assert first.endswith(" MB, copied as they are, in reel 2024-05-01-0001")
    assert rate == "each frame is a frame at 30 a second (TIMELAPSE_FPS); the file has 24 on average"
    given = "the beginning that was given, and the pace of playback; --every says the time between two frames"
    assert times == f"taken from 2024-05-01T12:00:00Z to 2024-05-01T12:00:02Z: {given}"
    value = _value(adopted)
    assert (value["frame_count"], value["copied_count"], value["encoded_count"]) == (count, count, 0)
    assert (value["frames_per_second"], value["frames_per_second_of_file"], value["is_finished"]) == (30, 24.0, True)


def test_the_settings_of_the_stream_come_before_the_variables(tmp_path: Path) -> None:
    world, old = World(), make(tmp_path / "old.mp4", *X264)
    world.video.put(world.keys.settings, b'{"format": 1, "revision": 1, "settings": {"fps": "24"}}')
    adopted = adopt_into(world, old)
    assert adopted.reel.fps == 24
    assert world.checkpoint().settings == {"fps": "24"}
    report = world.verify()
    assert report.is_right, report.findings


def test_settings_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    world, old = World(), make(tmp_path / "old.mp4", *X264)
    world.video.put(world.keys.settings, b"damaged")
    with pytest.raises(CannotAdopt, match=r"settings\.json"):
        adopt_into(world, old)


def test_a_stream_that_has_lost_its_checkpoint_is_left_alone(tmp_path: Path) -> None:
    world, old = World(), make(tmp_path / "old.mp4", *X264)
    adopt_into(world, old)
    world.video.delete([world.keys.checkpoint])
    with pytest.raises(CannotAdopt, match="has lost its checkpoint"):
        adopt_into(world, old)


def test_a_file_in_s3_is_copied_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("timelapse_runtime.cli.adopt._RANGE_BYTES", 10_000)
    world, old = World(), make(tmp_path / "old.mp4", *X264)
    world.frames.put("old/old.mp4", old.read_bytes())
    stored_epoch_ms = world.clock.now_epoch_ms()
    world.clock.advance(5_000)
    assert _download(world.frames, "old/old.mp4", tmp_path / "copy.mp4") == stored_epoch_ms
    assert decoded(tmp_path / "copy.mp4") == decoded(old)


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, None),
        ({"TIMELAPSE_FRAMES": "s3://in-bucket/photos"}, "s3://in-bucket/photos/camera/"),
        ({"TIMELAPSE_FRAMES": "s3://in-bucket/photos", "TIMELAPSE_STREAM": "camera"}, "s3://in-bucket/photos/"),
    ],
)
def test_the_variables_say_where_the_photos_will_be(variables: dict[str, str], expected: str | None) -> None:
    found = _photos_of(Location("video-bucket", "video/camera/"), variables)
    assert (None if found is None else str(found)) == expected
