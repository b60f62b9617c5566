"""Areas of the picture that nobody is to see, as a setting says them. Pure.

Their corners are percentages of the video's width and height, so that they stay where they are if its size changes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from timelapse_runtime.timelapse.model.refusal import Refusal

Corner: TypeAlias = tuple[float, float]
"""From the left and from the top, each 0 to 1."""


class Cover(Enum):
    """What is shown instead of the area."""

    BLUR = "blur"
    PIXELATE = "pixelate"
    BLACK = "black"


@dataclass(frozen=True, slots=True)
class Mask:
    """A polygon of three corners or more. It may cross itself: all that it encloses is covered."""

    cover: Cover
    corners: tuple[Corner, ...]


_PERCENT = r"[0-9]{1,3}(\.[0-9]{1,3})?"
_CORNER = f"{_PERCENT},{_PERCENT}"
_MASK = f"((blur|pixelate|black) +)?{_CORNER}( +{_CORNER})+"
MASKS_PATTERN = f"off|{_MASK}( *; *{_MASK})*"
"""What `parse_masks` takes, but for areas that have no size or lie beyond the picture."""


def parse_masks(text: str) -> tuple[Mask, ...]:
    """Masks, separated by semicolons: `black 0,0 25,12.5; blur 60,40 75,40 80,55`.

    Two corners are those of a rectangle, three or more those of a polygon; a mask that does not say how it covers is
    blurred. `off`: none. Raises ValueError, as Refusal for an area beyond the picture, or without a size: it would
    cover a line.
    """
    if text == "off":
        return ()
    if not re.fullmatch(MASKS_PATTERN, text):
        raise ValueError(text)
    return tuple(_mask(part.split()) for part in text.split(";"))


def _mask(words: list[str]) -> Mask:
    cover = Cover.BLUR if words[0][0].isdigit() else Cover(words.pop(0))
    corners = [_corner(word) for word in words]
    if len(corners) == 2:
        (left, top), (right, bottom) = corners
        corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
    if len({x for x, _ in corners}) < 2 or len({y for _, y in corners}) < 2:
        raise Refusal(f"{' '.join(words)} has no size")
    return Mask(cover, tuple(corners))


def _corner(word: str) -> Corner:
    x, y = map(float, word.split(","))
    if max(x, y) > 100:
        raise Refusal(f"{word} lies beyond the picture")
    return x / 100, y / 100
