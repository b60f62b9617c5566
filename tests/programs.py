"""System programs that tests judge by, and programs that have environments of their own."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[1]
BENCH_PYTHON = _ROOT / ".venv-bench" / "bin" / "python"
MINISTACK = _ROOT / ".venv-ministack" / "bin" / "ministack"

DEBIAN_PACKAGES = {
    "ffmpeg": "ffmpeg",
    "ffprobe": "ffmpeg",
    "busybox": "busybox-static",
    "unshare": "util-linux",
    "setpriv": "util-linux",
    "dirname": "coreutils",
    "readelf": "binutils",
    "openssl": "openssl",
    "buildah": "buildah",
    "chromium": "chromium",
    "chromedriver": "chromium-driver",
    "firefox-esr": "firefox-esr",
    "qemu-aarch64-static": "qemu-user-static",
    "qemu-x86_64-static": "qemu-user-static",
    "apt-get": "apt (Debian's and Ubuntu's)",
    "dpkg-deb": "dpkg",
    "dpkg-query": "dpkg (Debian's package manager: on Debian or Ubuntu only)",
}


def require_program(name: str) -> str:
    """The program's path. Skips the test where it is not installed; SUITE_NO_SKIP=1 makes that a failure."""
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"needs {name}: apt-get install {DEBIAN_PACKAGES[name]}")
    return path


def require_bench() -> None:
    """Skips the test where the benchmark's environment (BENCH_PYTHON) is not installed, as `require_program` does."""
    if not BENCH_PYTHON.exists():
        pytest.skip("needs the benchmark's environment: scripts/install bench")


def require_ministack() -> None:
    """Skips the test where ministack is not installed, as `require_program` does."""
    if not MINISTACK.exists():
        pytest.skip("needs ministack: scripts/install ministack")
