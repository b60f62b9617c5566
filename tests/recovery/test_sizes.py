"""Photos of several sizes in one stream, through real codecs: which reels they get, whatever ends the environment."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.photos import make_photos, read_number
from tests.probe import ffmpeg_lumas, ffprobe_frames
from tests.timelapse.video.images import encode
from tests.world import World
from timelapse_runtime.timelapse import Timelapse

SMALL, LARGE = (320, 180), (640, 360)  # the number in them has the same share of the picture


def photos(*sizes: tuple[int, int]) -> Iterator[bytes]:
    """Numbered photos of these sizes, in turn."""
    for number, size in enumerate(sizes):
        yield from make_photos(1, size, first=number)


def white(width: int, height: int, codec: str = "mjpeg", pixel_format: str = "yuvj420p") -> bytes:
    return encode(codec, pixel_format, np.full((height, width, 3), 255, np.uint8))


class Camera:
    """Uploads photos and delivers their events; `ends` says how each environment ends, and after how many photos."""

    def __init__(self, ends: tuple[str, int] | None, outbox: Path) -> None:
        self.world = World({"TIMELAPSE_NEW_SIZE_AFTER": "5"}, outbox if ends and ends[0] == "shutdown" else None)
        self.ends, self.uploaded = ends, 0
        self.function: Timelapse | None = None

    def shoot(self, bodies: Iterator[bytes]) -> None:
        for body in bodies:
            self.function = self.function or self.world.environment()
            self.world.deliver(self.function, self.world.upload(self.uploaded, body))
            self.uploaded += 1
            if self.ends is not None and self.uploaded % self.ends[1] == 0:
                if self.ends[0] == "shutdown":
                    self.world.shut_down(self.function)
                self.function = None

    def sizes_of_reels(self) -> list[tuple[int, int]]:
        """After a sweep that finds every photo in the video."""
        self.world.sweep(self.function or self.world.environment(), drain=True)
        assert self.world.keys_in_video() == [self.world.key(number) for number in range(self.uploaded)]
        report = self.world.verify()
        assert (report.findings, report.pending, self.world.rejections()) == ([], [], {})
        return [(reel.width, reel.height) for reel in self.world.reels()]


@pytest.fixture(params=[None, ("shutdown", 1), ("shutdown", 4), ("kill", 7), ("kill", 11)], ids=str)
def camera(request: pytest.FixtureRequest, tmp_path: Path) -> Camera:
    return Camera(request.param, tmp_path / "outbox")


def test_a_thumbnail_that_came_first_does_not_decide_the_reel(camera: Camera, tmp_path: Path) -> None:
    (tmp_path / "outbox").mkdir()
    camera.shoot(photos(SMALL, *[LARGE] * 30))
    assert camera.sizes_of_reels() == [SMALL, LARGE]
    video, found = tmp_path / "video.mp4", []
    for reel in camera.world.reels():
        video.write_bytes(camera.world.video_bytes(reel))
        probe = ffprobe_frames(video)
        assert (probe.width, probe.height, probe.messages) == (reel.width, reel.height, "")
        found += [read_number(luma) for luma in ffmpeg_lumas(video)]
    assert found == list(range(31))


def test_cameras_that_take_turns_share_a_reel(camera: Camera, tmp_path: Path) -> None:
    (tmp_path / "outbox").mkdir()
    camera.shoot(photos(*[SMALL, LARGE] * 15))
    assert camera.sizes_of_reels() == [SMALL]


def test_a_panorama_that_came_first_is_a_frame_and_the_stream_goes_on(tmp_path: Path) -> None:
    camera = Camera(None, tmp_path)
    camera.shoot(iter([white(20_000, 64), *photos(*[LARGE] * 9)]))
    assert camera.sizes_of_reels() == [(3840, 16), LARGE]


def test_a_large_photo_in_a_small_function_is_a_frame_of_a_smaller_video(tmp_path: Path) -> None:
    camera = Camera(None, tmp_path)
    camera.world.settings["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] = "256"
    camera.shoot(iter([white(2400, 1600)] * 3))
    ((width, height),) = camera.sizes_of_reels()
    assert 640 < width < 2400
    assert abs(width / height - 1.5) < 0.01


@pytest.mark.parametrize(
    ("codec", "pixel_format", "size"),
    [("mjpeg", "yuvj420p", (5000, 3000)), ("mjpeg", "yuvj444p", (3000, 2000)), ("png", "rgb48be", (2200, 1450))],
    ids=["before it is decoded", "decoded, 4:4:4", "decoded, 16 bits"],
)
def test_a_photo_that_does_not_fit_into_the_memory_has_a_record_and_the_stream_goes_on(
    tmp_path: Path, codec: str, pixel_format: str, size: tuple[int, int]
) -> None:
    camera = Camera(None, tmp_path)
    camera.world.settings["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] = "256"
    camera.shoot(iter([white(*SMALL), white(*size, codec, pixel_format), white(*SMALL)]))
    camera.world.sweep(camera.function or camera.world.environment(), drain=True)
    assert camera.world.keys_in_video() == [camera.world.key(0), camera.world.key(2)]
    assert camera.world.rejections() == {camera.world.key(1): "too-large"}


@pytest.mark.parametrize(("fit", "corner"), [("fit", 16), ("fill", 235), ("stretch", 235)])
def test_another_shape_is_fitted_as_configured(tmp_path: Path, fit: str, corner: int) -> None:
    camera = Camera(None, tmp_path)
    camera.world.settings |= {"TIMELAPSE_FIT": fit, "TIMELAPSE_SIZE": "320x180"}
    camera.shoot(iter([white(320, 180), white(400, 100)]))
    assert camera.sizes_of_reels() == [(320, 180)]
    video = tmp_path / "video.mp4"
    video.write_bytes(camera.world.video_bytes())
    *_, luma = ffmpeg_lumas(video)
    assert abs(int(luma[4, 4]) - corner) <= 2
    assert abs(int(luma[90, 160]) - 235) <= 2
