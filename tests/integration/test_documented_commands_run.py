"""Each command line of the documents that starts scripts/replay or timelapse runs, with places of the test's own.

They become the module that the scripts start: tests/scripts/test_launcher.py runs the scripts themselves.
"""

from __future__ import annotations

import itertools
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.documents import commands
from timelapse_runtime.cli import EXIT_INTERRUPTED, EXIT_OK
from timelapse_runtime.cli.main import main
from timelapse_runtime.emulator.s3_server import EmbeddedS3
from timelapse_runtime.emulator.scene import render_scene
from timelapse_runtime.runtime.state.s3 import S3Store, make_client, make_session

ROOT = Path(__file__).parents[2]
LINES = sorted({one.text.removeprefix("scripts/") for one in commands()})
REPLAYS = sorted({line.removeprefix("timelapse ") for line in LINES if re.match(r"(timelapse )?replay\b", line)})
COMMANDS = [line for line in LINES if line.startswith("timelapse ") and line.removeprefix("timelapse ") not in REPLAYS]
PLACES = {
    r"s3://(BUCKET|VIDEO)/PREFIX/": "s3://bucket/video/",
    r"s3://…/video/|s3://OUT/PREFIX/": "s3://bucket/{}/",
    r"s3://(IN/PREFIX|…/frames)/": "s3://bucket/frames/",
    r"STREAM": "camera",
    r"2026-11-25": datetime.now(UTC).date().isoformat(),
    r"--reel NAME": "--reel 2026-11-20-0001",
    r"KEY\.\.\.": "2026/11/20/000126.jpg",
    r"KEY$": "2026/11/20/000125.jpg",
}
"""What the documents write in place of a name: the name that it has here."""
STREAM, CLOSED_STREAM = "s3://bucket/video/camera", "s3://bucket/closed/camera"
SMALL_FLEET = ("--cameras", "2", "--seconds", "600")
"""Given last, it counts: a simulation of 100 cameras takes minutes."""
SMALL_SCENE = ("--scene-frames", "12", "--size", "320x180")


@pytest.fixture(scope="module")
def variables(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A server with a stream of the sample scene, whose video is at `VIDEO`, and one with a reel that is closed."""
    out = tmp_path_factory.mktemp("out") / "out"
    with EmbeddedS3() as server:
        server.create_buckets("bucket")
        shell = {**os.environ, **server.variables(), "PYTHONPATH": str(ROOT), "BROWSER": "true"}
        queues: Any = make_session(server.variables()).client("sqs", endpoint_url=server.endpoint_url)
        shell["QUEUE_URL"] = queues.create_queue(QueueName="photos")["QueueUrl"]
        place = ("--endpoint-url", server.endpoint_url, "--bucket", "bucket", "--out", str(out))
        subprocess.run(program("replay", *SMALL_SCENE, *place), check=True, env=shell, capture_output=True)
        store = S3Store(make_client(variables=server.variables()), "bucket")
        for number, photo in enumerate(render_scene(10, (320, 180)), start=120):
            store.put(f"old/camera/2026/11/20/{number:06d}.jpg", photo)
        backfill = program("backfill", "s3://bucket/old/", "s3://bucket/closed/")
        subprocess.run(backfill, check=True, env=shell, capture_output=True)
        yield {**shell, "VIDEO": str(out / "video.mp4")}


def program(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "timelapse_runtime.cli.main", *arguments]


def test_the_documents_show_each_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    known = set(re.findall(r"^    ([a-z-]+)", capsys.readouterr().out, re.MULTILINE))
    assert known - {"replay"} == {line.split()[1] for line in COMMANDS} - {"--help", "--version"}


@pytest.mark.parametrize("line", REPLAYS)
def test_a_replay_runs(line: str, photos: Callable[..., list[Path]], tmp_path: Path) -> None:
    for path in photos(12):
        (tmp_path / "FOLDER").mkdir(exist_ok=True)
        shutil.copy(path, tmp_path / "FOLDER")
    scene = () if "FOLDER" in line else SMALL_SCENE
    with subprocess.Popen(
        program(*shlex.split(line), *scene),
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "BROWSER": "true"},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        printed = "".join(itertools.takewhile(lambda one: one != "\n", process.stdout))  # the table
        if "--watch" in line:
            process.send_signal(signal.SIGINT)
        assert "to deploy" in process.stdout.read()
    assert process.returncode == EXIT_OK
    assert "frames in the video  12\n" in printed


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_runs(line: str, variables: dict[str, str], tmp_path: Path) -> None:
    for word, meaning in PLACES.items():
        line = re.sub(word, meaning.format(tmp_path.name), line)
    given = re.findall(r" adopt (\S+)", line)
    for name in given:
        shutil.copy(variables["VIDEO"], tmp_path / name)
        line = line.replace(STREAM, f"s3://bucket/{tmp_path.name}/camera")
    if re.search(" (remove|render) ", line):
        line = line.replace(STREAM, CLOSED_STREAM)
    command = program(*shlex.split(line.replace("QUEUE_URL", variables["QUEUE_URL"]))[1:])
    if " watch " in line and "--publish" not in line:
        # The default port may be in use here; and a suite that runs in the background ignores SIGINT.
        command = ["env", "--default-signal=INT", *command, "--port", "0"]
        with subprocess.Popen(command, cwd=tmp_path, env=variables, stdout=subprocess.PIPE, text=True) as server:
            try:
                assert server.stdout is not None
                assert "http://" in server.stdout.readline()
                server.send_signal(signal.SIGINT)
                assert server.wait(60) in {EXIT_OK, EXIT_INTERRUPTED}
            finally:
                server.kill()
        return
    if " run " in line and "--once" not in line:
        with subprocess.Popen(command, cwd=tmp_path, env=variables, stderr=subprocess.PIPE, text=True) as run:
            try:
                assert run.stderr is not None
                assert "photos from s3://bucket/frames/" in run.stderr.readline()
                run.send_signal(signal.SIGINT)
                assert run.wait(60) == EXIT_OK
            finally:
                run.kill()
        return
    if " simulate " in line:
        command += SMALL_FLEET
    done = subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == EXIT_OK, done.stderr
    assert done.stdout
    files = given + re.findall(r"--(?:out|plot|contact-sheet) (\S+)", line)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(files)
    assert all((tmp_path / name).stat().st_size for name in files)
