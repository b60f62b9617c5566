"""What `timelapse run` prints: a line for each camera once a minute or at each flush, and what fails, once.

Progress goes to stdout. It comes from the lines that the function writes for CloudWatch (`timelapse/metrics.py`): they
have the sums since the camera's last line, whatever became of the invocations meanwhile. Messages go to stderr.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from timelapse_runtime.cli.refusals import describe_storage_error
from timelapse_runtime.runtime.state.errors import StorageError
from timelapse_runtime.timelapse.verify_report import counted, duration

_REPEATED_AFTER_SECONDS = 3_600
_COUNTS = {
    "photos": "Photos",
    "frames": "Frames",
    "rejected": "Rejected",
    "ignored": "Ignored",
    "duplicates": "Duplicates",
}
"""The names in a line of JSON, and those of the metrics."""


def say(text: str) -> None:
    """A message of a line, to stderr, with the local time."""
    print(f"{datetime.now():%Y-%m-%d %H:%M:%S} {text}", file=sys.stderr, flush=True)


class Troubles:
    """Says that something fails when it begins, and that it works again when it has ended. Not for each camera: if S3
    cannot be reached, they all fail."""

    def __init__(self, say: Callable[[str], None], now: Callable[[], float]) -> None:
        self._say, self._now = say, now
        self._failing: dict[type[Exception], tuple[float, set[str]]] = {}
        self._names: set[str] | None = None

    def failed(self, name: str, error: Exception) -> None:
        """See Report."""
        for kind, (_, names) in list(self._failing.items()):
            if kind is not type(error):
                names.discard(name)
                if not names:
                    del self._failing[kind]
        if type(error) not in self._failing:
            self._failing[type(error)] = self._now(), set()
            self._say(f"{name}: {_described(error)}; trying again until it works")
        self._failing[type(error)][1].add(name)

    def works(self, name: str) -> None:
        """See Report."""
        for kind, (since, names) in list(self._failing.items()):
            if name in names:
                names.remove(name)
                if not names:
                    del self._failing[kind]
                    self._say(f"{name}: works again, after {duration(round(self._now() - since))}")

    def cameras(self, names: Sequence[str]) -> None:
        """See Report. Says which ones are new."""
        if self._names is None and not names:
            self._say("no camera yet: each folder of photos is one; photos that are in no folder need --stream NAME")
        self._names = self._names or set()
        if new := [name for name in names if name not in self._names]:
            self._names |= set(new)
            self._say(f"{counted(len(new), 'camera')}: {', '.join(new)}")


def _described(error: Exception) -> str:
    if isinstance(error, StorageError):
        return describe_storage_error(error)
    return str(error) or type(error).__name__


class ProgressLines(logging.Handler):
    """Prints the function's metrics as lines, if something has happened to the camera."""

    def __init__(self, *, is_json: bool) -> None:
        super().__init__(logging.INFO)
        self._is_json = is_json

    def emit(self, record: logging.LogRecord) -> None:
        """Print the line."""
        fields = vars(record)
        if "_aws" not in fields or not any(fields.get(name) for name in ("Flushes", *_COUNTS.values())):
            return
        print(_as_json(fields) if self._is_json else _as_text(fields), flush=True)


def _as_json(fields: Mapping[str, Any]) -> str:
    moment = datetime.fromtimestamp(fields["_aws"]["Timestamp"] / 1000, UTC)
    line = {"time": moment.isoformat(timespec="seconds"), "stream": fields["stream"]}
    counts = {name: fields[metric] for name, metric in _COUNTS.items()}
    state = {"frames_in_video": fields["frames_in_video"], "lag_seconds": fields["Lag"]}
    return json.dumps({**line, **counts, **state, "newest_photo_age_seconds": fields.get("NewestPhotoAge")})


def _as_text(fields: Mapping[str, Any]) -> str:
    moment = datetime.fromtimestamp(fields["_aws"]["Timestamp"] / 1000)
    parts = [f"{counted(fields['Frames'], 'frame')} more, {fields['frames_in_video']} in the video"]
    parts += [f"{fields[_COUNTS[name]]} {name}" for name in ("rejected", "ignored") if fields[_COUNTS[name]]]
    if "NewestPhotoAge" in fields:
        parts.append(f"newest photo {duration(round(fields['NewestPhotoAge']))} old")
    return f"{moment:%Y-%m-%d %H:%M:%S} {fields['stream']}: {', '.join(parts)}"


class Warnings(logging.Handler):
    """Says the function's warnings, each kind once an hour for each camera."""

    def __init__(self, say: Callable[[str], None], now: Callable[[], float]) -> None:
        super().__init__(logging.WARNING)
        self._say, self._now = say, now
        self._said: dict[tuple[str, str], float] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Say the message, with its camera and photo."""
        key = record.getMessage(), getattr(record, "stream", "")
        if self._now() - self._said.get(key, float("-inf")) < _REPEATED_AFTER_SECONDS:
            return
        self._said[key] = self._now()
        facts = [f"{name} {getattr(record, name)}" for name in ("stream", "frame", "reason") if hasattr(record, name)]
        if record.exc_info is not None and isinstance(record.exc_info[1], Exception):
            facts.append(_described(record.exc_info[1]))
        self._say(": ".join([record.getMessage(), *([", ".join(facts)] if facts else [])]))
