"""Reels by the days on which photos were taken: live, in a backlog, and with clocks that are wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import groupby
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from timelapse_runtime.timelapse.model.reel_day import ReelDay
from timelapse_runtime.timelapse.model.source_frame import SourceFrame

HOUR = 3_600_000
DAY = 24 * HOUR


def at(text: str) -> int:
    """Milliseconds since 1970 of a moment in UTC."""
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def photo(uploaded: str, taken: str | None = None) -> SourceFrame:
    return SourceFrame("1.jpg", at(uploaded), taken_epoch_ms=None if taken is None else at(taken))


def reels(photos: Iterable[SourceFrame], zone: str = "UTC") -> list[tuple[str, int]]:
    """The days of the reels that these photos make, each with its number of photos."""
    reel_day, found = ReelDay(ZoneInfo(zone)), list[tuple[int, str]]()
    number = 0
    for one in photos:
        if reel_day.day is None or reel_day.ends_before(one):
            number += 1
            reel_day.begin(reel_day.of(one))
        reel_day.add(one)
        found.append((number, reel_day.day or ""))
    return [(day, len(list(group))) for (_, day), group in groupby(found)]


def camera(
    hours: int, *, offset_ms: int | None, start: str = "2026-11-26 00:00", lag_ms: int = 2_000
) -> list[SourceFrame]:
    """A photo an hour. Its clock is wrong by `offset_ms`, or it tells no time."""
    taken = [at(start) + hour * HOUR for hour in range(hours)]
    return [
        SourceFrame(f"{ms}.jpg", ms + lag_ms, taken_epoch_ms=None if offset_ms is None else ms + offset_ms)
        for ms in taken
    ]


def test_a_live_camera_gets_a_reel_a_day_whether_or_not_it_tells_the_time() -> None:
    days = [("2026-11-26", 24), ("2026-11-27", 24), ("2026-11-28", 2)]
    assert reels(camera(50, offset_ms=0)) == days
    assert reels(camera(50, offset_ms=None)) == days


def test_midnight_is_that_of_the_zone() -> None:
    assert reels(camera(24, offset_ms=0), "Europe/Berlin") == [("2026-11-26", 23), ("2026-11-27", 1)]


def test_a_photo_taken_before_midnight_and_uploaded_after_it_is_of_the_day_before() -> None:
    photos = [
        photo("2026-11-26 23:59:50", "2026-11-26 23:59:48"),
        photo("2026-11-27 00:00:03", "2026-11-26 23:59:58"),
        photo("2026-11-27 00:00:12", "2026-11-27 00:00:08"),
        photo("2026-11-27 00:00:13", "2026-11-26 23:59:59"),
    ]
    assert reels(photos) == [("2026-11-26", 2), ("2026-11-27", 2)]


def test_a_zone_that_is_not_told_moves_midnight_and_no_more() -> None:
    for hours in (-12, 14):
        days = reels(camera(96, offset_ms=hours * HOUR))
        assert [count for _, count in days[1:-1]] == [24] * (len(days) - 2)


def test_a_backlog_is_in_reels_of_its_days() -> None:
    backlog = camera(72, offset_ms=0)
    together = [
        SourceFrame(one.key, at("2026-12-24 10:00") + i, taken_epoch_ms=one.taken_epoch_ms)
        for i, one in enumerate(backlog)
    ]
    days = [("2026-11-26", 24), ("2026-11-27", 24), ("2026-11-28", 24)]
    assert reels(together) == days
    over_midnight = [
        SourceFrame(one.key, at("2026-12-24 23:30") + i * 60_000, taken_epoch_ms=one.taken_epoch_ms)
        for i, one in enumerate(backlog)
    ]
    assert reels(over_midnight) == days


def test_a_backlog_behind_live_photos_stays_in_their_reel() -> None:
    live = camera(3, offset_ms=0, start="2026-12-24 10:00")
    old = [SourceFrame("1.jpg", at("2026-12-24 14:00"), taken_epoch_ms=at("2026-11-26 10:00"))]
    assert reels([*live, *old, *camera(30, offset_ms=0, start="2026-12-24 15:00")]) == [
        ("2026-12-24", 13),
        ("2026-12-25", 21),
    ]


def test_a_photo_without_a_time_stays_in_the_reel_of_a_backlog() -> None:
    backlog = [
        photo("2026-12-24 10:00", "2026-11-26 10:00"),
        photo("2026-12-24 10:01"),
        photo("2026-12-24 10:02", "2026-11-27 10:00"),
    ]
    assert reels(backlog) == [("2026-11-26", 2), ("2026-11-27", 1)]


def test_a_clock_that_is_a_year_behind_all_the_time_gives_a_reel_a_day() -> None:
    days = reels(camera(96, offset_ms=-365 * DAY - 5 * HOUR))
    assert [count for _, count in days] == [5, 24, 24, 24, 19]
    assert days[0][0] == "2025-11-25"


def test_a_clock_that_falls_back_and_goes_on_from_there_gives_a_reel_a_day() -> None:
    right, behind = camera(30, offset_ms=0), camera(96, offset_ms=-2_000 * DAY, start="2026-11-27 06:00")
    days = reels([*right, *behind])
    assert [count for _, count in days] == [24, 24, 24, 24, 24, 6]


def test_a_clock_that_begins_anew_each_morning_gives_a_reel_a_day() -> None:
    photos = [
        SourceFrame(
            "1.jpg",
            at("2026-11-26 06:00") + day * DAY + hour * HOUR,
            taken_epoch_ms=at("2015-01-01 00:00") + hour * HOUR,
        )
        for day in range(5)
        for hour in range(12)
    ]
    assert reels(photos) == [("2015-01-01", 12)] * 5


def test_a_clock_that_falls_back_for_some_photos_makes_no_reel() -> None:
    photos = camera(48, offset_ms=0)
    for number in range(0, 48, 3):
        photos[number + 1] = SourceFrame(
            "1.jpg", photos[number + 1].uploaded_epoch_ms, taken_epoch_ms=at("2012-01-01 00:00")
        )
        photos[number + 2] = SourceFrame("1.jpg", photos[number + 2].uploaded_epoch_ms)
    assert len(reels(photos)) == 2


def test_a_restart_changes_nothing() -> None:
    photos, restarted = camera(96, offset_ms=-2_000 * DAY), ReelDay(ZoneInfo("UTC"))
    restarted.begin(restarted.of(photos[0]), photos[:20])
    assert [restarted.ends_before(one) for one in photos[20:30]] == [False] * 4 + [True] * 6


def test_a_late_photo_that_was_the_last_frame_does_not_begin_a_reel_of_an_earlier_day() -> None:
    resumed = ReelDay(ZoneInfo("UTC"))
    resumed.begin("2026-11-26", [photo("2026-11-23 10:00")])
    assert not resumed.ends_before(photo("2026-11-25 10:00"))
    assert not resumed.ends_before(photo("2026-11-26 10:00"))
    assert resumed.ends_before(photo("2026-11-27 10:00"))


@given(
    times=st.lists(st.tuples(st.integers(0, 3 * DAY), st.none() | st.integers(-3_000 * DAY, DAY)), max_size=200),
)
def test_clocks_of_any_kind_make_few_reels_of_a_day(times: list[tuple[int, int | None]]) -> None:
    start = at("2026-11-26 12:00")
    photos = [
        SourceFrame("1.jpg", start + after, taken_epoch_ms=None if taken is None else start + taken)
        for after, taken in sorted(times, key=lambda entry: entry[0])
    ]
    days_of_upload = len({one.uploaded_epoch_ms // DAY for one in photos})
    reels_of_a_day = Counter(day for day, _ in reels(photos))
    assert all(count <= days_of_upload for count in reels_of_a_day.values())
