"""The model of a stream against the real function, at several paces: requests, and when photos are committed."""

from __future__ import annotations

import statistics

import pytest

from tests.timelapse.slow_cameras import DEFAULTS, SWEEP_SECONDS, SlowCamera
from timelapse_runtime.fleet.assumptions import SWEEP_SECONDS as ASSUMED_SWEEP_SECONDS
from timelapse_runtime.fleet.measured import OPERATIONS, Figures, Operation
from timelapse_runtime.fleet.prices import s3_usd
from timelapse_runtime.fleet.stream import StreamModel
from timelapse_runtime.fleet.usage import add
from timelapse_runtime.timelapse.config import Config, parse_config

FRAMES_INSIDE = 5
"""x264's lookahead with the preset of the tests, `superfast`."""
WARM_PHOTOS = 90
"""At least. With SWEEP_SECONDS, the first sweep and the first pictures of the day are among them."""
PLACES = {"TIMELAPSE_FRAMES": "s3://frames/frames/", "TIMELAPSE_VIDEO": "s3://video/video/"}


def figures(frames_inside: int = FRAMES_INSIDE) -> Figures:
    """A photo is a GET and a sweep a LIST, as measured.json has it; each takes a millisecond."""
    requests = {"photo": {"GetObject": 1.0}, "slow_photo": {"GetObject": 1.0}, "sweep": {"ListObjectsV2": 1.0}}
    operations = {name: Operation(1.0, requests.get(name, {})) for name in OPERATIONS}
    return Figures((128, 64), operations, [1.0], 3_000, 300, frames_inside, 300, "")


def config(**settings: str) -> Config:
    return parse_config(PLACES | DEFAULTS | settings)


class Modelled:
    """The same camera as SlowCamera, in the model. A sweep of all streams lists their folders first."""

    def __init__(self, step_seconds: float, **settings: str) -> None:
        self._stream, self._step = StreamModel(config(**settings), figures(), step_seconds), step_seconds
        self.requests: dict[str, float] = {}
        self.waits = list[float]()
        self._now, self._next_sweep = 0.0, float(SWEEP_SECONDS)

    def run(self, count: int) -> None:
        for _ in range(count):
            now = self._now
            work = self._stream.append(now, now)
            self._take(work.requests, [now - uploaded for uploaded in work.committed])
            self._now += self._step
            while self._next_sweep < self._now:
                work = self._stream.sweep(self._next_sweep)
                self._take({"ListObjectsV2": 1.0}, [])
                self._take(work.requests, [self._next_sweep - uploaded for uploaded in work.committed])
                self._next_sweep += SWEEP_SECONDS

    def _take(self, requests: dict[str, float], waits: list[float]) -> None:
        add(self.requests, requests)
        self.waits += waits


@pytest.mark.parametrize("pictures", ["off", "keogram, lighten"])
@pytest.mark.parametrize(("step", "count"), [(1, 360), (2, 240), (10, 120), (60, 60), (300, 30)])
def test_the_model_sends_the_functions_requests_and_commits_when_it_does(step: int, count: int, pictures: str) -> None:
    """Of a stream that runs: its first open and its first sweep are operations of their own."""
    real, modelled = SlowCamera(step, TIMELAPSE_DAY_PICTURES=pictures), Modelled(step, TIMELAPSE_DAY_PICTURES=pictures)
    warm = max(WARM_PHOTOS, SWEEP_SECONDS // step + 1)
    for camera in (real, modelled):
        camera.run(warm)
    sent_before, modelled_before = real.result.requests + real.result.sweep_requests, dict(modelled.requests)
    for camera in (real, modelled):
        camera.run(count)
    sent = real.result.requests + real.result.sweep_requests - sent_before
    add(modelled.requests, modelled_before, -1)
    assert sum(modelled.requests.values()) == pytest.approx(sent.total(), rel=0.05)
    assert s3_usd(modelled.requests) == pytest.approx(s3_usd(sent), rel=0.05)
    waits = [wait for wait in real.result.waits_seconds[warm:] if wait is not None]
    assert statistics.mean(modelled.waits[warm:]) == pytest.approx(statistics.mean(waits), rel=0.05, abs=0.5)


def test_an_environments_end_leaves_what_waits_and_what_is_inside_the_encoder_to_the_next_one() -> None:
    stream = StreamModel(config(), figures(), 1.0)
    for number in range(40):
        stream.append(float(number), float(number))
    complete = stream.lose()
    assert len(complete) + len(stream.pending) == 40
    held = len(stream.pending) - FRAMES_INSIDE
    assert 10 <= held <= 16  # those of the last ten seconds
    again = stream.open()
    assert again.requests == {"GetObject": float(FRAMES_INSIDE + held)}
    assert not stream.pending


def test_a_stream_that_is_closed_to_make_room_commits_all_that_it_holds() -> None:
    stream = StreamModel(config(), figures(), 1.0)
    for number in range(40):
        stream.append(float(number), float(number))
    assert len(stream.evict(40.0).committed) == 40
    assert not stream.holds_photos


def test_the_sweeps_of_the_model_are_those_of_the_test_camera() -> None:
    assert ASSUMED_SWEEP_SECONDS == SWEEP_SECONDS
