"""Verifies a reel's `video.mp4`: its media are the reel's segments up to some point (of a closed reel, all of them),
and its head is the one that these media need."""

from __future__ import annotations

from timelapse_runtime.runtime.state.contract import ObjectInfo, Store
from timelapse_runtime.runtime.state.errors import ObjectNotFound
from timelapse_runtime.timelapse.commit_plan import segment_key
from timelapse_runtime.timelapse.errors import SegmentCorrupt
from timelapse_runtime.timelapse.model.checkpoint import Reel
from timelapse_runtime.timelapse.model.keys import StreamKeys
from timelapse_runtime.timelapse.verify_report import VerifyReport
from timelapse_runtime.timelapse.video.sample_table import SampleTable, head_size_bytes

_START_BYTES = 64


class VideoCheck:
    """One reel's file. Reads it range by range.

    After `run`, `head_size_bytes` is the size of its head, if it has one, and `is_earlier` says that it has none,
    because an earlier version wrote it.
    """

    def __init__(self, video: Store, keys: StreamKeys, reel: Reel, report: VerifyReport) -> None:
        self._video, self._keys, self._reel, self._report = video, keys, reel, report
        self._where = keys.video(reel.path)
        self.head_size_bytes: int | None = None
        self.is_earlier = False

    def run(self) -> None:
        """Add what is wrong to the report. Raises StorageError."""
        try:
            info = self._video.head(self._where)
            head_bytes = head_size_bytes(self._video.get_range(self._where, 0, _START_BYTES, etag=info.etag).body)
        except ObjectNotFound:
            self._add("there is none; a sweep publishes it")
            return
        except SegmentCorrupt as error:
            self._add(str(error))
            return
        self.head_size_bytes, self.is_earlier = head_bytes, head_bytes is None
        media_start = self._reel.init_size_bytes if head_bytes is None else head_bytes
        media_bytes, reel_bytes = info.size_bytes - media_start, self._reel.media_size_bytes
        if not 0 <= media_bytes <= reel_bytes or (self._reel.is_closed and media_bytes != reel_bytes):
            self._add(f"{media_bytes} bytes of media; the reel has {reel_bytes}")
        else:
            self._check(info, media_start)

    def _check(self, info: ObjectInfo, media_start: int) -> None:
        try:
            table = self._read_media(info, media_start)
            init_segment = self._stored(self._keys.init(self._reel.path))
            expected = table.head(init_segment) if table and init_segment and not self.is_earlier else init_segment
        except SegmentCorrupt as error:
            self._add(str(error))
            return
        head = self._video.get_range(self._where, 0, media_start, etag=info.etag).body
        if table is not None and expected is not None and head != expected:
            self._add(f"bytes 0 to {media_start} are not the head of what follows")

    def _read_media(self, info: ObjectInfo, media_start: int) -> SampleTable | None:
        """The samples that the file should have; None if its media are not those of the segments, which is reported."""
        table, position = SampleTable(), media_start
        for segment in self._reel.segments:
            end = min(position + segment.size_bytes, info.size_bytes)
            if position >= end:
                break
            found = self._video.get_range(self._where, position, end, etag=info.etag).body
            where = segment_key(self._keys, self._reel, segment)
            stored = self._stored(where)  # None is reported already, or a closed reel's segment that was removed
            if stored is not None and stored[: len(found)] != found:
                self._add(f"bytes {position} to {end} are not those of {where}")
                return None
            table.append(found)
            position = end
        return table

    def _stored(self, where: str) -> bytes | None:
        try:
            return self._video.get(where).body
        except ObjectNotFound:
            return None

    def _add(self, detail: str) -> None:
        self._report.add("video", self._where, detail)
