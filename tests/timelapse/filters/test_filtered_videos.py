"""What the filters that draw make of a stream's video: judged by ffmpeg, with restarts and without."""

from __future__ import annotations

import io
import itertools
from pathlib import Path

import numpy
from PIL import Image

from tests.photos import Luma
from tests.probe import ffmpeg_lumas
from tests.world import World


def lumas(world: World, folder: Path) -> list[Luma]:
    path = folder / "video.mp4"
    path.write_bytes(world.video_bytes())
    return list(ffmpeg_lumas(path))


def video_of(folder: Path, *, restarts: bool, **settings: str) -> list[Luma]:
    """Of ten photos, one of which is damaged and gets a repeated frame."""
    world = World({"TIMELAPSE_REJECTED": "repeat", **{f"TIMELAPSE_{key}": value for key, value in settings.items()}})
    function = world.environment()
    for number in range(10):
        if restarts:
            function = world.environment()
        world.deliver(function, world.upload(number, b"\xff\xd8\xff damaged" if number == 4 else None))
        world.sweep(function, drain=True)
    assert world.verify().is_right
    latest = Image.open(io.BytesIO(world.video.get(world.keys.latest).body)).convert("L")
    found = lumas(world, folder)
    assert len(found) == 10
    small = Image.fromarray(found[-1]).resize(latest.size)
    assert abs(numpy.asarray(latest, int) - (numpy.asarray(small, int) - 16) * 255 / 219).mean() < 6
    return found


def test_what_is_masked_is_in_no_frame_and_in_no_picture_of_the_newest(tmp_path: Path) -> None:
    whole = video_of(tmp_path, restarts=True)
    masked = video_of(tmp_path, restarts=True, MASKS="black 0,50 100,100")
    for plain, half in zip(whole, masked, strict=True):
        assert abs(half[36:].astype(int) - 16).max() <= 2
        assert plain[36:].std() > 10
        assert abs(half[:24].astype(int) - plain[:24]).mean() < 3
    without_restarts = video_of(tmp_path, restarts=False, MASKS="black 0,50 100,100")
    for one, other in zip(masked, without_restarts, strict=True):
        assert abs(one.astype(int) - other).mean() < 1


def test_each_frame_has_the_clock_of_its_photo_whatever_is_restarted(tmp_path: Path) -> None:
    shown = {"CLOCK": "%M:%S", "CLOCK_PLACE": "bottom-right", "TEXT_SIZE": "25", "CAPTION": "ab"}
    with_restarts, without = (video_of(tmp_path, restarts=restarts, **shown) for restarts in (True, False))
    plain = video_of(tmp_path, restarts=False)
    for one, other, scene in zip(with_restarts, without, plain, strict=True):
        assert abs(one.astype(int) - other).mean() < 1
        assert abs(one[:40].astype(int) - scene[:40]).mean() < 3
        text = one[42:, 72:]
        assert text.max() > 225
        assert text.min() < 25
    seconds = [one[42:, 108:].astype(int) for one in with_restarts]
    changes = [abs(after - before).mean() for before, after in itertools.pairwise(seconds)]
    assert changes[3] < 2  # the frame that is repeated
    assert min(changes[:3] + changes[4:]) > 8
