"""`timelapse verify` and `retry-rejected` on a stream that a replay has made in an S3 server."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.mp4 import check_file
from tests.photos import make_photos
from tests.probe import ffmpeg_numbers
from timelapse_runtime.cli import main as cli
from timelapse_runtime.emulator.s3_server import EmbeddedS3
from timelapse_runtime.runtime.state.s3 import S3Store, make_client

STREAM = "s3://bucket/video/camera"


@pytest.fixture
def store(
    photos: Callable[..., list[Path]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[S3Store]:
    """A bucket with a video of 20 photos, of which the sixth is cut off."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for path in photos(20):
        shutil.copy(path, folder)
    (folder / "000005.jpg").write_bytes((folder / "000005.jpg").read_bytes()[:900])
    with EmbeddedS3() as server:
        server.create_buckets("bucket")
        for name, value in server.variables().items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("TIMELAPSE_REEL", "never")
        options = [
            "replay",
            str(folder),
            "--endpoint-url",
            server.endpoint_url,
            "--bucket",
            "bucket",
            "--out",
            str(tmp_path / "out"),
        ]
        assert cli.main(options) == 0
        capsys.readouterr()
        yield S3Store(make_client(variables=server.variables()), "bucket")


def test_verify_repair_and_retry_rejected(store: S3Store, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["verify", STREAM]) == 3
    printed = capsys.readouterr().out
    assert "undecodable: 1" in printed
    assert "20 photos: 19 frames in the video, 1 rejected" in printed

    live = store.get("video/camera/live.m3u8").body
    store.put("video/camera/live.m3u8", b"#EXTM3U\n")
    assert cli.main(["verify", STREAM, "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert [finding["kind"] for finding in report["findings"]] == ["playlist"]
    assert cli.main(["verify", STREAM, "--repair"]) == 3
    assert store.get("video/camera/live.m3u8").body == live

    store.put("frames/camera/000005.jpg", next(make_photos(1, first=5)))
    assert cli.main(["retry-rejected", STREAM, "--reason", "undecodable"]) == 0
    assert "1 frames appended, 20 frames in the video" in capsys.readouterr().out
    assert cli.main(["verify", STREAM]) == 0
    assert "20 photos: 20 frames in the video, 0 rejected" in capsys.readouterr().out


def test_repair_takes_a_photo_whose_event_was_lost(
    store: S3Store, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the order of names, the photo lies below the watermark, and later listings do not show it."""
    name = "000003 a+b%20ä.jpg"
    monkeypatch.setenv("TIMELAPSE_ORDER", "name")
    assert cli.main(["verify", STREAM, "--repair"]) == 3  # the sweep changes the order
    capsys.readouterr()
    store.put(f"frames/camera/{name}", next(make_photos(1, first=40)))
    assert cli.main(["verify", STREAM, "--json"]) == 1
    (finding,) = json.loads(capsys.readouterr().out)["findings"]
    assert (finding["kind"], finding["where"]) == ("missing", name)
    assert cli.main(["verify", STREAM, "--repair"]) == 3
    assert json.loads(store.get(f"video/camera/rejected/{name}.json").body)["reason"] == "late"
    assert cli.main(["retry-rejected", STREAM, "--reason", "late"]) == 0
    assert cli.main(["verify", STREAM]) == 3  # the photo that is cut off


def test_a_wrong_place_is_an_error_with_a_hint(store: S3Store, capsys: pytest.CaptureFixture[str]) -> None:
    assert store.bucket == "bucket"
    assert cli.main(["verify", "s3://bucket/video/camear"]) == 4
    printed = capsys.readouterr().out
    assert "s3://bucket/video/camera/" in printed
    assert "--frames" in printed
    assert cli.main(["verify", "s3://bucket/video/other", "--frames", "s3://bucket/none", "--json"]) == 4
    assert json.loads(capsys.readouterr().out)["outcome"] == "nothing-to-check"
    assert cli.main(["retry-rejected", "s3://bucket/video/other"]) == 2
    assert "--frames" in capsys.readouterr().err
    assert cli.main(["verify", "s3://no-such-bucket/video/other"]) == 2
    assert "no-such-bucket" in capsys.readouterr().err
    assert cli.main(["verify", STREAM, "--frames", "s3://no-such-bucket/frames"]) == 2
    assert "no-such-bucket" in capsys.readouterr().err


def test_a_damaged_checkpoint_is_damage(store: S3Store, capsys: pytest.CaptureFixture[str]) -> None:
    store.put("video/camera/checkpoint.json", b"{")
    assert cli.main(["verify", STREAM, "--json"]) == 1
    (finding,) = json.loads(capsys.readouterr().out)["findings"]
    assert (finding["kind"], finding["where"]) == ("checkpoint-corrupt", "video/camera/checkpoint.json")
    store.delete(["video/camera/checkpoint.json"])
    assert cli.main(["verify", STREAM]) == 1
    assert "checkpoint-missing" in capsys.readouterr().out


@pytest.mark.usefixtures("store")
def test_inspect_and_export(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["inspect", STREAM]) == 0
    printed = capsys.readouterr().out
    assert "19 frames in 1 reel" in printed
    assert "1: undecodable 1" in printed
    assert cli.main(["inspect", "s3://bucket/video/", "--json"]) == 0
    (stream,) = json.loads(capsys.readouterr().out)["streams"]
    assert (stream["stream"], stream["frame_count"]) == (f"{STREAM}/", 19)
    pictures = ["--contact-sheet", str(tmp_path / "sheet.png"), "--plot", str(tmp_path / "plot.jpg")]
    assert cli.main(["inspect", STREAM, *pictures]) == 0
    assert {path.name for path in tmp_path.iterdir()} >= {"sheet.png", "plot.jpg"}
    capsys.readouterr()
    assert cli.main(["inspect", STREAM, *pictures]) == 2
    assert "sheet.png is there already; --force" in capsys.readouterr().err
    out = tmp_path / "video.mp4"
    assert cli.main(["export", STREAM, "--out", str(out), "--last", "1h"]) == 0
    assert f"{out}: 19 frames of 320x180, 0.6 s" in capsys.readouterr().out
    check_file(out, 19)
    assert ffmpeg_numbers(out) == [number for number in range(20) if number != 5]
    assert cli.main(["export", STREAM, "--out", str(out)]) == 2
    assert "--force" in capsys.readouterr().err
    assert cli.main(["export", STREAM, "--out", str(out), "--force", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["copied_count"] == 19
    assert cli.main(["export", STREAM, "--out", str(tmp_path / "chat.gif"), "--size", "160x90", "--speed", "2"]) == 0
    assert "of 160x90" in capsys.readouterr().out
    assert cli.main(["export", "s3://bucket/video/other", "--out", str(tmp_path / "other.mp4")]) == 2
    assert "no video at s3://bucket/video/other/" in capsys.readouterr().err
    assert cli.main(["inspect", "s3://no-such-bucket/video/other"]) == 2
    assert "no-such-bucket" in capsys.readouterr().err


@pytest.mark.usefixtures("store")
def test_an_export_prints_its_progress_and_nothing_of_libraries(tmp_path: Path) -> None:
    for name, *options in (("a.mp4", "--codec", "av1"), ("b.mp4", "--codec", "h265"), ("c.webp",), ("d.mp4",)):
        command = [sys.executable, "-m", "timelapse_runtime.cli.main", "export", STREAM, "--out", str(tmp_path / name)]
        done = subprocess.run([*command, *options], check=True, capture_output=True, text=True)
        assert len(done.stderr.splitlines()) == 1, done.stderr
        assert "frames" in done.stderr
        assert done.stdout.startswith(str(tmp_path / name))
