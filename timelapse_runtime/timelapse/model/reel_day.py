"""The day of the open reel, and which photo ends it. Pure.

A reel has the day on which its first photo was taken, and takes the photos of that day. A photo that tells a later day
begins the next reel. One that tells an earlier day stays: it came out of order, or its clock was wrong, and days that
fall would make a reel of every few photos if two clocks take turns.

Clocks are set back for good, too, and not every photo tells a time. A live stream must get its reel each day all the
same. So a midnight between the uploads of two photos also ends the reel if the second tells no time, or if it tells one
that is wrong and has not gone on since the frames before it. (If it has gone on, the photos are a backlog, or from a
camera whose clock is wrong by the same time all the time: then the days are those that the photos tell.)
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, tzinfo

from timelapse_runtime.timelapse.model.checkpoint import Reel
from timelapse_runtime.timelapse.model.source_frame import SourceFrame

_CLOCK_IS_RIGHT_MS = 48 * 3_600_000
"""A time this near to its upload is right, as far as days matter: a zone that is not told makes up to 14 hours, a day
alone (a date in a key) makes 24 more, and an upload may take a while."""


def is_day_over(reel: Reel | None, now_epoch_ms: int, zone: tzinfo) -> bool:
    """Whether the reel is open and its day is over, so that no photo of a live camera continues it."""
    return reel is not None and not reel.is_closed and reel.date < _date(now_epoch_ms, zone)


class ReelDay:
    """Owns the open reel's day (None if none is open), and the newest times of its frames, as far as they are known."""

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone
        self.day: str | None = None
        self.earlier_count = 0
        """Frames added since the reel was opened here that tell a day before it."""
        self._newest_uploaded_ms = self._newest_taken_ms = 0

    def begin(self, day: str | None, frames: Iterable[SourceFrame] = ()) -> None:
        """A reel of this day is open, or none. `frames` are the last of its frames."""
        self.day, self._newest_uploaded_ms, self._newest_taken_ms = day, 0, 0
        for frame in frames:
            self.add(frame)
        self.earlier_count = 0

    def add(self, frame: SourceFrame) -> None:
        """The reel has this frame."""
        self._newest_uploaded_ms = max(self._newest_uploaded_ms, frame.uploaded_epoch_ms)
        if frame.taken_epoch_ms is not None:
            self._newest_taken_ms = max(self._newest_taken_ms, frame.taken_epoch_ms)
            self.earlier_count += self.day is not None and self.of(frame) < self.day

    def of(self, photo: SourceFrame) -> str:
        """The day of a reel that begins with this photo."""
        return self._date(photo.captured_epoch_ms)

    def ends_before(self, photo: SourceFrame) -> bool:
        """Whether the open reel ends before this photo, because of its day."""
        if self.day is None:
            return False
        uploaded = self._date(photo.uploaded_epoch_ms)
        last_upload = self._date(self._newest_uploaded_ms) if self._newest_uploaded_ms else self.day
        taken_ms = photo.taken_epoch_ms
        if taken_ms is None:  # the last frames that are known of the reel may have come out of order
            return uploaded > max(last_upload, self.day)
        day = self.of(photo)
        if day > self.day:
            return True
        is_right = abs(photo.uploaded_epoch_ms - taken_ms) < _CLOCK_IS_RIGHT_MS
        has_gone_on = day == self.day and taken_ms > self._newest_taken_ms
        return uploaded > last_upload and not (is_right or has_gone_on)

    def _date(self, epoch_ms: int) -> str:
        return _date(epoch_ms, self._zone)


def _date(epoch_ms: int, zone: tzinfo) -> str:
    return datetime.fromtimestamp(epoch_ms / 1000, zone).date().isoformat()
