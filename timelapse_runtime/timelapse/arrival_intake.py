"""From events and listings to frames in the order of the photos' arrival (`TIMELAPSE_ORDER=arrival`).

A photo is a key with its content: new content under an old key is a new photo, and an event or an upload that repeats
what is known (`model/seen_photos.py`) is a duplicate.

Photos that wait are put in order together (`model/photo_order.py`). Nothing that is encoded is ever encoded again for
the sake of order: a photo that turns up later than the photos around it becomes the next frame. If a gap in time shows
that events are missing, a listing is taken before the photo after the gap is encoded.

A photo that the checkpoint covers by its time, and that is neither in the video nor rejected, became visible after its
time was covered: it becomes the next frame as well.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from timelapse_runtime.runtime.clock import Clock
from timelapse_runtime.timelapse.arrangement import arranged
from timelapse_runtime.timelapse.catalog import Catalog
from timelapse_runtime.timelapse.checkpoint_store import CheckpointStore
from timelapse_runtime.timelapse.config import Config
from timelapse_runtime.timelapse.errors import DeadlineTooClose, FrameRejected
from timelapse_runtime.timelapse.event_share import EventShare
from timelapse_runtime.timelapse.ingest import Ingest, with_next
from timelapse_runtime.timelapse.intake import PhotoHint
from timelapse_runtime.timelapse.kept_photos import KeptPhotos
from timelapse_runtime.timelapse.model.arrival_tracker import ArrivalTracker
from timelapse_runtime.timelapse.model.keys import key_order
from timelapse_runtime.timelapse.model.photo_order import arrange
from timelapse_runtime.timelapse.model.seen_photos import SeenPhotos
from timelapse_runtime.timelapse.model.skip import FROZEN
from timelapse_runtime.timelapse.model.source_frame import SourceFrame, photo_at, photo_identity, photo_of
from timelapse_runtime.timelapse.new_photos import NewPhotos
from timelapse_runtime.timelapse.photo_reader import PhotoRun, ReadPhoto
from timelapse_runtime.timelapse.recorder import Counts, Recorder
from timelapse_runtime.timelapse.rejection_records import RejectionRecords
from timelapse_runtime.timelapse.settling import Settling
from timelapse_runtime.timelapse.stream_log import StreamLog
from timelapse_runtime.timelapse.time_left import TimeLeft
from timelapse_runtime.timelapse.waiting_photos import HOLD_MS, WaitingPhoto, WaitingPhotos

_log = logging.getLogger(__name__)

_KNOWN_PHOTOS = 2_000
_UNREAD_SHARE = 3, 4
"""Of the time that a frame may wait: so long a photo waits unread. The lease must not end before it is committed."""


@dataclass(frozen=True, slots=True)
class _Listing:
    """The photos that are not encoded yet, by position, and which of them are `kept` copies."""

    photos: dict[str, WaitingPhoto]
    kept: Collection[str]

    @property
    def sources(self) -> list[SourceFrame]:
        return [one.source for one in self.photos.values()]

    @property
    def unread(self) -> list[SourceFrame]:
        """Those of which nothing is here."""
        return [one.source for one in self.photos.values() if one.is_unread]


class ArrivalIntake:
    """See the module. It counts what it does in `counts`."""

    def __init__(
        self,
        name: str,
        config: Config,
        tracker: ArrivalTracker,
        catalog: Catalog,
        ingest: Ingest,
        records: RejectionRecords,
        recorder: Recorder,
        checkpoints: CheckpointStore,
        counts: Counts,
        kept: KeptPhotos,
        clock: Clock,
    ) -> None:
        self.name = name
        self._config, self._counts, self._clock = config, counts, clock
        self._tracker, self._catalog, self._ingest, self._records = tracker, catalog, ingest, records
        self._recorder, self._checkpoints, self._kept = recorder, checkpoints, kept
        self._seen = SeenPhotos(max(_KNOWN_PHOTOS, 2 * config.flush_every))
        self._new_photos = NewPhotos(tracker, catalog, self._seen)
        self._settling = Settling(name, config, tracker, ingest, records, recorder, counts, self._seen)
        self._waiting = WaitingPhotos(config.reorder_window)
        self._is_caught_up = self._is_below_listings = False
        numerator, denominator = _UNREAD_SHARE
        longest_ms = 1_000 * config.flush_after_seconds * numerator // denominator
        self._share = EventShare(window=max(1, config.reorder_window), hold_ms=HOLD_MS, longest_ms=longest_ms)
        self._log = StreamLog(_log, name)

    def resume(self, sources: Sequence[SourceFrame], *, lists_all: bool) -> None:
        """See Intake."""
        self._new_photos.lists_all = lists_all
        self._waiting.encoded(sources)
        self._settling.resume(sources)
        known = [*sources, *map(photo_at, self._tracker.committed_ahead)]
        for source in sorted(known, key=lambda one: key_order(one.position)):
            self._seen.add(source)

    # ---- events

    def append(self, hints: Sequence[PhotoHint], time_left: TimeLeft, *, relist: bool) -> None:
        """See Intake. A photo may wait here when this returns: it is in S3, and a listing shows it."""
        if relist or not self._is_caught_up:
            self._look(hints, time_left)
        for hint, next_hint in with_next(hints):
            if self._may_wait_unread(hint.key, hint.etag):
                self._counts.duplicates += not self._share.put_off(hint, self._clock.now_epoch_ms())
                self._tell_of_unread()
                continue
            if not self._read_unread(time_left):
                raise DeadlineTooClose(f"stream {self.name}: photos are left; the next invocation continues")
            announced = self._announce(hint)
            if announced is not None:
                self._share.announced(announced.position)
            self._release_due(time_left, has_more=next_hint is not None)
        if self._share.is_listing_due(self._clock.now_epoch_ms()):
            self._look((), time_left)
        if self._is_below_listings:
            # After a crash, a listing from where the checkpoint says would not show what was announced here.
            self._recorder.commit()
            self._is_below_listings = False

    def _may_wait_unread(self, key: str, etag: str | None) -> bool:
        """Whether this photo may wait until a flush needs it: the next listing shows it, here and elsewhere."""
        listing = self._checkpoints.next_listing
        is_new = bool(etag) and not self._seen.has_key(key)
        return self._share.reads_late and is_new and listing is not None and listing.shows(key, etag)

    def _tell_of_unread(self) -> None:
        """Until they are tracked, the checkpoint's listings must not begin above them."""
        self._tracker.listed_keys([hint.key for hint in self._share.unread])

    def _look(self, hints: Sequence[PhotoHint], time_left: TimeLeft) -> None:
        """Take a listing, and the photos that it shows, unless they may wait unread. `hints` are those of the event."""
        has_waited = bool(self._share.unread)
        listing, now_ms = self._list(hints), self._clock.now_epoch_ms()
        room = self._config.flush_every - self._tracker.since_flush
        may_wait = self._share.may_wait(listing.sources, now_ms, room=room)
        if may_wait and all(self._may_wait_unread(one.key, one.etag) for one in listing.unread):
            self._share.leave(listing.unread, now_ms, starts_anew=False)
            self._listing_ends(listing.sources, self._tracker.limits(listing.sources)[0])
            return
        self._take_listed(listing, time_left, holds=True, leaves_unread=self._share.reads_late)
        if has_waited:
            self._recorder.commit()
            self.flushed()

    def _read_unread(self, time_left: TimeLeft) -> bool:
        """Read what waits unread, as far as the time allows, and whether that was all."""
        for hint in self._share.unread:
            if not time_left.is_enough:
                return False
            self._announce(hint)
            self._share.read(photo_identity(hint.key, hint.etag or ""))
        self._share.reads_late = False
        return True

    def _release_due(self, time_left: TimeLeft, *, has_more: bool) -> None:
        """If the event `has_more` photos, the next one to be encoded is decoded ahead. It would gain nothing else."""
        while self._waiting and self._waiting.is_due:
            first = self._waiting.next()
            if self._waiting.suspects_gap(first, is_shared=self._share.is_shared):
                self._look((), time_left)
                if self._share.unread:
                    return
            else:
                self._take_waiting(first, self._waiting.after(first) if has_more else None)

    def _announce(self, hint: PhotoHint) -> SourceFrame | None:
        """Read the photo, and let it wait. A photo that was overwritten before it could be read is counted. The result
        is what was read; None if it is known already, or rejected."""
        named = photo_identity(hint.key, hint.etag) if hint.etag else ""
        if self._seen.has_identity(named) and self._seen.is_newest(hint.key, named):
            self._counts.duplicates += 1
            return None
        try:
            fetched = self._ingest.fetch(hint.key, hint.version_id)
        except FrameRejected as rejection:
            self._settling.write_record(SourceFrame(hint.key, 0, etag=hint.etag or ""), rejection)
            return None
        source = photo_of(hint.key, fetched.info)
        is_repeated = self._seen.is_repeated(source)
        if named and named != source.identity and not self._seen.has_identity(named):
            self._counts.overwritten += 1
            self._seen.add_identity(named)
        elif is_repeated:
            self._counts.duplicates += 1
        if is_repeated:
            return None
        if not self._tracker.is_covered(source.position):
            self._wait(self._as_durable(WaitingPhoto(source, fetched)))
        elif self._is_settled(source):
            self._counts.duplicates += 1
            self._seen.add(source)
        else:
            self._settling.settle_late(source, self._ingest.decode(fetched))
        return source

    def _wait(self, waiting: WaitingPhoto) -> None:
        self._waiting.add(waiting)
        self._tracker.pending(waiting.source.position)
        self._is_below_listings |= key_order(waiting.source.key) <= key_order(self._tracker.scan_after)
        self._seen.add(waiting.source)

    def _as_durable(self, waiting: WaitingPhoto) -> WaitingPhoto:
        """Keep a copy of the photo if its key was written before: then it will be written again."""
        source, fetched = waiting.source, waiting.fetched
        before = self._seen.newest_position(source.key)
        if not before or fetched is None or len(fetched.body) != fetched.info.size_bytes:
            return waiting
        if before in self._waiting:
            self._waiting.add(self._with_copy(self._waiting[before]))
        elif before not in self._kept.positions() and not self._tracker.is_in_checkpoint(before):
            self._recorder.flush(drain=True)  # it was the first under this key
        return self._with_copy(waiting)

    def _with_copy(self, waiting: WaitingPhoto) -> WaitingPhoto:
        if waiting.fetched is None or waiting.is_kept:
            return waiting
        self._kept.keep(waiting.source.position, waiting.fetched.body)
        return replace(waiting, is_kept=True)

    def _is_settled(self, source: SourceFrame) -> bool:
        """Whether the video or a rejection record names a photo that the checkpoint covers."""
        if self._catalog.is_in_video(self._checkpoints.last_reel, source):
            return True
        return self._records.names(source.key, source.etag)

    # ---- listings

    def prepare_early_commit(self, time_left: TimeLeft) -> None:
        """See Intake."""
        if self._share.is_shared:
            self.catch_up(time_left)

    def catch_up(self, time_left: TimeLeft, *, holds: bool = True) -> None:
        """See Intake. Photos that may still be overtaken wait."""
        self._take_listed(self._list(()), time_left, holds=holds, leaves_unread=False)

    def _list(self, hints: Iterable[PhotoHint]) -> _Listing:
        """Take a listing. Photos that may be overwritten before their turn are read, and announced ones that it does
        not show; `hints` are those of the event at hand."""
        self._is_caught_up = False
        self._tracker.listing_begins()
        kept = [position for position in self._kept.positions() if not self._tracker.is_covered(position)]
        for position in kept:
            self._seen.add(photo_at(position))
        listed: dict[str, WaitingPhoto] = {}
        for source in list(self._new_photos.listed(without=kept)):
            if self._seen.has_key(source.key):
                self._announce(PhotoHint(source.key))  # it may be overwritten before its turn comes
            else:
                listed[source.position] = WaitingPhoto(source)
        found = [waiting.source for waiting in listed.values()]
        self._share.listed(found, hints)
        for hint in self._share.unshown(found):
            self._announce(hint)
            self._share.read(photo_identity(hint.key, hint.etag or ""))
        listed |= {position: WaitingPhoto(photo_at(position), is_kept=True) for position in kept}
        return _Listing(listed | dict(self._waiting.photos), kept)

    def _take_listed(self, listing: _Listing, time_left: TimeLeft, *, holds: bool, leaves_unread: bool) -> None:
        """Take the photos of the listing, in order, and commit on the way. Those that wait for others are read."""
        order = arranged(listing.sources, self._waiting.last_frames, self._ingest)
        held_count = self._waiting.held_count(order) if holds else 0
        batch = [listing.photos[source.position] for source in order[: len(order) - held_count]]
        prefetch = self._ingest.prefetch(one.source for one in batch if one.is_unread)
        limits = self._tracker.limits(order)
        self._tracker.listed_keys([source.key for source in order])
        for number, (waiting, following) in enumerate(with_next(batch)):
            if number and not time_left.is_enough:
                left = len(batch) - number
                raise DeadlineTooClose(f"stream {self.name}: {left} photos are left; the next invocation continues")
            self._take(waiting, prefetch, following)
            self._tracker.listed_to(limits[number + 1])
            if self._tracker.since_flush >= self._config.flush_every:
                self._recorder.commit()
        rest, unread = order[len(batch) :], list[SourceFrame]()
        for source in rest:
            if source.position in listing.kept:
                self._wait(listing.photos[source.position])
            elif source.position not in self._waiting:
                if leaves_unread and self._may_wait_unread(source.key, source.etag):
                    unread.append(source)
                else:
                    self._announce(PhotoHint(source.key))  # it may be overwritten while it waits
        self._share.leave(unread, self._clock.now_epoch_ms(), starts_anew=True)
        self._listing_ends(rest, limits[len(batch)])

    def _listing_ends(self, rest: Sequence[SourceFrame], limit: str) -> None:
        """Every photo of the listing is tracked, but those of `rest` that wait unread."""
        self._waiting.listed(rest)
        self._tracker.listed_to(limit)
        self._tell_of_unread()
        self._is_caught_up = True

    def new_photos(self) -> list[SourceFrame]:
        """See Intake. Those of which there are copies are left out."""
        self._tracker.listing_begins()
        listed = list(self._new_photos.listed(without=self._kept.positions()))
        return arranged(listed, self._waiting.last_frames, self._ingest)

    # ---- from photos to frames

    def _take_waiting(self, source: SourceFrame, following: WaitingPhoto | None) -> None:
        self._take(self._waiting[source.position], self._ingest.prefetch(), following)

    def _take(self, waiting: WaitingPhoto, prefetch: PhotoRun, following: WaitingPhoto | None) -> None:
        """Encode the photo, or reject it. It waits until that has succeeded."""
        source = waiting.source
        if self._records.is_removed(source):
            self._tracker.rejected(source.position)
            self._waiting.discard(source.position)
            return
        try:
            found = self._read(waiting, prefetch, following)
        except FrameRejected as rejection:
            self._settling.reject(source, rejection)
        else:
            actual = photo_of(source.key, found.info)
            if actual.position == source.position:
                self._settle(actual, found)  # with the ETag as the store gives it
            else:
                self._counts.overwritten += 1
                if not self._seen.is_repeated(actual):
                    self._settle(actual, found)
                self._tracker.settled(source.position)
        self._waiting.discard(source.position)
        self._share.read(source.identity)

    def _read(self, waiting: WaitingPhoto, prefetch: PhotoRun, following: WaitingPhoto | None) -> ReadPhoto:
        if waiting.fetched is not None or waiting.is_kept:
            fetched = waiting.fetched or self._kept.fetch(waiting.source.position)
            return self._ingest.decode_in_turn(fetched, following.fetched if following is not None else None)
        next_key = following.source.key if following is not None and following.is_unread else None
        return self._ingest.read_ahead(waiting.source, prefetch, next_key)

    def _settle(self, source: SourceFrame, found: ReadPhoto) -> None:
        photo = self._settling.settle(source, found)
        if photo is not None:
            self._waiting.encoded([photo.source])

    # ---- sweeps and shutdowns

    def take_unaccounted(self, positions: Iterable[str], time_left: TimeLeft) -> None:
        """See Intake."""
        found = [photo_at(position) for position in positions]
        for source in arrange([one for one in found if not self._seen.is_repeated(one)], self._waiting.last_frames):
            if not time_left.is_enough:
                return  # the next sweep finds the others
            self._announce(PhotoHint(source.key))

    def retry_rejected(self, time_left: TimeLeft, *, reason: str | None) -> None:
        """See Intake."""
        rejections = self._records.to_retry()
        self.catch_up(time_left)
        self.release(time_left)
        self._recorder.flush(drain=True)
        obsolete = []
        for rejection in rejections:
            try:
                fetched = self._ingest.fetch(rejection.key)
            except FrameRejected:
                continue
            source = photo_of(rejection.key, fetched.info)
            if self._catalog.is_in_video(self._checkpoints.last_reel, source, as_itself=True):
                obsolete.append(rejection.key)
                continue
            found = self._ingest.decode(fetched)
            is_frozen = rejection.reason == FROZEN and self._config.skip.frozen is not None
            if is_frozen or reason not in (None, rejection.reason) or isinstance(found.picture, FrameRejected):
                continue
            self._settling.append(source, found)
        self._recorder.flush(drain=True)
        self.flushed()  # only now: a record is the last that is known of a photo
        self._records.remove(obsolete)

    def release(self, time_left: TimeLeft) -> None:
        """See Intake."""
        while self._read_unread(time_left) and self._waiting and time_left.is_enough:
            first = self._waiting.next()
            self._take_waiting(first, self._waiting.after(first))

    def release_at_shutdown(self, time_left: TimeLeft) -> None:
        """See Intake."""
        while self._waiting and not self._share.unread and time_left.is_enough:
            waiting = self._waiting[self._waiting.next().position]
            if waiting.fetched is None:
                return
            found = self._ingest.decode_in_turn(waiting.fetched, None)
            if self._settling.needs_request(waiting.source, found):
                return
            self._settle(waiting.source, found)
            self._waiting.discard(waiting.source.position)

    def flushed(self) -> None:
        """See Intake."""
        self._settling.flushed()
        self._kept.remove(self._kept_done())

    def _kept_done(self) -> list[str]:
        """The copies that the checkpoint makes superfluous."""
        return [position for position in self._kept.positions() if self._tracker.is_in_checkpoint(position)]
