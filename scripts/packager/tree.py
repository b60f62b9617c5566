"""Lays out the deployed files in a folder: `bootstrap`, `timelapse_runtime/`, `python/`, `LICENSES/`.

`python/` is a prefix: bin, lib with the shared libraries, lib/python3.x with the standard library and the packages.
The libraries are not in a `lib/` at the root: Lambda has /var/task/lib and /opt/lib in LD_LIBRARY_PATH, and the
system's own programs must not meet our C library.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from scripts.packager import bytecode, certificates, libraries, licences, sdk_data, selection
from scripts.packager.elf import elf_files, loader_of
from scripts.packager.failure import PackageFailed
from scripts.packager.interpreter import Interpreter, own_executable
from scripts.packager.system import System

EXTENSION = Path("extensions", "timelapse-shutdown")


def lay_out(root: Path, project: Path, system: System) -> None:
    """Fill the empty folder `root` with the runtime."""
    interpreter, prefix = system.interpreter, root / "python"
    stdlib, packages = prefix / interpreter.stdlib_name, prefix / interpreter.packages_name
    for path in selection.project_files(project):
        copy(project / path, root / path)
    copy(project / "bootstrap", root / "bootstrap")
    for path in selection.stdlib_files(interpreter.stdlib):
        copy(interpreter.stdlib / path, stdlib / path)
    for path in selection.package_files(interpreter.installed_packages):
        copy(interpreter.installed_packages / path, packages / path)
    # What layers bring, where the layer has it that is beside the function's zip.
    (packages / "layers.pth").write_text(f"/opt/{prefix.name}/{interpreter.packages_name}\n")
    sdk_data.cut_endpoints(packages)
    certificates.write_folder(packages / "certifi" / "cacert.pem", prefix / "certificates")
    program = prefix / interpreter.executable_name
    copy(interpreter.executable, program)
    loader = loader_of(program)
    if loader is None:
        raise PackageFailed(f"{interpreter.executable} is static: it could not load an extension")
    taken = libraries.system_libraries(interpreter.executable, prefix, system.library_folders)
    for name, path in taken.items():
        copy(path, prefix / "lib" / name)
    libraries.make_compact(elf_files(prefix))
    libraries.check_closed(prefix, prefix / "lib")
    _write_starter(prefix, interpreter, loader.name)
    _compile(root)
    licences.collect(root / "LICENSES", project, system, taken.values())


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


def _compile(root: Path) -> None:
    """By the interpreter of this process: bytecode is the same for all architectures."""
    command = [str(own_executable()), "-S", "-B", bytecode.__file__, str(root), "timelapse_runtime/"]
    done = subprocess.run(command, env={"PYTHONHASHSEED": "0"}, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise PackageFailed(f"a module can't be compiled: {done.stderr.strip()}")
