"""Removes the segments of closed reels, which `video.mp4` holds as well, if TIMELAPSE_KEEP_SEGMENTS says so.

By sweeps, reel by reel, in steps that may each be the last one:

1. The reel's `video.mp4` is read back, whole: its head must be the one that its media need, and its media must have the
   segments' checksums.
2. The manifest gets the ETag of that file (`Reel.video_etag`). From here on readers take its ranges.
3. `index.m3u8` becomes the playlist of these ranges. A player that has read the one before does not read it again: it
   had an end.
4. As long afterwards as such a player may play, if the file is still the same: the segments are deleted.

A reel stays as it is while the checkpoint or `live.m3u8` names its segments. A crash leaves a reel between two steps,
with all that anything names, and a later sweep goes on. Two environments may do this at once: the manifest is written
by compare-and-swap, the other writes have the same content, and what is deleted is not named any more.

Owns which reel is next. It is looked for from the newest on, one reel for each sweep, or all by a sweep of all reels;
the whole stream once in an environment's life, and once an hour what was closed since.
"""

from __future__ import annotations

import logging
from dataclasses import replace

from timelapse_runtime.runtime.clock import Clock
from timelapse_runtime.runtime.state.contract import IfMatch, ObjectInfo, Store
from timelapse_runtime.runtime.state.errors import ObjectNotFound, PreconditionFailed, StorageError
from timelapse_runtime.timelapse.commit_plan import playlist_put
from timelapse_runtime.timelapse.errors import CheckpointCorrupt, SegmentCorrupt
from timelapse_runtime.timelapse.model.checkpoint import Checkpoint, Reel, checksum
from timelapse_runtime.timelapse.model.keys import StreamKeys
from timelapse_runtime.timelapse.model.playlist import ranges_playlist
from timelapse_runtime.timelapse.model.segment_versions import VIEWED_SECONDS
from timelapse_runtime.timelapse.stored_reels import parse_manifest, put_manifest
from timelapse_runtime.timelapse.stream_log import StreamLog
from timelapse_runtime.timelapse.time_left import TimeLeft
from timelapse_runtime.timelapse.video.sample_table import SampleTable

_log = logging.getLogger(__name__)

_DAY_MS = 24 * 3_600_000
KEPT_MS = {"always": None, "week": 7 * _DAY_MS, "day": _DAY_MS}
"""By TIMELAPSE_KEEP_SEGMENTS: how long after a reel was closed. None: for ever."""
_LOOKED_FOR_EVERY_MS = 3_600_000


