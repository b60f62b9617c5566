"""The interpreter that goes into a package, as paths."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

VERSION = f"{sys.version_info[0]}.{sys.version_info[1]}"
"""Of every package that this process builds: bytecode belongs to one version."""
_QUESTIONS = """
import json, os, site, sys
print(json.dumps({
    "executable": os.path.realpath(sys.executable),
    "stdlib": os.path.dirname(os.path.realpath(os.__file__)),
    "stdlib_name": f"{sys.platlibdir}/python{sys.version_info[0]}.{sys.version_info[1]}",
    "packages_name": os.path.relpath(site.getsitepackages(["/"])[-1], "/"),
}))
"""


@dataclass(frozen=True, slots=True)
class Interpreter:
    """Paths on this machine (Path), and where the same things are below a prefix (str).

    `packages_name` is where this interpreter looks for packages: Debian's looks in dist-packages.
    """

    executable: Path
    stdlib: Path
    stdlib_name: str
    packages_name: str
    installed_packages: Path

    @property
    def executable_name(self) -> str:
        """Below the prefix; `bin/python3` is the script that starts it."""
        return f"bin/python{VERSION}"


def own_executable() -> Path:
    """The interpreter from which this process's environment was created."""
    return Path(getattr(sys, "_base_executable", sys.executable))


def own_interpreter() -> Interpreter:
    """Ask that interpreter, and take this environment's packages. -I and -S: outside the environment."""
    command = [str(own_executable()), "-I", "-S", "-c", _QUESTIONS]
    answer = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return Interpreter(
        executable=Path(answer["executable"]),
        stdlib=Path(answer["stdlib"]),
        stdlib_name=answer["stdlib_name"],
        packages_name=answer["packages_name"],
        installed_packages=Path(sysconfig.get_path("platlib")),
    )


def interpreter_of_debian(root: Path, packages: Path) -> Interpreter:
    """Debian's, unpacked below `root`, with other packages."""
    return Interpreter(
        executable=root / "usr" / "bin" / f"python{VERSION}",
        stdlib=root / "usr" / "lib" / f"python{VERSION}",
        stdlib_name=f"lib/python{VERSION}",
        packages_name=f"lib/python{VERSION}/dist-packages",
        installed_packages=packages,
    )
