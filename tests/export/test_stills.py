"""A keogram and the trails of stars, of frames that are known."""

from __future__ import annotations

import io
from datetime import UTC
from pathlib import Path

import numpy as np
import pytest
from av.video.frame import VideoFrame
from PIL import Image

from tests.world import World
from timelapse_runtime.cli import main
from timelapse_runtime.export.errors import CannotExport
from timelapse_runtime.export.exporter import Wanted, Written, plan_export, write_file
from timelapse_runtime.export.selection import Selector
from timelapse_runtime.export.stills import STILLS, TRAILS, draw_still
from timelapse_runtime.export.stream_reader import StreamReader
from timelapse_runtime.timelapse.model.keys import KEOGRAM
from timelapse_runtime.timelapse.model.video_size import Size

WIDTH, HEIGHT, FRAMES = 96, 64, 30


@pytest.fixture(scope="module")
def world() -> World:
    """A dark picture in which one bright spot wanders from the left to the right, below a sky that brightens."""
    world = World()
    function = world.environment()
    for number in range(FRAMES):
        picture = np.full((HEIGHT, WIDTH, 3), 20, np.uint8)
        picture[: HEIGHT // 2] = 40 + 6 * number
        left = 3 * number
        picture[48:54, left : left + 6] = (250, 60, 60)
        world.deliver(function, world.upload(number, jpeg(picture)))
    world.sweep(function, drain=True)
    return world


def jpeg(picture: np.ndarray) -> bytes:
    body = io.BytesIO()
    Image.fromarray(picture).save(body, "JPEG", quality=95, subsampling=0)
    return body.getvalue()


def write(world: World, path: Path, still: str, size: Size | None = None) -> Written:
    reader = StreamReader(world.video, world.keys.folder)
    wanted = Wanted(still, size=size, picture_format="PNG")
    plan = plan_export(Selector(reader, world.checkpoint(), UTC).reels(), wanted)
    done: list[int] = []
    written = write_file(reader, plan, wanted, path, threads=1, metadata={}, on_frames=done.append)
    assert sum(done) == written.frame_count
    return written


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


def test_a_keogram_has_a_column_for_each_frame(world: World, tmp_path: Path) -> None:
    assert write(world, tmp_path / "keogram.png", KEOGRAM).frame_count == FRAMES
    found = pixels(tmp_path / "keogram.png")
    assert found.shape == (HEIGHT, FRAMES, 3)
    sky = found[:24].mean(axis=(0, 2))
    assert np.abs(sky - (40 + 6 * np.arange(FRAMES))).max() < 3
    spot = found[49:53].mean(axis=0)
    is_red = (spot[:, 0] - spot[:, 2]) > 80
    assert [*np.flatnonzero(is_red)] == [15, 16]  # the spot covers the middle, column 48, in these frames


@pytest.mark.parametrize(("width", "columns"), [(10, 10), (16, 15), (30, 30), (64, 30)])
def test_a_keogram_of_more_frames_than_columns_leaves_frames_out_evenly(
    world: World, tmp_path: Path, width: int, columns: int
) -> None:
    written = write(world, tmp_path / "keogram.png", KEOGRAM, (width, 32))
    found = pixels(tmp_path / "keogram.png")
    assert found.shape == (32, columns, 3)
    assert written.size == (columns, 32)
    assert (np.diff(found[:10].mean(axis=(0, 2))) > 0).all()


def test_trails_show_each_place_at_its_brightest(world: World, tmp_path: Path) -> None:
    write(world, tmp_path / "trails.png", TRAILS)
    found = pixels(tmp_path / "trails.png")
    assert found.shape == (HEIGHT, WIDTH, 3)
    trail, ground = found[50:52, 2:90], found[58:]
    assert (trail[..., 0] > 200).all()
    assert ground.mean() < 30
    assert abs(found[:24].mean() - (40 + 6 * (FRAMES - 1))) < 3


@pytest.mark.parametrize("size", [(3, 2), (96, 64), (1918, 1078)])
def test_the_colours_are_those_of_the_frames(size: Size) -> None:
    """White, black, and the primaries, as limited-range BT.601 has them."""
    samples = {(235, 128, 128): 255, (16, 128, 128): 0}
    for (luma, blue, red), grey in samples.items():
        frame = VideoFrame(size[0] + size[0] % 2, size[1], "yuv420p")
        frame.colorspace, frame.color_range = 5, 1
        for plane, level in zip(frame.planes, (luma, blue, red), strict=True):
            plane.update(bytes([level]) * plane.buffer_size)
        for still in STILLS:
            drawn = np.asarray(draw_still(still, [frame], (frame.width, frame.height)))
            assert (np.abs(drawn.astype(int) - grey) <= 1).all(), still


def test_what_a_picture_does_not_have_is_refused(world: World) -> None:
    reader = StreamReader(world.video, world.keys.folder)
    pieces = Selector(reader, world.checkpoint(), UTC).reels()
    with pytest.raises(CannotExport, match="--speed and --codec are of videos"):
        plan_export(pieces, Wanted(KEOGRAM, "h265"))


def test_the_command_offers_each_kind() -> None:
    assert main._STILLS == STILLS
