"""Dollars per camera and month."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fleet.test_stream import PLACES
from timelapse_runtime.cli.main import main
from timelapse_runtime.fleet import assumptions
from timelapse_runtime.fleet.camera import DIRECT, FIFO, Camera
from timelapse_runtime.fleet.cost import FleetCost, Month, camera_month, storage_usd, streams_in
from timelapse_runtime.fleet.extras import with_extras
from timelapse_runtime.fleet.measured import OPERATIONS, Operation, figures_for, load
from timelapse_runtime.fleet.prices import FREE_REQUESTS, MONTH_SECONDS, PRICES_USD, s3_usd
from timelapse_runtime.fleet.usage import Usage
from timelapse_runtime.timelapse.config import Config, parse_config

SIZE = (1920, 1080)
INFRA = Path(__file__).parents[2] / "infra"


def config(memory_mb: int = 1769, /, **settings: str) -> Config:
    return parse_config(PLACES | {"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(memory_mb)} | settings)


def fleet(memory_mb: int = 1769, interval: float = 1.0, **settings: str) -> FleetCost:
    return FleetCost(config(memory_mb, **settings), figures_for(SIZE), Camera(interval), memory_mb)


def test_a_request_without_a_price_is_an_error_and_deleting_is_free() -> None:
    assert s3_usd(dict.fromkeys(FREE_REQUESTS, 1000)) == 0
    with pytest.raises(KeyError):
        s3_usd({"RestoreObject": 1})


def test_the_bill_is_the_sum_of_what_is_used_times_its_price() -> None:
    usage = Usage(
        invocations=1e6,
        gb_seconds=1000,
        small_invocations=1e6,
        small_gb_seconds=100,
        requests={"GetObject": 1e6, "PutObject": 1000},
        queue_requests=1e6,
        events=1e6,
        log_bytes=2e9,
        metric_months=4,
    )
    bill = usage.bill("arm64")
    assert bill["compute"] == pytest.approx(1000 * 0.0000133334)
    assert usage.bill("x86_64")["compute"] == pytest.approx(1000 * 0.0000166667)
    assert bill["queue"] == pytest.approx(100 * 0.0000166667 + 0.2 + 0.5 + 1.0)
    assert bill["s3 requests"] == pytest.approx(0.4 + 0.005)
    assert (bill["metrics"], bill["logs"], bill["invocations"]) == pytest.approx((1.2, 1.0, 0.2))
    assert sum(usage.times(3).bill("arm64").values()) == pytest.approx(3 * sum(bill.values()))


@pytest.mark.parametrize("interval", [1.0, 90.0])
def test_what_is_turned_on_is_paid_for(interval: float) -> None:
    def month(**settings: str) -> Month:
        chosen = config(**{f"TIMELAPSE_{name}": value for name, value in settings.items()})
        return camera_month(chosen, with_extras(figures_for(SIZE), chosen), Camera(interval), 1769, DIRECT)

    usual = month()

    def added_ms(more: Month) -> float:
        return (more.cpu_seconds - usual.cpu_seconds) / usual.photos * 1000

    one = month(STABILISE="on")
    assert added_ms(one) == pytest.approx(0.18 * 0.73 * figures_for(SIZE).operations["photo"].cpu_ms)
    assert one.usage.requests == usual.usage.requests
    most = month(STABILISE="on", DENOISE="light", CLOCK="%H:%M", BLEND="4")
    assert added_ms(most) == pytest.approx(added_ms(one) * (0.18 + 0.18 + 0.03 + 0.06) / 0.18)
    with_pictures = month(DAY_PICTURES="keogram, digest")
    assert with_pictures.cpu_seconds > usual.cpu_seconds
    more = with_pictures.usage.requests["PutObject"] - usual.usage.requests["PutObject"]
    writes = MONTH_SECONDS / (180.0 if interval == 1 else 600.0)
    assert more == pytest.approx(2 * writes, rel=0.3)


def test_a_month_of_a_camera_counts_each_photo_once() -> None:
    month = camera_month(config(), figures_for(SIZE), Camera(1.0), 1769, DIRECT)
    assert month.photos == pytest.approx(730 * 3600)
    sweeps = 730 * 3600 / assumptions.SWEEP_SECONDS
    assert month.usage.invocations == pytest.approx(month.photos + sweeps)
    assert 1.0 < month.usage.requests["GetObject"] / month.photos < 1.05
    routed = camera_month(config(), figures_for(SIZE), Camera(1.0), 1769, FIFO)
    assert routed.usage.events == pytest.approx(month.photos)
    assert routed.usage.small_gb_seconds > 0


def test_half_the_hours_cost_half_of_all_but_the_sweeps_and_metrics() -> None:
    day, half = (
        camera_month(config(), figures_for(SIZE), Camera(1.0, hours), 1769, DIRECT).usage for hours in (24, 12)
    )
    assert half.gb_seconds == pytest.approx(day.gb_seconds / 2, rel=0.02)
    assert half.metric_months == day.metric_months == pytest.approx(4)


def test_less_memory_than_a_vcpu_has_makes_invocations_longer_and_not_cheaper_by_more_than_the_waiting() -> None:
    whole = camera_month(config(1769), figures_for(SIZE), Camera(1.0), 1769, DIRECT)
    half = camera_month(config(885), figures_for(SIZE), Camera(1.0), 885, DIRECT)
    assert half.busy_share > 1.4 * whole.busy_share
    assert 0.5 * whole.usage.gb_seconds < half.usage.gb_seconds < whole.usage.gb_seconds


def test_cameras_that_do_not_fit_into_one_environment_get_one_each() -> None:
    model = fleet()
    fitting = streams_in(config(), SIZE)
    assert model.on_lambda(fitting, "arm64").routing == DIRECT
    assert model.on_lambda(fitting + 1, "arm64").routing == FIFO
    fast = fleet(interval=0.2)
    assert fast.on_lambda(fitting, "arm64").routing == FIFO  # they fit, and one environment is too slow for them


def test_the_break_even_is_where_machines_become_cheaper_for_good() -> None:
    model = fleet()
    cameras = model.break_even("arm64")
    assert cameras is not None
    for count, is_cheaper in ((cameras - 1, False), (cameras, True), (2 * cameras, True), (1000, True)):
        assert (model.on_machines(count).camera_usd < model.on_lambda(count, "arm64").camera_usd) == is_cheaper
    assert fleet(interval=300).break_even("arm64") is None


def test_a_fleet_of_machines_has_the_cpu_and_the_memory_for_its_cameras() -> None:
    model = fleet()
    found = model.on_machines(100)
    vcpus = 100 * model.month.cpu_seconds / model.month.photos  # a photo a second
    assert found.count * found.instance.usable_vcpus >= vcpus / assumptions.EC2_UTILISATION
    figures = figures_for(SIZE)
    slow = replace(figures, operations={**figures.operations, "photo": Operation(20_000, {})})
    with pytest.raises(ValueError, match="no instance"):
        FleetCost(config(), slow, Camera(1.0), 1769).on_machines(1)


def test_deleted_photos_stop_costing_and_video_goes_on() -> None:
    month = Month(Usage(), 0, 0, 1, photos_gb=100, video_gb=10)
    kept, deleted = storage_usd(month, (1, 13), 0), storage_usd(month, (1, 13), 30)
    assert kept[13] == pytest.approx(120 * 12.5 * PRICES_USD["s3_gb_month"])
    assert deleted[13] == pytest.approx((100 * 30 * 24 / 730 + 20 * 12.5) * PRICES_USD["s3_gb_month"])
    assert kept[1] == deleted[1]


def test_segments_that_are_removed_cost_their_reading_back_and_save_a_copy_of_the_video() -> None:
    always, day = (
        camera_month(config(TIMELAPSE_KEEP_SEGMENTS=keep), figures_for(SIZE), Camera(1.0), 1769, DIRECT)
        for keep in ("always", "day")
    )
    assert (always.lasting_video_gb, always.segment_days) == (2 * day.lasting_video_gb, None)
    assert day.segment_days == pytest.approx(0.5 + 1 + 1 / 24)
    saved = [storage_usd(one, (36,), 30)[36] for one in (always, day)]
    assert saved[0] - saved[1] == pytest.approx(day.video_gb * 35.45 * PRICES_USD["s3_gb_month"], rel=0.01)
    read_back = day.usage.requests["GetObject"] - always.usage.requests["GetObject"]
    assert read_back / day.photos == pytest.approx(1 / 180 + (24 + 4) / 86_400)
    assert always.usage.gb_seconds < day.usage.gb_seconds < 1.02 * always.usage.gb_seconds


def test_a_reel_that_ends_with_its_frames_alone_keeps_its_segments_for_longer() -> None:
    slow = config(TIMELAPSE_KEEP_SEGMENTS="week", TIMELAPSE_REEL="never")
    found = camera_month(slow, figures_for(SIZE), Camera(10.0), 1769, DIRECT).segment_days
    assert found == pytest.approx(100_000 / 8_640 / 2 + 7 + 1 / 24)


def test_the_measured_figures_name_their_command_and_have_each_operation() -> None:
    assert load()["command"] == "python -m scripts.fleet calibrate"
    small, large = figures_for((640, 360)), figures_for((3840, 2160))
    for name in OPERATIONS:
        assert small.operations[name].cpu_ms >= 0
    assert large.operations["photo"].cpu_ms > 3 * figures_for(SIZE).operations["photo"].cpu_ms
    between = figures_for((1600, 900)).operations["photo"].cpu_ms
    assert figures_for((1280, 720)).operations["photo"].cpu_ms < between < figures_for(SIZE).operations["photo"].cpu_ms


def test_the_assumptions_about_the_deployment_are_the_templates() -> None:
    for template in ("template.yaml", "cameras.yaml"):
        assert "Default: rate(5 minutes)" in (INFRA / template).read_text()
    assert assumptions.SWEEP_SECONDS == 300
    assert (INFRA / "cameras.yaml").read_text().count(f"MemorySize: {assumptions.SMALL_FUNCTION_MB}") == 2


def test_the_command_prints_a_table_or_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cost", "--interval", "10", "--cameras", "1", "100", "--size", "1280x720"]) == 0
    text = capsys.readouterr().out
    assert "A photo of 1280x720 every 10 s" in text
    assert "EC2 is cheaper than Lambda on arm64" in text
    assert max(map(len, text.splitlines())) <= 120
    assert "GB of video a month (segments and video.mp4)" in text
    assert main(["cost", "--interval", "10", "--cameras", "1", "100", "--json"]) == 0
    value = json.loads(capsys.readouterr().out)
    assert [fleet["cameras"] for fleet in value["usd_per_camera_month"]] == [1, 100]
    assert value["break_even_cameras"].keys() == {"x86_64", "arm64"}


def test_figures_are_refused_for_a_preset_that_was_not_measured(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cost", "--preset", "slow"]) == 2
    assert "veryfast" in capsys.readouterr().err
