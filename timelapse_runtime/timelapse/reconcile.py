"""Reconciliation: compares what is stored with what the checkpoint says. Finds; the caller acts.

*Photos that nothing accounts for*: they lie below the watermark, and their events were lost. No listing for what lies
beyond the watermark shows such a photo. So a sweep lists below it as well, and compares what it sees with what the
video and the rejection records name, one range of positions after the other: a segment's range goes from the highest
position before it to its own. If just the photos are listed that the segment has frames of, by number and checksum, it
is not read. A sweep looks at the last segments, where late photos mostly belong, each time; at the newest closed reel
and all of the open one once in an environment's life; at everything if all reels are asked for. In arrival order, where
a listing is always whole, it does so once in an environment's life alone.

*Leftovers*: objects that no checkpoint names, left by crashes or replaced by flushes.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from timelapse_runtime.runtime.state.contract import ObjectInfo, Store
from timelapse_runtime.runtime.state.errors import ObjectNotFound
from timelapse_runtime.timelapse.catalog import Catalog
from timelapse_runtime.timelapse.commit_plan import reel_object_keys
from timelapse_runtime.timelapse.errors import SegmentCorrupt
from timelapse_runtime.timelapse.model.checkpoint import ARRIVAL_ORDER, Checkpoint, Reel, photos_checksum
from timelapse_runtime.timelapse.model.keys import DAY_PICTURE_FILES, StreamKeys, key_order, reel_number, segment_name
from timelapse_runtime.timelapse.model.segment_versions import SegmentVersions
from timelapse_runtime.timelapse.model.source_frame import photo_at
from timelapse_runtime.timelapse.model.stored_editions import StoredEditions
from timelapse_runtime.timelapse.rejection_records import RejectionRecords
from timelapse_runtime.timelapse.stream_log import StreamLog
from timelapse_runtime.timelapse.time_left import TimeLeft

_log = logging.getLogger(__name__)

_RECENT_SEGMENTS = 6
"""A thousand photos at the default keyframe interval: two pages of a listing."""
_RECENT_REELS = 2
"""The newest one, and the one before, which may have been closed just now."""
_DERIVED = ("index.m3u8", "reel.json", "video.m3u8", "video.mp4", *DAY_PICTURE_FILES.values())
"""In a reel's folder, written after a commit."""


@dataclass(frozen=True, slots=True)
class _KeyRange:
    """The photos up to the position `last_key`: `count` of them should be in segment number `position` of `reel`, and
    `photos` is their checksum; empty if it is not known."""

    last_key: str
    count: int
    photos: str
    reel: Reel
    position: int


@dataclass(frozen=True, slots=True)
class Leftovers:
    """Objects that nothing names, by key.

    The instance that wrote an orphan may still commit it, until the checkpoint changes: delete orphans after the next
    commit. Replaced segments can be deleted without one (`model/segment_versions.py`).
    """

    orphans: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()


