"""The machine's shared libraries that go into a package, down to the C library and its loader."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from scripts.packager.elf import can_map, elf_files, resolved
from scripts.packager.failure import PackageFailed

OPENED_AT_RUN_TIME = ("libgcc_s.so.1", "libnss_dns.so.2", "libnss_files.so.2", "libresolv.so.2")
"""No file lists these as needed: glibc opens them by name, at the end of a thread and to resolve a host's name (the
last three only up to glibc 2.33)."""


def host_libraries(program: Path, loader: Path, folder: Path) -> dict[str, Path]:
    """Needed name and path of every library that `program` and the ELF files below `folder` take from the machine.

    The loader is among them. What lies in `folder` itself is not: packages bring it, and find it by its place.
    `program` is the one on the machine: it may find its own library by its place, too.
    """
    found = {loader.name: loader}
    for file in [program, *elf_files(folder)]:
        for needed, path in resolved(file, loader):
            if not path.is_relative_to(folder):
                found.setdefault(path.name if "/" in needed else needed, path)
    for name in OPENED_AT_RUN_TIME:
        beside = found["libc.so.6"].parent / name
        if beside.exists():
            found.setdefault(name, beside)
    return found


def check_closed(root: Path, libraries: Path, loader: Path) -> None:
    """Raise PackageFailed unless each ELF file below `root` loads with libraries from `root` alone.

    As the package starts it: by its own loader, without the machine's library cache. Nothing is run.
    """
    for file in elf_files(root):
        if file == loader:
            continue
        for needed, path in resolved(file, loader, "--inhibit-cache", "--library-path", str(libraries)):
            if not path.resolve().is_relative_to(root.resolve()):
                raise PackageFailed(f"{file.relative_to(root)} would take {needed} from {path}, outside of the package")


def strip(root: Path, loader: Path) -> None:
    """Take symbols and debugging information out of every ELF file below `root`.

    What auditwheel has rearranged can come out larger, or (numpy's OpenBLAS, binutils 2.40) with segments that no
    loader maps: such a file stays as it is.
    """
    program = shutil.which("strip")
    if program is None:
        raise PackageFailed("`strip` is needed, to leave debugging information out (Debian: binutils)")
    for file in elf_files(root):
        smaller = file.with_name(file.name + ".stripped")
        subprocess.run([program, "--strip-unneeded", "-o", str(smaller), str(file)], check=True)
        if smaller.stat().st_size < file.stat().st_size and can_map(smaller, loader):
            smaller.replace(file)
        else:
            smaller.unlink()
