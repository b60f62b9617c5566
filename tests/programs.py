"""System programs that tests judge by."""

from __future__ import annotations

import shutil

import pytest

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
