"""Where a logo comes from; and a bad one, which stops no camera and is named in the log."""

from __future__ import annotations

import io
import logging
from pathlib import Path

import av
import pytest

from tests.timelapse.filters.test_logo import BROKEN, RED, plain
from tests.world import World
from timelapse_runtime.timelapse.config import parse_config
from timelapse_runtime.timelapse.known_settings import READ_EVERY_MS
from timelapse_runtime.timelapse.logo_file import MAXIMUM_BYTES, LogoFiles

KEY = "video/logo.png"
LOGO = {"TIMELAPSE_LOGO": f"s3://video-bucket/{KEY}", "TIMELAPSE_LOGO_SIZE": "40", "TIMELAPSE_LOGO_MARGIN": "0"}
RED_V = 240


def corner(world: World) -> list[int]:
    """How red the top right corner is (V) in each frame of all reels."""
    found = []
    for reel in world.reels():
        with av.open(io.BytesIO(world.video_bytes(reel)), "r") as video:
            for frame in video.decode(video=0):
                chroma = frame.to_ndarray(format="yuv420p")[frame.height * 5 // 4 :].reshape(-1, frame.width // 2)
                found.append(int(chroma[4, -4]))
    return found


@pytest.fixture
def world() -> World:
    return World(dict(LOGO))


def test_it_is_in_each_frame_also_after_a_restart(world: World) -> None:
    world.video.put(KEY, plain(RED))
    world.shoot(world.environment(), range(7))
    function = world.environment()
    world.shoot(function, range(7, 14))
    world.sweep(function, close=True)
    assert len(corner(world)) == 14
    assert min(corner(world)) > RED_V - 10
    assert not world.verify().findings


def test_a_new_one_is_shown_within_minutes(world: World) -> None:
    world.video.put(KEY, plain((255, 255, 255)))
    function = world.environment()
    world.shoot(function, range(5))
    world.video.put(KEY, plain(RED))
    world.clock.advance(READ_EVERY_MS)
    world.shoot(function, range(5, 10))
    world.sweep(function, close=True)
    assert max(corner(world)[:5]) < 140
    assert min(corner(world)[6:]) > RED_V - 10


@pytest.mark.parametrize("kind", [*BROKEN, "missing", "too many bytes"])
def test_a_bad_one_stops_no_camera_and_the_log_names_the_variable(
    world: World, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    if kind != "missing":
        world.video.put(KEY, BROKEN.get(kind, bytes(MAXIMUM_BYTES + 1)))
    function = world.environment()
    world.shoot(function, range(3))
    world.sweep(function, close=True)
    assert world.keys_in_video() == [world.key(number) for number in range(3)]
    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert {getattr(record, "variable", "") for record in errors} == {"TIMELAPSE_LOGO"}


def test_the_last_good_one_stays(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.video.put(KEY, plain(RED))
    function = world.environment()
    world.shoot(function, range(3))
    world.video.delete([KEY])
    world.clock.advance(READ_EVERY_MS)
    world.shoot(function, range(3, 6))
    world.sweep(function, close=True)
    assert min(corner(world)) > RED_V - 10
    assert "the one before stays" in caplog.text


def test_a_file_of_the_package_is_read(world: World, tmp_path: Path) -> None:
    (tmp_path / "brand").mkdir()
    (tmp_path / "brand" / "logo.png").write_bytes(plain(RED))
    logos = LogoFiles(world.video, tmp_path)
    config = parse_config(world.variables(logo="brand/logo.png"))
    assert logos.with_logo(config, "camera").logo_png == plain(RED)
    before = dict(world.video.request_counts)
    assert logos.with_logo(parse_config(world.variables(logo="")), "camera").logo_png == b""
    assert world.video.request_counts == before


def test_what_has_not_changed_is_not_sent_again(world: World) -> None:
    world.video.put(KEY, plain(RED))
    logos, config = LogoFiles(world.video), parse_config(world.variables())
    first, second = logos.with_logo(config, "camera"), logos.with_logo(config, "other")
    assert first.logo_png is second.logo_png
