"""Installs packages as wheels for a platform, which need not be this machine's: nothing of them is run.

Sources: PEP 600 (the versions in the tags are those of glibc); pip's reference, 'pip install' and 'Secure
installs'. Read November 2026.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from scripts.packager.failure import PackageFailed
from scripts.packager.interpreter import VERSION

_OLDEST_GLIBC_MINOR = 17  # of manylinux2014, the oldest that wheels for Python 3.11 are made for


def platforms_of(libc: Path, machine: str) -> list[str]:
    """The tags of wheels that a C library (a file) can load. `machine` is the kernel's word for the architecture."""
    minor = int(platform.libc_ver(str(libc))[1].partition(".")[2])
    newest_first = range(minor, _OLDEST_GLIBC_MINOR - 1, -1)
    return [*(f"manylinux_2_{one}_{machine}" for one in newest_first), f"manylinux2014_{machine}", f"linux_{machine}"]


def install(requirements: Path, folder: Path, platforms: Sequence[str], *options: str) -> None:
    """Install what a requirements file asks for into a folder, with more `options` of pip. pip compares hashes if the
    file has them. Raises PackageFailed, with what to do."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"]
    command += ["--only-binary", ":all:", "--no-compile", "--implementation", "cp", "--python-version", VERSION]
    command += [word for tag in platforms for word in ("--platform", tag)]
    command += ["--target", str(folder), "-r", str(requirements), *options]
    done = subprocess.run(command, env={**os.environ, "LC_ALL": "C"}, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        lines = (done.stdout + done.stderr).splitlines()
        said = "\n".join(line for line in lines if not line.startswith("WARNING: "))
        raise PackageFailed(_explained(said.strip(), requirements, platforms))


def _explained(said: str, requirements: Path, platforms: Sequence[str]) -> str:
    missing = re.search(r"No matching distribution found for ([^\s=<>!~;\[]+)", said)
    if "conflicting dependencies" in said:
        what = "they exclude each other, or what the runtime itself is made of (pip calls its versions constraints)"
        return f"{requirements}: {what}; pip says:\n{said}"
    if missing is None:
        return f"pip cannot install {requirements}:\n{said}"
    return (
        f"{requirements}: there is no wheel of {missing[1]} for Python {VERSION} and {platforms[0]} or older. "
        f"Ask for a version that has one, or build one there (pip wheel {missing[1]} --wheel-dir wheels) and write "
        f"`--find-links wheels` into {requirements.name}. pip says:\n{said}"
    )