class Reconciler:
    """One stream's. Owns which closed reel it has looked at; all else is read."""

    def __init__(
        self, name: str, video: Store, keys: StreamKeys, catalog: Catalog, records: RejectionRecords, order: str
    ) -> None:
        self._video, self._keys, self._catalog, self._records = video, keys, catalog, records
        self._order = order
        self._checked_reel: str | None = None if order == ARRIVAL_ORDER else ""
        self._log = StreamLog(_log, name)

    def unaccounted(self, checkpoint: Checkpoint | None, time_left: TimeLeft, *, all_reels: bool) -> Iterator[str]:
        """The positions of photos that the checkpoint covers and that are neither in the video nor rejected.

        Ends early if time runs out; the next sweep then starts over. Raises StorageError, CheckpointCorrupt.
        """
        if checkpoint is None or (checkpoint.reel is not None and checkpoint.reel.order != self._order):
            return
        if not checkpoint.watermark and self._order != ARRIVAL_ORDER:
            return  # nothing lies below it
        newest_first = self._catalog.reels(checkpoint.reel, None if all_reels else _RECENT_REELS)
        reels = list(itertools.takewhile(lambda reel: reel.order == self._order, newest_first))
        closed = next((reel.name for reel in reels if reel.is_closed), "")
        ranges = [key_range for reel in reversed(reels) for key_range in _key_ranges(reel)]
        if self._order == ARRIVAL_ORDER and not all_reels and closed == self._checked_reel:
            return
        if not all_reels and closed == self._checked_reel and len(ranges) > _RECENT_SEGMENTS:
            after = ranges[-_RECENT_SEGMENTS - 1].last_key
            ranges = ranges[-_RECENT_SEGMENTS:]
        else:
            after = self._catalog.last_key_before(reels[-1]) if reels else ""
        is_settled = self._settled_otherwise(reels, after)
        # In arrival order, a listing near the keys that are known may have missed some beyond the watermark.
        is_whole = self._order == ARRIVAL_ORDER
        covered = itertools.takewhile(
            lambda key: is_whole or key_order(key) <= key_order(checkpoint.watermark),
            (key for key, _ in self._catalog.photos_after(after)),
        )
        listed: list[str] = []  # in the key range that the listing has come to
        for key in covered:
            while ranges and key_order(key) > key_order(ranges[0].last_key):
                yield from self._not_in(ranges.pop(0), listed, is_settled)
                listed = []
                if not time_left.is_enough:
                    self._log.warning(
                        "out of time to look at all photos; the next sweep starts over", extra={"at": key}
                    )
                    return
            listed.append(key)
        yield from self._not_in(ranges[0] if ranges else None, listed, is_settled)
        self._checked_reel = closed

    def _settled_otherwise(self, reels: Sequence[Reel], after: str) -> Callable[[str], bool]:
        """Tells whether a photo has a rejection record, or is named as out of order."""
        late = {position for reel in reels for segment in reel.segments for position in segment.out_of_order}
        if self._order == ARRIVAL_ORDER:
            return lambda position: position in late or self._is_rejected(position)
        listed = self._video.list_after(self._keys.rejections, self._keys.rejections + after)
        records = {info.key for info in listed}
        return lambda key: key in late or self._keys.rejected(key) in records

    def _is_rejected(self, position: str) -> bool:
        photo = photo_at(position)
        return self._records.names(photo.key, photo.etag)

    def _not_in(
        self, key_range: _KeyRange | None, listed: list[str], is_settled: Callable[[str], bool]
    ) -> Iterator[str]:
        """Those of `listed` that the segment does not name and that are not settled otherwise."""
        unknown = [key for key in listed if not is_settled(key)]
        named: set[str] = set()
        if key_range is not None and unknown:
            # A photo that is settled otherwise may be in the segment all the same, if its neighbour is repeated there.
            is_whole = len(unknown) == len(listed) == key_range.count
            if is_whole and key_range.photos in ("", photos_checksum(listed)):
                return
            try:
                frames = self._catalog.read_frames(key_range.reel, key_range.position)
            except (ObjectNotFound, SegmentCorrupt):
                return  # replaced by another instance, or damaged: opening and verifying find that, not this
            named = {frame.position for frame in frames}
        yield from (key for key in unknown if key not in named and not self._is_recorded(key))

    def _is_recorded(self, key: str) -> bool:
        """A listing does not show the record of a key that is too long to have one under its own name."""
        if self._order == ARRIVAL_ORDER:
            return False  # its records were all listed
        try:
            self._video.head(self._keys.rejected(key))
        except ObjectNotFound:
            return False
        return True

    def leftovers(self, checkpoint: Checkpoint | None, now_epoch_ms: int, *, all_reels: bool) -> Leftovers:
        """Objects that nothing names: of the last two reels (or all), and of reels that never were committed.

        Of orphans, an init segment that was prepared for a future reel number is left out: it may still be used after
        the next commit. So is a reel that was committed and that no checkpoint knows: somebody lost the checkpoint,
        and may find it again. Older reels are looked at only if asked for, for the cost: a listing and a manifest each.
        """
        if checkpoint is None:
            return Leftovers()
        reels = list(self._catalog.reels(checkpoint.reel, None if all_reels else _RECENT_REELS))
        known, last_number = {reel.name: reel for reel in reels}, reels[0].number if reels else 0
        has_older_reels = bool(reels) and reels[-1].previous is not None
        folder, first_number = self._keys.reels, reels[-1].number if has_older_reels else 0
        of_known, of_unknown = dict[str, list[ObjectInfo]](), dict[str, list[str]]()
        committed = set[str]()
        for info in self._video.list_after(folder, folder + min(known) if has_older_reels else ""):
            name, _, rest = info.key[len(folder) :].partition("/")
            number = reel_number(name)
            if name in known:
                of_known.setdefault(name, []).append(info)
            elif number >= first_number and not (rest == "init.mp4" and number > last_number):
                of_unknown.setdefault(name, []).append(info.key)
            if name not in known and rest in _DERIVED:
                committed.add(name)
        if committed:
            self._log.warning("reels that no checkpoint knows are left alone", extra={"reels": sorted(committed)})
        on_live = _live_keys(self._keys, checkpoint)
        orphans = [key for name, keys in of_unknown.items() if name not in committed for key in keys]
        replaced = list[str]()
        for name, stored in of_known.items():
            editions = StoredEditions(self._keys, known[name], stored)
            replaced += set(editions.replaced(now_epoch_ms)) - on_live
            versions, named = SegmentVersions(known[name], editions.shown), reel_object_keys(self._keys, known[name])
            orphans += versions.strays(named)
            replaced += versions.replaced(named, now_epoch_ms)
        return Leftovers(tuple(orphans), tuple(replaced))


def _live_keys(keys: StreamKeys, checkpoint: Checkpoint) -> set[str]:
    """What `live.m3u8` names of reels before the newest one."""
    segments = {
        keys.segments(part.path) + segment_name(segment.first, segment.count, segment.attempt)
        for part in checkpoint.tail
        for segment in part.segments
    }
    return segments | {keys.init(part.path) for part in checkpoint.tail}


def _key_ranges(reel: Reel) -> Iterator[_KeyRange]:
    for position, segment in enumerate(reel.segments):
        count = segment.count - len(segment.out_of_order)
        if count:
            yield _KeyRange(segment.last_key, count, segment.photos, reel, position)
