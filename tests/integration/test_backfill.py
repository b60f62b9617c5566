"""`timelapse backfill` on an S3 server: reels by the days on which photos were taken, and a run that is interrupted.

Judged by ffmpeg, which shows the number of each frame's photo.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.photos import make_photos, with_capture_time
from tests.probe import ffmpeg_numbers
from timelapse_runtime.cli import main as cli
from timelapse_runtime.emulator.s3_server import EmbeddedS3
from timelapse_runtime.timelapse.storage.s3 import S3Store, make_client

START = datetime(2024, 5, 1, 18)
PLACES = ["s3://photos/old/", "s3://videos/"]


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedS3]:
    with EmbeddedS3() as running:
        running.create_buckets("photos", "videos")
        yield running


@pytest.fixture
def variables(server: EmbeddedS3, monkeypatch: pytest.MonkeyPatch) -> Mapping[str, str]:
    for name, value in server.variables().items():
        monkeypatch.setenv(name, value)
    return server.variables()


def upload(variables: Mapping[str, str], camera: str, count: int, step: timedelta) -> None:
    store = S3Store(make_client(variables=variables), "photos")
    for number, body in enumerate(make_photos(count, (128, 64))):
        store.put(f"old/{camera}/IMG_{number}.jpg", with_capture_time(body, START + number * step))


def numbers_by_reel(variables: Mapping[str, str], stream: str, folder: Path) -> dict[str, list[int]]:
    store = S3Store(make_client(variables=variables), "videos")
    found = {}
    for info in store.list_after(f"{stream}/reels/"):
        if info.key.endswith("/video.mp4"):
            file = folder / "video.mp4"
            file.write_bytes(store.get(info.key).body)
            found[info.key.split("/")[-2]] = ffmpeg_numbers(file)
    return found


def backfill(capsys: pytest.CaptureFixture[str], *options: str) -> dict[str, Any]:
    assert cli.main(["backfill", *PLACES, "--json", *options]) == 0
    report: dict[str, Any] = json.loads(capsys.readouterr().out)
    return report


def test_old_photos_become_reels_of_their_days(
    variables: Mapping[str, str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    upload(variables, "garden", 50, timedelta(hours=1))
    report = backfill(capsys, "--stream", "days")
    assert report["streams"]["days"]["frames_added"] == report["photos_read"] == 50
    assert numbers_by_reel(variables, "days", tmp_path) == {
        "2024-05-01-0001": list(range(6)),
        "2024-05-02-0002": list(range(6, 30)),
        "2024-05-03-0003": list(range(30, 50)),
    }
    assert cli.main(["verify", "s3://videos/days", "--frames", "s3://photos/old/"]) == 0
    capsys.readouterr()
    assert backfill(capsys, "--stream", "days")["photos_read"] == 0


def test_an_interrupted_run_is_continued_and_reads_no_photo_twice(
    variables: Mapping[str, str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    upload(variables, "roof", 600, timedelta(minutes=10))
    command = [sys.executable, "-m", "timelapse_runtime.cli.main", "backfill", "s3://photos/old/roof/", "s3://videos/"]
    process = subprocess.Popen(
        [*command, "--stream", "roof", "--json"], env={**os.environ, **variables}, stdout=subprocess.PIPE, text=True
    )
    store = S3Store(make_client(variables=variables), "videos")
    while not any(store.list_after("roof/checkpoint.json"[:-1])):
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    interrupted = json.loads(process.communicate(timeout=60)[0])
    assert process.returncode == 130
    assert interrupted["interrupted"]
    done = interrupted["streams"]["roof"]["frames_added"]
    assert 0 < done < 600
    assert done >= interrupted["photos_read"] - 1, "one photo is read ahead; all others are committed"

    assert cli.main(["backfill", "s3://photos/old/roof/", "s3://videos/", "--stream", "roof"]) == 0
    printed = capsys.readouterr()
    assert "roof: 600 photos; 600 frames in 5 reels" in printed.out
    assert f"{600 - done} photos read" in printed.out
    assert "600/600 photos" in printed.err
    reels = numbers_by_reel(variables, "roof", tmp_path)
    assert [number for reel in sorted(reels) for number in reels[reel]] == list(range(600))


def test_folders_are_cameras_and_mistakes_are_explained_in_a_sentence(
    variables: Mapping[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert variables
    for places, says in (
        (["s3://photos/old/", "s3://photos/old/video/"], "not apart"),
        (["s3://no-such-bucket/", "s3://videos/"], "AWS_PROFILE"),
        (["s3://photos/old/", "s3://no-such-bucket/"], "AWS_PROFILE"),
        (["s3://photos/nothing/", "s3://videos/"], "there is nothing in s3://photos/nothing/"),
    ):
        assert cli.main(["backfill", *places]) == 2
        error = capsys.readouterr().err
        assert says in error
        assert error.count("\n") == 1
