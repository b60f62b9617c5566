"""Frames per minute, bytes per frame and brightness of a selection, over the time of capture, as one picture.

Drawn with Pillow, which is there: a plotting library would be a dependency for three step lines.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from PIL import Image, ImageDraw, ImageFont, ImageStat

from timelapse_runtime.export.errors import CannotExport
from timelapse_runtime.export.samples import Sample, Span

BRIGHTNESS_PICTURES, BRIGHTNESS_WIDTH = 96, 64
_SIZE, _LEFT, _RIGHT, _TOP, _PANEL, _SPACE = (1280, 830), 90, 40, 72, 200, 54
_BACKGROUND, _INK, _FAINT, _GRID = "#ffffff", "#1a1a1a", "#5f6368", "#e0e0e0"
_COLOURS = ("#1967d2", "#b06000", "#188038")
_STEPS_SECONDS = (
    *(1, 5, 10, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200),
    *(86_400 * days for days in (1, 2, 7, 14, 30, 91, 182, 365, 1_000)),
)
_TICKS = 9

Line = tuple[float, float, float]
"""A value over time: from, to (milliseconds since 1970), value."""


@dataclass(frozen=True, slots=True)
class Panel:
    """One diagram."""

    title: str
    lines: Sequence[Line]
    top: float
    """The highest value of its scale."""


def panels(spans: Sequence[Span], samples: Sequence[Sample]) -> list[Panel]:
    """The three diagrams. Raises CannotExport if no time is known."""
    if not spans:
        raise CannotExport("the segments are from before capture times were written: there is nothing to draw over")
    rates = [(one.start_epoch_ms, one.end_epoch_ms, one.frames_per_minute) for one in spans]
    rate_lines = [(float(start), float(end), rate) for start, end, rate in rates if end and rate is not None]
    size_lines = [
        (
            float(one.start_epoch_ms),
            float(one.end_epoch_ms or one.start_epoch_ms),
            one.size_bytes / one.frame_count / 1e3,
        )
        for one in spans
    ]
    bright = [
        (float(one.captured_epoch_ms), float(one.captured_epoch_ms), ImageStat.Stat(one.image.convert("L")).mean[0])
        for one in samples
        if one.captured_epoch_ms
    ]
    return [
        Panel("frames per minute", rate_lines, _round_up(rate_lines)),
        Panel("kilobytes per frame", size_lines, _round_up(size_lines)),
        Panel("brightness (mean, 0 to 255)", bright, 255),
    ]


def draw_plot(diagrams: Sequence[Panel], title: str, zone: tzinfo) -> Image.Image:
    """The picture."""
    times = [time for panel in diagrams for start, end, _ in panel.lines for time in (start, end)]
    low = min(times)
    high = max(low + 1_000, *times)
    picture = Image.new("RGB", _SIZE, _BACKGROUND)
    pen = ImageDraw.Draw(picture)
    pen.text((_LEFT, 14), title, _INK, ImageFont.load_default(16))
    for number, (panel, colour) in enumerate(zip(diagrams, _COLOURS, strict=True)):
        top = _TOP + number * (_PANEL + _SPACE)
        _draw_axes(pen, panel, top, list(_ticks(low, high, zone)), (low, high))
        for start, end, value in panel.lines:
            y = top + _PANEL * (1 - value / panel.top)
            left, right = _x(start, (low, high)), _x(end, (low, high))
            pen.line((left, y, max(left + 1, right), y), colour, 2)
            if start == end:
                pen.ellipse((left - 2, y - 2, left + 2, y + 2), colour)
    return picture


def _draw_axes(
    pen: ImageDraw.ImageDraw, panel: Panel, top: int, ticks: Sequence[tuple[float, str]], extent: tuple[float, float]
) -> None:
    small = ImageFont.load_default(12)
    pen.text((_LEFT, top - 20), panel.title, _INK, ImageFont.load_default(13))
    for share in (0, 0.5, 1):
        y = top + _PANEL * (1 - share)
        pen.line((_LEFT, y, _SIZE[0] - _RIGHT, y), _GRID)
        pen.text((_LEFT - 8, y), f"{panel.top * share:g}", _FAINT, small, anchor="rm")
    for time, label in ticks:
        x = _x(time, extent)
        pen.line((x, top, x, top + _PANEL), _GRID)
        pen.text((x, top + _PANEL + 4), label, _FAINT, small, anchor="mt")


def _x(time: float, extent: tuple[float, float]) -> float:
    return _LEFT + (_SIZE[0] - _LEFT - _RIGHT) * (time - extent[0]) / (extent[1] - extent[0])


def _ticks(low: float, high: float, zone: tzinfo) -> Iterator[tuple[float, str]]:
    """Round times of the zone's clock, with labels."""
    seconds = (high - low) / 1000
    step = next((step for step in _STEPS_SECONDS if seconds / step <= _TICKS), _STEPS_SECONDS[-1])
    first = datetime.fromtimestamp(low / 1000, zone)
    moment = first.replace(hour=0, minute=0, second=0, microsecond=0)
    form = "%Y-%m-%d" if step >= 86_400 else "%d %b %H:%M" if seconds > 86_400 else "%H:%M:%S" if step < 60 else "%H:%M"
    while moment.timestamp() * 1000 <= high:
        if moment.timestamp() * 1000 >= low:
            yield moment.timestamp() * 1000, moment.strftime(form)
        moment += timedelta(seconds=step)


def _round_up(lines: Sequence[Line]) -> float:
    """The least of 1, 2 and 5 times a power of ten that is not below any value."""
    highest = max((value for _, _, value in lines), default=1) or 1
    power = 10.0 ** math.floor(math.log10(highest))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= highest)
