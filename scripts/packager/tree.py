"""Lays out the deployed files in a folder: `bootstrap`, `timelapse_runtime/`, `python/`, `LICENSES/`.

`python/` is a prefix: bin, lib with the shared libraries, lib/python3.x with the standard library and the packages.
The libraries are not in a `lib/` at the root: Lambda has /var/task/lib and /opt/lib in LD_LIBRARY_PATH, and the
system's own programs must not meet our C library.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Collection
from pathlib import Path

from scripts.packager import bytecode, certificates, libraries, licences, sdk_data, selection
from scripts.packager.elf import elf_files, loader_of
from scripts.packager.failure import PackageFailed
from scripts.packager.interpreter import Interpreter, own_executable
from scripts.packager.system import System

EXTENSION = Path("extensions", "timelapse-shutdown")


def lay_out(
    root: Path, project: Path, system: System, *, with_timelapse: bool = True, without: Collection[str] = ()
) -> None:
    """Add the runtime to the folder `root`, which may have a function of one's own and its packages.

    `without` names distributions that are left out.
    """
    interpreter, prefix = system.interpreter, root / "python"
    stdlib, packages = prefix / interpreter.stdlib_name, prefix / interpreter.packages_name
    own = elf_files(root)
    for path in selection.project_files(project, with_timelapse=with_timelapse):
        copy(project / path, root / path)
    copy(project / "bootstrap", root / "bootstrap")
    for path in selection.stdlib_files(interpreter.stdlib):
        copy(interpreter.stdlib / path, stdlib / path)
    for path in selection.package_files(interpreter.installed_packages, without):
        copy(interpreter.installed_packages / path, packages / path)
    # What layers bring, where the layer has it that is beside the function's zip.
    (packages / "layers.pth").write_text(f"/opt/{prefix.name}/{interpreter.packages_name}\n")
    if "botocore" not in without:
        sdk_data.cut_endpoints(packages)
    bundle = interpreter.installed_packages / "certifi" / "cacert.pem"
    certificates.write_folder(bundle, prefix / "certificates")
    program = prefix / interpreter.executable_name
    copy(interpreter.executable, program)
    loader = loader_of(program)
    if loader is None:
        raise PackageFailed(f"{interpreter.executable} is static: it could not load an extension")
    taken = libraries.system_libraries(interpreter.executable, root, system.library_folders, frozenset(own))
    for name, path in taken.items():
        copy(path, prefix / "lib" / name)
    libraries.make_compact(elf_files(prefix))
    libraries.check_closed(prefix, prefix / "lib")
    _write_starter(prefix, interpreter, loader.name)
    compile_modules(root)
    licences.collect(root / "LICENSES", project, system, taken.values(), without)


def copy(source: Path, target: Path) -> None:
    """Copy a file, or what a link leads to, readable and (if it was) executable for everyone: Lambda does not run as
    root."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(0o755 if os.access(source, os.X_OK) else 0o644)


def _write_starter(prefix: Path, interpreter: Interpreter, loader_name: str) -> None:
    text = Path(__file__).with_name("python3.sh").read_text()
    for word, value in {
        "@LOADER@": loader_name,
        "@EXECUTABLE@": interpreter.executable_name,
    }.items():
        text = text.replace(word, value)
    starter = prefix / "bin" / "python3"
    starter.write_text(text)
    starter.chmod(0o755)


def compile_modules(root: Path) -> None:
    """By the interpreter of this process: bytecode is the same for all architectures."""
    command = [str(own_executable()), "-S", "-B", bytecode.__file__, str(root), "python/"]
    done = subprocess.run(command, env={"PYTHONHASHSEED": "0"}, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise PackageFailed(f"a module can't be compiled: {done.stderr.strip()}")
