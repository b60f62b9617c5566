"""The interpreter that goes into the package: the one from which this process's environment was created."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

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
        return f"bin/python{sys.version_info[0]}.{sys.version_info[1]}"


def base_interpreter() -> Interpreter:
    """Ask the interpreter behind this environment. -I and -S: outside the environment."""
    base = getattr(sys, "_base_executable", sys.executable)
    asked = subprocess.run([base, "-I", "-S", "-c", _QUESTIONS], capture_output=True, text=True, check=True)
    answer = json.loads(asked.stdout)
    return Interpreter(
        executable=Path(answer["executable"]),
        stdlib=Path(answer["stdlib"]),
        stdlib_name=answer["stdlib_name"],
        packages_name=answer["packages_name"],
        installed_packages=Path(sysconfig.get_path("platlib")),
    )
