"""Why photos are not in the video: one record for each key, in the stream's folder `rejected/`.

Owns the records and their format. A record is the last that is known of a photo: it is removed only when a commit has
put the photo into the video.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from timelapse_runtime.runtime.clock import Clock
from timelapse_runtime.runtime.state.contract import IfAbsent, Store
from timelapse_runtime.runtime.state.errors import Fenced, ObjectNotFound, PreconditionFailed
from timelapse_runtime.runtime.state.put import Put
from timelapse_runtime.timelapse.commit_plan import JSON_TYPE, NO_CACHE
from timelapse_runtime.timelapse.errors import MISSING, REMOVED, FrameRejected, is_skip
from timelapse_runtime.timelapse.left_out_notes import LeftOutNotes
from timelapse_runtime.timelapse.model.keys import StreamKeys, key_order
from timelapse_runtime.timelapse.model.source_frame import SourceFrame, photo_identity
from timelapse_runtime.timelapse.stream_log import StreamLog

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Rejection:
    """What a record says. `key` is relative to the stream's prefix. `etag` is None if the photo could not be read."""

    key: str
    etag: str | None
    reason: str
    time_epoch_ms: int

    @classmethod
    def from_json(cls, body: bytes, prefix: str) -> Rejection:
        """A record as stored; `prefix` is the photos'. Raises ValueError."""
        try:
            value = json.loads(body)
            etag, time = value.get("etag"), value.get("time", "1970-01-01T00:00:00+00:00")
            return cls(
                str(value["key"]).removeprefix(prefix),
                None if etag is None else str(etag),
                str(value.get("reason", "unknown")),
                round(datetime.fromisoformat(time).timestamp() * 1_000),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(repr(error)) from error

    def names(self, etag: str) -> bool:
        """Whether it is for this content, as far as it says."""
        return self.etag is None or photo_identity(self.key, self.etag) == photo_identity(self.key, etag)


class RejectionRecords:
    """One stream's. `prefix` is what the keys of its photos begin with; `is_current` asks S3 whether the checkpoint is
    still the one known here. Each method raises StorageError."""

    def __init__(
        self,
        name: str,
        store: Store,
        keys: StreamKeys,
        prefix: str,
        clock: Clock,
        left_out: LeftOutNotes,
        is_current: Callable[[], bool] = lambda: True,
    ) -> None:
        self._left_out, self._is_current = left_out, is_current
        self._store, self._keys, self._prefix, self._clock = store, keys, prefix, clock
        self._known: set[str] = set()
        self._known_from: str | None = None  # all records from this object key on are known
        self._written: Counter[str] = Counter()
        self._log = StreamLog(_log, name)

    def add(self, key: str, etag: str | None, rejection: FrameRejected, *, replaces: bool = False) -> None:
        """Write the record of a photo that will not be in the video. The first record of a photo stays, unless this one
        `replaces` it: that of other content under the same key.

        A photo may be missing because another instance has committed it, and S3's rules or somebody have removed it
        since: then this raises Fenced.
        """
        if rejection.reason == MISSING and not self._is_current():
            raise Fenced(f"{self._prefix}{key} is gone, and another instance has committed more")
        record = {
            "key": self._prefix + key,
            "etag": etag,
            "reason": rejection.reason,
            "detail": rejection.detail,
            "error_type": rejection.error_type,
            "time": datetime.fromtimestamp(self._clock.now_epoch_ms() / 1000, UTC).isoformat(timespec="milliseconds"),
        }
        level = logging.INFO if is_skip(rejection.reason) else logging.WARNING
        self._log.log(level, "frame rejected", extra={"frame": record["key"], "reason": rejection.reason})
        where, condition = self._keys.rejected(key), None if replaces else IfAbsent()
        try:
            Put(where, json.dumps(record, indent=1).encode(), condition, JSON_TYPE, NO_CACHE).send(self._store)
        except PreconditionFailed:
            self._log.info("frame was rejected before", extra={"frame": record["key"]})
        else:
            self._written[rejection.reason] += 1
        self._left_out.rejected(key, rejection.reason)
        self._known.add(where)

    def superseded(self, key: str) -> None:
        """Other content under this key becomes a frame: the record is removed once that is committed."""
        self._left_out.in_video(key)

    def take_written(self) -> Counter[str]:
        """How many records were written since the last call, by reason."""
        written, self._written = self._written, Counter()
        return written

    def has(self, key: str) -> bool:
        """Whether there is a record for this key, of whatever content.

        They are listed once, from the lowest key on that was asked for: if names rise, that is one request, however
        many photos were rejected or skipped before.
        """
        where, known_from = self._keys.rejected(key), self._known_from
        if known_from is None or key_order(where) < key_order(known_from):
            for info in self._store.list_after(self._keys.rejections, where[:-1]):  # it sorts right before `where`
                if known_from is not None and key_order(info.key) >= key_order(known_from):
                    break
                self._known.add(info.key)
            self._known_from = where
        return where in self._known

    def names(self, key: str, etag: str) -> bool:
        """Whether there is a record for this content of the key."""
        record = self._read(self._keys.rejected(key)) if self.has(key) else None
        return record is not None and record.names(etag)

    def is_removed(self, source: SourceFrame) -> bool:
        """Whether a person had this photo's frame taken out of the video. It never becomes a frame again."""
        record = self._read(self._keys.rejected(source.key)) if self.has(source.key) else None
        return record is not None and record.reason == REMOVED and (not source.etag or record.names(source.etag))

    def to_retry(self) -> list[Rejection]:
        """All records that can be read, but for those of photos whose frames were removed."""
        return [record for record in self.read() if record.reason != REMOVED]

    def read(self) -> list[Rejection]:
        """All records that can be read."""
        records = [self._read(info.key) for info in self._store.list_after(self._keys.rejections)]
        return [record for record in records if record is not None]

    def _read(self, where: str) -> Rejection | None:
        """What a record says; None if it is damaged or gone."""
        try:
            return Rejection.from_json(self._store.get(where).body, self._prefix)
        except ObjectNotFound:
            return None
        except ValueError as error:
            self._log.warning("a rejection record is damaged", extra={"record": where}, exc_info=error)
            return None

    def remove(self, keys: Sequence[str]) -> None:
        """Remove the records of photos that are in the video now."""
        if keys:
            for key in keys:
                self._left_out.in_video(key)
            records = [self._keys.rejected(key) for key in keys]
            self._store.delete(records)
            self._known.difference_update(records)
