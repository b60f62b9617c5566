"""When the frames of an adopted video were taken."""

from __future__ import annotations

from fractions import Fraction

import pytest

from timelapse_runtime.adopt.capture_times import capture_times
from timelapse_runtime.adopt.source_file import Facts

_ENDED = 1_000_000


def facts(began_epoch_ms: int | None = None, rate: Fraction = Fraction(25)) -> Facts:
    return Facts("a.mp4", "h264", "yuv420p", (64, 64), 0, False, True, Fraction(1), rate, began_epoch_ms, _ENDED)


@pytest.mark.parametrize(
    ("created", "began", "every", "first", "last"),
    [
        (None, 5_000, Fraction(2_000), 5_000, 25_000),
        (None, 500_000, None, 500_000, _ENDED),
        (None, _ENDED + 7, None, _ENDED + 7, _ENDED + 407),
        (600_000, None, None, 600_000, _ENDED),
        (600_000, None, Fraction(1_000), 600_000, 610_000),
        (600_000, 700_000, None, 700_000, _ENDED),
        (None, None, Fraction(10_000), 900_000, _ENDED),
        (None, None, None, _ENDED - 400, _ENDED),
    ],
)
def test_what_is_said_comes_before_what_the_file_says(
    created: int | None, began: int | None, every: Fraction | None, first: int, last: int
) -> None:
    times = capture_times(facts(created), 11, Fraction(30), began_epoch_ms=began, every_ms=every)
    assert (times.of(0), times.of(10)) == (first, last)


def test_one_frame_and_a_file_without_a_rate() -> None:
    times = capture_times(facts(rate=Fraction(0)), 1, Fraction(30), began_epoch_ms=None, every_ms=None)
    assert (times.of(0), times.every_ms) == (_ENDED, Fraction(100, 3))
