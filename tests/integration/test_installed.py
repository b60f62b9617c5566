"""The installed package: sdist, wheel, and the `timelapse` command in an environment without a checkout.

The environments get the project's wheel from pip and the locked dependencies as links to this environment's.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from tests.probe import ffprobe_frames

ROOT = Path(__file__).parents[2]
SOURCES = ("pyproject.toml", "README.md", "LICENSE", "bootstrap", "layer", "timelapse_runtime")
DATA = {
    "timelapse_runtime/bootstrap": ROOT / "bootstrap",
    "timelapse_runtime/extensions/timelapse-shutdown": ROOT / "layer/extensions/timelapse-shutdown",
    "timelapse_runtime/start.sh": ROOT / "timelapse_runtime/start.sh",
    "timelapse_runtime/py.typed": ROOT / "timelapse_runtime/py.typed",
    **{path.relative_to(ROOT).as_posix(): path for path in (ROOT / "timelapse_runtime/watch/page").iterdir()},
}
PROGRAMS = {name for name, path in DATA.items() if os.access(path, os.X_OK)}
EXTRA_LOCAL = ("moto", "flask")

Environment: TypeAlias = Callable[..., Path]


def run(*command: object, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), **variables}
    words = [str(word) for word in command]
    return subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def succeed(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The sdist, and the wheel that is built from nothing but the sdist."""
    folder = tmp_path_factory.mktemp("build")
    source = folder / "source"
    source.mkdir()
    for name in SOURCES:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, source / name, symlinks=True, ignore=ignored)
        else:
            shutil.copy(ROOT / name, source / name)
    venv.create(folder / "builder", with_pip=True)
    python = folder / "builder" / "bin" / "python"
    proxied = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_", "HTTP"))}
    got = run(python, "-m", "pip", "install", "--quiet", "setuptools>=77", "wheel", folder=folder, **proxied)
    if got.returncode != 0:
        pytest.skip(f"needs setuptools of version 77 or later from the package index: {got.stderr}")
    build = f"from setuptools import build_meta; build_meta.build_sdist({str(folder)!r})"
    succeed(run(python, "-c", build, folder=source))
    (sdist,) = folder.glob("*.tar.gz")
    wheel = (python, "-m", "pip", "wheel", "--quiet", "--no-index", "--no-deps", "--no-build-isolation", sdist)
    succeed(run(*wheel, folder=folder))
    return sdist, next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def make_environment(archives: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """`make_environment(without=())`: an environment with the wheel installed; its `timelapse` command."""

    def make(without: tuple[str, ...] = ()) -> Path:
        folder = tmp_path_factory.mktemp("environment")
        venv.create(folder / "venv", with_pip=False)
        python = folder / "venv" / "bin" / "python"
        pip = (sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-index", "--no-deps")
        succeed(run(*pip, archives[1], folder=folder))
        dependencies = folder / "dependencies"
        dependencies.mkdir()
        for path in Path(sysconfig.get_path("purelib")).iterdir():
            if path.suffix != ".pth" and path.name not in without:
                (dependencies / path.name).symlink_to(path)
        (site_packages,) = (folder / "venv" / "lib").glob("python3*/site-packages")
        (site_packages / "dependencies.pth").write_text(f"{dependencies}\n")
        return folder / "venv" / "bin" / "timelapse"

    return make


def test_sdist_and_wheel_carry_what_is_deployed_as_files(archives: tuple[Path, Path]) -> None:
    sdist, wheel = archives
    with tarfile.open(sdist) as tar, zipfile.ZipFile(wheel) as archive:
        top = sdist.name.removesuffix(".tar.gz")
        for name, path in DATA.items():
            assert tar.getmember(f"{top}/{name}").isreg()
            assert archive.read(name) == path.read_bytes()
            assert bool(archive.getinfo(name).external_attr >> 16 & 0o111) == (name in PROGRAMS)
        assert {name.partition("/")[0].partition("-")[0] for name in archive.namelist()} == {"timelapse_runtime"}


def test_replay_works_from_any_folder(make_environment: Environment, tmp_path: Path) -> None:
    timelapse = make_environment()
    options = ("--scene-frames", "12", "--size", "320x180", "--restart-every", "6")
    said = succeed(run(timelapse, "replay", *options, folder=tmp_path))
    assert "frames in the video  12" in said
    segments = sorted(path.name.split("-")[:2] for path in (tmp_path / "out" / "segments").iterdir())
    assert segments == [["00000000", "6"], ["00000006", "6"]]  # the extension sent both: no flush was due
    assert ffprobe_frames(tmp_path / "out" / "video.mp4").frame_count == 12


def test_a_command_names_the_extra_that_it_needs(make_environment: Environment, tmp_path: Path) -> None:
    timelapse = make_environment(without=EXTRA_LOCAL)
    help_text = succeed(run(timelapse, "--help", folder=tmp_path))
    assert all(command in help_text for command in ("replay", "verify", "retry-rejected"))
    done = run(timelapse, "replay", folder=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert "extra 'local' (moto, flask not installed)" in line
    assert "pip install 'timelapse-runtime[local]'" in line
    done = run(
        timelapse, "verify", "s3://bucket/video/camera", folder=tmp_path, AWS_ENDPOINT_URL_S3="http://127.0.0.1:9"
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
