"""Options that say which frames of a stream, and how a file shows them. `--help` imports no more than this."""

from __future__ import annotations

import argparse
import re
from datetime import datetime
from fractions import Fraction

from timelapse_runtime.timelapse.model.setting_values import FIXED_SIZE

_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def add_selection(
    parser: argparse.ArgumentParser,
    title: str = "which frames (default: the newest reel)",
    *,
    all_help: str = "all reels",
) -> None:
    """Add them, as a group of their own."""
    group = parser.add_argument_group(title)
    group.add_argument("--reel", action="append", metavar="NAME", help="this reel; may be repeated")
    group.add_argument("--all", action="store_true", help=all_help)
    group.add_argument("--from", dest="start", type=moment, metavar="TIME", help="taken at TIME or later")
    group.add_argument("--to", dest="end", type=moment, metavar="TIME", help="taken before TIME; a day is included")
    group.add_argument("--last", type=_duration, metavar="TIME", help="the newest: 90s, 30m, 2h, 1h30m, 7d")


def _duration(text: str) -> int:
    """Seconds."""
    if not re.fullmatch(r"(\d+[smhd])+", text):
        raise argparse.ArgumentTypeError(f"{text!r}; allowed: 90s, 30m, 2h, 1h30m, 7d")
    seconds = sum(int(number) * _UNITS[unit] for number, unit in re.findall(r"(\d+)([smhd])", text))
    if not seconds:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time")
    return seconds


def moment(text: str) -> str:
    """Type of an argument: a day, or a time."""
    try:
        datetime.fromisoformat(text)
    except ValueError:
        allowed = "2026-11-25, 2026-11-25T06:30, 2026-11-25T06:30:00+01:00"
        raise argparse.ArgumentTypeError(f"{text!r}; allowed: {allowed}") from None
    return text


def video_size(text: str) -> tuple[int, int]:
    """Type of an argument: `WIDTHxHEIGHT`."""
    try:
        size: tuple[int, int] = FIXED_SIZE(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}; allowed: WIDTHxHEIGHT, both even and at least 16") from None
    return size


def speed(text: str) -> Fraction:
    """Type of an argument: how many times as fast."""
    if not re.fullmatch(r"\d{1,6}(\.\d{1,3})?", text) or not Fraction(1, 30) <= Fraction(text) <= 100_000:
        raise argparse.ArgumentTypeError(f"{text!r}; allowed: 0.034 to 100000")
    return Fraction(text)


def seconds(text: str) -> Fraction:
    """Type of an argument: seconds, with up to three decimals."""
    if not re.fullmatch(r"\d{1,7}(\.\d{1,3})?", text) or not Fraction(text):
        raise argparse.ArgumentTypeError(f"{text!r}; allowed: 0.001 to 9999999")
    return Fraction(text)
