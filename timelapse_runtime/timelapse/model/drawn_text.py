"""What a setting says of text in the picture: which characters it may have, and how a clock is written. Pure.

The font that is drawn with has no characters of Asia and no emoji, and those that have to be joined or written from
right to left (Arabic, Hebrew, Devanagari, …) would be drawn wrongly, letter by letter. All these are refused, because a
box in each frame of a video is noticed too late.
"""

from __future__ import annotations

import re
import unicodedata
from enum import Enum

from timelapse_runtime.timelapse.model.refusal import Refusal

_RANGES = """
20-7E A1-AC AE-24F 370-377 37A-37F 384-38A 38C-38C 38E-3A1 3A3-482 48A-525 531-556 559-55F 561-587 589-58A 10D0-10FC
1E00-1EFB 2010-2027 2030-205E 2070-2071 2074-208E 2090-209C 20A0-20B5 20B8-20BA 20BD-20BD 2100-2109 210B-2149 214B-214B
214E-214E 2153-215E 2190-22FF 25A0-269C
"""
"""Latin, IPA, Greek, Cyrillic, Armenian, Georgian, punctuation, currencies, arrows, mathematics and symbols, as far as
the font has them."""
CHARACTERS = frozenset(
    chr(code)
    for first, last in (one.split("-") for one in _RANGES.split())
    for code in range(int(first, 16), int(last, 16) + 1)
)

_OTHER = r"[^%\x00-\x1f\x7f]|%%"
_DIRECTIVE = "%[aAbBdDeFGHIjklmMpRSTuVyYzZ]|%-[dHIjmMSy]"
"""Of strftime: those whose text does not depend on a locale. Names are English."""
CAPTION_PATTERN = r"[^\x00-\x1f\x7f]{0,120}"
CLOCK_PATTERN = f"off|({_OTHER}){{0,60}}({_DIRECTIVE})({_OTHER}|{_DIRECTIVE}){{0,60}}"
"""What `parse_clock` takes, but for characters that cannot be drawn."""


class Place(Enum):
    """Where a line of text is in the picture."""

    TOP_LEFT = "top-left"
    TOP = "top"
    TOP_RIGHT = "top-right"
    BOTTOM_LEFT = "bottom-left"
    BOTTOM = "bottom"
    BOTTOM_RIGHT = "bottom-right"

    @property
    def is_top(self) -> bool:
        """Whether it is at the upper edge."""
        return self in (Place.TOP_LEFT, Place.TOP, Place.TOP_RIGHT)

    @property
    def is_left(self) -> bool:
        """Whether it is at the left edge."""
        return self in (Place.TOP_LEFT, Place.BOTTOM_LEFT)

    @property
    def is_right(self) -> bool:
        """Whether it is at the right edge."""
        return self in (Place.TOP_RIGHT, Place.BOTTOM_RIGHT)


def parse_caption(text: str) -> str | None:
    """A line of text, or None if it is empty. Raises Refusal for a character that cannot be drawn."""
    return _drawable(text) or None


def parse_clock(text: str) -> str | None:
    """A format of strftime, or None for `off`. Raises ValueError, as Refusal for a character that cannot be drawn."""
    if text == "off":
        return None
    if not re.fullmatch(CLOCK_PATTERN, text):
        raise ValueError(text)
    return _drawable(text)


def _drawable(text: str) -> str:
    """The text with each letter and its accents as one character."""
    composed = unicodedata.normalize("NFC", text)
    for character in composed:
        if character not in CHARACTERS:
            raise Refusal(
                f"{character!r} (U+{ord(character):04X}) cannot be drawn: the font does not have it, or not well"
            )
    return composed
