"""A file appears whole or not at all, and nothing is lost by an attempt."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

import pytest

from timelapse_runtime.export.errors import CannotExport
from timelapse_runtime.export.output_file import refuse, written_beside


def write(
    path: Path, body: bytes, *, replaces: bool, error: BaseException | None = None, meanwhile: bytes = b""
) -> None:
    """Write `body`; before the end `error` is raised, or another process writes `meanwhile`."""
    with written_beside(path, replaces=replaces) as temporary:
        temporary.write_bytes(body)
        if meanwhile:
            path.write_bytes(meanwhile)
        if error is not None:
            raise error


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_file_appears_at_the_end(tmp_path: Path) -> None:
    with written_beside(tmp_path / "video.mp4", replaces=False) as path:
        path.write_bytes(b"new")
        assert "video.mp4" not in names(tmp_path)
    assert names(tmp_path) == ["video.mp4"]
    assert (tmp_path / "video.mp4").read_bytes() == b"new"


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), ValueError("no"), KeyboardInterrupt]
)
def test_an_error_leaves_what_was_there(tmp_path: Path, error: BaseException) -> None:
    (tmp_path / "video.mp4").write_bytes(b"old")
    with pytest.raises((CannotExport, ValueError, KeyboardInterrupt)):
        write(tmp_path / "video.mp4", b"half", replaces=True, error=error)
    assert names(tmp_path) == ["video.mp4"]
    assert (tmp_path / "video.mp4").read_bytes() == b"old"


def test_a_full_disk_is_said_in_one_sentence(tmp_path: Path) -> None:
    message = f"{tmp_path}/video.mp4 cannot be written: {os.strerror(errno.ENOSPC)}"
    with pytest.raises(CannotExport, match=f"^{re.escape(message)}$"):
        write(tmp_path / "video.mp4", b"half", replaces=False, error=OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))


def test_a_file_that_is_there_is_replaced_only_if_asked_for(tmp_path: Path) -> None:
    (tmp_path / "video.mp4").write_bytes(b"old")
    with pytest.raises(CannotExport, match="--force"):
        write(tmp_path / "video.mp4", b"new", replaces=False)
    assert (tmp_path / "video.mp4").read_bytes() == b"old"
    write(tmp_path / "video.mp4", b"new", replaces=True)
    assert (tmp_path / "video.mp4").read_bytes() == b"new"


@pytest.mark.parametrize("has_links", [True, False])
def test_a_file_that_appears_meanwhile_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_links: bool) -> None:
    def no_links(_self: Path, _target: Path) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    if not has_links:
        monkeypatch.setattr(Path, "hardlink_to", no_links)
    with pytest.raises(CannotExport, match="exists"):
        write(tmp_path / "video.mp4", b"new", replaces=False, meanwhile=b"another's")
    assert names(tmp_path) == ["video.mp4"]
    assert (tmp_path / "video.mp4").read_bytes() == b"another's"
    write(tmp_path / "other.mp4", b"new", replaces=False)
    assert names(tmp_path) == ["other.mp4", "video.mp4"]


def test_what_cannot_be_written_is_refused_beforehand(tmp_path: Path) -> None:
    for path, message in ((tmp_path, "is a folder"), (tmp_path / "a" / "b.mp4", "there is no folder")):
        with pytest.raises(CannotExport, match=message):
            refuse(path, replaces=True)
    refuse(tmp_path / "video.mp4", replaces=False)
