"""A photo in arrival order that was read becomes a frame, or gets a record that says why it does not.

Owns what the frame before shows (`frozen_photos.py`), and which records are obsolete as soon as frames are committed.
Knows nothing of which photo is the next one.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

from timelapse_runtime.timelapse.config import Config
from timelapse_runtime.timelapse.errors import FrameRejected
from timelapse_runtime.timelapse.frozen_photos import FrozenPhotos
from timelapse_runtime.timelapse.ingest import Ingest, Photo
from timelapse_runtime.timelapse.model.arrival_tracker import ArrivalTracker
from timelapse_runtime.timelapse.model.keys import key_order
from timelapse_runtime.timelapse.model.seen_photos import SeenPhotos
from timelapse_runtime.timelapse.model.skip import Look
from timelapse_runtime.timelapse.model.source_frame import Role, SourceFrame, photo_at
from timelapse_runtime.timelapse.photo_reader import ReadPhoto
from timelapse_runtime.timelapse.recorder import Counts, Recorder
from timelapse_runtime.timelapse.rejection_records import RejectionRecords
from timelapse_runtime.timelapse.stream_log import StreamLog

_log = logging.getLogger(__name__)


class Settling:
    """One stream's. It tells `seen` of each photo, and counts in `counts`. Each method but `flushed` may raise what the
    recorder's `encode` raises, and StorageError."""

    def __init__(
        self,
        name: str,
        config: Config,
        tracker: ArrivalTracker,
        ingest: Ingest,
        records: RejectionRecords,
        recorder: Recorder,
        counts: Counts,
        seen: SeenPhotos,
    ) -> None:
        self._repeats_for_rejected = config.rejected == "repeat"
        self._tracker, self._ingest, self._records, self._recorder = tracker, ingest, records, recorder
        self._counts, self._seen = counts, seen
        self._frozen = FrozenPhotos(config.skip, ingest)
        self._superseded: dict[str, str] = {}
        """Keys with a rejection record of earlier content, by the position of the photo that makes it obsolete."""
        self._log = StreamLog(_log, name)

    def resume(self, sources: Sequence[SourceFrame]) -> None:
        """`sources` are the photos of the last frames, in order."""
        self._frozen.resume(sources)

    def settle(self, source: SourceFrame, found: ReadPhoto) -> Photo | None:
        """It becomes the next frame, which is returned, or is rejected."""
        photo = None
        if isinstance(found.picture, FrameRejected):
            self.reject(source, found.picture, found.look)
        elif rejection := self._frozen_rejection(source, found):
            self.reject(source, rejection, found.look)
        else:
            has_record = self._records.has(source.key)  # of other content; asked first, as it may fail
            photo = self._ingest.photo(source, found.picture)
            self._encode(photo, found.look)
            if has_record and key_order(self._seen.newest_position(source.key)) <= key_order(source.position):
                self._superseded[source.position] = source.key
                self._records.superseded(source.key)
        self._seen.add(source)
        return photo

    def needs_request(self, source: SourceFrame, found: ReadPhoto) -> bool:
        """Whether `settle` would send one: for a record, to read a photo again, or for a commit."""
        if isinstance(found.picture, FrameRejected) or self._records.is_removed(source):
            return True
        if self._recorder.must_commit_before(self._ingest.photo(source, found.picture).source):
            return True
        return self._frozen.needs_request or self._frozen_rejection(source, found) is not None

    def reject(self, source: SourceFrame, rejection: FrameRejected, look: Look | None = None) -> None:
        """It gets a record, and the frame before is repeated for it if that is configured."""
        self.write_record(source, rejection)
        if self._repeats_for_rejected:
            self._encode(self._ingest.photo(replace(source, role=Role.STAND_IN), None), look)
        else:
            self._tracker.rejected(source.position)

    def write_record(self, source: SourceFrame, rejection: FrameRejected) -> None:
        """Of this content; it takes the place of one of earlier content under the same key."""
        self._records.add(source.key, source.etag or None, rejection, replaces=True)
        self._superseded = {position: key for position, key in self._superseded.items() if key != source.key}
        self._counts.rejected += 1

    def settle_late(self, source: SourceFrame, found: ReadPhoto) -> None:
        """A photo whose time is covered already becomes the next frame, or gets a record."""
        self._seen.add(source)
        if isinstance(found.picture, FrameRejected):
            self.write_record(source, found.picture)
        else:
            self._counts.late += 1
            self._log.info("a photo became visible late: it is the next frame", extra={"frame": source.key})
            self.append(source, found)

    def append(self, source: SourceFrame, found: ReadPhoto) -> None:
        """A usable photo becomes the next frame, out of order."""
        assert not isinstance(found.picture, FrameRejected)
        self._encode(self._ingest.photo(replace(source, role=Role.OUT_OF_ORDER), found.picture), found.look)

    def flushed(self) -> None:
        """A commit was made: remove the records that it made obsolete. Raises StorageError."""
        committed = [position for position in self._superseded if self._tracker.is_in_checkpoint(position)]
        keys = [self._superseded.pop(position) for position in committed]
        keys += [photo_at(position).key for position in self._tracker.take_committed_late()]
        self._records.remove([key for key in keys if self._records.has(key)])

    def _encode(self, photo: Photo, look: Look | None) -> None:
        self._recorder.encode(photo)
        self._frozen.encoded(look)

    def _frozen_rejection(self, source: SourceFrame, found: ReadPhoto) -> FrameRejected | None:
        """Why the photo is left out, beside the frame before it, if that is in the same reel."""
        if found.look is None or isinstance(found.picture, FrameRejected):
            return None
        begins_reel = self._recorder.begins_reel(self._ingest.photo(source, found.picture).source)
        return None if begins_reel else self._frozen.check(found.look)
