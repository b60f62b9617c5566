"""The packages, built once per session."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import emulator_binary, ending  # noqa: F401 - fixtures
from tests.package.sandbox import unzip
from tests.programs import require_program

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Packages:
    """What one build left, and said."""

    report: dict[str, Any]
    said: str

    @property
    def function(self) -> Path:
        return Path(self.report["path"])

    @property
    def layer(self) -> Path:
        return Path(self.report["layer"])

    @property
    def extension_layer(self) -> Path:
        return Path(self.report["extension_layer"])

    @property
    def image(self) -> Path:
        return Path(self.report["image"])

    @property
    def archives(self) -> list[Path]:
        return [self.function, self.layer, self.extension_layer, self.image]


@pytest.fixture(scope="session")
def build() -> Callable[..., Packages]:
    """Runs scripts/package into a folder."""
    for program in ("dpkg-query", "busybox"):
        require_program(program)

    def run(out: Path, before: str = "") -> Packages:
        command = ["sh", "-c", f'{before} exec "$0" "$@"', str(ROOT / "scripts" / "package")]
        done = subprocess.run([*command, "--out", str(out), "--image"], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return Packages(json.loads(done.stdout.splitlines()[-1]), done.stdout)

    return run


@pytest.fixture(scope="session")
def packages(build: Callable[..., Packages], tmp_path_factory: pytest.TempPathFactory) -> Packages:
    """One build for the session."""
    return build(tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="session")
def unpacked(packages: Packages, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The function's zip, unpacked. Do not write."""
    folder = tmp_path_factory.mktemp("unpacked")
    unzip(packages.function, folder)
    return folder
