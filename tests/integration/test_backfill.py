"""`timelapse backfill` on an S3 server: reels by the days on which photos were taken, and a run that is interrupted.

Judged by ffmpeg, which shows the number of each frame's photo.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.photos import make_photos, with_capture_time
from tests.probe import ffmpeg_numbers
from tests.world import InvocationContext
from timelapse_runtime.cli import main as cli
from timelapse_runtime.emulator.s3_server import EmbeddedS3
from timelapse_runtime.runtime.function import Environment
from timelapse_runtime.runtime.state.errors import Fenced
from timelapse_runtime.runtime.state.s3 import S3Store, make_client
from timelapse_runtime.timelapse import Timelapse
from timelapse_runtime.timelapse.errors import DeadlineTooClose

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


@pytest.mark.parametrize(("reel", "is_closed"), [("day", True), ("never", False)])
def test_the_reel_of_a_day_that_is_over_is_closed_if_reels_are_of_days(
    variables: Mapping[str, str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    reel: str,
    *,
    is_closed: bool,
) -> None:
    upload(variables, "attic", 2, timedelta(hours=1))
    monkeypatch.setenv("TIMELAPSE_REEL", reel)
    backfill(capsys, "--stream", f"attic-{reel}")
    checkpoint = S3Store(make_client(variables=variables), "videos").get(f"attic-{reel}/checkpoint.json").body
    assert json.loads(checkpoint)["reel"]["is_closed"] == is_closed


def test_an_interrupted_run_is_continued_and_reads_no_photo_twice(
    variables: Mapping[str, str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    upload(variables, "roof", 300, timedelta(minutes=10))
    command = [sys.executable, "-m", "timelapse_runtime.cli.main", "backfill", "s3://photos/old/roof/", "s3://videos/"]
    process = subprocess.Popen(
        [*command, "--stream", "roof", "--json", "--processes", "1"],
        env={**os.environ, **variables},
        stdout=subprocess.PIPE,
        text=True,
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
    assert 0 < done < 300
    assert done >= interrupted["photos_read"] - 1, "one photo is read ahead; all others are committed"

    again = ["backfill", "s3://photos/old/roof/", "s3://videos/", "--stream", "roof", "--processes", "2"]
    assert cli.main(again) == 0
    printed = capsys.readouterr()
    assert "roof: 300 photos; 300 frames in 3 reels" in printed.out
    assert f"{300 - done} photos read" in printed.out
    assert "300/300 photos" in printed.err
    reels = numbers_by_reel(variables, "roof", tmp_path)
    assert [number for reel in sorted(reels) for number in reels[reel]] == list(range(300))


def test_a_process_that_is_killed_costs_no_photo(
    variables: Mapping[str, str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Two cameras by two processes, of which one is killed in the middle: the rest is read and encoded here."""
    for camera in ("east", "west"):
        upload(variables, f"killed/{camera}", 250, timedelta(seconds=1))
    store = S3Store(make_client(variables=variables), "videos")

    def kill_one() -> None:
        begun = {"east/checkpoint.json", "west/checkpoint.json"}  # the bucket has those of other tests
        while not (begun & {info.key for info in store.list_after("")} and multiprocessing.active_children()):
            time.sleep(0.02)
        multiprocessing.active_children()[0].kill()

    killer = threading.Thread(target=kill_one)
    killer.start()
    assert cli.main(["backfill", "s3://photos/old/killed/", "s3://videos/", "--processes", "2"]) == 0
    killer.join()
    printed = capsys.readouterr()
    assert "500 photos read" in printed.out
    for camera in ("east", "west"):
        reels = numbers_by_reel(variables, camera, tmp_path)
        assert [number for reel in sorted(reels) for number in reels[reel]] == list(range(250))
        assert cli.main(["verify", f"s3://videos/{camera}"]) == 0
    capsys.readouterr()


def test_a_function_that_works_on_the_same_stream_does_no_harm(
    variables: Mapping[str, str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Both take the backlog, and fence each other: each photo is in the video once all the same."""
    upload(variables, "yard", 200, timedelta(minutes=10))
    places = ["s3://photos/old/yard/", "s3://videos/"]
    command = [sys.executable, "-m", "timelapse_runtime.cli.main", "backfill", *places, "--stream", "yard"]
    process = subprocess.Popen(command, env={**os.environ, **variables}, stdout=subprocess.PIPE, text=True)
    function = Timelapse()
    settings = {"FRAMES": places[0], "VIDEO": places[1], "STREAM": "yard", "FLUSH_EVERY": "20"}
    configured = {f"TIMELAPSE_{name}": value for name, value in settings.items()}
    function.open(Environment({**variables, **configured}, None, "deployed"))
    while process.poll() is None:
        with contextlib.suppress(DeadlineTooClose, Fenced):
            function.invoke({"sweep": "yard"}, InvocationContext(3_000))
    assert process.returncode == 0
    assert "200 photos; 200 frames" in process.communicate()[0]
    reels = numbers_by_reel(variables, "yard", tmp_path)
    assert [number for reel in sorted(reels) for number in reels[reel]] == list(range(200))
    assert cli.main(["verify", "s3://videos/yard"]) == 0
    capsys.readouterr()


def test_folders_are_cameras_and_mistakes_are_explained_in_a_sentence(
    variables: Mapping[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert variables
    for places, says in (
        (["s3://photos/old/", "s3://photos/old/video/"], "not apart"),
        (["s3://no-such-bucket/", "s3://videos/"], "there is no bucket no-such-bucket"),
        (["s3://photos/old/", "s3://no-such-bucket/"], "there is no bucket no-such-bucket"),
        (["s3://photos/nothing/", "s3://videos/"], "there is nothing in s3://photos/nothing/"),
    ):
        assert cli.main(["backfill", *places]) == 2
        error = capsys.readouterr().err
        assert says in error
        assert error.count("\n") == 1


def test_a_reel_is_rendered_by_two_processes(variables: Mapping[str, str], tmp_path: Path) -> None:
    """400 photos are three ranges. Under load, the uploads' pace may split them into reels."""
    upload(variables, "parallel", 400, timedelta(seconds=1))
    photos = ["s3://photos/old/parallel/", PLACES[1]]
    assert cli.main(["backfill", *photos, "--stream", "parallel", "--processes", "1"]) == 0
    place = "s3://videos/parallel"
    before = numbers_by_reel(variables, "parallel", tmp_path)
    command = ["render", place, "--from", "2024-05-01", "--processes", "2", "--codec", "av1", "quality=fast"]
    assert cli.main(command) == 0
    after = {name: one for name, one in numbers_by_reel(variables, "parallel", tmp_path).items() if name not in before}
    assert sorted(after.values()) == sorted(before.values())
    assert sorted(number for numbers in after.values() for number in numbers) == [*range(400)]
    assert cli.main(["verify", place]) == 0
