"""The door to Pillow: the bundled font, with its glyphs as numpy arrays, each drawn once; and a logo's pixels.

The font is DejaVu Sans Condensed Bold 2.37, unchanged; its licence is beside it. Its digits are of one width, so that a
clock does not jump, and it stays legible at the ten pixels that a small video has for it.
"""

from __future__ import annotations

import io
import math
import pkgutil
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy
import PIL

# Pillow's part for text is in the layer beside the function's zip, and the rest of it in the zip.
PIL.__path__ = pkgutil.extend_path(PIL.__path__, PIL.__name__)
from PIL import Image, ImageDraw, ImageFont  # noqa: E402

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from timelapse_runtime.timelapse.filters.contract import Plane

FONT = Path(__file__).parent / "font" / "DejaVuSansCondensed-Bold.ttf"
_OUTLINE = 1 / 14
"""Width of the outline, in sizes of the text. A thinner one is lost in the encoder, a thicker one fills an `e`."""
_KEPT_GLYPHS = 256


@dataclass(frozen=True, slots=True)
class Glyph:
    """How much of each sample the letter and its outline cover, 0 to 255; `left` and `top` are where the arrays begin,
    from the pen and the baseline."""

    letter: Plane
    outline: Plane
    left: int
    top: int


class UnreadablePicture(Exception):
    """A file that is not, or not wholly, a picture."""


def rgba(png: bytes, size: tuple[int, int]) -> NDArray[numpy.uint8]:
    """The picture in a PNG, scaled to this width and height: red, green, blue and opacity, of shape (height, width, 4).
    Raises UnreadablePicture."""
    try:
        with Image.open(io.BytesIO(png), formats=("PNG",)) as image:
            # Scaled with its colours multiplied by its opacity: hidden colours of transparent parts do not show.
            small = image.convert("RGBA").convert("RGBa").resize(size, Image.Resampling.LANCZOS).convert("RGBA")
            return numpy.asarray(small)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UnreadablePicture(f"it cannot be decoded: {error}") from error


class Glyphs:
    """The font at one size in pixels."""

    def __init__(self, size: int) -> None:
        self.size, self.outline = size, max(1, round(size * _OUTLINE))
        self._font = ImageFont.truetype(FONT, size, layout_engine=ImageFont.Layout.BASIC)
        ascent, descent = self._font.getmetrics()
        self.above, self.below = ascent + self.outline, descent + self.outline
        """The height of a line, over and under its baseline."""
        self.glyph = lru_cache(_KEPT_GLYPHS)(self._draw)
        self._step = lru_cache(_KEPT_GLYPHS)(self._measure)

    def places(self, text: str) -> list[int]:
        """Where the pen is for each character, from the outline's left edge, and at the end of the text."""
        places, pen = [], float(self.outline)
        for character, following in zip(text, [*text[1:], ""], strict=True):
            places.append(round(pen))
            pen += self._step(character, following)
        return [*places, math.ceil(pen)]

    def width(self, text: str) -> int:
        """Of a line, with its outline."""
        return self.places(text)[-1] + self.outline

    def _measure(self, character: str, following: str) -> float:
        """From a character's pen to the next one's, which for some pairs (AV, To) is nearer."""
        return self._font.getlength(character + following) - (self._font.getlength(following) if following else 0)

    def _draw(self, character: str) -> Glyph:
        left, top, right, bottom = map(int, self._font.getbbox(character, anchor="ls", stroke_width=self.outline))
        size = max(1, right - left), max(1, bottom - top)
        letter, outline = (self._mask(character, size, (-left, -top), width) for width in (0, self.outline))
        return Glyph(letter, numpy.maximum(letter, outline), left, top)

    def _mask(self, character: str, size: tuple[int, int], pen: tuple[int, int], stroke_width: int) -> Plane:
        image = Image.new("L", size)
        ImageDraw.Draw(image).text(pen, character, 255, self._font, anchor="ls", stroke_width=stroke_width)
        return numpy.asarray(image)
