"""The main job: a folder of photos becomes a video, through the real bootstrap, the extension and an S3 server."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.photos import read_number
from tests.probe import ffmpeg_lumas, ffprobe_frames
from timelapse_runtime.emulator.s3_server import EmbeddedS3

ROOT = Path(__file__).parents[2]
COUNT = 90


def replay(*arguments: object, **settings: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "timelapse_runtime.cli.main", "replay", *map(str, arguments)]
    variables = {**os.environ, **settings, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=variables, timeout=110)


def report_of(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


@pytest.mark.parametrize(
    ("options", "cold_starts"),
    [((), 1), (("--restart-every", 37), 3), (("--kill-every", 23), 4), (("--flush-every", 10), 1)],
    ids=["one environment", "restarts", "kills", "many flushes"],
)
def test_a_folder_becomes_a_video(
    photos: Callable[..., list[Path]], tmp_path: Path, options: tuple[object, ...], cold_starts: int
) -> None:
    folder = photos(COUNT)[0].parent
    report = report_of(replay(folder, "--out", tmp_path / "out", "--json", *options))
    assert report["frames_in"] == report["frames_in_video"] == COUNT
    assert report["cold_starts"] == cold_starts
    assert report["invocations"] == COUNT + 1
    assert report["flushes"] >= 1
    assert report["s3_requests"]["GetObject"] >= COUNT
    assert report["runtime_cpu_seconds"] > 0
    assert report["runtime_peak_rss_bytes"] > 2**20
    for video in (report["video"], report["playlist"]):
        probe = ffprobe_frames(video)
        assert (probe.frame_count, len(probe.steps), probe.messages) == (COUNT, 1, "")
        assert [read_number(luma) for luma in ffmpeg_lumas(video)] == list(range(COUNT))


def test_the_extension_sends_the_outbox_without_another_invocation(
    photos: Callable[..., list[Path]], tmp_path: Path
) -> None:
    """With 60 frames a flush and environments of 20 frames, only the shutdowns commit before the last sweep."""
    report = report_of(replay(photos(60)[0].parent, "--out", tmp_path, "--json", "--restart-every", 20))
    assert report["frames_in_video"] == 60
    segments = sorted(path.name.split("-")[:2] for path in (tmp_path / "segments").iterdir())
    assert segments == [["00000000", "20"], ["00000020", "20"], ["00000040", "20"]]


def test_bad_photos_are_recorded_and_the_others_are_in_the_video(
    photos: Callable[..., list[Path]], tmp_path: Path
) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for path in photos(20):
        shutil.copy(path, folder)
    (folder / "000005.jpg").write_bytes((folder / "000005.jpg").read_bytes()[:2000])
    (folder / "000010.jpg").write_bytes(b"")
    (folder / "000011.jpg").write_text("not a photo")
    report = report_of(replay(folder, "--out", tmp_path / "out", "--json"))
    assert (report["frames_in"], report["frames_in_video"], report["rejected"]) == (20, 17, 3)
    assert report["invocations"] == 21
    reasons = {}
    for path in (tmp_path / "out" / "rejected").iterdir():
        record = json.loads(path.read_text())
        reasons[record["key"]] = record["reason"]
    assert reasons == {
        "frames/camera/000005.jpg": "undecodable",
        "frames/camera/000010.jpg": "empty",
        "frames/camera/000011.jpg": "unsupported-type",
    }
    expected = [number for number in range(20) if number not in (5, 10, 11)]
    assert [read_number(luma) for luma in ffmpeg_lumas(report["video"])] == expected


def test_folders_are_taken_other_files_are_left_out_and_variables_hold(
    photos: Callable[..., list[Path]], tmp_path: Path
) -> None:
    for number, path in enumerate(photos(12)):
        target = tmp_path / "photos" / f"day {number // 6}" / f"{number:02d}.jpg"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    for stray in ("Thumbs.db", "day 0/00.xmp", "day 1/06_thumb.jpg"):
        (tmp_path / "photos" / stray).write_bytes(b"no photo")
    settings = {"TIMELAPSE_SIZE": "640x360", "TIMELAPSE_STREAM": "the deployment's", "TIMELAPSE_FRAMES": "s3://bucket"}
    done = replay(tmp_path / "photos", "--out", tmp_path / "out", "--flush-every", 4, **settings)
    assert done.returncode == 0, done.stderr
    assert "12 photos; left out 3 other files:" in done.stderr
    assert "2 not a photo's suffix: Thumbs.db, day 0/00.xmp" in done.stderr
    video = tmp_path / "out" / "video.mp4"
    probe = ffprobe_frames(video)
    assert (probe.width, probe.height) == (640, 360)
    assert [read_number(luma) for luma in ffmpeg_lumas(video)] == list(range(12))


@pytest.mark.parametrize(
    ("folder", "settings", "said"),
    [
        ("photos", {"TIMELAPSE_FLUSH_EVRY": "10"}, "TIMELAPSE_FLUSH_EVRY: it is '10'; allowed: no such variable"),
        ("photos", {"TIMELAPSE_FPS": "fast"}, "TIMELAPSE_FPS: it is 'fast'; allowed: 1 to 120"),
        ("photos", {"TIMELAPSE_INCLUDE": "*.dat"}, "photos holds no photo"),
        ("empty", {}, "empty is empty"),
        ("missing", {}, "No such file or directory"),
    ],
)
def test_a_replay_that_cannot_work_fails_at_once(
    tmp_path: Path, folder: str, settings: dict[str, str], said: str
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "1.jpg").write_bytes(b"never read")
    done = replay(tmp_path / folder, "--out", tmp_path / "out", **settings)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_without_a_folder_a_scene_is_rendered(tmp_path: Path) -> None:
    done = replay("--out", tmp_path, "--scene-frames", 12, "--size", "320x180")
    assert done.returncode == 0, done.stderr
    assert "frames in the video  12" in done.stdout
    probe = ffprobe_frames(tmp_path / "video.mp4")
    assert (probe.width, probe.height, probe.frame_count) == (320, 180, 12)


def test_an_existing_stream_is_refused(
    photos: Callable[..., list[Path]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with EmbeddedS3() as server:
        server.create_buckets("bucket")
        for name, value in server.variables().items():
            monkeypatch.setenv(name, value)
        command = (photos(5)[0].parent, "--endpoint-url", server.endpoint_url, "--out", tmp_path / "out", "--json")
        assert report_of(replay(*command, "--bucket", "bucket"))["frames_in_video"] == 5
        again = replay(*command, "--bucket", "bucket")
        assert again.returncode == 2
        assert "name another --stream" in again.stderr
        missing = replay(*command, "--bucket", "no-such-bucket")
        assert missing.returncode == 2
        assert "no-such-bucket" in missing.stderr
        assert "Traceback" not in missing.stderr
