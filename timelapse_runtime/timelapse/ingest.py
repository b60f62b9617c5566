"""From a frame's key to a decoded photo, or to a rejection record. Every uploaded frame ends as one of the two."""

from __future__ import annotations

import contextlib
import itertools
import json
import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from timelapse_runtime.runtime.clock import Clock
from timelapse_runtime.timelapse.commit_plan import ALWAYS_ASK
from timelapse_runtime.timelapse.config import Config
from timelapse_runtime.timelapse.errors import AccessDenied, FrameRejected, ObjectNotFound, PreconditionFailed
from timelapse_runtime.timelapse.model.keys import StreamKeys
from timelapse_runtime.timelapse.read_ahead import Begin, ReadAhead, in_thread
from timelapse_runtime.timelapse.storage.contract import IfAbsent, ObjectInfo, Store
from timelapse_runtime.timelapse.video.boxes import Role, SourceFrame
from timelapse_runtime.timelapse.video.decode import DecodedPhoto, PhotoDecoder

MISSING, FORBIDDEN = "missing", "forbidden"
_OTHERS_TRIED = 4

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Photo:
    """A decoded frame: as its file has it, not yet fitted to the film. A stand-in has no picture of its own."""

    source: SourceFrame
    picture: DecodedPhoto | None


@dataclass(frozen=True, slots=True)
class _ReadPhoto:
    """What was read, and what the decoder made of it."""

    info: ObjectInfo
    picture: DecodedPhoto | FrameRejected


class Intake:
    """Reads one stream's photos. `prefix` is what its keys begin with in the frames bucket."""

    def __init__(
        self,
        config: Config,
        frames: Store,
        video: Store,
        keys: StreamKeys,
        prefix: str,
        clock: Clock,
        begin: Begin = in_thread,
    ) -> None:
        self._maximum_bytes, self._prefix = config.maximum_photo_bytes, prefix
        self._frames, self._video, self._keys, self._clock = frames, video, keys, clock
        self._decoder = PhotoDecoder(maximum_pixels=config.maximum_pixels)
        self._decoding = threading.Lock()
        self._last_read = ""
        self._ahead = ReadAhead(self._read, begin)

    def take(self, key: str, following: str | None = None) -> Photo | None:
        """The photo at `key` (relative to the prefix), or None when it was rejected: its record is then stored.

        With `following`, that photo is begun to be read; `forget_ahead` when it is not the next one after all. Raises
        StorageError where S3, not the photo, is the trouble.
        """
        try:
            found = self._found(key, following)
        except FrameRejected as rejection:
            self.reject(key, None, rejection)
            return None
        if isinstance(found.picture, FrameRejected):
            self.reject(key, found.info.etag, found.picture)
            return None
        return Photo(SourceFrame(key, found.info.last_modified_epoch_ms), found.picture)

    def take_again(self, key: str) -> Photo | None:
        """The photo at `key`, for a frame out of order, or None when it still cannot be used. Writes no record."""
        try:
            found = self._found(key)
            if isinstance(found.picture, FrameRejected):
                raise found.picture
        except FrameRejected as rejection:
            _log.info("frame is still rejected", extra={"frame": self._prefix + key, "reason": rejection.reason})
            return None
        return Photo(SourceFrame(key, found.info.last_modified_epoch_ms, Role.OUT_OF_ORDER), found.picture)

    def rejections(self) -> list[tuple[str, str]]:
        """The stream's rejected frames, with the reason of each."""
        found = []
        for info in self._video.list_after(self._keys.rejections):
            record = json.loads(self._video.get(info.key).body)
            found.append((str(record["key"]).removeprefix(self._prefix), str(record["reason"])))
        return found

    def forget_rejections(self, keys: Sequence[str]) -> None:
        """Remove the records of frames that are in the film now."""
        if keys:
            self._video.delete([self._keys.rejected(key) for key in keys])

    def forget_ahead(self) -> None:
        """Photos that were read ahead are to be read anew."""
        self._ahead.forget()

    def _read(self, key: str) -> _ReadPhoto:
        found = self._frames.get(self._prefix + key, maximum_bytes=self._maximum_bytes)
        size = found.info.size_bytes
        if size > self._maximum_bytes:
            detail = f"{size} bytes; TIMELAPSE_MAXIMUM_PHOTO_BYTES is {self._maximum_bytes}"
            return _ReadPhoto(found.info, FrameRejected("too-large", detail))
        try:
            with self._decoding:
                return _ReadPhoto(found.info, self._decoder.decode(found.body))
        except FrameRejected as rejection:
            return _ReadPhoto(found.info, rejection)

    def _found(self, key: str, following: str | None = None) -> _ReadPhoto:
        try:
            found = self._ahead.get(key, following)
        except ObjectNotFound as error:
            raise FrameRejected(MISSING, "the object was gone when it was to be read") from error
        except AccessDenied as error:
            if not self._may_read_others(key):
                raise  # the role is wrong, or the credentials are: no photo is to blame
            raise FrameRejected(FORBIDDEN, f"this photo alone may not be read: {error}") from error
        self._last_read = key
        return found

    def _may_read_others(self, key: str) -> bool:
        """Whether one of a few photos near `key` can be read right now. Raises StorageError."""
        near = self._frames.list_after(self._prefix, self._prefix + key)
        far = self._frames.list_after(self._prefix)
        tried = 0
        for other in itertools.chain(
            (self._prefix + self._last_read,), (info.key for info in itertools.chain(near, far))
        ):
            if other in (self._prefix, self._prefix + key):
                continue
            with contextlib.suppress(AccessDenied, ObjectNotFound):
                self._frames.get_range(other, 0, 1)  # not HEAD: that would not need the key of an encrypted object
                return True
            tried += 1
            if tried == _OTHERS_TRIED:
                break
        return False

    def reject(self, key: str, etag: str | None, rejection: FrameRejected) -> None:
        """Write the record of a frame that will not be in the film. The first record of a frame stays."""
        record = {
            "key": self._prefix + key,
            "etag": etag,
            "reason": rejection.reason,
            "detail": rejection.detail,
            "error_type": rejection.error_type,
            "time": datetime.fromtimestamp(self._clock.now_epoch_ms() / 1000, UTC).isoformat(timespec="milliseconds"),
        }
        _log.warning("frame rejected", extra={"frame": record["key"], "reason": rejection.reason})
        body = json.dumps(record, indent=1).encode()
        try:
            self._video.put(
                self._keys.rejected(key),
                body,
                condition=IfAbsent(),
                content_type="application/json",
                cache_control=ALWAYS_ASK,
            )
        except PreconditionFailed:
            _log.info("frame was rejected before", extra={"frame": record["key"]})
