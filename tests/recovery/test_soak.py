"""The soak run, small: what `python -m tests.recovery.soak` does for half an hour."""

from __future__ import annotations

from tests.programs import require_program
from tests.recovery.soak import Life, soak, summary


def test_streams_of_processes_that_are_killed_at_random_lose_nothing_and_double_nothing() -> None:
    require_program("ffmpeg")
    settings = {"TIMELAPSE_FLUSH_EVERY": "6", "TIMELAPSE_KEYFRAME_INTERVAL": "12"}
    line = summary(soak(2, 30, every=8, settings=settings))
    assert (line["frames"], line["wrong"]) == (60, [])
    assert sum(line["disturbances"].values()) > 1
    assert line["cold_starts"] > 2


def test_the_growth_of_a_process_is_that_of_its_warm_frames() -> None:
    filling = [(frame, 50_000_000 + 100_000 * frame) for frame in range(20, 2_000, 20)]
    warm = [(frame, 300_000_000 + 70 * frame) for frame in range(2_000, 4_000, 20)]
    assert round(Life([*filling, *warm]).growth_kb) == 70
