"""File systems that hold a package, a static busybox and nothing else; AWS's emulator in them."""

from __future__ import annotations

import shlex
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scripts.packager.image import SHELL
from tests.programs import require_program
from timelapse_runtime.emulator.deployment import Deployment
from timelapse_runtime.emulator.rie import Emulator


def unzip(archive_path: Path, folder: Path, only: str = "") -> None:
    """Unpack with the modes that the archive has; `only` names a folder of it."""
    with zipfile.ZipFile(archive_path) as archive:
        for info in archive.infolist():
            if info.filename.startswith(only):
                archive.extract(info, folder)
                (folder / info.filename).chmod(info.external_attr >> 16 & 0o777)


def make_root(folder: Path, emulator: Path) -> Path:
    """An otherwise empty root: busybox as the few programs that `bootstrap` and the extension run; the emulator."""
    for name in ("bin", "dev", "proc", "tmp", "var/task", "opt"):
        (folder / name).mkdir(parents=True)
    shutil.copy2(require_program("busybox"), folder / "bin" / "busybox")
    for name in SHELL:
        (folder / name).symlink_to("busybox")
    (folder / "dev" / "null").touch()  # the device is bound here
    shutil.copy2(emulator, folder / "rie")
    return folder


def emulator_in_chroot(root: Path, scratch: Path, **options: Any) -> Emulator:
    """The emulator, and what it starts, see `root` as the whole file system, with /proc and /dev/null."""
    place = shlex.quote(str(root))
    enter = f"""
mount -t proc proc {place}/proc
mount --bind /dev/null {place}/dev/null
chroot=$(command -v chroot)
export PATH=/bin LAMBDA_TASK_ROOT=/var/task TMPDIR=/tmp
exec "$chroot" {place} /rie "$@"
"""
    return _emulator(enter, scratch, **options)


def emulator_in_container(
    buildah: list[str],
    container: str,
    emulator: Path,
    variables: Mapping[str, str],
    scratch: Path,
    *,
    command: list[str],
    **options: Any,
) -> Emulator:
    """The emulator, and what it starts, run in a container by `buildah run`, without isolation of the network.

    `command` is the image's CMD: behind the entry point, as where an image is run.
    """
    words = [*buildah, "run", "--isolation", "chroot", "--volume", f"{emulator}:/rie:ro"]
    words += [word for name, value in variables.items() for word in ("--env", f"{name}={value}")]
    # `buildah run` ends at SIGTERM and kills what it runs: the signal goes to the emulator itself.
    enter = f"""
trap 'for process in /proc/[0-9]*; do
    case $(readlink "$process/exe") in */rie*) kill -TERM "${{process#/proc/}}" ;; esac
done' TERM
{shlex.join([*words, container])} -- /rie "$@" {shlex.join(command)} &
wait || wait
"""
    return _emulator(enter, scratch, variables={}, **options)


def _emulator(enter: str, scratch: Path, *, bootstrap: Path, handler: str, **options: Any) -> Emulator:
    scratch.mkdir(exist_ok=True)
    script = scratch / "enter"
    script.write_text("#!/bin/sh\nset -eu\n" + enter)
    script.chmod(0o755)
    # The extensions are in the other root's /opt/extensions.
    deployment = Deployment(bootstrap=bootstrap, extensions=None, task_root=scratch, handler=handler)
    return Emulator(binary=script, deployment=deployment, temp_folder=scratch, **options)
