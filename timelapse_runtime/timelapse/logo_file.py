"""Reads a stream's logo, from S3 or from the function's package, and keeps it.

A logo that cannot be read stops no camera: an ERROR in the log names the variable, and the last good one stays, or the
video has none. What is in the file is looked at when it is drawn (`filters/logo.py`).
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from dataclasses import replace
from pathlib import Path

from timelapse_runtime.runtime.state.contract import Store, StoredObject
from timelapse_runtime.runtime.state.errors import StorageError
from timelapse_runtime.timelapse.config import Config
from timelapse_runtime.timelapse.model.logo import LogoPlace
from timelapse_runtime.timelapse.stream_log import StreamLog
from timelapse_runtime.timelapse.variables import PREFIX

_log = logging.getLogger(__name__)

MAXIMUM_BYTES = 1024**2
_PACKAGE = Path(__file__).resolve().parents[2]
_KEPT = 16


class LogoFiles:
    """Of all streams of an environment. `video` is the store of their videos, and of logos in S3."""

    def __init__(self, video: Store, package: Path = _PACKAGE) -> None:
        self._video, self._package = video, package
        self._objects: OrderedDict[LogoPlace, StoredObject] = OrderedDict()

    def with_logo(self, config: Config, stream: str) -> Config:
        """The stream's configuration with the bytes of its logo: one request if it is in S3."""
        place = config.logo
        if place is None:
            return config
        try:
            body = (self._package / place.key).read_bytes() if place.bucket is None else self._read(place)
            if not 0 < len(body) <= MAXIMUM_BYTES:
                raise OSError(f"it is empty, or has more than {MAXIMUM_BYTES} bytes")
        except (OSError, StorageError) as error:
            kept = self._objects.get(place)
            what = "the logo cannot be read: the one before stays" if kept else "the logo cannot be read: none is drawn"
            fields = {"variable": f"{PREFIX}LOGO", "logo": str(place), "problem": str(error), "help": _HELP}
            StreamLog(_log, stream).error(what, extra=fields)
            body = kept.body if kept else b""
        return replace(config, logo_png=body)

    def _read(self, place: LogoPlace) -> bytes:
        """Raises StorageError."""
        known = self._objects.get(place)
        found = self._video.get_changed(place.key, known.info.etag) if known else None
        if known is None:
            found = self._video.get(place.key, maximum_bytes=MAXIMUM_BYTES)
        if found is None:
            assert known is not None
            return known.body
        if 0 < len(found.body) <= MAXIMUM_BYTES:
            self._objects[place] = found
            if len(self._objects) > _KEPT:
                self._objects.popitem(last=False)
        return found.body


_HELP = (
    "a PNG of at most 1 MiB: s3://BUCKET/KEY below TIMELAPSE_VIDEO, or a file's path from the root of the package; it "
    "is looked for again when the stream's settings are read, within five minutes"
)
