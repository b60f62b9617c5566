"""What S3 knows of one stream: which photos there are, and which frames the committed video holds. Reads only.

Whether a photo is in the video is asked only for one that the checkpoint covers and that memory does not know. The
checkpoint knows each segment's highest position, so one segment is read for an answer (and one manifest for each reel
further back). The provenance boxes of the segment name its frames.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Iterator

from timelapse_runtime.runtime.state.contract import ObjectInfo, Store
from timelapse_runtime.timelapse.commit_plan import segment_key
from timelapse_runtime.timelapse.model.checkpoint import ARRIVAL_ORDER, NAME_ORDER, Reel, Segment
from timelapse_runtime.timelapse.model.keys import StreamKeys, key_order
from timelapse_runtime.timelapse.model.photo_filter import DEFAULT_FILTER, PhotoFilter
from timelapse_runtime.timelapse.model.source_frame import Role, SourceFrame, photo_of
from timelapse_runtime.timelapse.stored_reels import read_segment, reels_from
from timelapse_runtime.timelapse.video.boxes import read_sources


class Catalog:
    """Reads one stream's photos and reels. `prefix` is what the photos' keys begin with in the frames bucket; all keys
    of photos here are relative to it. `include` tells the photos among the objects there."""

    def __init__(
        self,
        frames: Store,
        video: Store,
        keys: StreamKeys,
        prefix: str,
        include: PhotoFilter = DEFAULT_FILTER,
        order: str = NAME_ORDER,
    ) -> None:
        self._frames, self._video, self._keys, self._prefix = frames, video, keys, prefix
        self._include, self._order = include, order

    @property
    def source(self) -> str:
        """Where the photos are, as a URL."""
        return f"s3://{self._frames.bucket}/{self._prefix}"

    def photos_after(self, position: str = "") -> Iterator[tuple[str, ObjectInfo]]:
        """The photos beyond `position`, each with its own, in order. Raises StorageError.

        In arrival order all photos are listed before the first is given.
        """
        if self._order == NAME_ORDER:
            yield from self.listed_after(position)
            return
        listed = ((self.position_of(key, info), info) for key, info in self.listed_after())
        beyond = [entry for entry in listed if key_order(entry[0]) > key_order(position)]
        yield from sorted(beyond, key=lambda entry: key_order(entry[0]))

    def position_of(self, key: str, info: ObjectInfo) -> str:
        """Where the photo lies in the stream's order."""
        if self._order == NAME_ORDER:
            return key
        return photo_of(key, info).position

    def listed_after(self, key: str = "") -> Iterator[tuple[str, ObjectInfo]]:
        """The photos whose key is greater than `key`, as S3 lists them: in the order of keys. Raises StorageError."""
        for info in self._frames.list_after(self._prefix, self._prefix + key if key else ""):
            if self._include.takes(relative := info.key[len(self._prefix) :]):
                yield relative, info

    def reels(self, newest: Reel | None, count: int | None = None) -> Iterator[Reel]:
        """See `reels_from`; `count` of them at most. Raises StorageError, CheckpointCorrupt."""
        return itertools.islice(reels_from(self._video, self._keys, newest), count)

    def last_key_before(self, reel: Reel) -> str:
        """The highest position of the reels before this one; empty if there is none. Raises StorageError."""
        if reel.order == ARRIVAL_ORDER:
            return reel.after
        earlier = itertools.islice(reels_from(self._video, self._keys, reel), 1, None)
        last_keys = (one.segments[-1].last_key for one in earlier if one.segments)
        return next((key for key in last_keys if key), "")

    def is_in_video(self, reel: Reel | None, photo: SourceFrame, *, as_itself: bool = False) -> bool:
        """Whether a committed segment of `reel`, or of a reel before it, names the photo.

        With `as_itself`, a place in which the frame before it is repeated does not count.
        """
        for one in reels_from(self._video, self._keys, reel):
            look = self._is_in_reel if one.order == self._order else self._is_in_reel_of_other_order
            answer = look(one, photo, as_itself=as_itself)
            if answer is not None:
                return answer
        return False

    def _is_in_reel(self, reel: Reel, photo: SourceFrame, *, as_itself: bool) -> bool | None:
        """As `is_in_video`, for one reel; None if the photo may be in an earlier one."""
        if any(photo.position in segment.out_of_order for segment in reel.segments):
            return True
        wanted = key_order(photo.position)
        last_keys = [key_order(segment.last_key) for segment in reel.segments]
        number = bisect.bisect_left(last_keys, wanted)
        if number < len(reel.segments):
            frames, late = self.read_frames(reel, number), reel.segments[number].out_of_order
            named = [frame for frame in frames if frame.position == photo.position]
            if any(not (as_itself and frame.role is Role.STAND_IN) for frame in named):
                return True
            if any(key_order(frame.position) < wanted for frame in frames if frame.position not in late):
                return False
        # All frames in order of the reels before this one lie below this one's. If it begins with late frames, its
        # first segments have no position in order: their last key is empty.
        return False if number and last_keys[number - 1] else None

    def _is_in_reel_of_other_order(self, reel: Reel, photo: SourceFrame, *, as_itself: bool) -> bool | None:
        """The reel is from before `TIMELAPSE_ORDER` was changed: its positions do not compare with the photo's."""
        for number in range(len(reel.segments)):
            for frame in self.read_frames(reel, number):
                is_same = frame.key == photo.key and photo.uploaded_epoch_ms in (0, frame.uploaded_epoch_ms)
                if is_same and not (as_itself and frame.role is Role.STAND_IN):
                    return True
        return None

    def segment_key(self, reel: Reel, segment: Segment) -> str:
        """The object key of a committed segment."""
        return segment_key(self._keys, reel, segment)

    def read_last_segment(self, reel: Reel) -> tuple[bytes, bytes]:
        """The init segment of the open `reel`, and its last segment. Raises StorageError."""
        body = self._video.get(segment_key(self._keys, reel, reel.segments[-1])).body
        return self._video.get(self._keys.init(reel.path)).body, body

    def read_frames(self, reel: Reel, position: int) -> list[SourceFrame]:
        """The photos that the segment at `position` names. Raises StorageError, SegmentCorrupt."""
        return read_sources(read_segment(self._video, self._keys, reel, position))
