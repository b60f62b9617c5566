"""Dates and times in keys, as phones, network cameras and capture programs write them. Pure.

A date is year, month, day: other orders are ambiguous (01.05.2024 is in May or in January). In a file's name it may
follow other text; a folder must be nothing but a date, because a date beside other text in a folder's name mostly tells
when a camera or a project was set up. A number is a date if it has its length alone and there is such a day; digits
among letters are a part of a hash. Milliseconds or seconds since 1970 are recognised in file names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo

_BEFORE = r"(?:^|[^0-9A-Za-z])[A-Za-z]*"
"""What may stand before a number in a file's name."""
_COMPACT_DAY = r"(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d\d)"
_DIVIDED_DAY = r"(?P<year>\d{4})(?P<divider>[-_.: ])(?P<month>\d{1,2})(?P=divider)(?P<day>\d{1,2})"
_BETWEEN = r"(?:[-_ .,@]{1,3}|(?P<iso>[-_ ]?T)| at )"
_COMPACT_TIME = r"(?P<hour>\d\d)(?P<minute>\d\d)(?P<second>\d\d)(?P<fraction>\d{3})?(?!\d)"
_DIVIDED_TIME = (
    r"(?P<hour>\d{1,2})[-_.:h ](?P<minute>\d\d)[-_.:m ](?P<second>\d\d)s?(?!\d)(?:[.,](?P<fraction>\d{3})(?!\d))?"
)
_ZONE = r"(?P<zone>Z(?![0-9A-Za-z])|[+-](?:0\d|1[0-4]):?(?:00|15|30|45)(?!\d))?"
_MOMENTS = tuple(
    re.compile(_BEFORE + pattern, re.ASCII)
    for pattern in (
        *(
            day + _BETWEEN + time + _ZONE
            for day in (_COMPACT_DAY, _DIVIDED_DAY)
            for time in (_COMPACT_TIME, _DIVIDED_TIME)
        ),
        _COMPACT_DAY + _COMPACT_TIME,
        _COMPACT_DAY + r"(?P<hour>\d\d)(?P<minute>\d\d)(?!\d)",
    )
)
_TIME_OF_DAY = re.compile(_DIVIDED_TIME, re.ASCII)
"""Six digits alone are more often a counter."""
_DAYS = tuple(re.compile(rf"{_BEFORE}{day}(?!\d)", re.ASCII) for day in (_COMPACT_DAY, _DIVIDED_DAY))
_FOLDER_DAYS = tuple(
    re.compile(rf"(?:^|/){day}$", re.ASCII)
    for day in (_COMPACT_DAY, r"(?P<year>\d{4})[-_./](?P<month>\d{1,2})[-_./](?P<day>\d{1,2})")
)
_SINCE_1970 = re.compile(rf"{_BEFORE}(?P<seconds>\d{{10}})(?P<fraction>\d{{3}})?(?![0-9A-Za-z])", re.ASCII)


@dataclass(frozen=True, slots=True)
class KeyTime:
    """A moment; if the key does not tell its zone, without one. If `is_day`, the key tells the day alone, and the
    moment is its first."""

    moment: datetime
    is_day: bool = False


def key_times(key: str) -> Iterator[KeyTime]:
    """What a key may tell, best first: a day with its time, a day, a number of seconds."""
    *folders, name = key.split("/")
    yield from _found(_MOMENTS, name)
    day, rest = _day_of_folders(folders)
    match = _TIME_OF_DAY.match("-".join([*rest, name]))  # 2024-05-01/12-00-00.jpg, 2024/05/01/12/00/00.jpg
    if day is not None and match is not None and (moment := _moment(match, day)) is not None:
        yield KeyTime(moment)
    yield from (KeyTime(told.moment, is_day=True) for told in _found(_DAYS, name))
    if day is not None:
        yield KeyTime(day, is_day=True)
    for match in _SINCE_1970.finditer(name):
        milliseconds = 1000 * int(match["seconds"]) + int(match["fraction"] or 0)
        yield KeyTime(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds))


def _found(patterns: tuple[re.Pattern[str], ...], name: str) -> Iterator[KeyTime]:
    """The moments in a file's name, the last first: what a program puts before it is mostly older."""
    matches = (match for pattern in patterns for match in pattern.finditer(name))
    for match in sorted(matches, key=lambda one: one.end(), reverse=True):
        if (moment := _moment(match)) is not None:
            yield KeyTime(moment)


def _day_of_folders(folders: list[str]) -> tuple[datetime | None, list[str]]:
    """The day that the deepest folders name, one (2024-05-01) or three of them (2024/05/01), and the folders below."""
    for end in range(len(folders), 0, -1):
        for pattern in _FOLDER_DAYS:
            match = pattern.search("/".join(folders[:end]))
            if match is not None and (day := _moment(match)) is not None:
                return day, folders[end:]
    return None, []


def _moment(match: re.Match[str], day: datetime | None = None) -> datetime | None:
    """The moment of a match, on `day` if it has none itself; None if there is no such day or time."""
    found = match.groupdict()
    hour, minute, second = (int(found.get(name) or 0) for name in ("hour", "minute", "second"))
    microsecond = 1000 * int(found.get("fraction") or 0)
    try:
        if day is None:
            day = datetime(int(match["year"]), int(match["month"]), int(match["day"]), tzinfo=_zone(found))
        return day.replace(hour=hour, minute=minute, second=second, microsecond=microsecond)
    except ValueError:
        return None


def _zone(found: dict[str, str | None]) -> tzinfo | None:
    """A minus is a divider before a counter, unless date and time are written as ISO 8601 does."""
    text = found.get("zone") or ""
    if text == "Z":
        return UTC
    if not text or (text[0] == "-" and not found["iso"]):
        return None
    offset = timedelta(hours=int(text[1:3]), minutes=int(text[-2:]))
    return timezone(-offset if text[0] == "-" else offset)
