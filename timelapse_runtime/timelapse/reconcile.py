"""Photos that nothing accounts for: uploaded below the watermark, and their events lost.

No listing after the watermark shows such a photo. So a sweep lists below it as well, and compares what it sees with
what the film and the rejection records name, stretch by stretch: a segment's stretch goes from the last key in order
before it to its own. Where as many photos are listed as the segment has, it is not read. (One photo deleted and
another one uploaded late in the same stretch escape that; the audit reads everything.)

What a sweep looks at: the last segments, where late photos mostly belong, each time; the newest closed reel and all
of the open one once in an environment's life; everything where all reels are asked for.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from timelapse_runtime.timelapse.catalog import last_key_before, photos_after, read_frames
from timelapse_runtime.timelapse.checkpoint_store import read_manifest
from timelapse_runtime.timelapse.errors import ObjectNotFound, SegmentCorrupt
from timelapse_runtime.timelapse.model.checkpoint import Checkpoint, Reel, key_order
from timelapse_runtime.timelapse.model.keys import StreamKeys
from timelapse_runtime.timelapse.storage.contract import Store

_log = logging.getLogger(__name__)

_RECENT_SEGMENTS = 6
"""A thousand photos at the default keyframe interval: two pages of a listing."""


@dataclass(frozen=True, slots=True)
class _Stretch:
    """The photos up to `last_key`: so many of them should be in segment number `position` of `reel`."""

    last_key: str
    count: int
    reel: Reel
    position: int


class Recount:
    """One stream's. `prefix` is what its keys begin with in the frames bucket."""

    def __init__(self, frames: Store, video: Store, keys: StreamKeys, prefix: str) -> None:
        self._frames, self._video, self._keys, self._prefix = frames, video, keys, prefix
        self._done = ""

    def unaccounted(
        self, checkpoint: Checkpoint | None, *, all_reels: bool, go_on: Callable[[], bool]
    ) -> Iterator[str]:
        """Photos that the checkpoint covers, and that are neither in the film nor in a record. Ends early, for another
        sweep to begin anew, when `go_on` says so. Raises StorageError, CheckpointCorrupt."""
        if checkpoint is None:
            return
        reels = [checkpoint.reel] if checkpoint.reel else []  # newest first
        while reels and reels[-1].previous is not None and (all_reels or len(reels) < 2):
            reels.append(read_manifest(self._video, self._keys, reels[-1].previous))
        closed = next((reel.name for reel in reels if reel.is_closed), "")
        stretches = [stretch for reel in reversed(reels) for stretch in _stretches(reel)]
        if not all_reels and closed == self._done and len(stretches) > _RECENT_SEGMENTS:
            after = stretches[-_RECENT_SEGMENTS - 1].last_key
            stretches = stretches[-_RECENT_SEGMENTS:]
        else:
            after = last_key_before(self._video, self._keys, reels[-1]) if reels else ""
        settled = {info.key for info in self._video.list_after(self._keys.rejections, self._keys.rejections + after)}
        for segment in itertools.chain.from_iterable(reel.segments for reel in reels):
            settled.update(map(self._keys.rejected, segment.out_of_order))
        covered = itertools.takewhile(
            lambda key: key_order(key) <= key_order(checkpoint.watermark),
            (key for key, _ in photos_after(self._frames, self._prefix, after)),
        )
        listed: list[str] = []  # of the stretch that the listing has come to
        for key in covered:
            while stretches and key_order(key) > key_order(stretches[0].last_key):
                yield from self._not_in(stretches.pop(0), listed, settled)
                listed = []
                if not go_on():
                    _log.warning("no time to look at all photos: the next sweep begins again", extra={"at": key})
                    return
            listed.append(key)
        yield from self._not_in(stretches[0] if stretches else None, listed, settled)
        self._done = closed

    def _not_in(self, stretch: _Stretch | None, listed: list[str], settled: set[str]) -> Iterator[str]:
        """Those of `listed` that the segment does not name, and that are not settled elsewhere: `settled` has the keys
        of the records of rejected photos, and of those that were appended out of order."""
        unknown = [key for key in listed if self._keys.rejected(key) not in settled]
        named: set[str] = set()
        if stretch is not None and unknown:
            # A photo that is settled elsewhere may be in the segment all the same: by a stand-in.
            if len(unknown) == len(listed) == stretch.count:
                return
            try:
                frames = read_frames(self._video, self._keys, stretch.reel, stretch.position)
            except (ObjectNotFound, SegmentCorrupt):
                return  # replaced by another instance, or damaged: this is not what finds out
            named = {frame.key for frame in frames}
        yield from (key for key in unknown if key not in named and not self._is_recorded(key))

    def _is_recorded(self, key: str) -> bool:
        """A listing does not show the record of a key that is too long for one in its place."""
        try:
            self._video.head(self._keys.rejected(key))
        except ObjectNotFound:
            return False
        return True


def _stretches(reel: Reel) -> Iterator[_Stretch]:
    for position, segment in enumerate(reel.segments):
        count = segment.count - len(segment.out_of_order)
        if count:
            yield _Stretch(segment.last_key, count, reel, position)
