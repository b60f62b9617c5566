"""A Debian system of another architecture: unpacked, never installed, and nothing of it is run.

apt resolves, fetches and checks its packages, by this machine's own sources and keys, in folders of its own: this
machine's state stays as it is, and no rights are needed. Wheels come by the lock, for the platform's tags.

Sources: apt-get(8), apt.conf(5), dpkg-deb(1). Read November 2026.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterable
from pathlib import Path

from scripts.packager import wheels
from scripts.packager.failure import PackageFailed
from scripts.packager.interpreter import VERSION, interpreter_of_debian
from scripts.packager.system import copyright_of_debian

_NAMES = {"x86_64": ("amd64", "x86_64"), "arm64": ("arm64", "aarch64")}
"""Debian's word for an architecture, and that of the kernel and of wheels."""
_EXTENSIONS_NEED = ("libstdc++6",)
"""What wheels take from the system, beside what Python itself depends on."""


class Debian:
    """Unpacked below `folder`. Raises PackageFailed if apt is missing, or cannot fetch what is needed."""

    def __init__(self, architecture: str, folder: Path, lock: Path) -> None:
        self._architecture, self._machine = _NAMES[architecture]
        programs = [name for name in ("apt-get", "dpkg-deb") if shutil.which(name) is None]
        if programs:
            raise PackageFailed(
                f"a package for {architecture} is made of Debian's packages, and there is no "
                f"{' and no '.join(programs)}: build on Debian or Ubuntu, or on a machine of that architecture"
            )
        self._owners: dict[Path, str] = {}
        self.root = folder / "root"
        for archive in self._fetch(folder / "apt"):
            self._unpack(archive)
        self.interpreter = interpreter_of_debian(self.root, folder / "packages")
        wheels.install(lock, folder / "packages", self.platforms, "--no-deps", "--require-hashes")

    @property
    def library_folders(self) -> list[Path]:
        """Debian's, with and without /usr."""
        multiarch = f"{self._machine}-linux-gnu"
        return [self.root / folder for folder in (f"lib/{multiarch}", f"usr/lib/{multiarch}", "lib64", "lib")]

    @property
    def platforms(self) -> list[str]:
        """See System."""
        return wheels.platforms_of(next(self.root.glob("lib/*/libc.so.6")), self._machine)

    @property
    def busybox(self) -> Path | None:
        """That of busybox-static."""
        return self.root / "bin" / "busybox"

    def licences(self, files: Iterable[Path]) -> dict[str, str]:
        """See System: the copyright files in the packages."""
        return {name: copyright_of_debian(self.root, name) for name in sorted({self._owners[one] for one in files})}

    def _fetch(self, state: Path) -> list[Path]:
        """The archives of Python, busybox, and all that they depend on."""
        for name in ("lists/partial", "archives/partial"):
            (state / name).mkdir(parents=True)
        (state / "status").touch()  # no package is installed there: all dependencies are fetched
        settings = {
            "APT::Architecture": self._architecture,
            "APT::Architectures": self._architecture,
            "APT::Sandbox::User": "",
            "Dir::State": state,
            "Dir::State::status": state / "status",
            "Dir::Cache": state,
            "Debug::NoLocking": "true",
        }
        apt = ["apt-get", "-q", *(f"-o{name}={value}" for name, value in settings.items())]
        wanted = [f"python{VERSION}", "busybox-static", "base-files", *_EXTENSIONS_NEED]
        _run([*apt, "update"])
        _run([*apt, "install", "--yes", "--download-only", "--no-install-recommends", *wanted])
        return sorted((state / "archives").glob("*.deb"))

    def _unpack(self, archive: Path) -> None:
        name = archive.name.partition("_")[0]
        content = _run(["dpkg-deb", "--fsys-tarfile", str(archive)])
        with tarfile.open(fileobj=io.BytesIO(content)) as packed:
            for member in packed:
                path = self.root / member.name
                if member.issym() and member.linkname.startswith("/"):  # within the other system, not in this one
                    member.linkname = os.path.relpath(self.root / member.linkname[1:], path.parent)
                packed.extract(member, self.root, filter="tar")
                self._owners[path.resolve()] = name


def _run(command: list[str]) -> bytes:
    """The program's output. Raises PackageFailed with what it said."""
    done = subprocess.run(command, env={**os.environ, "LC_ALL": "C"}, capture_output=True, check=False)
    if done.returncode != 0:
        said = (done.stderr or done.stdout).decode(errors="replace").strip()
        raise PackageFailed(f"{' '.join(command[:1])} failed: {said}")
    return done.stdout
