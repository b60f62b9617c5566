"""The benchmark's arithmetic: prices, quantiles, ratios, and the order of its photos."""

from __future__ import annotations

import io
import itertools
import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from scripts.benchmark import (
    burst,
    empty_loop,
    filter_cost,
    large_photos,
    shutdown,
    startup,
    suite,
    throughput,
    video_size,
)
from scripts.benchmark.batch import Settings
from scripts.benchmark.candidates import Turn
from scripts.benchmark.comparison import frame_by_frame
from scripts.benchmark.counting_s3 import CAMERA, Counting, S3Latency, kind_of
from scripts.benchmark.photo_set import PERIOD, PhotoSet
from scripts.benchmark.prices import ec2_usd_per_million, gb_seconds, lambda_usd_per_million
from scripts.benchmark.quality import bytes_at
from scripts.benchmark.ratios import AGAINST_GOALS, AT_MOST, GOALS, Ratio, p99, paired
from scripts.benchmark.stage import BenchFailed, percentile
from timelapse_runtime.fleet.prices import PRICES_USD, s3_usd


def test_a_percentile_is_the_smallest_value_that_so_many_do_not_exceed() -> None:
    values = [float(value) for value in range(100, 0, -1)]
    assert [percentile(values, p) for p in (0, 1, 50, 90, 99, 100)] == [1, 1, 50, 90, 99, 100]
    assert p99([3.0, 1.0, 2.0]) == 3.0


def test_each_invocation_is_billed_in_whole_milliseconds() -> None:
    assert gb_seconds([1.2, 1.0], 2048) == pytest.approx(0.003 * 2)


def test_a_million_frames_cost_compute_invocations_and_requests() -> None:
    usd = lambda_usd_per_million([1000.0] * 10, 1024, {"GET": 10, "PUT": 1, "DELETE": 5, "bytes_in": 10**9}, 10)
    requests = 0.4 + 0.5
    assert usd == pytest.approx(1e6 * PRICES_USD["lambda_gb_second"] + 0.2 + requests)


def test_deleting_is_free_and_listing_costs_as_much_as_writing() -> None:
    assert s3_usd({"DELETE": 1000}) == 0
    assert s3_usd({"LIST": 1000}) == s3_usd({"PUT": 1000}) == pytest.approx(0.005)


def test_an_always_on_machine_costs_the_hours_that_a_camera_needs_for_a_million_frames() -> None:
    assert ec2_usd_per_million(1.0) == pytest.approx(1e6 / 3600 * PRICES_USD["ec2_t3_small_hour"])
    assert ec2_usd_per_million(2.0) == ec2_usd_per_million(1.0) / 2


def test_the_documentation_has_a_row_for_each_goal() -> None:
    rows = (Path(__file__).parents[2] / "docs" / "performance.md").read_text()
    for name, (direction, goal) in {**GOALS, **AGAINST_GOALS}.items():
        sign = "≤" if direction == AT_MOST else "≥"
        assert f"| `{name}` | {sign} {goal:g} |" in rows


def test_a_ratio_is_the_median_of_its_rounds_and_carries_them() -> None:
    ratio = paired("cpu_vs_ffmpeg_1080p", [30.0, 22.0, 12.0], [20.0, 20.0, 10.0])
    assert ratio.to_json() == {"value": 1.2, "goal": "<= 1.1", "met": False, "rounds": [1.5, 1.1, 1.2]}


def test_a_ratio_without_a_goal_neither_meets_nor_misses_it() -> None:
    assert Ratio("loop_cpu_vs_awslambdaric", (3.0,)).to_json() == {
        "value": 3.0,
        "goal": "none",
        "met": None,
        "rounds": [3.0],
    }
    with pytest.raises(ValueError, match="argument 2 is shorter"):
        paired("cpu_vs_ffmpeg_1080p", [1.0, 2.0], [1.0])


@pytest.mark.parametrize(
    ("name", "value", "is_met"),
    [
        ("latency_vs_disk_persistence", 20.0, True),
        ("latency_vs_disk_persistence", 19.9, False),
        ("latency_growth", 1.05, True),
        ("latency_growth", 1.06, False),
    ],
)
def test_a_goal_may_be_a_floor_or_a_ceiling(name: str, value: float, is_met: bool) -> None:
    assert Ratio(name, (value,)).is_met is is_met


