"""A keogram has the middle column of each frame; its size is bounded, and a stored one goes on where it ended."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING
from unittest.mock import patch

import numpy
import pytest
from av.video.frame import VideoFrame
from PIL import Image

from timelapse_runtime.timelapse.video import keogram
from timelapse_runtime.timelapse.video.day_picture import UnreadableDayPicture
from timelapse_runtime.timelapse.video.day_picture_file import write_png
from timelapse_runtime.timelapse.video.keogram import MAXIMUM_COLUMNS, Keogram, KeogramCanvas, middle_column

if TYPE_CHECKING:
    from timelapse_runtime.timelapse.video.day_picture import Pixels

SIZE = 32, 16


def picture(level: int, size: tuple[int, int] = SIZE) -> VideoFrame:
    """A grey picture whose middle column is of the level (0 to 255), and the rest black."""
    pixels = numpy.zeros((size[1], size[0], 3), numpy.uint8)
    pixels[:, size[0] // 2] = level
    return VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format="yuv444p").reformat(format="yuv420p")


def shown(png: bytes) -> Pixels:
    """By another decoder than the one that reads it back."""
    return numpy.asarray(Image.open(io.BytesIO(png)))


def drawn(levels: list[int]) -> KeogramCanvas:
    """Of columns that are made directly."""
    canvas = Keogram(SIZE).canvas()
    for level in levels:
        canvas.add(numpy.full((1, SIZE[1], 3), level, numpy.uint8), 1)
    return canvas


def test_each_frame_has_its_middle_column() -> None:
    kind, canvas = Keogram(SIZE), Keogram(SIZE).canvas()
    for level in (0, 100, 255):
        canvas.add(kind.sample(picture(level), 0), 1)
    assert canvas.frame_count == 3
    assert shown(canvas.to_bytes()).shape == (16, 3, 3)
    assert abs(shown(canvas.to_bytes())[:, :, 0].astype(int) - [0, 100, 255]).max() <= 2


@pytest.mark.parametrize("colour", [(255, 0, 0), (0, 255, 0), (0, 0, 255), (200, 120, 40), (255, 255, 255), (0, 0, 0)])
def test_colours_are_the_video_s(colour: tuple[int, int, int]) -> None:
    flat = numpy.full((16, 32, 3), colour, numpy.uint8)
    frame = VideoFrame.from_ndarray(flat, format="rgb24").reformat(format="yuv420p")
    assert abs(middle_column(frame).astype(int) - colour).max() <= 3
    assert abs(middle_column(frame).astype(int) - frame.to_ndarray(format="rgb24")[:, 0]).max() <= 2


@pytest.mark.parametrize(("height", "rows"), [(16, 16), (720, 720), (1080, 540), (2160, 720), (9998, 714)])
def test_the_height_is_bounded(height: int, rows: int) -> None:
    kind = Keogram((16, height))
    assert kind.sample(picture(80, (16, height)), 0).shape == (1, rows, 3)


@pytest.mark.parametrize("count", [1, 7, 8, 9, 15, 16, 17, 1_000])
def test_the_width_is_bounded_and_each_frame_counts_the_same(count: int) -> None:
    levels = [number * 37 % 256 for number in range(count)]
    with patch.object(keogram, "MAXIMUM_COLUMNS", 8):
        columns = shown(drawn(levels).to_bytes())[0, :, 0].astype(float)
    step = 1
    while count >= 8 * step:
        step *= 2
    expected = [numpy.mean(levels[start : start + step]) for start in range(0, count, step)]
    assert len(columns) == len(expected) <= 8
    assert abs(columns - expected).max() <= 0.5 + numpy.log2(step) / 2  # each merge rounds once


@pytest.mark.parametrize("end", [1, 5, 8, 13, 64, 69])
def test_a_stored_one_goes_on_to_the_last_digit(end: int) -> None:
    levels = [number * 91 % 256 for number in range(70)]
    with patch.object(keogram, "MAXIMUM_COLUMNS", 8):
        whole, resumed = drawn(levels), Keogram(SIZE).canvas(drawn(levels[:end]).to_bytes())
        for level in levels[end:]:
            resumed.add(numpy.full((1, SIZE[1], 3), level, numpy.uint8), 1)
        assert resumed.to_bytes() == whole.to_bytes()


def test_columns_may_come_together() -> None:
    kind, canvas = Keogram(SIZE), Keogram(SIZE).canvas()
    samples = [kind.sample(picture(level), 0) for level in (10, 20, 30)]
    canvas.add(kind.joined(kind.joined(samples[0], samples[1]), samples[2]), 3)
    apart = kind.canvas()
    for sample in samples:
        apart.add(sample, 1)
    assert canvas.to_bytes() == apart.to_bytes()


def test_damage_never_changes_what_is_read() -> None:
    """It is refused, but for that of what follows the picture's last sample."""
    png = drawn([10, 20, 30]).to_bytes()
    end = png.index(b"IEND") - 4
    for position in range(len(png)):
        for damaged in (png[:position] + bytes([png[position] ^ 4]) + png[position + 1 :], png[:position]):
            try:
                found = Keogram(SIZE).canvas(damaged)
            except UnreadableDayPicture:
                continue
            assert position >= end
            assert found.to_bytes() == png


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"frames": 2},
        {"frames": 3, "frames_per_column": 1, "sum_of_last": ""},
        {"frames": 2, "frames_per_column": 0, "sum_of_last": ""},
        {"frames": 2, "frames_per_column": 1, "sum_of_last": "AAAA"},
        {"frames": 3, "frames_per_column": 2, "sum_of_last": ""},
        {"frames": 2, "frames_per_column": 1, "sum_of_last": None},
        {"frames": -2, "frames_per_column": -1, "sum_of_last": ""},
    ],
    ids=str,
)
def test_a_text_that_does_not_fit_the_picture_is_refused(state: dict[str, object]) -> None:
    with pytest.raises(UnreadableDayPicture):
        Keogram(SIZE).canvas(write_png(numpy.zeros((SIZE[1], 2, 3), numpy.uint8), state))


def test_one_of_another_size_is_refused() -> None:
    with pytest.raises(UnreadableDayPicture, match="has shape"):
        Keogram((32, 18)).canvas(drawn([1]).to_bytes())


def test_a_day_of_a_photo_a_second_has_1350_columns() -> None:
    canvas = KeogramCanvas(1)
    column = numpy.zeros((86_400, 1, 3), numpy.uint8)
    canvas.add(column, len(column))
    assert shown(canvas.to_bytes()).shape[1] == 1_350
    assert MAXIMUM_COLUMNS == 2_048
