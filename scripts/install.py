"""Creates environments from lock files, once per lock and Python version. `scripts/install` finds the Python for it.

Only the standard library. The stamp in it is written last: an environment without a matching
stamp is rebuilt, so an installation that failed or was killed is never used. A lock on the repository's
folder lets two of these run at once. It writes to stderr only: stdout belongs to the caller.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import json
import os
import platform
import subprocess
import sys
import time
import venv
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LEVELS = {
    "replay": (".venv", 0),
    "dev": (".venv", 1),
    "ministack": (".venv-ministack", 0),
    "audit": (".venv-audit", 0),
    "bench": (".venv-bench", 0),
    "infra": (".venv-infra", 0),
    "runtime": (".venv-runtime", 0),
}
"""Folder and rank: in one folder, each level holds all of those of lower rank, at the same versions (scripts/lock
sees to that). The S3 server for tests has its own folder, to keep its dependencies separate."""


def say(text: str) -> None:
    sys.stderr.write(f"install: {text}\n")


def lock_file(level: str) -> Path:
    return ROOT / "requirements" / f"{level}.lock"


def stamp_of(level: str) -> dict[str, str]:
    digest = hashlib.sha256(lock_file(level).read_bytes()).hexdigest()
    return {"level": level, "lock": digest, "python": f"{platform.python_implementation()} {platform.python_version()}"}


def folder_of(level: str) -> Path:
    return ROOT / LEVELS[level][0]


def stamp_file(folder: Path) -> Path:
    return folder / "installed.json"


def installed_level(folder: Path) -> str | None:
    """The level in a folder, if it was made from the current lock with this Python and still runs."""
    try:
        stamp = json.loads(stamp_file(folder).read_text())
        level = stamp["level"]
        good = level in LEVELS and stamp == stamp_of(level) and os.access(folder / "bin" / "python", os.X_OK)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return level if good else None


def satisfied(level: str) -> bool:
    installed = installed_level(folder_of(level))
    return installed is not None and LEVELS[installed][1] >= LEVELS[level][1]


@contextmanager
def only_one() -> Iterator[None]:
    folder = os.open(ROOT, os.O_RDONLY)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another installation in this folder")
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def make_environment(folder: Path) -> None:
    if importlib.util.find_spec("ensurepip") is None:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        say(f"{sys.executable} has no venv with pip; on Debian and Ubuntu: apt-get install python{version}-venv")
        sys.exit(1)
    stamp_file(folder).unlink(missing_ok=True)  # first: until the new stamp is written, this environment is not valid
    venv.EnvBuilder(with_pip=True, clear=True, symlinks=True).create(folder)
    site_packages = next((folder / "lib").glob("python3*/site-packages"))
    # Relative, so that a clone may be moved or renamed.
    (site_packages / "timelapse_runtime.pth").write_text(os.path.relpath(ROOT, site_packages.resolve()) + "\n")


def install(level: str) -> None:
    # A mirror, proxy or certificate in the user's pip configuration still applies; the hashes decide what is accepted.
    folder = folder_of(level)
    command = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--no-input"]
    command += ["--disable-pip-version-check", "--progress-bar", "off", "--only-binary", ":all:"]
    command += ["--require-hashes", "-r", str(lock_file(level))]
    # pip's output is shown only if it failed.
    pip = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if pip.returncode != 0:
        sys.stderr.write(pip.stdout)
        say(f"pip could not install requirements/{level}.lock; its output is above")
        sys.exit(1)
    fresh = stamp_file(folder).with_suffix(".new")
    fresh.write_text(json.dumps(stamp_of(level)) + "\n")
    fresh.replace(stamp_file(folder))


def make(level: str) -> None:
    started = time.monotonic()
    say(f"installing the locked dependencies ({level}) into {folder_of(level).name}; a minute at most, once")
    if installed_level(folder_of(level)) is None:
        make_environment(folder_of(level))
    install(level)
    say(f"{level}: done in {time.monotonic() - started:.0f} s")


def main(arguments: list[str]) -> None:
    levels = arguments or ["dev"]
    if not LEVELS.keys() >= set(levels) or len({folder_of(level) for level in levels}) < len(levels):
        sys.exit(f"usage: scripts/install [{'|'.join(LEVELS)}]..., no two for one folder")
    if all(satisfied(level) for level in levels):
        return
    with only_one(), ThreadPoolExecutor() as threads:
        missing = [level for level in levels if not satisfied(level)]  # another one may have held the lock
        for _ in threads.map(make, missing):  # raises what they raise
            pass


if __name__ == "__main__":
    main(sys.argv[1:])