def test_bytes_at_equal_ssim_lie_on_the_curve_and_between_its_points() -> None:
    curve = {0.90: 1000.0, 0.99: 4000.0}  # 10 and 20 dB
    assert bytes_at(0.90, curve) == pytest.approx(1000)
    assert bytes_at(0.99, curve) == pytest.approx(4000)
    assert bytes_at(1 - 10**-1.5, curve) == pytest.approx(2000)  # 15 dB: half way, in the logarithm
    assert bytes_at(1 - 10**-2.5, curve) == pytest.approx(8000)  # beyond: the line goes on


def test_the_photos_go_to_and_fro_and_repeat_after_a_keyframe_interval() -> None:
    photos = PhotoSet([Path(f"{number}.jpg") for number in range(91)], (64, 64))
    names = [int(photos.path(number).stem) for number in range(2 * PERIOD)]
    assert names[:92] == [*range(91), 89]
    assert all(abs(one - other) == 1 for one, other in itertools.pairwise(names))
    assert names[:PERIOD] == names[PERIOD:]


def test_a_request_takes_the_first_bytes_time_and_its_bodies_at_the_rate() -> None:
    assert S3Latency(15, 80e6).seconds(8_000_000) == pytest.approx(0.115)
    assert S3Latency().seconds(10**9) == 0


def test_the_server_counts_all_requests_but_the_cameras() -> None:
    def application(_environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Length", "7")])
        return [b"7 bytes"]

    def ask(method: str, query: str = "", agent: str = "", length: str = "", path: str = "/bench/key") -> bytes:
        environ = {"REQUEST_METHOD": method, "QUERY_STRING": query, "HTTP_USER_AGENT": agent}
        environ |= {"CONTENT_LENGTH": length, "PATH_INFO": path}
        return b"".join(counting(environ | {"wsgi.input": io.BytesIO()}, lambda *_: None))

    counting = Counting(application, S3Latency())
    ask("PUT", length="100")
    ask("PUT", length="100", agent=f"Boto3 {CAMERA}")
    ask("GET", "list-type=2&prefix=x")
    ask("HEAD")
    counts = Counter(json.loads(ask("GET", path="/-/counts")))
    assert counts == {"PUT": 1, "LIST": 1, "HEAD": 1, "bytes_in": 100, "bytes_out": 14}
    assert kind_of({"REQUEST_METHOD": "GET", "QUERY_STRING": ""}) == "GET"


def test_a_measurement_that_fails_is_named_and_the_others_are_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def measured(*_: object, **__: object) -> tuple[dict[str, Any], list[Ratio]]:
        return {"measured": True}, [Ratio("peak_rss_mb", (1.0,))]

    def fails(*_: object, **__: object) -> dict[str, Any]:
        raise BenchFailed("no outbox was sent")

    photos = PhotoSet([], (64, 64))
    monkeypatch.setattr(suite, "photo_set", lambda *_, **__: photos)
    for module in (large_photos, throughput, video_size, startup, empty_loop, burst, filter_cost):
        monkeypatch.setattr(module, "measure", measured)
    monkeypatch.setattr(shutdown, "measure", fails)
    found, ratios = suite.other_measurements(None, photos, Settings(64, 64), suite.SMOKE, tmp_path)
    assert found.pop("shutdown") == {"failed": "no outbox was sent"}
    assert all(found.values())
    assert len(found) == len(ratios) == 7


def test_a_video_s_growth_is_told_frame_by_frame_once_the_young_video_s_encoder_is_full() -> None:
    filling = [1.0] * 20
    old = Turn(900, 23, 0, 0, [*filling, 60.0, 30.0, 90.0])
    young = Turn(0, 23, 0, 0, [*filling, 50.0, 30.0, 100.0])
    assert list(frame_by_frame([(old, young)])) == [1.2, 1.0, 0.9]
    later = Turn(923, 1, 0, 0, [44.0]), Turn(23, 1, 0, 0, [40.0])
    assert list(frame_by_frame([(old, young), later])) == [1.2, 1.0, 0.9, 1.1]
