"""moto's S3 server with the objects on disk: `python -m timelapse_runtime.emulator.disk_s3 --folder F --bucket B --port
P`.

moto keeps bodies in memory, and all is gone when it ends. Here a body is a file in `F/objects/`, or the photo itself
if the same bytes are at the key's place below `--photos`. `F/journal` has a line of JSON for each change of a key: a
server that is started on the folder again has the same objects, with their ETags and times. A change is in the journal
before its response is sent, so this holds however the server ends; it does not sync the disk, so a power failure may
cost the last changes. Uploads in parts that were not completed are forgotten.

Some classes of moto's are replaced: the tests of this module notice if a new version of moto works in another way.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import gc
import hashlib
import itertools
import json
import os
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import moto.s3.models as moto_s3
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from moto.s3.exceptions import EntityTooSmall, InvalidPart, MalformedXML, MissingKey
from moto.s3.utils import _VersionedKeyStore
from moto.settings import S3_UPLOAD_PART_MIN_SIZE
from werkzeug.serving import run_simple

_REGION = "us-east-1"
_PIECE_BYTES = 1024**2
_READS = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Body:
    """The bytes of an object. `mtime_ns` is that of a photo, which belongs to the user and may change; else None."""

    path: Path
    size_bytes: int
    mtime_ns: int | None = None

    def read(self, key: str) -> bytes:
        """Raises MissingKey if the photo is gone, or another one than was uploaded."""
        if self.mtime_ns is None:
            return self.path.read_bytes()
        try:
            found = self.path.stat()
            if (found.st_size, found.st_mtime_ns) == (self.size_bytes, self.mtime_ns):
                return self.path.read_bytes()
        except OSError as error:
            raise MissingKey(key=key) from error
        raise MissingKey(key=key)


class Disk:
    """Owns the folder: bodies and journal. Called from the server's threads, of which each has one request."""

    def __init__(self, folder: Path, photos: Mapping[str, Path]) -> None:
        self._folder, self._photos = folder, photos
        self._objects, self._journal = folder / "objects", folder / "journal"
        self._objects.mkdir(parents=True, exist_ok=True)
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self._request = threading.local()

    def write(self, key: str, value: bytes) -> Body:
        """Put the bytes of an object on the disk, unless they are there as a photo."""
        for prefix, folder in self._photos.items():
            if key.startswith(prefix) and (photo := _photo_with(folder / key[len(prefix) :], value)) is not None:
                return photo
        path = self._new_path()
        path.write_bytes(value)
        return Body(path, len(value))

    def join(self, spans: Iterable[tuple[Body, int, int]]) -> Body:
        """A new body of pieces of others, each from a first byte to before a last one."""
        path = self._new_path()
        with path.open("wb") as file:
            for body, start, end in spans:
                with body.path.open("rb") as source:
                    source.seek(start)
                    left = end - start
                    while left > 0 and (piece := source.read(min(left, _PIECE_BYTES))):
                        left -= file.write(piece)
        return Body(path, path.stat().st_size)

    def _new_path(self) -> Path:
        with self._lock:
            return self._objects / str(next(self._numbers))

    def discard(self, body: Body) -> None:
        """Remove the bytes, once the journal says that no key has them."""
        if body.mtime_ns is None:
            self._changes().discarded.append(body.path)

    def changed(self, keys: Keys, name: str) -> None:
        """The current request changes a key."""
        self._changes().keys.append((keys, name))

    def record(self) -> None:
        """Write what the current request has changed into the journal."""
        changes = self._changes()
        records = (_record(keys.bucket_name, name, keys.get(name)) for keys, name in changes.keys if keys.bucket_name)
        lines = [json.dumps(record) for record in records]
        if lines:
            with self._lock, self._journal.open("a") as file:
                file.write("".join(f"{line}\n" for line in lines))
        for path in changes.discarded:
            path.unlink(missing_ok=True)
        self._request.changes = _Changes([], [])

    def load(self) -> dict[tuple[str, str], dict[str, Any]]:
        """The records of all objects by bucket and key. Rewrites the journal, and removes bodies that none has."""
        found: dict[tuple[str, str], dict[str, Any]] = {}
        lines = self._journal.read_text().splitlines() if self._journal.exists() else []
        for line in lines:
            try:
                record = json.loads(line)
            except ValueError:  # the server was killed while it wrote the last line
                continue
            found.pop((record["bucket"], record["key"]), None)
            if "path" in record:
                found[record["bucket"], record["key"]] = record
        fresh = self._journal.with_suffix(".new")
        fresh.write_text("".join(f"{json.dumps(record)}\n" for record in found.values()))
        fresh.replace(self._journal)
        used = {record["path"] for record in found.values()}
        numbers = [int(path.name) for path in self._objects.iterdir()]
        for path in self._objects.iterdir():
            if str(path) not in used:
                path.unlink()
        self._numbers = itertools.count(max(numbers, default=-1) + 1)
        return found

    def _changes(self) -> _Changes:
        if not hasattr(self._request, "changes"):
            self._request.changes = _Changes([], [])
        changes: _Changes = self._request.changes
        return changes


