"""The files that a local environment starts are those that are deployed."""

from __future__ import annotations

import os
from pathlib import Path

from timelapse_runtime.emulator.deployment import BOOTSTRAP, EXTENSIONS, HANDLER, TASK_ROOT
from timelapse_runtime.timelapse import Timelapse

ROOT = Path(__file__).parents[2]


def test_a_checkout_starts_its_own_bootstrap_and_extension() -> None:
    assert ROOT == TASK_ROOT
    assert BOOTSTRAP.samefile(ROOT / "bootstrap")
    assert [path.name for path in EXTENSIONS.iterdir()] == ["timelapse-shutdown"]
    for path in EXTENSIONS.iterdir():
        assert path.samefile(ROOT / "layer" / "extensions" / path.name)
        assert os.access(path, os.X_OK)
    assert os.access(BOOTSTRAP, os.X_OK)


def test_the_handler_names_the_function() -> None:
    assert f"{Timelapse.__module__.rpartition('.')[0]}.{Timelapse.__qualname__}" == HANDLER
