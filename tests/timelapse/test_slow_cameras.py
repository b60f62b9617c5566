"""Cameras of any pace: soon in the video, few requests, segments as long as ever, one reel."""

from __future__ import annotations

from itertools import accumulate

import pytest

from tests.timelapse.slow_cameras import Result, SlowCamera

_SECONDS = {"TIMELAPSE_KEYFRAME_INTERVAL": "40"}


def waits(result: Result) -> list[int]:
    """All photos must be in the video, those that an encoder may look ahead for excepted."""
    return [9_999 if wait is None else wait for wait in result.waits_seconds]


@pytest.mark.parametrize("step", [10, 13, 30, 45, 60, 61, 75, 90, 119, 300, 3_600])
def test_a_slow_camera_is_soon_in_the_video(step: float) -> None:
    result = SlowCamera(step, has_sweeps=False, **_SECONDS).run(90)
    assert max(waits(result)[1:-8]) <= 120
    assert waits(result)[0] <= step
    assert [frames[:2] for frames in result.segment_frames] == [[40, 40]]


@pytest.mark.parametrize("step", [10, 30, 60, 90])
def test_a_slow_camera_costs_three_requests_per_photo_at_most_and_one_every_five_minutes(step: float) -> None:
    result = SlowCamera(step, has_sweeps=False).run(90)
    assert result.per_photo(result.requests) <= 3 + step / 300


@pytest.mark.parametrize("step", [0.1, 0.5, 1, 2, 3, 4, 5])
def test_a_fast_camera_keeps_its_encoder_that_looks_ahead(step: float) -> None:
    camera = SlowCamera(step, has_sweeps=False)
    result = camera.run(240)
    (reel,) = camera.world.reels()
    assert not reel.low_delay
    assert max(waits(result)[:60]) <= 120


def test_the_first_photo_of_a_stream_waits_for_a_sweep_at_most() -> None:
    result = SlowCamera(3_600).run(1)
    assert waits(result) == [300]


def test_restarts_change_nothing_but_the_keyframes() -> None:
    camera = SlowCamera(60, has_sweeps=False, **_SECONDS)
    for _ in range(5):
        camera.run(7)
        camera.restart()
    result = camera.run(7)
    assert [sum(frames) in (41, 42) for frames in result.segment_frames] == [True]
    (reel,) = camera.world.reels()
    assert reel.low_delay


def test_a_change_of_pace_changes_the_encoder_once() -> None:
    camera = SlowCamera(60)
    camera.run(30)
    camera.pace_seconds = 1
    camera.run(300)
    camera.pace_seconds = 60
    camera.run(40)
    reels = camera.world.reels()
    assert [reel.low_delay for reel in reels] == [True, False, True]
    first = list(accumulate(reel.frame_count for reel in reels))
    assert 30 + 105 <= first[0] <= 30 + 120
    assert first[-1] == camera.world.checkpoint().frame_count


def test_a_burst_after_an_hour_without_network_begins_no_reel() -> None:
    camera = SlowCamera(60)
    camera.run(30)
    camera.pace_seconds = 0.5
    camera.run(60)
    camera.pace_seconds = 60
    camera.run(30)
    assert [reel.low_delay for reel in camera.world.reels()] == [True]