@dataclass(slots=True)
class _Changes:
    keys: list[tuple[Keys, str]]
    discarded: list[Path]


class Key(moto_s3.FakeKey):
    """An object whose bytes are on the disk. `disk` is set before the first one is made."""

    __module__ = moto_s3.__name__  # moto files its classes by the service in it
    disk: Disk

    @property
    def value(self) -> bytes:
        """The bytes, read each time."""
        return self.body.read(self.name)

    @value.setter
    def value(self, value: bytes | Body) -> None:
        self.body = value if isinstance(value, Body) else self.disk.write(str(self.name), value)
        self.contentsize = self.body.size_bytes
        if self._etag is None:
            with self.body.path.open("rb") as file:
                self._etag = hashlib.file_digest(file, "md5").hexdigest()

    def dispose(self, garbage: bool = False) -> None:
        """The object is replaced or deleted; or, with `garbage`, this process ends."""
        if not garbage and not self.disposed:
            self.disk.discard(self.body)
        self.disposed = self.disposed or garbage
        super().dispose()


class Multipart(moto_s3.FakeMultipart):
    """An upload in parts. They are joined on the disk: in memory, moto would have the whole video three times."""

    __module__ = moto_s3.__name__
    disk: Disk

    def complete(self, body: Iterable[tuple[int, str]]) -> tuple[Any, str, tuple[str, str, int] | None]:
        """Join the parts: the Body, its ETag, and no checksum (which moto makes only of what is in memory)."""
        parts: list[Key] = []
        for number, etag in body:
            part: Any = self.parts.get(number)
            if part is None or part.etag.strip('"') != etag.strip('"'):
                raise InvalidPart()
            if parts and parts[-1].contentsize < S3_UPLOAD_PART_MIN_SIZE:
                raise EntityTooSmall()
            parts.append(part)
        if not parts:
            raise MalformedXML()
        digests = b"".join(bytes.fromhex(part.etag.strip('"')) for part in parts)
        etag = f"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-{len(parts)}"
        return self.disk.join([(part.body, 0, part.contentsize) for part in parts]), etag, None


def _upload_part_copy(
    self: Any,
    dest_bucket_name: str,
    multipart_id: str,
    part_id: int,
    src_bucket_name: str,
    src_key_name: str,
    src_version_id: str | None,
    start_byte: int | None,
    end_byte: int | None,
) -> Any:
    """In place of S3Backend's: the bytes are copied from file to file. `end_byte` is the last one."""
    source: Key = self.get_object(src_bucket_name, src_key_name, version_id=src_version_id)
    span = (0, source.contentsize) if start_byte is None or end_byte is None else (start_byte, end_byte + 1)
    return (
        self.get_bucket(dest_bucket_name)
        .multiparts[multipart_id]
        .set_part(part_id, Key.disk.join([(source.body, *span)]))
    )


