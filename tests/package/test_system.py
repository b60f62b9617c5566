"""What a package is made of: where libraries and licences are found, and what is said if something is missing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from scripts.packager.elf import PT_INTERP, PT_LOAD, Segment
from scripts.packager.failure import PackageFailed
from scripts.packager.libraries import system_libraries
from scripts.packager.system import ThisMachine, configured_folders, what_is_missing
from tests.package.conftest import ROOT
from tests.package.test_compact import program

RPM = """#!/bin/sh
case "$*" in
    "--query --licensefiles zlib") echo "$HERE/COPYING" ;;
    "--query --licensefiles "*) ;;
    "--query --file --queryformat "*/libz.so.1) echo zlib ;;
    "--query --file --queryformat "*/libc.so.6) echo glibc ;;
    *) echo "file $4 is not owned by any package"; exit 1 ;;
esac
"""
"""Answers as RPM 4.18 does (tried, November 2026)."""


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ThisMachine:
    """This one, as if its packages were RPM's."""
    program = tmp_path / "rpm"
    program.write_text(RPM)
    program.chmod(0o755)
    (tmp_path / "COPYING").write_text("zlib's licence")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("HERE", str(tmp_path))
    return ThisMachine()


def test_rpms_packages_mark_their_licences(machine: ThisMachine) -> None:
    assert machine.licences([Path("/usr/lib64/libz.so.1")]) == {"zlib": "zlib's licence"}


@pytest.mark.parametrize(
    ("path", "said"), [("/usr/lib64/libc.so.6", "the licence of glibc is missing"), ("/opt/own.so", "from no package")]
)
def test_what_has_no_licence_is_not_packaged(machine: ThisMachine, path: str, said: str) -> None:
    with pytest.raises(PackageFailed, match=said):
        machine.licences([Path(path)])


def test_all_that_is_missing_is_said_before_anything_is_built(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "scripts.packager", "--out", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, env={"PATH": "/none"}, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "of dpkg or rpm, and there is neither: build in a container of" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("loader", "said"),
    [
        ("/lib64/ld-linux-x86-64.so.2", []),
        ("/lib/ld-linux-aarch64.so.1", []),
        ("/lib/ld-musl-x86_64.so.1", ["uses ld-musl-x86_64.so.1, and a package needs glibc's loader"]),
        (None, ["is static and could not load an extension"]),
    ],
)
def test_a_package_needs_an_interpreter_that_glibc_loads(loader: str | None, said: list[str], tmp_path: Path) -> None:
    python = tmp_path / "python3"
    text = (loader or "").encode() + b"\0"
    named = Segment(PT_INTERP if loader else PT_LOAD, 4, 0x200, 0x200, 0, len(text), len(text), 1)
    image = program(named, size=0x400)
    python.write_bytes(image[:0x200] + text + image[0x200 + len(text) :])
    missing = [sentence for sentence in what_is_missing(python) if "dpkg" not in sentence]
    assert len(missing) == len(said)
    assert all(part in sentence for part, sentence in zip(said, missing, strict=True))


def test_a_library_that_is_not_there_is_named(machine: ThisMachine, tmp_path: Path) -> None:
    with pytest.raises(PackageFailed, match=r"needs lib\S+, which is not in /none"):
        system_libraries(machine.interpreter.executable, tmp_path, [Path("/none")])


def test_the_loaders_configuration_is_read_with_what_it_includes(tmp_path: Path) -> None:
    (tmp_path / "ld.so.conf").write_text("# comment\ninclude conf.d/*.conf\n/first # and why\n")
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "a.conf").write_text("/included\n\n")
    assert list(configured_folders(tmp_path / "ld.so.conf")) == [Path("/included"), Path("/first")]
    assert list(configured_folders(tmp_path / "none")) == []
