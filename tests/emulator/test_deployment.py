"""The files that a local environment starts are those that are deployed."""

from __future__ import annotations

import os
from pathlib import Path

from timelapse_runtime.emulator.deployment import HANDLER, INSTALLED, Deployment
from timelapse_runtime.timelapse import Timelapse

ROOT = Path(__file__).parents[2]


def test_a_checkout_starts_its_own_bootstrap_and_extension() -> None:
    assert INSTALLED.task_root == ROOT
    assert INSTALLED.bootstrap.samefile(ROOT / "bootstrap")
    assert os.access(INSTALLED.bootstrap, os.X_OK)
    (extension,) = INSTALLED.extension_files()
    assert extension.name == "timelapse-shutdown"
    assert extension.samefile(ROOT / "layer" / "extensions" / extension.name)


def test_extensions_are_the_executable_files_of_a_folder(tmp_path: Path) -> None:
    for name, mode in (("b", 0o755), ("a", 0o755), ("notes.txt", 0o644)):
        (tmp_path / name).touch(mode)
    (tmp_path / "folder").mkdir()
    deployment = Deployment(bootstrap=tmp_path, extensions=tmp_path, task_root=tmp_path, handler="")
    assert deployment.extension_files() == (tmp_path / "a", tmp_path / "b")
    assert Deployment(bootstrap=tmp_path, extensions=None, task_root=tmp_path, handler="").extension_files() == ()


def test_the_handler_names_the_function() -> None:
    assert f"{Timelapse.__module__.rpartition('.')[0]}.{Timelapse.__qualname__}" == HANDLER
