"""The simulation of fleets: what must hold for any of them, and the command."""

from __future__ import annotations

import json

import pytest

from tests.fleet.test_cost import config
from timelapse_runtime.cli.main import main
from timelapse_runtime.fleet.camera import DIRECT, FIFO, Camera
from timelapse_runtime.fleet.cost import camera_month
from timelapse_runtime.fleet.measured import figures_for
from timelapse_runtime.fleet.simulation import MAXIMUM_PHOTOS, Result, Simulation
from timelapse_runtime.fleet.usage import Usage

SIZE = (640, 360)


def simulate(
    cameras: int, routing: str, *, seconds: float = 900, seed: int = 1, maximum_photos: int = MAXIMUM_PHOTOS
) -> Result:
    parts = config(), figures_for(SIZE), Camera(1.0, size=SIZE), cameras, 1769, routing
    return Simulation(*parts, seconds=seconds, seed=seed, maximum_photos=maximum_photos).run()


def test_the_same_seed_gives_the_same_run_and_another_one_another() -> None:
    one, again, other = (simulate(3, FIFO, seed=seed) for seed in (1, 1, 2))
    assert (one.lags, one.usage) == (again.lags, again.usage)
    assert one.lags != other.lags


@pytest.mark.parametrize("routing", [DIRECT, FIFO])
def test_each_photo_is_counted_once(routing: str) -> None:
    result = simulate(3, routing)
    assert result.photos == pytest.approx(3 * 810, rel=0.05)
    assert result.usage.requests["GetObject"] == pytest.approx(result.photos, rel=0.05)
    assert 0 <= result.backlog <= 15
    assert len(result.lags) == pytest.approx(result.photos, rel=0.1)
    assert min(result.lags) > 0


def test_streams_that_fit_stay_open_and_others_take_turns() -> None:
    fitting = simulate(4, DIRECT)
    assert fitting.hits / fitting.photos > 0.99
    crowded = simulate(12, DIRECT)
    assert crowded.hits / crowded.photos < 0.7
    assert sum(crowded.usage.requests.values()) / crowded.photos > 5
    assert max(crowded.lags) > 2 * max(fitting.lags)
    routed = simulate(12, FIFO)
    assert routed.hits / routed.photos > 0.99


def test_of_a_large_fleet_with_an_environment_each_a_part_is_simulated() -> None:
    few, many = simulate(20, FIFO), simulate(2_000, FIFO, maximum_photos=18_000)
    assert many.simulated_cameras < many.cameras == 2_000
    assert many.lag(50) == pytest.approx(few.lag(50), rel=0.1)


def test_the_simulation_and_the_means_of_the_cost_agree() -> None:
    result = simulate(4, DIRECT, seconds=3_600)
    month = camera_month(config(), figures_for(SIZE), Camera(1.0, size=SIZE), 1769, DIRECT)
    per_photo = result.usage.times(1 / result.photos)
    mean: Usage = month.usage.times(1 / month.photos)
    assert per_photo.gb_seconds == pytest.approx(mean.gb_seconds, rel=0.15)
    requests = sum(per_photo.requests.values())
    assert requests == pytest.approx(sum(mean.requests.values()), rel=0.05)


def test_the_command_prints_a_row_for_each_run(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["simulate", "--cameras", "2", "--seconds", "600", "--interval", "5", "--size", "640x360"]
    assert main([*words, "--memory", "885", "1769"]) == 0
    text = capsys.readouterr().out
    assert len([line for line in text.splitlines() if line.strip().startswith("2 ")]) == 4
    assert max(map(len, text.splitlines())) <= 120
    assert main([*words, "--routing", "fifo", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["runs"]
    assert row["routing"] == "fifo"
    assert row["usd_arm64"] < row["usd_x86_64"]
    assert row["keeps_up"]


def test_a_fleet_that_falls_behind_has_no_price(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["simulate", "--cameras", "12", "--seconds", "400", "--size", "640x360", "--routing", "direct"]
    assert main(words) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.strip().startswith("12 ")]
    assert line.split()[-2:] == ["-", "-"]
