"""Dates and times in keys: those that cameras, phones and programs write, and numbers that are none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone, tzinfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timelapse_runtime.timelapse.model.key_time import KeyTime, key_times

DAY, NOON = datetime(2024, 5, 1), datetime(2024, 5, 1, 12, 34, 56)


def told(key: str) -> KeyTime | None:
    return next(key_times(key), None)


@pytest.mark.parametrize(
    "key",
    [
        "20240501_123456.jpg",
        "IMG_20240501_123456.jpg",
        "IMG_20240501_123456_1.jpg",
        "VID-20240501T123456.jpg",
        "MDAlarm_20240501-123456.jpg",
        "Cam_00_20240501123456.jpg",
        "01-20240501123456-01.jpg",
        "signal-2024-05-01-123456.jpg",
        "signal-2024-05-01-12-34-56-789.jpg",
        "Screenshot_2024-05-01-12-34-56.png",
        "Screenshot 2024-05-01 at 12.34.56.png",
        "2024-05-01 12.34.56-1.jpg",
        "2024-05-01_12h34m56s.jpg",
        "2024-05-01, 12 34 56.jpg",
        "2024.05.01_12.34.56.jpg",
        "2024_05_01_12_34_56",
        "2024-05-01T12:34:56.jpg",
        "20240501_123456-0100.jpg",
        "2024-05-01/12-34-56.jpg",
        "garden/2024-05-01/12.34.56[M][0@0][0].jpg",
        "2024/05/01/12/34/56.jpg",
        "2024/05/01/12/34-56.jpg",
        "2023-01-01/IMG_20240501_123456.jpg",
        "edited 20250101_000000 of 20240501_123456.jpg",
    ],
)
def test_a_day_with_its_time(key: str) -> None:
    assert told(key) == KeyTime(NOON)


@pytest.mark.parametrize(
    ("key", "fraction", "zone"),
    [
        ("PXL_20240501_123456789.jpg", 789, None),
        ("192.168.1.64_01_20240501123456789_TIMING.jpg", 789, None),
        ("2024-05-01T12:34:56.789Z.jpg", 789, UTC),
        ("20240501T123456Z.jpg", 0, UTC),
        ("2024-05-01T12:34:56+05:30.jpg", 0, timezone(timedelta(hours=5, minutes=30))),
        ("20240501T123456-0500.jpg", 0, timezone(timedelta(hours=-5))),
    ],
)
def test_fractions_and_zones(key: str, fraction: int, zone: tzinfo | None) -> None:
    assert told(key) == KeyTime(NOON.replace(microsecond=1000 * fraction, tzinfo=zone))


def test_a_day_with_hour_and_minute() -> None:
    assert told("202405011234.jpg") == KeyTime(NOON.replace(second=0))


@pytest.mark.parametrize(
    "key",
    [
        "2024-05-01/IMG_0001.jpg",
        "20240501/image12345.jpg",
        "20240501/000123.jpg",
        "2024/05/01/IMG_1.jpg",
        "2024/5/1/1.jpg",
        "2024/2024-05-01/1.jpg",
        "2024-05-01/100CANON/IMG_0001.JPG",
        "north 2025-01-01/2024.05.01/1.jpg",
        "IMG-20240501-WA0001.jpg",
        "photo 2024-05-01 (3).jpg",
        "garden_20240501.jpg",
        "20240501_999999.jpg",
    ],
)
def test_a_day_alone(key: str) -> None:
    assert told(key) == KeyTime(DAY, is_day=True)


@pytest.mark.parametrize(
    ("key", "fraction"),
    [
        ("1714566896.jpg", 0),
        ("image1714566896.jpg", 0),
        ("cam_1714566896789.jpg", 789),
        ("1714566896.123456-kx8f.jpg", 0),
    ],
)
def test_seconds_or_milliseconds_since_1970(key: str, fraction: int) -> None:
    assert told(key) == KeyTime(NOON.replace(microsecond=1000 * fraction, tzinfo=UTC))


@pytest.mark.parametrize(
    "key",
    [
        "",
        "1.jpg",
        "00012345.jpg",
        "IMG_2024.jpg",
        "IMG_20241399.jpg",
        "IMG_20230229.jpg",
        "IMG_202405.jpg",
        "IMG_120240501.jpg",
        "GX010123.jpg",
        "d41d8cd98f00b204e9800998ecf8427e.jpg",
        "3f20240501aa.jpg",
        "a1714566896b.jpg",
        "171456689.jpg",
        "17145668961.jpg",
        "1714566896/IMG_0001.jpg",
        "site-20240101/0001.jpg",
        "since 2024-01-01/0001.jpg",
        "2024/IMG_0001.jpg",
        "2024/05/IMG_0001.jpg",
        "2024/13/01/IMG_0001.jpg",
        "01.05.2024/IMG_0001.jpg",
        "\uff12\uff10\uff12\uff14-05-01.jpg",
    ],
)
def test_what_tells_nothing(key: str) -> None:
    assert told(key) is None


@given(st.text(st.characters(exclude_categories=())) | st.from_regex(r"[-_./ T:0-9a-c+]{1,40}", fullmatch=True))
def test_no_key_is_an_error(key: str) -> None:
    assert all(time.moment == time.moment.replace() for time in key_times(key))


@given(
    moment=st.datetimes(datetime(1000, 1, 1), datetime(9999, 12, 31)),
    pattern=st.sampled_from(
        ["%Y%m%d_%H%M%S", "%Y-%m-%d_%H-%M-%S", "cam-%Y%m%d%H%M%S", "%Y-%m-%d/%H-%M-%S", "%Y/%m/%d/%H/%M/%S"]
    ),
)
def test_every_moment_is_found_as_it_was_written(moment: datetime, pattern: str) -> None:
    whole = moment.replace(microsecond=0)
    written = whole.strftime(pattern.replace("%Y", f"{whole.year:04d}"))
    assert told(f"{written}.jpg") == KeyTime(whole)
