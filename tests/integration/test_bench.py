"""The benchmark runs from one end to the other: as little of everything as there can be; the figures mean nothing."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.benchmark.candidates import BARE, BATCH, DISK, MANAGED, THIS, WARM
from scripts.benchmark.ratios import GOALS
from tests.programs import BENCH_PYTHON, require_bench, require_program

ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(240)
def test_a_run_gives_every_ratio_every_candidate_and_the_pictures(
    photos: Callable[..., list[Path]], tmp_path: Path
) -> None:
    require_program("ffmpeg")
    require_bench()
    command = [BENCH_PYTHON, "-W", "error::ResourceWarning", "-m", "scripts.benchmark", photos(40)[0].parent]
    arguments = ["--smoke", "--size", "320x180", "--out", tmp_path, "--json"]
    done = subprocess.run([*map(str, (*command, *arguments))], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "bench.json").read_text())
    assert report == json.loads(done.stdout)
    assert list(report["ratios"]) == [*GOALS, "loop_cpu_vs_awslambdaric", "empty_init_vs_awslambdaric"]
    for ratio in report["ratios"].values():
        assert ratio["value"] > 0
        assert len(ratio["rounds"]) >= 1
    (compared,) = report["s3_latencies"].values()
    candidates = compared["candidates"]
    assert set(candidates) == {THIS, DISK, WARM, MANAGED, BATCH, BARE}
    # boto3's download_file asks HEAD and GET: the photo, the video down; and the video up.
    assert candidates[DISK]["s3_requests_per_frame"] == 5
    # The same function, which lists where the photos' upload times show a gap: that is a matter of seconds.
    managed = candidates[MANAGED]["s3_requests_per_frame"]
    assert candidates[THIS]["s3_requests_per_frame"] == pytest.approx(managed, abs=0.15)
    for name in (THIS, MANAGED, DISK, WARM, BATCH):
        assert candidates[name]["ssim"] > 0.8, name
    for picture in ("latency.png", "cost.png", "frame-time.png"):
        assert (tmp_path / picture).read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--size", "63x63"), "even, 64 at least"),
        (("--s3-latency", "15"), "MS,MB/S"),
        (("--quick", "--smoke"), "not allowed with"),
    ],
)
def test_a_mistake_gets_an_answer_that_helps(
    arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from scripts.benchmark.__main__ import main

    with pytest.raises(SystemExit):
        main(arguments)
    assert said in capsys.readouterr().err


def test_a_folder_without_photos_is_said_to_be_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from scripts.benchmark.__main__ import main

    assert main([str(tmp_path), "--smoke", "--out", str(tmp_path / "out")]) == 1
    assert "holds 0 photos" in capsys.readouterr().err
