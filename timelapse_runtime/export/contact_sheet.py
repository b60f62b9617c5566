"""Small pictures of a selection on one sheet, each with the time at which it was taken."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, tzinfo

from PIL import Image, ImageDraw, ImageFont

from timelapse_runtime.export.samples import Sample

PICTURES, COLUMNS, WIDTH = 24, 4, 320
_GAP, _LABEL, _TITLE = 8, 20, 36
_BACKGROUND, _INK, _FAINT = "#ffffff", "#1a1a1a", "#5f6368"


def draw_sheet(samples: Sequence[Sample], title: str, zone: tzinfo) -> Image.Image:
    """The sheet; `samples` in order."""
    cell = WIDTH + _GAP, max(sample.image.height for sample in samples) + _LABEL + _GAP
    columns = min(COLUMNS, len(samples))
    rows = -(-len(samples) // columns)
    sheet = Image.new("RGB", (columns * cell[0] + _GAP, _TITLE + rows * cell[1] + _GAP), _BACKGROUND)
    pen = ImageDraw.Draw(sheet)
    pen.text((_GAP, _GAP), title, _INK, ImageFont.load_default(16))
    for number, sample in enumerate(samples):
        left, top = _GAP + number % columns * cell[0], _TITLE + number // columns * cell[1]
        sheet.paste(sample.image, (left, top))
        pen.text((left, top + sample.image.height + 2), _label(sample, zone), _FAINT, ImageFont.load_default(13))
    return sheet


def _label(sample: Sample, zone: tzinfo) -> str:
    if not sample.captured_epoch_ms:
        return f"{sample.reel_name}, frame {sample.number:,}"
    moment = datetime.fromtimestamp(sample.captured_epoch_ms / 1000, zone)
    return f"{moment:%Y-%m-%d %H:%M:%S}, frame {sample.number:,}"
