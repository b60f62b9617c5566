"""What interpreter, shared libraries and their licences are taken from: this machine, or Debian's packages.

This machine gives a package of its own architecture, and needs nothing but Python. A package of the other architecture
is made of Debian's packages, which apt fetches and checks (debian.py).
"""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

from scripts.packager.elf import is_elf, loader_of
from scripts.packager.failure import PackageFailed
from scripts.packager.interpreter import Interpreter, own_interpreter
from scripts.packager.wheels import platforms_of

ARCHITECTURES = {"x86_64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}
"""Lambda's word for each of the kernel's."""
_DEFAULT_FOLDERS = ("lib64", "usr/lib64", "lib", "usr/lib")
"""Of ld.so(8)."""


class System(Protocol):
    """Where the parts of a package come from. `root` is what its paths begin with: `/` for this machine."""

    @property
    def root(self) -> Path: ...

    @property
    def interpreter(self) -> Interpreter: ...

    @property
    def library_folders(self) -> list[Path]:
        """Where its loader looks, in this order."""

    @property
    def platforms(self) -> list[str]:
        """The tags of wheels that its C library can load."""

    @property
    def busybox(self) -> Path | None:
        """A static one."""

    def licences(self, files: Iterable[Path]) -> dict[str, str]:
        """The texts for the packages that the files are from, by the packages' names. Raises PackageFailed."""


class ThisMachine:
    """The machine that this process runs on. Raises PackageFailed, with all that is missing, before anything is
    built."""

    def __init__(self) -> None:
        self.root = Path("/")
        self.interpreter = own_interpreter()
        missing = list(what_is_missing(self.interpreter.executable))
        if missing:
            raise PackageFailed("; ".join(missing))
        self.library_folders = [
            *configured_folders(self.root / "etc" / "ld.so.conf"),
            *(self.root / folder for folder in _DEFAULT_FOLDERS),
        ]

    @property
    def platforms(self) -> list[str]:
        """See System."""
        libraries = (folder / "libc.so.6" for folder in self.library_folders)
        return platforms_of(next(path for path in libraries if path.exists()), platform.machine())

    @property
    def busybox(self) -> Path | None:
        """The one on the PATH, if it is static."""
        found = shutil.which("busybox")
        return Path(found).resolve() if found and is_elf(Path(found)) and loader_of(Path(found)) is None else None

    def licences(self, files: Iterable[Path]) -> dict[str, str]:
        """See System: by Debian's or by RPM's database."""
        return _of_debian(files) if shutil.which("dpkg-query") else _of_rpm(files)


def this_architecture() -> str:
    """Lambda's name of it. Raises PackageFailed where Lambda's programs do not run."""
    here = ARCHITECTURES.get(platform.machine())
    if sys.platform != "linux" or here is None:
        raise PackageFailed(f"Lambda runs Linux on x86_64 and arm64; this is {sys.platform} on {platform.machine()}")
    return here


def what_is_missing(python: Path) -> Iterator[str]:
    """Why no package can be made of this machine's parts and the interpreter `python`, in sentences."""
    loader = loader_of(python)
    if loader is None:
        yield f"{python} is static and could not load an extension: PYTHON=… names another Python"
    elif not loader.name.startswith("ld-linux"):
        yield (
            f"{python} uses {loader.name}, and a package needs glibc's loader: "
            "build in a container of Debian, Ubuntu, Fedora or Amazon Linux"
        )
    if not (shutil.which("dpkg-query") or shutil.which("rpm")):
        yield (
            "the licences of the system's libraries are taken from the packages of dpkg or rpm, and there is neither: "
            "build in a container of Debian, Ubuntu, Fedora or Amazon Linux"
        )


def configured_folders(file: Path) -> Iterator[Path]:
    """The folders of an ld.so.conf, and of the files that it includes."""
    for line in file.read_text().splitlines() if file.exists() else ():
        words = line.partition("#")[0].split()
        if words[:1] == ["include"]:
            pattern = (file.parent / words[1]).absolute()  # words[1] alone if it is absolute
            for included in sorted(Path("/").glob(str(pattern.relative_to("/")))):
                yield from configured_folders(included)
        elif words:
            yield Path(words[0])


def _of_debian(files: Iterable[Path]) -> dict[str, str]:
    """The copyright files. The database may know a file by its path from before /lib became a link."""
    known_as = {name: path for path in files for name in (str(path), str(path).removeprefix("/usr"))}
    asked = subprocess.run(["dpkg-query", "--search", *known_as], capture_output=True, text=True, check=False)
    found = dict(line.split(": ")[::-1] for line in asked.stdout.splitlines() if not line.startswith("diversion "))
    _require_owners(set(known_as.values()) - {known_as[name] for name in found})
    names = {package.partition(":")[0] for packages in found.values() for package in packages.split(", ")}
    return {name: copyright_of_debian(Path("/"), name) for name in sorted(names)}


def copyright_of_debian(root: Path, name: str) -> str:
    """A package's copyright file. Raises PackageFailed."""
    path = root / "usr" / "share" / "doc" / name / "copyright"
    if not path.exists():
        raise PackageFailed(f"the licence of {name} is missing: there is no {path}")
    return path.read_text()


def _of_rpm(files: Iterable[Path]) -> dict[str, str]:
    """The files that packages mark as licences."""
    owners, unknown = set(), set()
    for path in files:
        asked = _rpm("--file", "--queryformat", "%{NAME}\n", str(path))
        owners |= set(asked.stdout.split()) if asked.returncode == 0 else set()
        unknown |= set() if asked.returncode == 0 else {path}
    _require_owners(unknown)
    texts = {}
    for name in sorted(owners):
        listed = [Path(line) for line in _rpm("--licensefiles", name).stdout.splitlines()]
        texts[name] = "\n".join(path.read_text(errors="replace") for path in listed if path.is_file())
        if not texts[name]:
            raise PackageFailed(f"the licence of {name} is missing: no file of the package is marked as one")
    return texts


def _rpm(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["rpm", "--query", *arguments], capture_output=True, text=True, check=False)


def _require_owners(unknown: set[Path]) -> None:
    if unknown:
        raise PackageFailed(f"from no package, so their licence is not known: {', '.join(sorted(map(str, unknown)))}")