class SegmentRemoval:
    """One stream's. See the module."""

    def __init__(self, name: str, store: Store, keys: StreamKeys, clock: Clock, keep: str) -> None:
        self._store, self._keys, self._clock = store, keys, clock
        self._kept_ms = KEPT_MS[keep]
        self._next: str | None = None
        self._rests_until_ms = 0
        self._was_at_the_end = False
        self._log = StreamLog(_log, name)

    def step(self, checkpoint: Checkpoint | None, time_left: TimeLeft, *, all_reels: bool) -> None:
        """Look at one reel, or at all of them, and do what is due. All playlists must be up to date with `checkpoint`.

        What S3 refuses is logged, and tried again by the next sweep.
        """
        now_ms = self._clock.now_epoch_ms()
        if self._kept_ms is None or checkpoint is None or checkpoint.reel is None:
            return
        if all_reels:
            self._was_at_the_end = False
        if all_reels or (self._next is None and now_ms >= self._rests_until_ms):
            self._next = checkpoint.reel.previous
        in_use = {part.name for part in checkpoint.tail}
        try:
            while self._next is not None:
                self._take_next(self._next, in_use, now_ms, time_left)
                if not all_reels or not time_left.is_enough:
                    break
        except (StorageError, CheckpointCorrupt) as error:
            message = "could not remove a closed reel's segments; the next sweep tries again"
            self._log.warning(message, extra={"reel": self._next}, exc_info=error)

    def _take_next(self, name: str, in_use: set[str], now_ms: int, time_left: TimeLeft) -> None:
        reel, is_done = self._look(name, in_use, now_ms, time_left)
        self._next = None if is_done and self._was_at_the_end else reel.previous
        self._was_at_the_end |= self._next is None
        if self._next is None:
            self._rests_until_ms = now_ms + _LOOKED_FOR_EVERY_MS

    def _look(self, name: str, in_use: set[str], now_ms: int, time_left: TimeLeft) -> tuple[Reel, bool]:
        """The closed reel, and whether its segments are gone. Raises StorageError, CheckpointCorrupt."""
        stored = self._store.get(self._keys.manifest(name))
        reel = parse_manifest(stored)
        if reel.name in in_use or not reel.segments:
            return reel, False
        if reel.video_etag:
            return reel, self._remove(reel, stored.info, now_ms)
        assert self._kept_ms is not None
        if now_ms - stored.info.last_modified_epoch_ms >= self._kept_ms:
            self._hand_over(reel, stored.info, time_left)
        return reel, False

    # ---- steps 1 to 3

    def _hand_over(self, reel: Reel, manifest: ObjectInfo, time_left: TimeLeft) -> None:
        """To `video.mp4`, if that holds the reel."""
        try:
            video = self._read_back(reel, time_left)
        except (ObjectNotFound, PreconditionFailed, SegmentCorrupt) as error:
            message = "a closed reel's segments stay, because its video.mp4 does not hold them"
            self._log.error(message, extra={"reel": reel.name}, exc_info=error)
            return
        if video is None:
            self._log.warning("out of time to read a video.mp4 back", extra={"reel": reel.name})
            return
        handed_over = replace(reel, video_etag=video.etag)
        index = self._store.head(self._keys.index(reel.name))
        try:
            put_manifest(self._store, self._keys, handed_over, IfMatch(manifest.etag))
            self._write_index(handed_over, video, index)
        except PreconditionFailed:
            return  # another environment does it, or the reel is made again; the next look shows how far it came

    def _read_back(self, reel: Reel, time_left: TimeLeft) -> ObjectInfo | None:
        """The reel's `video.mp4`, if it holds all of the reel; None if the time is up. Raises SegmentCorrupt,
        ObjectNotFound, and PreconditionFailed if it was replaced meanwhile."""
        key, table = self._keys.video(reel.path), SampleTable()
        video = self._store.head(key)
        start = offset = _media_start(reel, video)
        for segment in reel.segments:
            if not time_left.is_enough:
                return None
            end = offset + segment.size_bytes
            body = self._store.get_range(key, offset, end, etag=video.etag).body
            if len(body) != segment.size_bytes or checksum(body) != segment.crc32:
                raise SegmentCorrupt(f"{key}: bytes {offset} to {end} are not segment {segment.first}")
            table.append(body)
            offset = end
        head = self._store.get_range(key, 0, start, etag=video.etag).body
        if head != table.head(self._store.get(self._keys.init(reel.path)).body):
            raise SegmentCorrupt(f"{key}: bytes 0 to {start} are not the head of what follows")
        return video

    def _write_index(self, reel: Reel, video: ObjectInfo, before: ObjectInfo) -> None:
        """In the place of `before`, which was seen while the manifest was as it is known here. Raises
        PreconditionFailed if the reel was made again since (`editions.py`)."""
        put = playlist_put(self._keys.index(reel.name), ranges_playlist(reel, _media_start(reel, video)))
        replace(put, condition=IfMatch(before.etag)).send(self._store)

    # ---- step 4

    def _remove(self, reel: Reel, manifest: ObjectInfo, now_ms: int) -> bool:
        """Whether the segments are gone, before this. Raises StorageError."""
        segments = [info.key for info in self._store.list_after(self._keys.segments(reel.path))]
        if not segments:
            return True
        try:
            video = self._store.head(self._keys.video(reel.path))
        except ObjectNotFound:
            video = None
        if video is None or video.etag != reel.video_etag:
            message = "a closed reel's segments stay, because its video.mp4 is not the one that was read back"
            self._log.error(message, extra={"reel": reel.name})
            return False
        index = self._store.get(self._keys.index(reel.name))
        if index.body != ranges_playlist(reel, _media_start(reel, video)):
            if self._store.head(manifest.key).etag == manifest.etag:
                self._write_index(reel, video, index.info)  # a crash came between manifest and index
            return False
        since_ms = max(manifest.last_modified_epoch_ms, index.info.last_modified_epoch_ms)
        if now_ms - since_ms >= VIEWED_SECONDS * 1_000:
            self._store.delete(segments)
            self._log.info("a closed reel's segments were removed", extra={"reel": reel.name, "count": len(segments)})
        return False


def _media_start(reel: Reel, video: ObjectInfo) -> int:
    """Where the media begin in the reel's `video.mp4`, which ends with all of them."""
    return max(0, video.size_bytes - reel.media_size_bytes)
