"""A file that appears whole or not at all: written under a temporary name beside its own, then renamed."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
from PIL.Image import Image

from timelapse_runtime.export.errors import CannotExport

_PICTURE_FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK, errno.EXDEV}


@contextmanager
def written_beside(path: Path, *, replaces: bool) -> Iterator[Path]:
    """The path to write to. Becomes `path` at the end, or is removed after an error. A file that is there is replaced
    only if this `replaces` it, also one that appears meanwhile.

    Raises CannotExport if the file cannot be written. A process that is killed leaves `.NAME.<random>.part`.
    """
    refuse(path, replaces=replaces)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        temporary.touch(exist_ok=False)
        yield temporary
        if replaces:
            temporary.replace(path)
        else:
            _rename_to_new(temporary, path)
    except OSError as error:
        raise CannotExport(f"{path} cannot be written: {error.strerror or error}") from error
    except av.FFmpegError as error:
        raise CannotExport(f"{path} cannot be written: {error}") from error
    finally:
        temporary.unlink(missing_ok=True)


def refuse(path: Path, *, replaces: bool) -> None:
    """Raises CannotExport if it is known beforehand that the file cannot be written."""
    if path.is_dir():
        raise CannotExport(f"{path} is a folder: name a file in it")
    if path.exists() and not replaces:
        raise CannotExport(f"{path} is there already; --force replaces it")
    if not path.parent.is_dir():
        raise CannotExport(f"there is no folder {path.parent}")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise CannotExport(f"{path.parent} is not writable")


def picture_format(path: Path) -> str:
    """Pillow's name of a picture's format, by the file's name. Raises CannotExport."""
    try:
        return _PICTURE_FORMATS[path.suffix.lower()]
    except KeyError:
        raise CannotExport(f"{path.name}: the name of a picture must end in .png, .jpg or .webp") from None


def write_picture(picture: Image, path: Path, *, replaces: bool) -> None:
    """Write a picture as `written_beside` does. Raises CannotExport."""
    with written_beside(path, replaces=replaces) as temporary:
        picture.save(temporary, picture_format(path), quality=90)


def _rename_to_new(temporary: Path, path: Path) -> None:
    """Raises FileExistsError."""
    try:
        path.hardlink_to(temporary)  # rename(2) would replace a file
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if path.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from error
        temporary.rename(path)
