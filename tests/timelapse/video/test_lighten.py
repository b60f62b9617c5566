"""A picture of the lights has the brightest of each place, in whatever order the frames come."""

from __future__ import annotations

import io

import numpy
import pytest
from av.video.frame import VideoFrame
from PIL import Image

from timelapse_runtime.timelapse.video.day_picture import UnreadableDayPicture
from timelapse_runtime.timelapse.video.day_picture_file import write_png
from timelapse_runtime.timelapse.video.lighten import Lighten

SIZE = 64, 32


def picture(lamp: int, level: int = 235) -> VideoFrame:
    """Dark, with a lamp of 8x8 samples at the place."""
    frame = VideoFrame.from_ndarray(numpy.full((48, 64), 128, numpy.uint8), format="yuv420p")
    planes = numpy.frombuffer(memoryview(frame.planes[0]), numpy.uint8).reshape(32, -1)
    planes[:] = 16
    planes[12:20, lamp : lamp + 8] = level
    return frame


def test_each_place_has_its_brightest() -> None:
    kind, canvas = Lighten(SIZE), Lighten(SIZE).canvas()
    for lamp in (0, 16, 32):
        canvas.add(kind.sample(picture(lamp), 0), 1)
    canvas.add(kind.sample(picture(16, 100), 0), 1)
    shown = numpy.asarray(Image.open(io.BytesIO(canvas.to_bytes())))[16, :, 0]
    assert canvas.frame_count == 4
    assert shown[[4, 20, 36]].min() >= 250
    assert shown[[12, 28, 52]].max() <= 5


def test_the_order_and_the_runs_of_frames_do_not_matter() -> None:
    kind, one, other = Lighten(SIZE), Lighten(SIZE).canvas(), Lighten(SIZE).canvas()
    for lamp in (0, 16, 32):
        one.add(kind.sample(picture(lamp), 0), 1)
    samples = [kind.sample(picture(lamp), 0) for lamp in (32, 0, 16)]
    other.add(kind.joined(kind.joined(samples[0], samples[1]), samples[2]), 3)
    assert one.to_bytes() == other.to_bytes()


def test_a_stored_one_goes_on_to_the_last_digit() -> None:
    kind, whole = Lighten(SIZE), Lighten(SIZE).canvas()
    whole.add(kind.sample(picture(0), 0), 1)
    resumed = kind.canvas(whole.to_bytes())
    for canvas in (whole, resumed):
        canvas.add(kind.sample(picture(40), 0), 1)
    assert resumed.frame_count == 2
    assert resumed.to_bytes() == whole.to_bytes()


def test_samples_do_not_change_the_frame_and_keep_no_reference() -> None:
    frame = picture(0)
    before = frame.to_ndarray().copy()
    kind = Lighten(SIZE)
    sample = kind.sample(frame, 0)
    kind.joined(sample, kind.sample(picture(40), 0))
    assert (frame.to_ndarray() == before).all()
    again = kind.sample(frame, 0)
    assert again[16, 44].max() <= 5


@pytest.mark.parametrize(
    ("video", "size"),
    [((1920, 1080), (960, 540)), ((1080, 1920), (540, 960)), ((640, 360), (640, 360)), ((9998, 16), (960, 2))],
)
def test_the_longer_side_is_bounded(video: tuple[int, int], size: tuple[int, int]) -> None:
    frame = VideoFrame(*video, "yuv420p")
    assert Lighten(video).sample(frame, 0).shape == (size[1], size[0], 3)


@pytest.mark.parametrize("state", [{}, {"frames": "many"}, {"frames": None}], ids=str)
def test_a_text_that_says_nothing_is_refused(state: dict[str, object]) -> None:
    with pytest.raises(UnreadableDayPicture):
        Lighten(SIZE).canvas(write_png(numpy.zeros((32, 64, 3), numpy.uint8), state))


def test_one_of_another_size_is_refused() -> None:
    with pytest.raises(UnreadableDayPicture, match="has shape"):
        Lighten(SIZE).canvas(write_png(numpy.zeros((32, 32, 3), numpy.uint8), {"frames": 1}))
