"""From events and listings to frames in the order of the photos' names (`TIMELAPSE_ORDER=name`).

Owns nothing but whether the stream has caught up with the listing; the tracker knows the photos. A frame enters the
encoder in key order, and once. If a photo turns up below an encoded but uncommitted frame, the uncommitted work is
discarded and done again in order. One that lies below a committed frame is *late*: it is rejected, or by policy
appended at the video's end.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterable, Sequence

from timelapse_runtime.timelapse.catalog import Catalog
from timelapse_runtime.timelapse.checkpoint_store import CheckpointStore
from timelapse_runtime.timelapse.config import Config
from timelapse_runtime.timelapse.errors import DeadlineTooClose, FrameRejected
from timelapse_runtime.timelapse.ingest import Ingest, with_next
from timelapse_runtime.timelapse.intake import PhotoHint
from timelapse_runtime.timelapse.model.frame_tracker import FrameTracker, Place
from timelapse_runtime.timelapse.model.keys import key_order
from timelapse_runtime.timelapse.model.source_frame import SourceFrame
from timelapse_runtime.timelapse.photo_reader import PhotoRun
from timelapse_runtime.timelapse.recorder import Counts, Recorder
from timelapse_runtime.timelapse.rejection_records import RejectionRecords
from timelapse_runtime.timelapse.stream_log import StreamLog
from timelapse_runtime.timelapse.time_left import TimeLeft

_log = logging.getLogger(__name__)


class NameIntake:
    """See the module. It counts what it does in `counts`."""

    def __init__(
        self,
        name: str,
        config: Config,
        tracker: FrameTracker,
        catalog: Catalog,
        ingest: Ingest,
        records: RejectionRecords,
        recorder: Recorder,
        checkpoints: CheckpointStore,
        counts: Counts,
    ) -> None:
        self.name = name
        self._config, self._counts = config, counts
        self._tracker, self._catalog, self._ingest, self._records = tracker, catalog, ingest, records
        self._recorder, self._checkpoints = recorder, checkpoints
        self._is_caught_up = False
        self._log = StreamLog(_log, name)

    # ---- append

    def append(self, hints: Sequence[PhotoHint], time_left: TimeLeft, *, relist: bool) -> None:
        """See Intake."""
        keys = {hint.key for hint in hints}
        announced = [key for key in sorted(keys, key=key_order) if not self._is_duplicate(key)]
        if relist or not self._is_caught_up:
            self.catch_up(time_left)
        prefetch = self._ingest.prefetch()
        for key, next_key in with_next(announced):
            self._append_announced(key, next_key, prefetch, time_left)
        self._append_late(time_left)

    def _is_duplicate(self, key: str) -> bool:
        is_known = self._tracker.is_known(key)
        self._counts.duplicates += is_known
        return is_known

    def _append_announced(self, key: str, next_key: str | None, prefetch: PhotoRun, time_left: TimeLeft) -> None:
        if self._tracker.place(key) is Place.OVERTAKEN:
            self._discard_uncommitted(f"{key} arrived after frames that follow it")
            self.catch_up(time_left)
        if self._tracker.is_known(key):
            return  # catching up has found it, and may have committed it
        if self._tracker.place(key) is Place.LATE:
            self._settle_late(key)
        else:
            self._take(SourceFrame(key, 0), next_key, prefetch)

    def catch_up(self, time_left: TimeLeft, *, holds: bool = True) -> None:
        """See Intake. The reorder window, which holds photos back, is the recorder's."""
        del holds
        while not self._take_listed(time_left):
            self._discard_uncommitted("a listing shows a photo before some that are encoded")
        self._is_caught_up = True

    def new_photos(self) -> list[SourceFrame]:
        """See Intake."""
        photos = self._catalog.photos_after(self._tracker.watermark)
        return [
            SourceFrame(key, info.last_modified_epoch_ms) for key, info in photos if not self._tracker.is_known(key)
        ]

    def prepare_early_commit(self, time_left: TimeLeft) -> None:
        """See Intake. What is committed makes the photos below it late."""
        self.catch_up(time_left)

    def _take_listed(self, time_left: TimeLeft) -> bool:
        """One listing. False: a photo lies below one that is encoded, and what is not committed must be redone."""
        self._tracker.listing_begins()
        listed = self._catalog.photos_after(self._tracker.watermark)
        photos, ahead = itertools.tee(SourceFrame(key, info.last_modified_epoch_ms) for key, info in listed)
        prefetch = self._ingest.prefetch(one for one in ahead if not self._tracker.is_known(one.key))
        del ahead  # what nobody wants is not to be kept
        for position, (photo, following) in enumerate(with_next(photos)):
            key = photo.key
            if position and not time_left.is_enough:
                done = f"caught up to {self._tracker.last_encoded_key}; the next invocation continues from there"
                raise DeadlineTooClose(f"stream {self.name}: {done}")
            if key_order(key) <= key_order(self._tracker.watermark):
                continue  # committed since the listing began
            place = self._tracker.place(key)
            if place is Place.OVERTAKEN:
                return False
            if place is Place.LATE:
                self._settle_late(key)
                self._tracker.rejected(key)
            elif place is Place.NEXT:
                self._take(photo, following.key if following is not None else None, prefetch)
            self._tracker.listed_to(key)
            if place is Place.NEXT and self._tracker.since_flush >= self._config.flush_every:
                self._recorder.commit()
        return True

    def _take(self, source: SourceFrame, next_key: str | None, prefetch: PhotoRun) -> None:
        """Read the photo of the next frame in order, and put it into the reorder window. `next_key` mostly follows.

        The upload time of `source` is 0 if no listing has shown it.
        """
        is_next_wanted = next_key is not None and not self._tracker.is_known(next_key)
        photo = self._ingest.read(source, prefetch, next_key if is_next_wanted else None)
        if photo is None:
            self._counts.rejected += 1
            if self._config.rejected == "skip":
                self._tracker.rejected(source.key)
                return
            photo = self._ingest.repeated(source.key)
        self._recorder.append(photo)

    # ---- late and rejected photos

    def _settle_late(self, key: str) -> None:
        """Count the late photo as a duplicate if the video has it, else write its record."""
        if self._catalog.is_in_video(self._checkpoints.last_reel, SourceFrame(key, 0)):
            self._counts.duplicates += 1
        elif not self._records.is_removed(SourceFrame(key, 0)):
            self._records.add(key, None, FrameRejected("late", "frames that follow it are in the video already"))
            self._counts.rejected += 1
            self._tracker.late(key)
        self._tracker.remember([key])

    def _append_late(self, time_left: TimeLeft) -> None:
        """By policy, append late photos at the video's end. Their records stay until that is committed: a crash in
        between leaves them rejected, until they are retried."""
        late = self._tracker.take_late()
        if late and self._config.late == "append":
            self._append_rejected(late, time_left)

    def retry_rejected(self, time_left: TimeLeft, *, reason: str | None) -> None:
        """Try the rejected photos (of one reason, or all) again; those that can be used now go to the video's end.

        Also removes the records of photos that are in the video: a crash may have left them. Raises as `append` does.
        """
        rejections = self._records.to_retry()
        # A photo that was fixed after its rejection may still come in order: then it must be seen in the video below.
        self._flush_drained(time_left)
        in_video, again = [], []
        for rejection in rejections:
            if self._catalog.is_in_video(self._checkpoints.last_reel, SourceFrame(rejection.key, 0), as_itself=True):
                in_video.append(rejection.key)
            elif reason in (None, rejection.reason):
                again.append(rejection.key)
        self._records.remove(in_video)
        self._append_rejected(again, time_left)

    def _append_rejected(self, keys: list[str], time_left: TimeLeft) -> None:
        settled_to = key_order(self._tracker.committed_key)  # above this one, frames still come in order
        self.catch_up(time_left)  # if it finds an overtaken photo, it discards the frames that are appended now
        for key in [key for key in keys if key_order(key) <= settled_to]:
            photo = None if key in self._tracker.late_in_encoder else self._ingest.read_late(key)
            if photo is not None:
                self._recorder.encode(photo)
        if self._tracker.late_in_encoder:
            self._flush_drained(time_left)
        # Only what a commit holds: a record is the last that is known of a photo.
        self._records.remove(self._tracker.take_committed_late())

    def take_unaccounted(self, keys: Iterable[str], time_left: TimeLeft) -> None:
        """See Intake."""
        for key in keys:
            self._settle_late(key)
        self._append_late(time_left)

    def resume(self, sources: Sequence[SourceFrame], *, lists_all: bool) -> None:
        """See Intake."""
        del lists_all  # a listing after the watermark is always whole
        self._tracker.remember(source.key for source in sources)
        self._is_caught_up = False

    def release(self, time_left: TimeLeft) -> None:
        """See Intake. The reorder window is the recorder's."""

    def release_at_shutdown(self, time_left: TimeLeft) -> None:
        """See Intake."""

    def flushed(self) -> None:
        """See Intake."""

    def _flush_drained(self, time_left: TimeLeft) -> None:
        self.catch_up(time_left)
        self._recorder.flush(drain=True)

    def _discard_uncommitted(self, reason: str) -> None:
        """Catching up takes the discarded frames again, in order."""
        self._log.info("discarding uncommitted frames; they will be encoded again in order", extra={"reason": reason})
        self._recorder.discard_uncommitted()
        self._is_caught_up = False
