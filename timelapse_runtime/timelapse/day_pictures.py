"""Pictures of the day, kept up to date while frames pass: of each reel a keogram, a picture of its lights,
and a digest.

They show *committed* frames, each once. A frame's sample is taken when the frame is encoded, waits for its commit, and
is added to the picture of the reel that it was committed to. The picture is written now and then, after a commit, and
is its own state: a later instance reads it, and decodes the frames that were committed since it was written from their
segments. A clean end of an encoder (a sweep of an idle stream, the end of a reel, a stream that is closed) writes them,
and nothing has to be decoded.

Owns the samples that wait, and which reels' pictures are unfinished. Like all that is derived, a picture may be behind,
but is never wrong; so nothing here fails an append: a warning is logged, and the next flush tries again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence

from timelapse_runtime.runtime.clock import Clock
from timelapse_runtime.runtime.state.contract import Store
from timelapse_runtime.runtime.state.errors import StateError
from timelapse_runtime.timelapse.errors import EncoderFailed, SegmentCorrupt
from timelapse_runtime.timelapse.model.checkpoint import Reel
from timelapse_runtime.timelapse.model.keys import StreamKeys
from timelapse_runtime.timelapse.model.video_size import Size
from timelapse_runtime.timelapse.reel_pictures import PictureParts, ReelPictures
from timelapse_runtime.timelapse.stream_log import StreamLog
from timelapse_runtime.timelapse.time_left import TimeLeft
from timelapse_runtime.timelapse.video.codec import Codec
from timelapse_runtime.timelapse.video.day_picture import DayPictureKind
from timelapse_runtime.timelapse.video.fit import Picture
from timelapse_runtime.timelapse.waiting_frames import WaitingFrames

_log = logging.getLogger(__name__)

_SEGMENTS_AT_FIRST = 3
"""What the pictures usually lack after a crash is in one closed segment, the open one, and one between them."""


class DayPictures:
    """One stream's. Without `names` (of TIMELAPSE_DAY_PICTURES) it does nothing."""

    def __init__(
        self,
        name: str,
        names: Sequence[str],
        codec: Codec,
        store: Store,
        keys: StreamKeys,
        clock: Clock,
        is_current: Callable[[], bool],
    ) -> None:
        self._log = StreamLog(_log, name)
        self._parts = PictureParts(names, codec, store, keys, clock, is_current, self._log)
        self._size: Size = 0, 0
        self._kinds: Mapping[str, DayPictureKind] = {}
        self._waiting: dict[str, WaitingFrames] = {}
        self._held: dict[str, int] = {}
        """How many committed frames wait with others that are not, by picture."""
        self._reel: ReelPictures | None = None
        self._ended: list[ReelPictures] = []
        """Of closed reels whose pictures lack frames."""
        self._has_begun = False

    @property
    def are_behind(self) -> bool:
        """Whether committed frames are not in what is stored, as far as this instance knows."""
        newest = self._reel
        return bool(self._ended) or (newest is not None and not (newest.is_complete or newest.is_stuck))

    def stored_kinds(self, reel: Reel) -> tuple[str, ...]:
        """Which pictures of `reel` are stored; none if it is not the newest one, or if that cannot be found out."""
        newest, found = self._reel, list[str]()
        if newest is None or newest.reel.path != reel.path:
            return ()

        def look(pictures: ReelPictures) -> bool:
            found.extend(pictures.stored_kinds())
            return True

        self._try(newest, look)
        return tuple(found)

    def add(self, number: int, picture: Picture) -> None:
        """A frame was encoded, and has this number. Raises FiltersUnavailable."""
        if not self._parts.names:
            return
        if (picture.width, picture.height) != self._size:
            self._size = picture.width, picture.height
            self._kinds = self._parts.codec.day_pictures(self._parts.names, self._size)
            self._waiting = {name: WaitingFrames(kind) for name, kind in self._kinds.items()}
        for name, kind in self._kinds.items():
            sample = kind.sample(picture, number)
            if sample is not None:
                self._waiting[name].add(number, sample)

    def discard_uncommitted(self, reel: Reel | None) -> None:
        """The video ends with the newest `reel` as it is committed."""
        self._held.clear()
        for frames in self._waiting.values():
            frames.discard_uncommitted()
        self._continue(reel)

    def committed(self, number: int, reel: Reel | None) -> None:
        """A commit: `reel` is the newest one, and its last frame is the one before `number`; 0 if no frame is new."""
        self._continue(reel)
        if number and reel is not None:
            for name, frames in self._waiting.items():
                frames.committed(number, reel.frame_count)
                self._held[name] = frames.held_below(number)

    def end_reel(self) -> None:
        """The next frame begins a reel, and has the number 0. All frames before it were committed."""
        self.write(at_once=True)
        for frames in self._waiting.values():
            frames.discard()
        self._held.clear()

    def write(self, *, at_once: bool = False) -> None:
        """Take what is committed into the pictures, and store them if that is due, or `at_once`."""
        if self._reel is not None:
            self._try(self._reel, lambda reel: self._take_and_write(reel, at_once=at_once))

    def begin(self, time_left: TimeLeft) -> None:
        """Before the first frame here: add the frames that the last instance did not, if they are few."""
        if not self._has_begun:
            self._has_begun = True
            self.catch_up(time_left, _SEGMENTS_AT_FIRST)

    def catch_up(self, time_left: TimeLeft, segment_count: int | None = 1) -> None:
        """Decode frames that the pictures lack, of so many segments at most (None: of all), while time is left. Those
        of closed reels come first."""
        left = segment_count
        while left != 0 and time_left.is_enough and (self._ended or self._reel is not None):
            reel = self._ended[0] if self._ended else self._reel
            assert reel is not None
            has_more = self._try(reel, self._catch_up)
            if not has_more and reel is self._reel:
                return
            if not has_more:
                self._ended.remove(reel)
            left = left if left is None else left - 1

    def _continue(self, reel: Reel | None) -> None:
        if reel is None or not self._parts.names:
            return
        if self._reel is None or self._reel.reel.path != reel.path:
            self._leave_reel()
            self._reel = ReelPictures(self._parts, reel)
        self._reel.reel = reel

    def _leave_reel(self) -> None:
        """Another one has taken its place."""
        if self._reel is None:
            return
        self.write(at_once=True)
        if not self._reel.is_complete:
            self._ended.append(ReelPictures(self._parts, self._reel.reel))  # without its pixels: it is read again
        self._reel = None

    def _take_and_write(self, reel: ReelPictures, *, at_once: bool = False) -> bool:
        reel.take(self._waiting)
        reel.write(at_once=at_once)
        return True

    def _catch_up(self, reel: ReelPictures) -> bool:
        """Whether there may be more to do."""
        if reel is not self._reel and not self._parts.is_current():
            return False  # another instance owns the stream, and the reel may have been made again
        ends = dict.fromkeys(self._parts.names, reel.reel.frame_count)
        if reel is self._reel:
            for name, frames in self._waiting.items():
                ends[name] -= self._held.get(name, 0)
                ends[name] = ends[name] if frames.first_ready is None else frames.first_ready
        has_decoded = reel.catch_up(ends)
        if reel is self._reel:
            reel.take(self._waiting)
        reel.write()
        return has_decoded

    def _try(self, reel: ReelPictures, action: Callable[[ReelPictures], bool]) -> bool:
        try:
            return action(reel)
        except (StateError, SegmentCorrupt, EncoderFailed) as error:
            if isinstance(error, EncoderFailed):
                reel.forget()
            fields = {"reel": reel.reel.name}
            self._log.warning("could not bring the pictures of the day up to date", extra=fields, exc_info=error)
            return False
