"""How high the sun stands: the door to astral, which computes it as NOAA's solar calculator does.

Source: NOAA Global Monitoring Laboratory, 'Solar Calculation Details', after Meeus, 'Astronomical Algorithms'.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from timelapse_runtime.timelapse.model.refusal import Refusal

_NUMBER = r"-?[0-9]{1,3}(\.[0-9]{1,6})?"
PLACE_PATTERN = f"|{_NUMBER} *, *{_NUMBER}"


@dataclass(frozen=True, slots=True)
class Coordinates:
    """A place on earth, in degrees: north and east are positive."""

    latitude: float
    longitude: float


def parse_coordinates(text: str) -> Coordinates | None:
    """`52.52,13.405`, or None if it is empty. Raises ValueError, as Refusal for a place that does not exist."""
    if not text:
        return None
    if not re.fullmatch(PLACE_PATTERN, text):
        raise ValueError(text)
    latitude, longitude = map(float, text.split(","))
    if abs(latitude) > 90 or abs(longitude) > 180:
        raise Refusal("latitude is -90 to 90 and comes first, longitude is -180 to 180")
    return Coordinates(latitude, longitude)


def sun_elevation_degrees(place: Coordinates, epoch_ms: int) -> float:
    """Above the horizon; negative below it. Of the sun's centre, with the refraction of a usual atmosphere."""
    from astral import Observer  # noqa: PLC0415  only if somebody skips nights
    from astral.sun import elevation  # noqa: PLC0415

    moment = datetime.fromtimestamp(epoch_ms / 1000, UTC)
    return elevation(Observer(place.latitude, place.longitude), moment)
