"""The pictures of the day of one reel as they are stored, and as far as they have come.

Owns the objects, and what is known of them. Each is written with the condition that it is the one that was read or
written here before; so an instance that was frozen writes over nothing. What a picture lacks is decoded from the reel's
committed segments.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from timelapse_runtime.runtime.clock import Clock
from timelapse_runtime.runtime.state.contract import Condition, IfAbsent, IfMatch, Store
from timelapse_runtime.runtime.state.errors import Fenced, ObjectNotFound, PreconditionFailed
from timelapse_runtime.runtime.state.put import Put
from timelapse_runtime.timelapse.commit_plan import NO_CACHE, VIDEO_TYPE
from timelapse_runtime.timelapse.errors import SegmentCorrupt
from timelapse_runtime.timelapse.model.checkpoint import Reel
from timelapse_runtime.timelapse.model.keys import DIGEST, StreamKeys
from timelapse_runtime.timelapse.stored_reels import read_segment
from timelapse_runtime.timelapse.stream_log import StreamLog
from timelapse_runtime.timelapse.video.codec import Codec
from timelapse_runtime.timelapse.video.day_picture import DayCanvas, DayPictureKind, UnreadableDayPicture
from timelapse_runtime.timelapse.video.fit import Picture
from timelapse_runtime.timelapse.waiting_frames import WaitingFrames

WRITE_EVERY_MS = 10 * 60_000
"""A picture is written when a segment has closed, and at least this often: a slow camera's segments take hours."""
_PICTURE_TYPE = "image/png"


@dataclass(frozen=True, slots=True)
class PictureParts:
    """What all pictures of a stream share. `names` are the kinds that are on; `is_current` asks S3 whether the
    checkpoint is still the one known here."""

    names: Sequence[str]
    codec: Codec
    store: Store
    keys: StreamKeys
    clock: Clock
    is_current: Callable[[], bool]
    log: StreamLog


@dataclass(slots=True)
class _Stored:
    """A picture: `canvas` has more frames than the `frame_count` that are stored, under `condition`."""

    canvas: DayCanvas
    condition: Condition
    frame_count: int
    since_ms: int


