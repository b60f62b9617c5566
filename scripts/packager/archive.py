"""Writes reproducible zips: sorted, without dates, with normalised modes."""

from __future__ import annotations

import hashlib
import os
import shutil
import zipfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scripts.packager.failure import PackageFailed
from scripts.packager.interpreter import VERSION

LIMIT_UNZIPPED_BYTES = 250 * 2**20
"""Function and layers together, unzipped. Source: AWS Lambda quotas, read November 2026."""

LIMIT_DIRECT_BYTES = 50 * 2**20
"""Zipped, for an upload that does not go through S3. Source: as above."""

_DEFLATE_LEVEL = 6  # 9 takes three times as long, for 0.6 % less


def files_below(root: Path, prefix: str = "") -> dict[str, Path]:
    """Name in the archive and path of every file below a folder."""
    return {prefix + path.relative_to(root).as_posix(): path for path in root.rglob("*") if path.is_file()}


def mode_of(path: Path) -> int:
    """0o755 or 0o644, independent of the builder's umask."""
    return 0o755 if os.access(path, os.X_OK) else 0o644


def write_zip(target: Path, files: Mapping[str, Path], *, begin_with: Path | None = None) -> None:
    """Write `files` (name: path) as a zip, behind the entries of the zip `begin_with`."""
    target.unlink(missing_ok=True)
    if begin_with is not None:
        shutil.copyfile(begin_with, target)  # not compressed again
    with zipfile.ZipFile(target, "a") as archive:
        for name, path in sorted(files.items()):
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))  # the earliest date that a zip can hold
            info.create_system = 3  # Unix: the mode is used
            info.external_attr = (0o100000 | mode_of(path)) << 16
            archive.writestr(info, path.read_bytes(), zipfile.ZIP_DEFLATED, _DEFLATE_LEVEL)


def check_size(files: Mapping[str, Path]) -> None:
    """Raise PackageFailed, with what to do, if these files are more than Lambda takes."""
    parts: Counter[str] = Counter()
    for name, path in files.items():
        parts[_part_of(name)] += path.stat().st_size
    if (size := parts.total()) > LIMIT_UNZIPPED_BYTES:
        largest = ", ".join(f"{part} {part_size:,}" for part, part_size in parts.most_common(5))
        raise PackageFailed(
            f"the package has {size:,} bytes unzipped; Lambda takes {LIMIT_UNZIPPED_BYTES:,} with layers. The largest "
            f"parts: {largest}. Leave out what you do not need (--without-media; --leave-out '*/tests/*'), or make a "
            "container image, which may have 10 GB (layer/Dockerfile)"
        )


def largest_parts(archive_path: Path, count: int = 10) -> list[dict[str, object]]:
    """The largest parts (packages, and folders of the rest) by unzipped size, with both sizes in bytes."""
    zipped: Counter[str] = Counter()
    unzipped: Counter[str] = Counter()
    with zipfile.ZipFile(archive_path) as archive:
        for info in archive.infolist():
            part = _part_of(info.filename)
            zipped[part] += info.compress_size
            unzipped[part] += info.file_size
    return [
        {"part": part, "unzipped_bytes": size, "zipped_bytes": zipped[part]}
        for part, size in unzipped.most_common(count)
    ]


def _part_of(name: str) -> str:
    """python/lib/python3.11/site-packages/NAME, python/lib/python3.11/lib-dynload, python/lib, LICENSES …"""
    folders = name.split("/")[:-1]
    levels = 1 if folders[:1] != ["python"] else 5 if folders[3:4] and folders[3].endswith("-packages") else 3
    if folders[3:4] == ["lib-dynload"]:
        levels = 4
    return "/".join(folders[:levels]) or name


def unzipped_bytes(archive_path: Path) -> int:
    """The archive's figures. Removes it and raises PackageFailed if it is larger than Lambda accepts."""
    with zipfile.ZipFile(archive_path) as archive:
        size = sum(info.file_size for info in archive.infolist())
    if size > LIMIT_UNZIPPED_BYTES:
        archive_path.unlink()
        raise PackageFailed(f"{archive_path} had {size:,} bytes unzipped; Lambda takes {LIMIT_UNZIPPED_BYTES:,}")
    return size


def figures(archive_path: Path) -> dict[str, Any]:
    """An archive's path, sizes, checksum and largest parts. Removes it and raises PackageFailed if it is too large."""
    return {
        "path": str(archive_path),
        "zipped_bytes": archive_path.stat().st_size,
        "unzipped_bytes": unzipped_bytes(archive_path),
        "sha256": hashlib.sha256(archive_path.read_bytes()).hexdigest(),
        "largest_parts": largest_parts(archive_path),
    }


def stem_of(name: str, architecture: str) -> str:
    """What an archive's name begins with: of what, for which Python and which architecture."""
    return f"{name}-python{VERSION}-{architecture}"


def link(name: Path, target: Path) -> None:
    """Make `name` another name of `target`, in the same folder, in place of an earlier one."""
    name.unlink(missing_ok=True)
    name.symlink_to(target.name)
