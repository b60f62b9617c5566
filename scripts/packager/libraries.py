"""The shared libraries that go into a package, down to the C library and its loader."""

from __future__ import annotations

import os
from collections.abc import Container, Iterable, Iterator
from pathlib import Path

from scripts.packager.compact import compact
from scripts.packager.elf import dynamic_of, elf_files, is_native
from scripts.packager.failure import PackageFailed

OPENED_AT_RUN_TIME = ("libgcc_s.so.1", "libnss_dns.so.2", "libnss_files.so.2", "libresolv.so.2")
"""No file lists these as needed: glibc opens them by name, at the end of a thread and to resolve a host's name (the
last three only up to glibc 2.33)."""

WHEELS_NEED = (
    "libdl.so.2",
    "libm.so.6",
    "libpthread.so.0",
    "libresolv.so.2",
    "librt.so.1",
    "libstdc++.so.6",
    "libutil.so.1",
)
"""What a wheel for manylinux takes from the system without bringing it: functions in plain zips have wheels that this
build does not see. Source: auditwheel's policies (manylinux-policy.json), without those for a screen; read November
2026."""


def system_libraries(
    program: Path, folder: Path, folders: list[Path], tolerated: Container[Path] = ()
) -> dict[str, Path]:
    """Needed name and path of every library that `program` and the ELF files below `folder` take from the system.

    The loader is among them: the C library names it. What lies in `folder` itself is not: packages bring it, and find
    it by its place. `program` is where the system has it: it may find its own library by its place, too. Libraries that
    the system has for newer processors (glibc-hwcaps) are not taken. Raises PackageFailed if one cannot be found; of a
    file that is `tolerated`, which is of a package of someone else's, it may be missing.
    """
    found: dict[str, Path] = {}
    waiting = [program, *elf_files(folder)]
    while waiting:
        file = waiting.pop()
        if file in tolerated and not is_native(file):
            continue
        for name in dynamic_of(file).needed:
            path = _find(name, file, system=folders)
            if path is None and file in tolerated:
                continue
            if path is None:
                raise PackageFailed(f"{file} needs {name}, which is not in {', '.join(map(str, folders))}")
            if not path.is_relative_to(folder) and name not in found:
                found[name] = path
                waiting.append(path)
    for name in WHEELS_NEED:
        for other, path in _with_needed(name, program, folders):
            found.setdefault(other, path)
    for name in OPENED_AT_RUN_TIME:
        beside = found["libc.so.6"].parent / name
        if beside.exists() and name not in found:
            found[name] = beside
    return found


def _with_needed(name: str, file: Path, folders: list[Path]) -> Iterator[tuple[str, Path]]:
    """A library's name and path, and those of the libraries that it needs; nothing if the system does not have it."""
    path = _find(name, file, system=folders)
    if path is not None:
        yield name, path
        for needed in dynamic_of(path).needed:
            if needed != "libc.so.6" and not needed.startswith("ld-linux"):
                yield from _with_needed(needed, path, folders)


def check_closed(root: Path, libraries: Path) -> None:
    """Raise PackageFailed unless each ELF file below `root` finds what it needs below `root`, or in `libraries`."""
    for file in elf_files(root):
        for name in dynamic_of(file).needed:
            path = _find(name, file, named=[libraries])
            if path is None or not path.resolve().is_relative_to(root.resolve()):
                raise PackageFailed(f"{file.relative_to(root)} would take {name} from outside of the package")


def make_compact(files: Iterable[Path]) -> None:
    """Leave out of ELF files what no loader maps."""
    for file in files:
        file.write_bytes(compact(file.read_bytes(), file))


def _find(name: str, file: Path, *, named: Iterable[Path] = (), system: Iterable[Path] = ()) -> Path | None:
    """Where the loader finds a library that `file` needs. It is started with `named` as its library path, and looks
    into the folders of its `system` last (ld.so(8))."""
    said, origin = dynamic_of(file), str(file.resolve().parent)
    before, after = (
        [Path(folder.replace("$ORIGIN", origin)) for folder in tags] for tags in (said.rpath, said.runpath)
    )
    tried = (Path(os.path.normpath(folder / name)) for folder in (*before, *named, *after, *system))
    return next((path for path in tried if path.is_file()), None)
