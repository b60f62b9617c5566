"""scripts/replay and scripts/timelapse in a fresh clone: nothing is installed for help, and for what cannot work."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """What the scripts need of the repository, without an environment, in a folder with a space."""
    folder = tmp_path / "a clone"
    for name in ("scripts", "timelapse_runtime", "requirements", "pyproject.toml", "bootstrap", "layer"):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)
    return folder


def run(clone: Path, script: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """With the interpreter that this environment was made from, which has no package of ours."""
    python = {"PYTHON": str(Path(sys.executable).resolve()), "PYTHONPATH": "", "VIRTUAL_ENV": ""}
    return subprocess.run(
        [str(clone / "scripts" / script), *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=clone.parent,
        env={**os.environ, **python, **variables},
    )


@pytest.mark.parametrize(
    ("script", "arguments"),
    [
        ("replay", ("--help",)),
        ("replay", ("--help-settings",)),
        ("timelapse", ("--version",)),
        ("timelapse", ("--help",)),
        ("timelapse", ("verify", "--help")),
    ],
)
def test_help_installs_nothing(clone: Path, script: str, arguments: tuple[str, ...]) -> None:
    before = sorted(clone.rglob("*"))
    shown = run(clone, script, *arguments)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout
    assert sorted(clone.rglob("*")) == before


@pytest.mark.parametrize(
    ("arguments", "variables", "said"),
    [
        (("--fsp", "12"), {}, "did you mean --fps?"),
        (("missing",), {}, "cannot read missing: No such file or directory"),
        (("empty",), {}, "empty is empty; give a folder with photos"),
        (("photos/1.jpg",), {}, "photos/1.jpg: Not a directory"),
        (("photos", "--out", "photos/1.jpg"), {}, "is not a folder; name another --out"),
        (("photos",), {"TIMELAPSE_FPS": "0"}, "TIMELAPSE_FPS: it is '0'; allowed: 1 to 120"),
        (("photos",), {"TIMELAPSE_FSP": "12"}, "did you mean TIMELAPSE_FPS?"),
        (("photos", "--profile", "camera"), {}, "give --endpoint-url too"),
    ],
)
def test_what_cannot_work_is_told_before_anything_is_installed(
    clone: Path, arguments: tuple[str, ...], variables: dict[str, str], said: str
) -> None:
    (clone.parent / "empty").mkdir()
    (clone.parent / "photos").mkdir()
    (clone.parent / "photos" / "1.jpg").write_bytes(b"never read")
    failed = run(clone, "replay", *arguments, **variables)
    assert (failed.returncode, failed.stdout) == (2, "")
    assert said in failed.stderr.splitlines()[-1]
    assert not (clone / ".venv").exists()
    assert not (clone.parent / "out").exists()
