"""The frames that the options of `selection_options` name."""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping
from datetime import datetime, timedelta, tzinfo

from timelapse_runtime.cli import CommandFailed
from timelapse_runtime.export.selection import Piece, Selector, TimeRange
from timelapse_runtime.export.stream_reader import StreamReader
from timelapse_runtime.runtime.state.errors import ObjectNotFound
from timelapse_runtime.timelapse.known_settings import stored_settings
from timelapse_runtime.timelapse.variables import STREAM_SETTINGS, parse_variable
from timelapse_runtime.timelapse.verify import describe_folder

_DAY = re.compile(r"\d{4}-\d\d-\d\d")


def zone_of(variables: Mapping[str, str], reader: StreamReader) -> tzinfo:
    """The time zone of days, and of times without one: the stream's own, or TIMELAPSE_TIMEZONE. Raises ConfigError,
    StorageError."""
    zone: tzinfo = parse_variable(STREAM_SETTINGS["timezone"], variables)
    own: tzinfo = stored_settings(reader.store, reader.keys).value("timezone", zone)
    return own


def selected(reader: StreamReader, options: argparse.Namespace, zone: tzinfo) -> list[Piece]:
    """The frames that the options name. Raises CommandFailed, CannotExport, TimelapseError."""
    kinds = [bool(options.reel), options.all, options.last is not None, bool(options.start or options.end)]
    if sum(kinds) > 1:
        raise CommandFailed("--reel, --all, --last, and --from with --to exclude each other")
    try:
        checkpoint, _ = reader.checkpoint()
    except ObjectNotFound as error:
        damage, nothing = describe_folder(reader.store, reader.keys)
        raise CommandFailed(nothing if damage is None else f"{damage.where}: {damage.detail}") from error
    selector = Selector(reader, checkpoint, zone)
    if options.last is not None:
        newest = selector.newest_epoch_ms()
        return selector.times(TimeRange(newest - options.last * 1000 + 1, newest + 1))
    if options.start or options.end:
        start = None if options.start is None else epoch_ms_of(options.start, zone)
        return selector.times(
            TimeRange(start, None if options.end is None else epoch_ms_of(options.end, zone, end=True))
        )
    return selector.reels(options.reel or (), everything=options.all)


def epoch_ms_of(text: str, zone: tzinfo, *, end: bool = False) -> int:
    """Of a time, in `zone` if it names none, or of a day's first moment; for an `end`, of the first after the day."""
    moment = datetime.fromisoformat(text)
    if end and _DAY.fullmatch(text):
        moment += timedelta(days=1)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone)
    return round(moment.timestamp() * 1000)
