"""Compares the photos in S3 with the frames and the rejection records of a stream: the half of a verification that
looks at the photos' side.

Each photo is in the video, has a rejection record, or waits. Nothing is changed, and nothing of a photo is read but its
entry in the listing.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from timelapse_runtime.runtime.state.contract import Store
from timelapse_runtime.timelapse.model.checkpoint import ARRIVAL_ORDER, NAME_ORDER, Checkpoint
from timelapse_runtime.timelapse.model.keys import StreamKeys, key_order
from timelapse_runtime.timelapse.model.pace import pace_of
from timelapse_runtime.timelapse.model.photo_filter import PhotoFilter
from timelapse_runtime.timelapse.model.photo_order import MAXIMUM_JITTER_MS
from timelapse_runtime.timelapse.model.source_frame import SourceFrame, photo_at, photo_of
from timelapse_runtime.timelapse.rejection_records import Rejection
from timelapse_runtime.timelapse.verify_report import InTheWay, VerifyReport, counted, duration

_HELD_FRAMES = 128
"""Photos that may be held back beside those of a flush: 64 for their order (the most that TIMELAPSE_REORDER_WINDOW
allows), and as many in the encoder."""
_HELD_FRAMES_OF_SLOW = 16
"""The same of a slow camera, whose encoder gives each frame at once after eight photos."""
_GRACE_SECONDS = 1_200
"""How long after a photo is due it may still be on its way: a sweep comes every 5 minutes in the templates, and an
invocation takes 15 minutes at most (Lambda quotas, read November 2026)."""
_NAMED_IN_THE_WAY = 3
_LATE = "late"


@dataclass(frozen=True, slots=True)
class FlushRule:
    """When the function writes: after `flush_every` photos, when one has waited for `flush_after_seconds`, or when the
    stream is idle for so long."""

    flush_every: int = 60
    flush_after_seconds: int = 60

    def due_epoch_ms(self, pending_epoch_ms: Sequence[int], newest_epoch_ms: int) -> int:
        """When the oldest of the pending photos (their upload times, sorted) is in the video at the latest, if all is
        well. `newest_epoch_ms` is the upload time of the stream's newest photo."""
        wait_ms = 1_000 * self.flush_after_seconds
        due = newest_epoch_ms + wait_ms
        full = self.flush_every + _HELD_FRAMES
        if len(pending_epoch_ms) >= full:
            due = min(due, pending_epoch_ms[full - 1])
        held = _HELD_FRAMES_OF_SLOW if pace_of(pending_epoch_ms, slow_ms=wait_ms // 12).is_slow else _HELD_FRAMES
        if len(pending_epoch_ms) > held:
            due = min(due, max(pending_epoch_ms[held], pending_epoch_ms[0] + 2 * wait_ms))
        return due + 1_000 * _GRACE_SECONDS


class PhotoComparison:
    """Compares the photos of one stream, and adds what it finds to `report`. `order` is what positions compare by;
    `now_epoch_ms` is the time at which photos wait."""

    def __init__(
        self,
        frames: Store,
        video: Store,
        keys: StreamKeys,
        prefix: str,
        report: VerifyReport,
        *,
        include: PhotoFilter,
        order: str,
        rule: FlushRule,
        now_epoch_ms: int,
    ) -> None:
        self._frames, self._video, self._keys, self._prefix = frames, video, keys, prefix
        self._include, self._order, self._rule, self._now_epoch_ms = include, order, rule, now_epoch_ms
        self.report = report

    def run(self, checkpoint: Checkpoint | None, in_video: Sequence[SourceFrame], objects: Collection[str]) -> None:
        """Compare all photos with the video's frames. `objects` are the keys in the stream's folder. Raises
        StorageError."""
        seen = self._by_position(in_video)
        records = self._read_records(objects)
        rejected = {(record.key, record.etag) for record in records}
        for frame in seen.values():
            if (frame.key, _bare(frame.etag)) in rejected:
                self.report.add("rejected-and-in-video", frame.key, "a rejection record names it, and the video has it")
        if checkpoint is not None:
            self._compare_with_checkpoint(checkpoint, seen)
        listed = self._list()
        unknown = self._unknown(seen, rejected, listed)
        self.report.source = f"s3://{self._frames.bucket}/{self._prefix}"
        if checkpoint is not None:
            self.report.source_in_checkpoint = checkpoint.source
            self.report.nothing = self._nothing_to_compare(checkpoint, len(listed), len(unknown))
        kept = self._unknown(seen, rejected, self._kept(checkpoint, objects, listed))
        if not (listed and self.report.nothing):  # otherwise they are another stream's
            self._report_pending(self._settle(checkpoint, [*unknown, *kept]), [*listed, *kept])
        there = {photo.identity for photo in listed} | {photo.key for photo in listed}
        self.report.gone_count = sum(frame.identity not in there for frame in seen.values())
        self._find_in_the_way(records, seen, listed)
        self.report.out_of_place_count = out_of_place(in_video)

    def _by_position(self, in_video: Sequence[SourceFrame]) -> dict[str, SourceFrame]:
        seen: dict[str, SourceFrame] = {}
        for frame in in_video:
            if frame.position in seen:
                self.report.add("double", frame.key, "it is in the video more than once")
            seen[frame.position] = frame
        return seen

    def _compare_with_checkpoint(self, checkpoint: Checkpoint, seen: Mapping[str, SourceFrame]) -> None:
        for position, frame in seen.items():
            is_of_this_order = bool(frame.etag) == (self._order == ARRIVAL_ORDER)
            if is_of_this_order and not checkpoint.covers(position):
                self.report.add("unclaimed", frame.key, "the video has it, and the checkpoint does not cover it")
        frame_count, removed_count = self.report.frame_count, self.report.removed_count
        if checkpoint.frame_count != frame_count + removed_count:
            removed = f", and {removed_count} were removed" if removed_count else ""
            detail = f"the checkpoint counts {checkpoint.frame_count} frames; the video has {frame_count}{removed}"
            self.report.add("frame-count", self._keys.checkpoint, detail)

    def _list(self) -> list[SourceFrame]:
        """The photos, in the order of their keys. Other objects are counted as ignored."""
        listed = []
        for info in self._frames.list_after(self._prefix):
            key = info.key[len(self._prefix) :]
            if (reason := self._include.why_ignored(key)) is not None:
                self.report.ignore(key, reason)
            else:
                listed.append(photo_of(key, info))
        self.report.uploaded_count = len(listed)
        return listed

    def _kept(
        self, checkpoint: Checkpoint | None, objects: Iterable[str], listed: Sequence[SourceFrame]
    ) -> list[SourceFrame]:
        """The photos that were overwritten and wait as a copy. A copy of a photo that is covered is a leftover."""
        there, found = {photo.position for photo in listed}, []
        for where in objects:
            position = where.removeprefix(self._keys.kept)
            if position == where:
                continue
            try:
                photo = photo_at(position)
            except ValueError:
                self.report.add("orphan", where, "its name is not that of a photo's copy: remove it")
                continue
            self.report.kept_count += 1
            if position not in there and (checkpoint is None or not checkpoint.covers(position)):
                found.append(photo)
        return found

    def _unknown(
        self,
        seen: Mapping[str, SourceFrame],
        rejected: Collection[tuple[str, str | None]],
        photos: Iterable[SourceFrame],
    ) -> list[SourceFrame]:
        """Those of the photos that neither a frame nor a record names."""
        known = {frame.identity for frame in seen.values()}
        # What a reel from before `TIMELAPSE_ORDER` was changed says of a photo.
        known_by_time = {(frame.key, frame.uploaded_epoch_ms) for frame in seen.values()}
        unknown = []
        for photo in photos:
            is_known = self._position(photo) in seen or photo.identity in known
            is_known = is_known or (photo.key, photo.uploaded_epoch_ms) in known_by_time
            is_rejected = (photo.key, _bare(photo.etag)) in rejected or (photo.key, None) in rejected
            if not is_known and not is_rejected:
                unknown.append(photo)
        return unknown

    def _settle(self, checkpoint: Checkpoint | None, unknown: Sequence[SourceFrame]) -> list[SourceFrame]:
        """Report what is missing; the photos that wait."""
        pending = []
        for photo in unknown:
            if checkpoint is not None and checkpoint.covers(self._position(photo)):
                self.report.add("missing", photo.key, "uploaded and covered, neither in the video nor rejected")
            else:
                pending.append(photo)
        return pending

    def _position(self, photo: SourceFrame) -> str:
        return photo.key if self._order == NAME_ORDER else photo.position

    def _nothing_to_compare(self, checkpoint: Checkpoint, listed: int, unknown: int) -> str:
        """Why the photos are not those of the video, in a sentence; empty if they are."""
        source = self.report.source
        photo_frames = self.report.frame_count - self.report.adopted_count
        if listed and not (checkpoint.source != source and photo_frames and unknown == listed):
            return ""
        found = f"none of {counted(listed, 'photo')} at {source} is in the video" if listed else f"no photo at {source}"
        if checkpoint.source != source:
            return f"{found}; the checkpoint says that the stream's photos are at {checkpoint.source}"
        if not self.report.frame_count:
            return f"{found}, and no frame in the video"
        if not photo_frames:
            return ""  # all are adopted: the first photo is yet to come
        frames = counted(photo_frames, "frame")
        return (
            f"{found} to compare with the video's {frames}: the photos were removed, perhaps by a lifecycle rule. "
            "The video itself was checked"
        )

    def _report_pending(self, pending: Sequence[SourceFrame], listed: Sequence[SourceFrame]) -> None:
        """Report the photos that are pending: as a finding, if the function should have taken them long ago."""
        self.report.pending = [photo.key for photo in pending]
        if not pending:
            return
        times = sorted(photo.uploaded_epoch_ms for photo in pending)
        waited = duration(seconds := max(0, self._now_epoch_ms - times[0]) // 1_000)
        self.report.oldest_pending_seconds = seconds
        due = self._rule.due_epoch_ms(times, max(photo.uploaded_epoch_ms for photo in listed))
        if self._now_epoch_ms > due and not self.report.has("checkpoint-missing"):
            oldest = min(pending, key=lambda photo: photo.uploaded_epoch_ms)
            detail = (
                f"uploaded {waited} ago and not in the video, longer than a flush and a sweep take; "
                f"{counted(len(pending), 'photo')} waiting. Look at the function's log, its S3 notification, its sweep"
            )
            self.report.add("overdue", oldest.key, detail)

    def _read_records(self, objects: Iterable[str]) -> list[Rejection]:
        """The rejection records; their reasons are counted. In name order the ETag does not count, and is left out."""
        found = []
        for where in objects:
            if not where.startswith(self._keys.rejections):
                continue
            try:
                record = Rejection.from_json(self._video.get(where).body, self._prefix)
            except ValueError as error:
                self.report.add("rejection-corrupt", where, str(error))
            else:
                etag = _bare(record.etag) if self._order == ARRIVAL_ORDER else None
                found.append(replace(record, etag=etag))
        self.report.rejected = dict(Counter(record.reason for record in found).most_common())
        return found

    def _find_in_the_way(
        self, records: Sequence[Rejection], seen: Mapping[str, SourceFrame], listed: Sequence[SourceFrame]
    ) -> None:
        uploaded = {photo.key: photo.uploaded_epoch_ms for photo in listed}
        photos = [SourceFrame(one.key, uploaded.get(one.key, one.time_epoch_ms)) for one in records]
        late = [photo for photo, record in zip(photos, records, strict=True) if record.reason == _LATE]
        others = [photo for photo, record in zip(photos, records, strict=True) if record.reason != _LATE]
        self.report.in_the_way = in_the_way(late, [*seen.values(), *others])[:_NAMED_IN_THE_WAY]


def in_the_way(late: Iterable[SourceFrame], others: Iterable[SourceFrame]) -> list[InTheWay]:
    """What made photos late in name order: for each of them, the photo with the highest key among those `others` (in
    the video, or rejected) that were uploaded before it, if that key sorts above its own. Worst first."""
    by_time = sorted(
        [(photo, True) for photo in late] + [(photo, False) for photo in others],
        key=lambda entry: (entry[0].uploaded_epoch_ms, entry[1]),
    )
    highest, counts = "", Counter[str]()
    for photo, is_late in by_time:
        if not is_late:
            highest = max(highest, photo.key, key=key_order)
        elif key_order(photo.key) < key_order(highest):
            counts[highest] += 1
    return [InTheWay(key, count) for key, count in counts.most_common()]


def out_of_place(frames: Iterable[SourceFrame]) -> int:
    """How many frames of reels in arrival order (they know their ETag) were uploaded more than a minute before the
    frame before them: names correct the order by no more than that. Not counted are those that were taken later than
    the frame before, as both tell: so bulk uploads are put in order."""
    pairs = itertools.pairwise(frame for frame in frames if frame.etag)
    return sum(
        after.uploaded_epoch_ms < before.uploaded_epoch_ms - MAXIMUM_JITTER_MS and not _were_taken_so(before, after)
        for before, after in pairs
    )


def _were_taken_so(before: SourceFrame, after: SourceFrame) -> bool:
    times = before.taken_epoch_ms, after.taken_epoch_ms
    return times[0] is not None and times[1] is not None and times[0] <= times[1]


def _bare(etag: str | None) -> str | None:
    """The ETag without quotes: S3 gives it with them, the name of a copy has it without. None if there is none."""
    return etag.strip('"') or None if etag else None
