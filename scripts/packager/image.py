"""Writes a container image as an OCI archive, with no base image and no program that builds images.

One layer; the same bytes for the same files: fixed order, owner, dates. A static busybox is its shell, for
`bootstrap` and the extension.

Sources: OCI image specification 1.1 (image layout, manifest, configuration, layer); AWS Lambda developer guide,
'Create a Lambda function using a container image'. Read November 2026.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scripts.packager.archive import mode_of

TASK_ROOT = "var/task/"
SHELL = ("bin/sh", "bin/dirname", "bin/readlink")
"""What `bootstrap` and the extension run, as links to busybox."""

_FOLDERS = {"tmp/": 0o1777, "proc/": 0o755, "dev/": 0o755, "etc/": 0o755}
_ARCHITECTURES = {"x86_64": "amd64", "arm64": "arm64"}


def write_image(target: Path, files: Mapping[str, Path], *, busybox: Path, architecture: str, handler: str) -> None:
    """Write an image of `files` (name from the root, without a leading slash: path) and busybox."""
    layer = _layer({**files, "bin/busybox": busybox})
    zipped = gzip.compress(layer, compresslevel=6, mtime=0)
    configuration = {
        "architecture": _ARCHITECTURES[architecture],
        "os": "linux",
        "config": {
            "Env": ["PATH=/bin", "LAMBDA_TASK_ROOT=/" + TASK_ROOT.rstrip("/")],
            "Entrypoint": [f"/{TASK_ROOT}bootstrap"],
            "Cmd": [handler],  # Lambda, and its emulator, make it _HANDLER
            "WorkingDir": "/" + TASK_ROOT.rstrip("/"),
        },
        "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
        "history": [{"created": "1980-01-01T00:00:00Z", "created_by": "scripts/package"}],
        "created": "1980-01-01T00:00:00Z",
    }
    blobs: dict[str, bytes] = {}
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": _blob(blobs, _json(configuration), "application/vnd.oci.image.config.v1+json"),
        "layers": [_blob(blobs, zipped, "application/vnd.oci.image.layer.v1.tar+gzip")],
    }
    named = _blob(blobs, _json(manifest), manifest["mediaType"])
    index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [named]}
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as archive:
        _add(archive, "oci-layout", _json({"imageLayoutVersion": "1.0.0"}), 0o644)
        _add(archive, "index.json", _json(index), 0o644)
        for name, body in sorted(blobs.items()):
            _add(archive, name, body, 0o644)


def _layer(files: Mapping[str, Path]) -> bytes:
    folders = {f"{parent.as_posix()}/": 0o755 for name in [*files, *SHELL] for parent in list(Path(name).parents)[:-1]}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, mode in sorted({**folders, **_FOLDERS}.items()):
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, mode
            archive.addfile(entry)
        for name, path in sorted(files.items()):
            _add(archive, name, path.read_bytes(), mode_of(path))
        for name in SHELL:
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname, entry.mode = tarfile.SYMTYPE, "busybox", 0o777
            archive.addfile(entry)
    return buffer.getvalue()


def _add(archive: tarfile.TarFile, name: str, body: bytes, mode: int) -> None:
    entry = tarfile.TarInfo(name)  # owner 0, date 0
    entry.size, entry.mode = len(body), mode
    archive.addfile(entry, io.BytesIO(body))


def _blob(blobs: dict[str, bytes], body: bytes, media_type: Any) -> dict[str, object]:
    digest = _digest(body)
    blobs[f"blobs/{digest.replace(':', '/')}"] = body
    return {"mediaType": media_type, "digest": digest, "size": len(body)}


def _digest(body: bytes) -> str:
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
