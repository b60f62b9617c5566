"""`scripts/package`: builds the deployment archives in dist/. The last line on stdout is JSON, for programs."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from scripts.packager import licences, own_package
from scripts.packager.archive import figures, files_below, link, stem_of, write_zip
from scripts.packager.debian import Debian
from scripts.packager.failure import PackageFailed
from scripts.packager.image import TASK_ROOT, write_image
from scripts.packager.own_function import OwnFunction
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
        architecture = options.arch or this_architecture()
        function = _own_function(options)
        with tempfile.TemporaryDirectory() as folder:
            system = _system(architecture, Path(folder))
            if function is not None:
                contents = own_package.Contents(options.leave_out, options.aws_services, not options.without_media)
                report = own_package.build(function, architecture, system, contents)
            elif options.without_media:
                report = own_package.build_layer(options.out, architecture, system)
            else:
                report = build(options.out, architecture, system, image_required=options.image)
    except PackageFailed as error:
        print(f"package: {error}", file=sys.stderr)
        return 1
    for part in report["largest_parts"]:
        print(f"{part['unzipped_bytes']:>12,} {part['zipped_bytes']:>12,}  {part['part']}")
    print(json.dumps(report))
    return 0


def build(out: Path, architecture: str, system: System, *, image_required: bool) -> dict[str, Any]:
    """Write the archives of the timelapse function into `out`. Returns the figures of the function's zip, and the paths
    of the others."""
    out.mkdir(parents=True, exist_ok=True)
    stem = stem_of(f"timelapse-runtime-{__version__}", architecture)
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
            link(out / name, archive)  # the name that the templates in infra/ use, independent of the version
        image = _build_image(out / f"{stem}-image.tar", root, extension, architecture, system, required=image_required)
    return {
        "layer": str(layer),
        "extension_layer": str(extension_layer),
        "image": None if image is None else str(image),
        **figures(package),
    }


def _own_function(options: argparse.Namespace) -> OwnFunction | None:
    if options.function is None:
        for name in ("requirements", "handler", "leave_out", "aws_services"):
            if getattr(options, name):
                raise PackageFailed(f"--{name.replace('_', '-')} is about a function of your own: add --function DIR")
        return None
    found = options.function / "requirements.txt"
    requirements = options.requirements or (found if found.is_file() else None)
    return OwnFunction(options.function, requirements, options.handler, options.out)


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
    parser.add_argument("--function", type=Path, metavar="DIR", help="package the function in DIR with the runtime")
    parser.add_argument("--handler", metavar="MODULE.NAME", help="of --function: see whether it can be imported")
    parser.add_argument(
        "--requirements",
        type=Path,
        metavar="FILE",
        help="of --function, for pip; default: DIR/requirements.txt, if it is there",
    )
    parser.add_argument(
        "--leave-out",
        action="append",
        default=[],
        metavar="PATTERN",
        help="of --function: files, as '*/tests/*'; repeatable",
    )
    parser.add_argument(
        "--aws-services",
        type=lambda text: text.split(","),
        default=[],
        metavar="NAME,...",
        help="of boto3 in the requirements: keep these alone, as s3,dynamodb; all of them are 15 MB",
    )
    parser.add_argument(
        "--without-media",
        action="store_true",
        help="without the timelapse function, FFmpeg, Pillow, numpy and boto3; without --function, the layer alone",
    )
    parser.add_argument("--image", action="store_true", help="fail where the image can't be built")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
