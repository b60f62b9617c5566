"""Checks of what is deployed: the function's zip and its layers.

Source: Lambda developer guide, 'Lambda quotas' and 'Using layers', read November 2026.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

from scripts.deploy_check.findings import Finding
from timelapse_runtime.emulator.deployment import HANDLER

DIRECT_LIMIT_BYTES = 50 * 2**20
"""Zipped, for a direct upload."""
UNZIPPED_LIMIT_BYTES = 250 * 2**20
"""The function and all its layers together."""
EXTENSION = "extensions/timelapse-shutdown"
_BUILD = "build it with scripts/package"
_MACHINES = {"x86_64": 0x3E, "arm64": 0xB7}
"""e_machine in ELF's header (elf(5))."""
_NEEDED = {"bootstrap": True, "timelapse_runtime/start.sh": False, "python/bin/python3": True}
"""Files at the zip's root, and whether each is executed."""


def check(function: Path, layers: list[Path], architecture: str, handler: str) -> Iterator[Finding]:
    """What is wrong with the archives of a function for this architecture."""
    unzipped_bytes, contents = 0, []
    for path in (function, *layers):
        try:
            with zipfile.ZipFile(path) as archive:
                contents.append({info.filename: info for info in archive.infolist()})
                unzipped_bytes += sum(info.file_size for info in archive.infolist())
                if path == function:
                    yield from _machine(archive, architecture, path)
        except (OSError, zipfile.BadZipFile) as error:
            yield Finding(str(path), f"it cannot be read as a zip: {error}", _BUILD)
            return
    for name, is_executed in _NEEDED.items():
        yield from _entry(function, contents[0], name, is_executed=is_executed)
    yield from _handler(function, contents, handler)
    extended = [(path, entries) for path, entries in zip(layers, contents[1:], strict=True) if EXTENSION in entries]
    if not extended:
        what = f"no layer of the function has {EXTENSION}"
        own, lost = ("", "frames that are not flushed at a shutdown wait for the next environment")
        if handler != HANDLER:
            own, lost = ("own-", "what the function leaves in its outbox at a shutdown is not sent")
        yield Finding("layers", what, f"add dist/{own}extension.zip as a layer: without it, {lost}")
    for path, entries in extended:
        yield from _entry(path, entries, EXTENSION, is_executed=True)
    if (size := function.stat().st_size) > DIRECT_LIMIT_BYTES:
        what = f"it has {size:,} bytes, over {DIRECT_LIMIT_BYTES:,}"
        remedy = "it cannot be uploaded directly; `sam deploy` uploads it to S3"
        yield Finding(str(function), what, remedy, is_error=False)
    if unzipped_bytes > UNZIPPED_LIMIT_BYTES:
        what = f"function and layers hold {unzipped_bytes:,} bytes unzipped; Lambda takes {UNZIPPED_LIMIT_BYTES:,}"
        yield Finding(str(function), what, "the runtime must be in the package or in a layer, not in both")


def _handler(function: Path, contents: list[dict[str, zipfile.ZipInfo]], handler: str) -> Iterator[Finding]:
    stem = handler.rpartition(".")[0].replace(".", "/")
    names = {f"{stem}.py", f"{stem}/__init__.py"}
    paths = ("", "python/", *(f"python/lib/python3.{minor}/site-packages/" for minor in range(11, 15)))
    if not any(f"{path}{name}" in entries for entries in contents for path in paths for name in names):
        what = f"it has no module {stem.replace('/', '.')}, which the handler {handler} names"
        yield Finding(str(function), what, "package it: scripts/package --function DIR --handler MODULE.NAME")


def _entry(path: Path, entries: dict[str, zipfile.ZipInfo], name: str, *, is_executed: bool) -> Iterator[Finding]:
    if name not in entries:
        deeper = next((entry for entry in entries if entry.endswith(f"/{name}")), None)
        remedy = f"it is at {deeper}: zip the folder's content, not the folder" if deeper else _BUILD
        yield Finding(str(path), f"there is no {name} at its root", remedy)
        return
    mode = entries[name].external_attr >> 16
    wanted, word = (0o555, "executable") if is_executed else (0o444, "readable")
    if mode & wanted != wanted:
        what = f"{name} has the mode {mode & 0o777:o}: it is not {word} for everyone"
        yield Finding(str(path), what, f"Lambda's user is neither its owner nor in its group: {_BUILD}")


def _machine(archive: zipfile.ZipFile, architecture: str, path: Path) -> Iterator[Finding]:
    """The dynamic loader is the only ELF file whose name is known on every architecture."""
    loaders = [name for name in archive.namelist() if name.startswith("python/lib/ld-linux")]
    if not loaders:
        yield Finding(str(path), "there is no python/lib/ld-linux… in it: it has no interpreter of its own", _BUILD)
        return
    with archive.open(loaders[0]) as file:
        machine = int.from_bytes(file.read(20)[18:], "little")
    if machine != _MACHINES.get(architecture):
        built = next((name for name, number in _MACHINES.items() if number == machine), f"ELF machine {machine}")
        what = f"it was built for {built}, and the function's architecture is {architecture}"
        yield Finding(str(path), what, f"deploy with Architecture={built}, or build on a machine of that architecture")
