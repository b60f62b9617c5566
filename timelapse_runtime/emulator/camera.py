"""What stands in for the camera: photos one by one, and the event that S3 would send for each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

from timelapse_runtime.emulator.scene import render_scene

PHOTO_SUFFIXES = (".jpg", ".jpeg", ".png")


class NoPhotos(Exception):
    """There is nothing to replay; the message says where it was looked for and what to do."""


@dataclass(frozen=True, slots=True)
class Shots:
    """`count` photos to come, each with the name that it is uploaded under. Read once, in order."""

    count: int
    photos: Iterator[tuple[str, bytes]]


def photos_in_folder(folder: Path) -> Shots:
    """The photos of a folder, by name. Raises NoPhotos."""
    if not folder.is_dir():
        raise NoPhotos(f"{folder} is not a folder; give a folder with photos ({', '.join(PHOTO_SUFFIXES)})")
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in PHOTO_SUFFIXES and path.is_file())
    if not paths:
        raise NoPhotos(f"{folder} holds no photo: files ending in {', '.join(PHOTO_SUFFIXES)} are taken")
    return Shots(len(paths), ((path.name, path.read_bytes()) for path in paths))


def sample_scene(count: int, size: tuple[int, int]) -> Shots:
    """A rendered day."""
    scene = enumerate(render_scene(count, size))
    return Shots(count, ((f"{number:06d}.jpg", body) for number, body in scene))


def object_created_event(bucket: str, key: str, size_bytes: int, etag: str) -> dict[str, Any]:
    """S3's notification of one upload (S3 user guide, 'Event message structure', version 2.1)."""
    return {
        "Records": [
            {
                "eventVersion": "2.1",
                "eventSource": "aws:s3",
                "awsRegion": "us-east-1",
                "eventTime": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
                "eventName": "ObjectCreated:Put",
                "s3": {
                    "s3SchemaVersion": "1.0",
                    "configurationId": "replay",
                    "bucket": {"name": bucket, "arn": f"arn:aws:s3:::{bucket}"},
                    "object": {"key": quote_plus(key, safe="/"), "size": size_bytes, "eTag": etag.strip('"')},
                },
            }
        ]
    }