class Keys(_VersionedKeyStore):
    """A bucket's objects by key. They have one version each."""

    disk: Disk
    bucket_name = ""

    def setlist(self, key: str, list_: Any) -> None:
        """Replace the object."""
        super().setlist(key, list_)
        self.disk.changed(self, key)

    def pop(self, key: str) -> None:  # type: ignore[override]
        """Delete the object."""
        super().pop(key)
        self.disk.changed(self, key)


def _photo_with(path: Path, value: bytes) -> Body | None:
    """The file, if it has these bytes: only then is nothing told to a client that it did not have."""
    try:
        found = path.stat()
        if found.st_size == len(value) and path.read_bytes() == value:
            return Body(path, found.st_size, found.st_mtime_ns)
    except (OSError, ValueError):
        pass
    return None


def _record(bucket: str, name: str, key: Key | None) -> dict[str, Any]:
    if key is None:
        return {"bucket": bucket, "key": name}
    return {
        "bucket": bucket,
        "key": name,
        "path": str(key.body.path),
        "size_bytes": key.body.size_bytes,
        "mtime_ns": key.body.mtime_ns,
        "etag": key.etag.strip('"'),
        "modified": key.last_modified.replace(tzinfo=datetime.UTC).timestamp(),
        "metadata": dict(key.metadata),
    }


def _restore(disk: Disk, bucket_name: str) -> None:
    """Create the bucket, with the objects that it had."""
    backend: Any = moto_s3.s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
    bucket = backend.create_bucket(bucket_name, _REGION)
    bucket.keys.bucket_name = bucket_name
    for record in disk.load().values():
        body = Body(Path(record["path"]), record["size_bytes"], record["mtime_ns"])
        key = backend.put_object(record["bucket"], record["key"], body, etag=record["etag"], disable_notification=True)
        # moto has naive times in UTC.
        key.last_modified = datetime.datetime.fromtimestamp(record["modified"], datetime.UTC).replace(tzinfo=None)
        key.set_metadata(record["metadata"])


def main(argv: Sequence[str] | None = None) -> None:
    """Serve until the process is ended."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--bucket", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--photos", nargs=2, action="append", default=[], metavar=("PREFIX", "FOLDER"))
    options = parser.parse_args(argv)
    disk = Disk(options.folder.absolute(), {prefix: Path(folder).absolute() for prefix, folder in options.photos})
    Key.disk = Keys.disk = Multipart.disk = disk
    for name, own in (("FakeKey", Key), ("FakeMultipart", Multipart), ("_VersionedKeyStore", Keys)):
        getattr(moto_s3, name)  # moto has another structure if it is not there
        setattr(moto_s3, name, own)
    setattr(moto_s3.S3Backend, _upload_part_copy.__name__.lstrip("_"), _upload_part_copy)
    os.environ["MOTO_PORT"] = str(options.port)
    _restore(disk, options.bucket)
    server = DomainDispatcherApplication(create_backend_app)

    gc.freeze()  # what is there now stays, and is not looked at again

    writing = threading.Lock()

    def recorded(variables: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        # A request and its response refer to each other, so their bodies stay until they are collected: after 50 photos
        # of 3 MB the server had 100 MB, and has 63 MB so.
        gc.collect(1)
        # One write at a time: between moto's look at a condition and its write another one could come.
        with contextlib.nullcontext() if variables["REQUEST_METHOD"] in _READS else writing:
            try:
                response: Iterable[bytes] = server(variables, start_response)
            finally:
                disk.record()
            return response

    run_simple("127.0.0.1", options.port, recorded, threaded=True, request_handler=MotoRequestHandler)


if __name__ == "__main__":
    main()
