"""Each command line of the README that starts scripts/replay or scripts/timelapse runs, with places of the test's own.

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

import pytest

from timelapse_runtime.cli import EXIT_INTERRUPTED, EXIT_OK
from timelapse_runtime.cli.main import main
from timelapse_runtime.emulator.s3_server import EmbeddedS3

ROOT = Path(__file__).parents[2]
BLOCKS = re.findall(r"^```\w*\n(.*?)^```$", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE)
LINES = [line.partition(" #")[0].strip() for block in BLOCKS for line in block.splitlines()]
REPLAYS = [line for line in LINES if line.startswith("scripts/replay")]
COMMANDS = [line for line in LINES if line.startswith("scripts/timelapse")]
PLACES = {
    "s3://BUCKET/PREFIX/": "s3://bucket/video/",
    "STREAM": "camera",
    "s3://IN/PREFIX/": "s3://bucket/frames/",
    "s3://OUT/PREFIX/": "s3://bucket/{}/",
    "2026-11-25": datetime.now(UTC).date().isoformat(),
}
SMALL_SCENE = ("--scene-frames", "12", "--size", "320x180")


@pytest.fixture(scope="module")
def variables(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A server with a stream of the sample scene."""
    out = tmp_path_factory.mktemp("out") / "out"
    with EmbeddedS3() as server:
        server.create_buckets("bucket")
        shell = {**os.environ, **server.variables(), "PYTHONPATH": str(ROOT), "BROWSER": "true"}
        place = ("--endpoint-url", server.endpoint_url, "--bucket", "bucket", "--out", str(out))
        subprocess.run(program("scripts/replay", *SMALL_SCENE, *place), check=True, env=shell, capture_output=True)
        yield shell


def program(script: str, *arguments: str) -> list[str]:
    command = ["replay"] if script == "scripts/replay" else []
    return [sys.executable, "-m", "timelapse_runtime.cli.main", *command, *arguments]


def test_the_readme_shows_each_command(capsys: pytest.CaptureFixture[str]) -> None:
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
        line = line.replace(word, meaning.format(tmp_path.name))
    command = program(*shlex.split(line))
    if " watch " in line:
        command += ["--port", "0"]  # the default one may be in use here
        with subprocess.Popen(command, cwd=tmp_path, env=variables, stdout=subprocess.PIPE, text=True) as server:
            try:
                assert server.stdout is not None
                assert "http://" in server.stdout.readline()
                server.send_signal(signal.SIGINT)
                assert server.wait(60) in {EXIT_OK, EXIT_INTERRUPTED}
            finally:
                server.kill()
        return
    done = subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == EXIT_OK, done.stderr
    assert done.stdout
    if "--out" in line:
        (written,) = tmp_path.iterdir()
        assert written.stat().st_size > 0
