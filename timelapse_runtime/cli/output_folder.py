"""The folder that a replay writes its video to: `--out`. What is there is never lost, whatever fails.

    OUT/                     the video, its playlists and replay.json: the report, with the names of what was written
    OUT/.timelapse-replay/   until the replay is complete: session.json (of which photos, with which settings), the
                             objects of the embedded S3, the environment's temporary files, and the next result

A result is complete in `.timelapse-replay/` before anything in OUT is touched; then the last replay's files are
removed and the new ones renamed into their place. Nothing else in OUT is removed or written over. A lock on OUT keeps
two replays apart. `require_usable` needs the standard library only, as all of this.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from timelapse_runtime.cli import CommandFailed

STATE = ".timelapse-replay"
REPORT = "replay.json"
_WRITTEN = (
    "checkpoint.json",
    "index.m3u8",
    "init.mp4",
    "latest.jpg",
    "reel.json",
    "reels",
    "rejected",
    "segments",
    "video.m3u8",
    "video.mp4",
)
"""Names that a replay writes in any case, or might: they are looked for before it begins."""
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})
_LITTLE_BYTES = 4 * 1024**2


def require_usable(out: Path, photos: Path | None) -> None:
    """Check that a replay can write to `out`, without writing. Raises CommandFailed."""
    place = out.absolute()
    try:
        while not os.path.lexists(place):
            place = place.parent
        if not place.is_dir():
            raise CommandFailed(f"--out {out}: {place} is not a folder; name another --out")
        if not os.access(place, os.W_OK | os.X_OK, effective_ids=True):
            raise CommandFailed(f"--out {out}: you may not write to {place}; name another --out")
        if photos is not None and out.resolve() == photos.resolve():
            raise CommandFailed(
                f"--out {out} is the folder of the photos: the next replay would take its output for one"
            )
        if out.is_dir():
            _require_no_strangers(out, _WRITTEN)
    except OSError as error:
        raise CommandFailed(f"--out {out}: {error.strerror}; name another --out") from error


def _require_no_strangers(out: Path, names: Iterator[str] | tuple[str, ...]) -> None:
    ours = _written_names(out)
    strangers = [name for name in names if name not in ours and os.path.lexists(out / name)]
    if strangers:
        raise CommandFailed(f"{out / strangers[0]} is not from a replay and would be written over: name another --out")


def _written_names(out: Path) -> frozenset[str]:
    """What the last replay wrote to the folder, by the report that it left."""
    try:
        names = json.loads((out / REPORT).read_text())["files"]
    except (OSError, ValueError, KeyError, TypeError):
        return frozenset()
    return frozenset(
        name for name in names if isinstance(name, str) and name not in {"", ".", ".."} and "/" not in name
    )


class OutputFolder:
    """`out`, locked. `began_before` says whether there is a replay that is not complete: it is to be continued."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.state = out / STATE
        self._session = self.state / "session.json"
        self.began_before = self._session.exists()

    @classmethod
    @contextlib.contextmanager
    def opened(cls, out: Path) -> Iterator[OutputFolder]:
        """Create and lock the folder. Raises CommandFailed, also for what fails in the folder meanwhile."""
        existed = out.exists()
        try:
            out.mkdir(parents=True, exist_ok=True)
            lock = os.open(out, os.O_RDONLY)
        except OSError as error:
            raise _cannot_write(out, error) from error
        try:
            with _explained(out):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                folder = cls(out)
                yield folder
        except BlockingIOError as error:
            raise CommandFailed(f"another replay writes to {out}: wait for it, or name another --out") from error
        finally:
            if not existed:
                with contextlib.suppress(OSError):  # something is in it
                    out.rmdir()
            os.close(lock)

    def begin(self, session: Mapping[str, Any]) -> None:
        """Begin a replay, or continue the one that is there. Raises CommandFailed if that is another one."""
        if not self.began_before:
            shutil.rmtree(self.state, ignore_errors=True)
            self.state.mkdir()
            _write(self._session, session)
            return
        before = json.loads(self._session.read_text())
        if before != session:
            names = sorted(name for name in {*before, *session} if before.get(name) != session.get(name))
            changed = ", ".join(f"{name} was {before.get(name, 'not set')}" for name in names)
            raise CommandFailed(
                f"{self.out} has a replay that is not complete, of something else ({changed}): run its command again, "
                f"name another --out, or remove {self.state}"
            )

    def new_folder(self, name: str) -> Path:
        """An empty folder for what is needed until the end of this process."""
        folder = self.state / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder

    def publish(self, result: Path, report: Mapping[str, Any]) -> None:
        """Put the files of `result` in the place of the last replay's. Raises CommandFailed if others are there."""
        names = sorted(path.name for path in result.iterdir())
        _require_no_strangers(self.out, iter(names))
        _write(result / REPORT, {**report, "files": [*names, REPORT]})
        old = self.new_folder("old")
        for name in _written_names(self.out):
            with contextlib.suppress(FileNotFoundError):
                (self.out / name).rename(old / name)
        for name in (*names, REPORT):
            (result / name).rename(self.out / name)
        shutil.rmtree(old)

    def finish(self) -> None:
        """The replay is complete: nothing is left to continue."""
        shutil.rmtree(self.state)

    def forget_if_nothing_happened(self, *, happened: bool) -> None:
        """Remove the state of a replay that failed before its first photo."""
        if not happened and not self.began_before:
            shutil.rmtree(self.state, ignore_errors=True)

    def explain_full_disk(self) -> None:
        """Raises CommandFailed if there is no room: the servers' own messages do not tell it."""
        if shutil.disk_usage(self.out).free < _LITTLE_BYTES:
            raise _full(self.out)


def _write(path: Path, value: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=1) + "\n")


@contextlib.contextmanager
def _explained(out: Path) -> Iterator[None]:
    try:
        yield
    except BlockingIOError:
        raise
    except OSError as error:
        if error.errno in _NO_ROOM or error.filename is not None:
            raise _cannot_write(out, error) from error
        raise


def _cannot_write(out: Path, error: OSError) -> CommandFailed:
    if error.errno in _NO_ROOM:
        return _full(out)
    return CommandFailed(f"cannot write to {error.filename or out}: {error.strerror}; name another --out")


def _full(out: Path) -> CommandFailed:
    return CommandFailed(
        f"the disk of {out} is full: make room, and the same command continues; an earlier video is kept"
    )
