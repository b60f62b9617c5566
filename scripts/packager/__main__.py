"""`scripts/package`: builds the deployment archives in dist/. The last line on stdout is JSON, for programs."""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from scripts.packager import licences
from scripts.packager.archive import (
    files_below,
    largest_parts,
    unzipped_bytes,
    write_zip,
)
from scripts.packager.debian import Debian
from scripts.packager.failure import PackageFailed
from scripts.packager.image import TASK_ROOT, write_image
from scripts.packager.selection import is_of_layer
from scripts.packager.system import ARCHITECTURES, System, ThisMachine, this_architecture
from scripts.packager.tree import EXTENSION, copy, lay_out
from timelapse_runtime import __version__
from timelapse_runtime.emulator.deployment import HANDLER

PROJECT = Path(__file__).parents[2]
_LOCK = PROJECT / "requirements" / "runtime.lock"


def main(arguments: list[str]) -> int:
    """Build; the exit code."""
    options = _parse(arguments)
    try:
        with tempfile.TemporaryDirectory() as folder:
            architecture = options.arch or this_architecture()
            system = _system(architecture, Path(folder))
            report = build(options.out, architecture, system, image_required=options.image)
    except PackageFailed as error:
        print(f"package: {error}", file=sys.stderr)
        return 1
    for part in report["largest_parts"]:
        print(f"{part['unzipped_bytes']:>12,} {part['zipped_bytes']:>12,}  {part['part']}")
    print(json.dumps(report))
    return 0


def build(out: Path, architecture: str, system: System, *, image_required: bool) -> dict[str, Any]:
    """Write the archives into `out`. Returns the figures of the function's zip, and the paths of the others."""
    out.mkdir(parents=True, exist_ok=True)
    stem = f"timelapse-runtime-{__version__}-{architecture}"
    with tempfile.TemporaryDirectory() as folder:
        root, extension = Path(folder, "runtime"), Path(folder, EXTENSION)
        root.mkdir()
        lay_out(root, PROJECT, system)
        copy(PROJECT / "layer" / EXTENSION, extension)
        package, layer, extension_layer = (out / f"{stem}{kind}.zip" for kind in ("", "-layer", "-extension"))
        files = files_below(root)
        beside = {name: path for name, path in files.items() if is_of_layer(name.partition("-packages/")[2])}
        write_zip(package, {name: path for name, path in files.items() if name not in beside})
        write_zip(layer, {EXTENSION.as_posix(): extension}, begin_with=package)
        write_zip(extension_layer, {**beside, EXTENSION.as_posix(): extension})
        for name, archive in (("function.zip", package), ("extension.zip", extension_layer)):
            _link(out / name, archive)  # the name that the templates in infra/ use, independent of the version
        image = _build_image(out / f"{stem}-image.tar", root, extension, architecture, system, required=image_required)
    return {
        "path": str(package),
        "layer": str(layer),
        "extension_layer": str(extension_layer),
        "image": None if image is None else str(image),
        "zipped_bytes": package.stat().st_size,
        "unzipped_bytes": unzipped_bytes(package),
        "sha256": hashlib.sha256(package.read_bytes()).hexdigest(),
        "largest_parts": largest_parts(package),
    }


def _link(link: Path, target: Path) -> None:
    link.unlink(missing_ok=True)
    link.symlink_to(target.name)


def _build_image(
    target: Path, root: Path, extension: Path, architecture: str, system: System, *, required: bool
) -> Path | None:
    busybox = system.busybox
    if busybox is None:
        reason = "the image's shell is a static busybox, and there is none here (Debian: busybox-static)"
        if required:
            raise PackageFailed(reason)
        print(f"package: no image: {reason}", file=sys.stderr)
        target.unlink(missing_ok=True)
        return None
    licences.collect_system(root / "LICENSES" / "system", system, [busybox])
    files = {**files_below(root, TASK_ROOT), f"opt/{EXTENSION.as_posix()}": extension}
    write_image(target, files, busybox=busybox, architecture=architecture, handler=HANDLER)
    return target


def _system(architecture: str, folder: Path) -> System:
    """What the package is made of; `folder` is for what is fetched."""
    if architecture == this_architecture():
        return ThisMachine()
    return Debian(architecture, folder, _LOCK)


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/package", description=__doc__)
    parser.add_argument("--arch", choices=sorted(set(ARCHITECTURES.values())), help="default: this machine's")
    parser.add_argument("--out", type=Path, default=Path("dist"), help="folder for the archives; default: dist")
    parser.add_argument("--image", action="store_true", help="fail where the image can't be built")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
