"""Builds the package of a function of one's own, and the layer for functions that are in plain zips.

The function's files and its packages are at the root of its zip, as in any zip for Lambda, and found before those of
the runtime. They stay as they are, but for bytecode beside each module.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from scripts.packager import import_check, wheels
from scripts.packager.archive import (
    LIMIT_DIRECT_BYTES,
    check_size,
    figures,
    files_below,
    link,
    stem_of,
    write_zip,
)
from scripts.packager.failure import PackageFailed
from scripts.packager.own_function import OwnFunction, brought, check_handler, constraints
from scripts.packager.selection import MEDIA, OPTIONAL
from scripts.packager.system import System, this_architecture
from scripts.packager.tree import EXTENSION, copy, lay_out
from timelapse_runtime import __version__

_PROJECT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Contents:
    """What of the requirements and of the runtime is in a package. `services` are those of AWS whose data is kept, of
    boto3 in the requirements; empty for all."""

    leave_out: Sequence[str]
    services: Collection[str]
    with_media: bool


def build(function: OwnFunction, architecture: str, system: System, contents: Contents) -> dict[str, Any]:
    """Write the function's zip, and the layer with the extension, into its folder `out`. Returns the figures of the
    zip."""
    with_media = contents.with_media
    function.out.mkdir(parents=True, exist_ok=True)
    stem = function.out / stem_of(function.name, architecture)
    with tempfile.TemporaryDirectory() as folder:
        root, extension = Path(folder, "package"), Path(folder, EXTENSION)
        root.mkdir()
        _add_packages(root, function, system, with_media=with_media)
        for name, path in function.files().items():
            copy(path, root / name)
        if function.handler is not None:
            check_handler(function.handler, files_below(root), function.folder)
        _leave_out(root, contents)
        left_out = brought(root) - MEDIA if with_media else brought(root) | OPTIONAL
        lay_out(root, _PROJECT, system, with_timelapse=with_media, without=left_out)
        files = files_below(root)
        check_size(files)
        if function.handler is not None and architecture == this_architecture():
            _import(function.handler, root, Path(folder, "found.json"))
        copy(_PROJECT / "layer" / EXTENSION, extension)
        package, layer = (Path(f"{stem}{kind}.zip") for kind in ("", "-extension"))
        write_zip(package, files)
        write_zip(layer, {EXTENSION.as_posix(): extension})
    for name, archive in (("own-function.zip", package), ("own-extension.zip", layer)):
        link(function.out / name, archive)  # the name that infra/function.yaml uses
    report = figures(package)
    if report["zipped_bytes"] > LIMIT_DIRECT_BYTES:
        said = (
            f"{package} has {report['zipped_bytes']:,} bytes: too many for a direct upload ({LIMIT_DIRECT_BYTES:,}); "
        )
        print(
            f"package: {said}`sam deploy` and `aws s3 cp` upload it to S3, and Lambda takes it from there",
            file=sys.stderr,
        )
    return {"extension_layer": str(layer), **report}


def build_layer(out: Path, architecture: str, system: System) -> dict[str, Any]:
    """Write the layer that has the runtime and the extension, without what is for media, into `out`."""
    out.mkdir(parents=True, exist_ok=True)
    layer = out / f"{stem_of(f'timelapse-runtime-{__version__}', architecture)}-without-media-layer.zip"
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        lay_out(root, _PROJECT, system, with_timelapse=False, without=OPTIONAL)
        copy(_PROJECT / "layer" / EXTENSION, root / EXTENSION)
        write_zip(layer, files_below(root))
    link(out / "layer-without-media.zip", layer)
    return {"layer": str(layer), **figures(layer)}


def _add_packages(root: Path, function: OwnFunction, system: System, *, with_media: bool) -> None:
    if function.requirements is None:
        return
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write(constraints(system.interpreter.installed_packages, with_media=with_media))
        file.flush()
        wheels.install(function.requirements, root, system.platforms, "--constraint", file.name)
    for name in ("bin", "share", "include"):  # what is not imported: pip puts programs and manuals there
        shutil.rmtree(root / name, ignore_errors=True)


def _leave_out(root: Path, contents: Contents) -> None:
    data = root / "botocore" / "data"
    if unknown := [name for name in contents.services if not (data / name).is_dir()]:
        raise PackageFailed(
            f"--aws-services {','.join(unknown)}: boto3, if it is in the requirements, has no such service"
        )
    for service in data.iterdir() if contents.services else ():
        if service.is_dir() and service.name not in contents.services:
            shutil.rmtree(service)
    for pattern in contents.leave_out:
        matching = [path for name, path in files_below(root).items() if fnmatchcase(name, pattern)]
        if not matching:
            raise PackageFailed(f"--leave-out {pattern}: no file is called so; `*` stands for slashes too")
        for path in matching:
            path.unlink()


def _import(handler: str, root: Path, answer: Path) -> None:
    """Import the handler by the interpreter in the package. Raises PackageFailed if something is missing there."""
    variables = {
        "PATH": os.defpath,
        "PYTHONPATH": str(root),
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    program = [
        str(root / "python" / "bin" / "python3"),
        "-P",
        "-B",
        import_check.__file__,
        handler,
        str(root),
        str(answer),
    ]
    done = subprocess.run(program, cwd=root, env=variables, capture_output=True, text=True, check=False)
    found = json.loads(answer.read_text()) if answer.exists() else {"problem": f"{handler} ended Python: {done.stderr}"}
    if "problem" in found:
        missing = (
            "; add what it is part of to --requirements FILE, or leave --handler out if a layer brings it"
            if "No module named" in found["problem"]
            else ""
        )
        raise PackageFailed(f"{found['problem'].replace(f'{root}/', '')}{missing}")
    if "warning" in found:
        print(f"package: {found['warning']} (it may be right on Lambda)", file=sys.stderr)
