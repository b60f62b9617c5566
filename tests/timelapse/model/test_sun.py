"""The sun's height, compared with what almanacs say."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from timelapse_runtime.timelapse.model.refusal import Refusal
from timelapse_runtime.timelapse.model.sun import Coordinates, parse_coordinates, sun_elevation_degrees

LONDON, BERLIN = Coordinates(51.5074, -0.1278), Coordinates(52.52, 13.405)
SYDNEY, QUITO, SVALBARD = Coordinates(-33.8688, 151.2093), Coordinates(-0.1807, -78.4678), Coordinates(78.22, 15.65)


def elevation(place: Coordinates, *moment: int) -> float:
    year, month, day, hour, minute = (*moment, 0)[:5]
    return sun_elevation_degrees(place, round(datetime(year, month, day, hour, minute, tzinfo=UTC).timestamp() * 1000))


@pytest.mark.parametrize(
    ("place", "moment"),
    [
        (LONDON, (2024, 12, 21, 8, 4)),
        (LONDON, (2024, 12, 21, 15, 53)),
        (BERLIN, (2024, 6, 21, 2, 43)),
        (BERLIN, (2024, 6, 21, 19, 33)),
        (SYDNEY, (2024, 12, 21, 18, 41)),
    ],
)
def test_the_sun_is_at_the_horizon_when_almanacs_say_that_it_rises_or_sets(
    place: Coordinates, moment: tuple[int, ...]
) -> None:
    """Its centre is then some minutes of arc below it, with refraction; a minute of time is 15 of arc at most."""
    assert -0.75 < elevation(place, *moment) < 0.25


def test_its_height_at_noon_follows_from_latitude_and_season() -> None:
    assert elevation(BERLIN, 2024, 6, 21, 11, 8) == pytest.approx(90 - 52.52 + 23.44, abs=0.1)
    assert elevation(BERLIN, 2024, 12, 21, 11, 4) == pytest.approx(90 - 52.52 - 23.44, abs=0.2)
    assert elevation(QUITO, 2024, 3, 20, 17, 21) > 89
    assert elevation(SYDNEY, 2024, 12, 21, 1, 53) == pytest.approx(90 - 33.87 + 23.44, abs=0.1)


def test_there_are_days_without_night_and_nights_without_day() -> None:
    hours = range(24)
    assert min(elevation(SVALBARD, 2024, 6, 21, hour) for hour in hours) > 10
    assert max(elevation(SVALBARD, 2024, 12, 21, hour) for hour in hours) < -10


def test_a_place_is_latitude_and_longitude() -> None:
    assert parse_coordinates("52.52,13.405") == BERLIN
    assert parse_coordinates("-33.8688, 151.2093") == SYDNEY
    assert parse_coordinates("") is None


@pytest.mark.parametrize("text", ["Berlin", "52.5", "52,5,13,4", "52.5 13.4", "+1,2", "52.5N,13E", "nan,0"])
def test_another_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=text.replace("+", r"\+")):
        parse_coordinates(text)


@pytest.mark.parametrize("text", ["91,0", "-90.1,0", "0,181", "151.2093,-33.8688"])
def test_a_place_that_does_not_exist_is_refused(text: str) -> None:
    with pytest.raises(Refusal, match="latitude is -90 to 90 and comes first"):
        parse_coordinates(text)
