"""The kinds of values that a setting can have: each reads a text, and says which texts it takes.

Pure. What is said (bounds, choices, patterns) is for whoever checks a text before the function does: the templates'
parameters are made of it (scripts/deploy_check/parameters.py).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from timelapse_runtime.timelapse.model import keys
from timelapse_runtime.timelapse.model.drawn_text import (
    CAPTION_PATTERN,
    CLOCK_PATTERN,
    Place,
    parse_caption,
    parse_clock,
)
from timelapse_runtime.timelapse.model.logo import LOGO_PATTERN, parse_logo
from timelapse_runtime.timelapse.model.mask import MASKS_PATTERN, parse_masks
from timelapse_runtime.timelapse.model.photo_filter import parse_photo_filter
from timelapse_runtime.timelapse.model.skip import SKIP_PATTERN, parse_skip
from timelapse_runtime.timelapse.model.sun import PLACE_PATTERN, parse_coordinates
from timelapse_runtime.timelapse.model.video_size import Size


@dataclass(frozen=True, slots=True)
class Integer:
    """A whole number from `low` to `high`."""

    low: int
    high: int

    def __call__(self, text: str) -> int:
        """Raises ValueError."""
        value = int(text)
        if not self.low <= value <= self.high:
            raise ValueError(text)
        return value


@dataclass(frozen=True, slots=True)
class Choice:
    """One of some words. `parse` makes a value of it."""

    words: tuple[str, ...]
    parse: Callable[[str], Any] = str

    def __call__(self, text: str) -> Any:
        """Raises ValueError."""
        if text not in self.words:
            raise ValueError(text)
        return self.parse(text)


@dataclass(frozen=True, slots=True)
class Text:
    """What `pattern`, a regular expression, matches as a whole, and `parse` reads.

    `parse` may refuse what the pattern takes (a time zone that does not exist). The pattern is plain enough to mean
    the same in Python and Java, which CloudFormation is said to use.
    """

    pattern: str
    parse: Callable[[str], Any]

    def __call__(self, text: str) -> Any:
        """Raises ValueError."""
        if not re.fullmatch(self.pattern, text):
            raise ValueError(text)
        return self.parse(text)


_EVEN = "(1[68]|[2-9][02468]|[1-9][0-9]{1,2}[02468])"
"""16 to 9998: x264 takes no side shorter than a macroblock (SMALLEST_SIDE), and 4:2:0 has no odd ones."""


def _size(text: str) -> Size | None:
    if text == "auto":
        return None
    width, height = text.split("x")
    return int(width), int(height)


def _colour(text: str) -> tuple[int, int, int]:
    red, green, blue = bytes.fromhex({"black": "000000", "white": "FFFFFF"}.get(text, text))
    return red, green, blue


def _timezone(text: str) -> tzinfo:
    if text == "UTC":
        return UTC  # needs no time zone data, which a minimal system lacks
    try:
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, OSError) as error:
        raise ValueError(text) from error


def _day_pictures(text: str) -> tuple[str, ...]:
    named = re.split(", *", text)
    return tuple(kind for kind in keys.DAY_PICTURES if kind in named)


_DAY_PICTURE = "|".join(keys.DAY_PICTURES)
FIXED_SIZE = Text(f"{_EVEN}x{_EVEN}", _size)
"""Width and height, both even."""
SIZE = Text(f"auto|{FIXED_SIZE.pattern}", _size)
"""The same, or None for `auto`."""
COLOUR = Text("black|white|[0-9A-Fa-f]{6}", _colour)
"""Red, green and blue, 0 to 255 each."""
CRF = Text("auto|[0-9]|[1-4][0-9]|5[01]", lambda text: None if text == "auto" else int(text))
"""0 to 51, or None for `auto`."""
KBPS = Text("off|[1-9][0-9]{2,4}|100000", lambda text: None if text == "off" else int(text))
"""100 to 100,000, or None for `off`."""
BLEND = Text("off|[2-9]|1[0-6]", lambda text: None if text == "off" else int(text))
"""2 to 16, or None for `off`."""
SPEED = Text("off|[1-9][0-9]{0,5}|1000000", lambda text: 0 if text == "off" else int(text))
"""1 to 1,000,000, or 0 for `off`."""
WINDOW = Text("auto|[0-9]|[1-5][0-9]|6[0-4]", lambda text: None if text == "auto" else int(text))
"""0 to 64, or None for `auto`."""
DAY_PICTURES = Text(f"off|({_DAY_PICTURE})(, *({_DAY_PICTURE}))*", _day_pictures)
"""Those of `keys.DAY_PICTURES` that are named, in that order; none for `off`."""
STREAM_NAME = Text(r"[^/\x00-\x1f]{0,200}", lambda text: text or None)
"""A folder's name, or None if it is empty."""
TIMEZONE = Text("[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+){0,2}", _timezone)
"""An IANA name. Only the time zone data knows which of them exist."""
PHOTO_FILTER = Text(r"[^\x00-\x1f]+", parse_photo_filter)
"""See parse_photo_filter."""
MASKS = Text(MASKS_PATTERN, parse_masks)
"""See parse_masks."""
CLOCK = Text(CLOCK_PATTERN, parse_clock)
"""See parse_clock."""
CAPTION = Text(CAPTION_PATTERN, parse_caption)
"""See parse_caption."""
PLACE = Choice(tuple(place.value for place in Place), Place)
LOGO = Text(LOGO_PATTERN, parse_logo)
"""See parse_logo."""
SKIP = Text(SKIP_PATTERN, parse_skip)
"""See parse_skip."""
COORDINATES = Text(PLACE_PATTERN, parse_coordinates)
"""See parse_coordinates."""
