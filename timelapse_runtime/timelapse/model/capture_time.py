"""When a photo was taken, by what it says of itself: in its EXIF block, else in its key. Pure.

A camera writes local time, mostly without its zone, and its clock may be wrong. So a time counts only if it is
plausible beside the photo's upload; otherwise the next source is asked. If none is left, the photo tells no time, and
that of its upload has to do.

Source: CIPA DC-008 (Exif 3.0), 4.6.5.D to F (DateTime, DateTimeOriginal, DateTimeDigitized, OffsetTime, SubSecTime).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo

from timelapse_runtime.timelapse.model.key_time import key_times

_EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
"""Clocks that lost their time say 1904, 1970 or 1980; digital cameras are younger."""
_AHEAD = timedelta(days=1)
"""How far a time may lie after the upload: local time that does not tell its zone is up to 14 hours ahead."""
_CLOCK_STARTS = date(2000, 1, 1)
"""The day from which most clocks start that lost their time, if not before `_EARLIEST`. Others start on other days
(2010, 2015, … by model): such a photo stays in its reel, like each that tells an earlier day (`reel_day.py`)."""
_PLACEHOLDER = "2002:12:08 12:00:00"
"""Written by early Android phones in each photo."""
_LAST_SECOND = 59
_FIRST_HOUR_AS_24 = 24
"""Some phones write so in the first hour of a day."""

_TEXT = re.compile(r"\s*(\d{4})[:/.-](\d{1,2})[:/.-](\d{1,2})[ T]+(\d{1,2})[:.](\d{1,2})[:.](\d{1,2})", re.ASCII)
_OFFSET = re.compile(r"\s*([+-])(\d{2}):?(\d{2})", re.ASCII)


@dataclass(frozen=True, slots=True)
class CameraTime:
    """A time as an EXIF block has it, not checked: text, digits after the second, offset from UTC; empty if missing."""

    text: str
    fraction: str = ""
    offset: str = ""

    def moment(self, zone: tzinfo) -> datetime | None:
        """The moment, which is in `zone` if it has no offset; None if this is no time."""
        match = _TEXT.match(self.text)
        if match is None or self.text.startswith(_PLACEHOLDER):
            return None
        year, month, day, hour, minute, second = map(int, match.groups())
        hour = 0 if hour == _FIRST_HOUR_AS_24 else hour
        digits = re.match(r"\d{0,6}", self.fraction, re.ASCII)
        microsecond = int(digits[0].ljust(6, "0")) if digits else 0
        try:
            zone = self._offset() or zone
            return datetime(year, month, day, hour, minute, min(second, _LAST_SECOND), microsecond, zone)
        except ValueError:
            return None

    def _offset(self) -> tzinfo | None:
        match = _OFFSET.match(self.offset)
        if match is None:
            return UTC if self.offset.strip() == "Z" else None
        offset = timedelta(hours=int(match[2]), minutes=int(match[3]))
        return timezone(-offset if match[1] == "-" else offset)


def taken_epoch_ms(
    camera: Iterable[CameraTime], key: str, uploaded_epoch_ms: int, zone: tzinfo, *, takes_days: bool = True
) -> int | None:
    """When the photo was taken, in milliseconds since 1970: by the first of `camera` that is plausible, else by the key
    (relative to the stream's prefix). None if they do not say it.

    `zone` is that of times that do not tell theirs. Of a key that has a day alone, the day's first moment is taken; if
    the photo was uploaded on that day, the upload time tells more: None as well. Without `takes_days`, a day alone does
    not count.
    """
    uploaded = datetime.fromtimestamp(uploaded_epoch_ms / 1000, UTC)
    for moment, is_day in _moments(camera, key, zone):
        if is_day and not takes_days:
            continue
        try:
            is_plausible = _EARLIEST <= moment <= uploaded + _AHEAD and moment.date() != _CLOCK_STARTS
        except OverflowError:  # the first or the last day that there is, in another zone
            continue
        if is_plausible:
            is_same_day = is_day and moment.date() == uploaded.astimezone(zone).date()
            return None if is_same_day else round(moment.timestamp() * 1000)
    return None


def _moments(camera: Iterable[CameraTime], key: str, zone: tzinfo) -> Iterator[tuple[datetime, bool]]:
    """What the photo says, best first, each with whether it is a day alone."""
    for time in camera:
        if (moment := time.moment(zone)) is not None:
            yield moment, False
    for told in key_times(key):
        yield (told.moment if told.moment.tzinfo else told.moment.replace(tzinfo=zone)), told.is_day