class ReelPictures:
    """Of `reel`, as it is committed. All methods raise StorageError and EncoderFailed."""

    def __init__(self, parts: PictureParts, reel: Reel) -> None:
        self.reel, self._parts = reel, parts
        self._pictures: dict[str, _Stored] = {}
        self._kinds: Mapping[str, DayPictureKind] = {}
        self._is_stuck = False

    @property
    def is_complete(self) -> bool:
        """Whether all committed frames are in all pictures as they are stored."""
        known = [self._pictures.get(name) for name in self._parts.names]
        return all(one is not None and one.frame_count == self.reel.frame_count for one in known)

    @property
    def is_stuck(self) -> bool:
        """Whether a segment with frames that a picture lacks cannot be decoded."""
        return self._is_stuck

    def stored_kinds(self) -> tuple[str, ...]:
        """Which pictures are stored."""
        self._load()
        return tuple(name for name, stored in self._pictures.items() if stored.frame_count)

    def take(self, waiting: Mapping[str, WaitingFrames]) -> None:
        """Add the frames that are ready. Raises Fenced if another instance has committed more."""
        self._load()
        for name, frames in waiting.items():
            frames.move_to(self._pictures[name].canvas)

    def catch_up(self, ends: Mapping[str, int]) -> bool:
        """Decode one segment, for frames that the pictures lack below these numbers. Whether there were any.

        Raises SegmentCorrupt, and Fenced as `take` does.
        """
        self._load()
        canvases = {name: stored.canvas for name, stored in self._pictures.items()}
        lacking = {name: end for name, end in ends.items() if canvases[name].frame_count < end}
        if not lacking or self._is_stuck:
            return False
        first = min(canvases[name].frame_count for name in lacking)
        position = next(at for at, one in enumerate(self.reel.segments) if first < one.first + one.count)
        try:
            for number, picture in self._decoded(position):
                for name, end in lacking.items():
                    if canvases[name].frame_count == number < end:
                        canvases[name].add(self._kinds[name].sample(picture, number), 1)
        except (ObjectNotFound, SegmentCorrupt):
            self._is_stuck = True  # it would not be found by another attempt
            raise
        return True

    def forget(self) -> None:
        """What is in memory may lack a part: it is read again."""
        self._pictures.clear()

    def write(self, *, at_once: bool = False) -> None:
        """Store the pictures for which that is due: when all closed segments are in it, and now and then. With
        `at_once`, all that have more frames than are stored."""
        now_ms = self._parts.clock.now_epoch_ms()
        closed = self.reel.closed_segments
        closed_count = closed[-1].first + closed[-1].count if closed else 0
        for name, stored in self._pictures.items():
            frame_count = stored.canvas.frame_count
            is_due = stored.frame_count < closed_count <= frame_count or now_ms - stored.since_ms >= WRITE_EVERY_MS
            if (is_due or at_once) and frame_count > stored.frame_count:
                self._put(name, stored, now_ms)

    def _put(self, name: str, stored: _Stored, now_ms: int) -> None:
        frame_count = stored.canvas.frame_count
        metadata = {"frames": str(frame_count), "reel": self.reel.name}
        body = stored.canvas.to_bytes()
        content_type = VIDEO_TYPE if name == DIGEST else _PICTURE_TYPE
        put = Put(self._key(name), body, stored.condition, content_type, NO_CACHE, metadata)
        try:
            etag = put.send(self._parts.store)
        except PreconditionFailed:  # another instance wrote it, or this one did, and the answer was lost
            self._pictures.clear()
            raise
        stored.condition, stored.frame_count, stored.since_ms = IfMatch(etag), frame_count, now_ms

    def _key(self, name: str) -> str:
        return self._parts.keys.picture(self.reel.path, name)

    def _decoded(self, position: int) -> Iterator[tuple[int, Picture]]:
        parts, segment = self._parts, self.reel.segments[position]
        init_segment = parts.store.get(parts.keys.init(self.reel.path)).body
        body = read_segment(parts.store, parts.keys, self.reel, position)
        delay = self.reel.reorder_frames
        return parts.codec.decode_frames(
            init_segment, body, first=segment.first, count=segment.count, reorder_frames=delay
        )

    # ---- what is stored

    def _load(self) -> None:
        if self._pictures:
            return
        size = self.reel.width, self.reel.height
        self._kinds = self._kinds or self._parts.codec.day_pictures(self._parts.names, size)
        self._pictures = {name: self._loaded(name, kind) for name, kind in self._kinds.items()}

    def _loaded(self, name: str, kind: DayPictureKind) -> _Stored:
        now_ms = self._parts.clock.now_epoch_ms()
        try:
            found = self._parts.store.get(self._key(name))
        except ObjectNotFound:
            return _Stored(kind.canvas(), IfAbsent(), 0, now_ms)
        try:
            canvas = kind.canvas(found.body)
        except UnreadableDayPicture as error:
            problem = str(error)
        else:
            if canvas.frame_count <= self.reel.frame_count:
                return _Stored(canvas, IfMatch(found.info.etag), canvas.frame_count, now_ms)
            problem = f"it has {canvas.frame_count} frames, and the reel {self.reel.frame_count}"
        if not self._parts.is_current():
            raise Fenced(f"reel {self.reel.name}: another instance has committed more")
        # An earlier checkpoint was restored, or a reel ended before a damaged segment. What is not known to be right is
        # removed at once: later the reel may have as many frames again, and other ones.
        fields = {"object": self._key(name), "problem": problem}
        self._parts.log.warning("a picture of the day is not this reel's: it is made again", extra=fields)
        self._parts.store.delete([self._key(name)])
        return _Stored(kind.canvas(), IfAbsent(), 0, now_ms)
