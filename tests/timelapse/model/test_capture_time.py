"""When a photo was taken: which source is asked first, which time is plausible, and in which zone it is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timelapse_runtime.timelapse.model.capture_time import CameraTime, taken_epoch_ms

BERLIN = ZoneInfo("Europe/Berlin")
UPLOADED = datetime(2024, 5, 10, 8, 0, tzinfo=UTC)
CAMERA = CameraTime("2024:05:01 12:34:56")


def taken(*camera: CameraTime, key: str = "1.jpg", zone: ZoneInfo | None = None) -> str | None:
    """The moment in UTC."""
    ms = taken_epoch_ms(camera, key, round(UPLOADED.timestamp() * 1000), zone or UTC)
    return None if ms is None else datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds")[:-6]


def test_the_file_goes_before_the_key_and_the_key_before_nothing() -> None:
    assert taken(CAMERA, key="20240430_000000.jpg") == "2024-05-01T12:34:56.000"
    assert taken(key="20240430_000000.jpg") == "2024-04-30T00:00:00.000"
    assert taken() is None


@pytest.mark.parametrize(
    ("time", "moment"),
    [
        (CAMERA, "2024-05-01T10:34:56.000"),
        (CameraTime("2024:05:01 12:34:56", "789"), "2024-05-01T10:34:56.789"),
        (CameraTime("2024:05:01 12:34:56", "7890123"), "2024-05-01T10:34:56.789"),
        (CameraTime("2024:05:01 12:34:56", " 7"), "2024-05-01T10:34:56.000"),
        (CameraTime("2024:05:01 12:34:56", "", "+00:00"), "2024-05-01T12:34:56.000"),
        (CameraTime("2024:05:01 12:34:56", "", "-0530"), "2024-05-01T18:04:56.000"),
        (CameraTime("2024:05:01 12:34:56", "", "Z"), "2024-05-01T12:34:56.000"),
        (CameraTime("2024:05:01 12:34:56", "", "   :  "), "2024-05-01T10:34:56.000"),
        (CameraTime("2024-05-01T12:34:56"), "2024-05-01T10:34:56.000"),
        (CameraTime("2024/05/01 12:34:56"), "2024-05-01T10:34:56.000"),
        (CameraTime("2024:05:01 24:34:56"), "2024-04-30T22:34:56.000"),
        (CameraTime("2024:05:01 12:34:60"), "2024-05-01T10:34:59.000"),
        (CameraTime("2024:01:01 12:34:56"), "2024-01-01T11:34:56.000"),
    ],
)
def test_times_as_cameras_write_them(time: CameraTime, moment: str) -> None:
    assert taken(time, zone=BERLIN) == moment


@pytest.mark.parametrize(
    "text",
    [
        "",
        "    :  :     :  :  ",
        "0000:00:00 00:00:00",
        "2024:05:01",
        "2024:13:01 00:00:00",
        "2024:05:01 25:00:00",
        "noon",
        "1904:01:01 00:00:00",
        "1970:01:01 00:00:12",
        "1980:01:06 00:00:00",
        "2000:01:01 09:00:00",
        "2002:12:08 12:00:00",
        "2024:05:11 08:00:01",
        "2036:02:07 06:28:16",
        "0001:01:01 00:00:00",
        "9999:12:31 23:59:59",
    ],
)
def test_what_is_no_time_or_not_plausible_is_passed_over(text: str) -> None:
    assert taken(CameraTime(text)) is None
    assert taken(CameraTime(text, "5"), CAMERA) == "2024-05-01T12:34:56.000"
    assert taken(CameraTime(text, "", "+99:99"), key="20240430_000000.jpg") == "2024-04-30T00:00:00.000"


def test_local_time_may_be_ahead_of_the_upload() -> None:
    assert taken(CameraTime("2024:05:10 22:00:00")) == "2024-05-10T22:00:00.000"


def test_implausible_numbers_in_a_key_are_passed_over() -> None:
    assert taken(key="20250501_120000.jpg") is None
    assert taken(key="0000001234.jpg") is None
    assert taken(key="9999999999.jpg") is None
    assert taken(key="2024-05-01/20250501_120000.jpg") == "2024-05-01T00:00:00.000"


def test_a_day_alone_says_no_more_than_an_upload_on_that_day() -> None:
    assert taken(key="2024-05-10/1.jpg") is None
    assert taken(key="2024-05-09/1.jpg") == "2024-05-09T00:00:00.000"
    assert taken(key="2024-05-09/1.jpg", zone=ZoneInfo("America/New_York")) == "2024-05-09T04:00:00.000"
    assert taken(key="2024-05-10/1.jpg", zone=ZoneInfo("Pacific/Honolulu")) == "2024-05-10T10:00:00.000"


def test_a_day_alone_may_be_left_out() -> None:
    uploaded_ms = round(UPLOADED.timestamp() * 1000)
    assert taken_epoch_ms([], "2024-05-01/1.jpg", uploaded_ms, UTC, takes_days=False) is None
    assert taken_epoch_ms([], "2024-05-01/12-00-00.jpg", uploaded_ms, UTC, takes_days=False) == 1_714_564_800_000


@given(
    time=st.builds(CameraTime, st.text(), st.text(), st.text())
    | st.builds(
        CameraTime,
        st.datetimes().map(lambda moment: moment.strftime("%Y:%m:%d %H:%M:%S")),
        st.from_regex(r"[0-9]{0,8}", fullmatch=True),
        st.from_regex(r"[+-][0-9]{2}:[0-9]{2}", fullmatch=True),
    ),
    key=st.text(),
    uploaded=st.datetimes(datetime(1971, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)),
    zone=st.timezones(),
)
def test_whatever_is_told_is_plausible(time: CameraTime, key: str, uploaded: datetime, zone: ZoneInfo) -> None:
    ms = taken_epoch_ms([time], key, round(uploaded.timestamp() * 1000), zone)
    if ms is not None:
        moment = datetime.fromtimestamp(ms / 1000, UTC)
        assert datetime(1990, 1, 1, tzinfo=UTC) <= moment <= uploaded + timedelta(days=1, seconds=1)


@given(moment=st.datetimes(datetime(2001, 1, 1), datetime(2024, 5, 9)), zone=st.timezones())
def test_an_offset_makes_the_zone_irrelevant(moment: datetime, zone: ZoneInfo) -> None:
    time = CameraTime(moment.strftime("%Y:%m:%d %H:%M:%S"), offset="+00:00")
    if not time.text.startswith("2002:12:08 12:00:00"):
        assert taken(time, zone=zone) == moment.replace(microsecond=0).isoformat(timespec="milliseconds")
