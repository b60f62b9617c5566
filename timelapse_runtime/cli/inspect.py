"""`timelapse inspect`: what is in a stream's video, and how far it is behind its photos. Changes nothing."""

from __future__ import annotations

import argparse
import itertools
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import tzinfo
from typing import Any

from timelapse_runtime.cli import EXIT_OK, CommandFailed
from timelapse_runtime.cli.inspect_report import INDENT, Report
from timelapse_runtime.cli.selected import selected
from timelapse_runtime.export.contact_sheet import PICTURES, WIDTH, draw_sheet
from timelapse_runtime.export.errors import CannotExport
from timelapse_runtime.export.output_file import picture_format, refuse, write_picture
from timelapse_runtime.export.plot import BRIGHTNESS_PICTURES, BRIGHTNESS_WIDTH, draw_plot, panels
from timelapse_runtime.export.samples import Sampler
from timelapse_runtime.export.selection import Piece, frame_count
from timelapse_runtime.export.stream_reader import StreamReader
from timelapse_runtime.export.stream_state import StateReader
from timelapse_runtime.runtime.clock import SystemClock
from timelapse_runtime.runtime.state.contract import Store
from timelapse_runtime.runtime.state.errors import ObjectNotFound
from timelapse_runtime.runtime.state.s3 import S3Store, make_client
from timelapse_runtime.timelapse.model.keys import StreamKeys
from timelapse_runtime.timelapse.model.location import Location
from timelapse_runtime.timelapse.variables import VARIABLES, parse_variable
from timelapse_runtime.timelapse.verify import describe_folder
from timelapse_runtime.timelapse.verify_report import counted


def run(options: argparse.Namespace, variables: Mapping[str, str]) -> int:
    """Inspect the stream, or the streams below a folder. Prints the report; the exit code.

    Raises CommandFailed, TimelapseError.
    """
    try:
        for path in (options.contact_sheet, options.plot):
            if path is not None:
                picture_format(path)
                refuse(path, replaces=options.force)
        return _run(options, variables)
    except CannotExport as error:
        raise CommandFailed(str(error)) from error


def _run(options: argparse.Namespace, variables: Mapping[str, str]) -> int:
    client = make_client(variables=variables, user_agent="timelapse-inspect")
    stores: dict[str, Store] = {options.stream.bucket: S3Store(client, options.stream.bucket)}

    def photos(bucket: str) -> Store:
        if bucket not in stores:
            stores[bucket] = S3Store(client, bucket, requester_pays=True)
        return stores[bucket]

    settings = {variable.name: parse_variable(variable, variables) for variable in VARIABLES if variable.default}
    now_epoch_ms = SystemClock().now_epoch_ms()
    video = stores[options.stream.bucket]
    reader = StateReader(video, photos, include=settings["INCLUDE"], now_epoch_ms=now_epoch_ms, is_complete=options.all)
    report = inspect(reader, video, options.stream, settings)
    _draw(StreamReader(video, options.stream.prefix), options, report.zone)
    requests = sum((Counter(store.request_counts) for store in stores.values()), Counter[str]())
    if options.json:
        print(json.dumps({**report.to_value(), "s3_requests": dict(sorted(requests.items()))}))
        return EXIT_OK
    print("\n".join(report.lines()))
    sent = ", ".join(f"{count} {name}" for name, count in sorted(requests.items()))
    print(f"{'requests':<{INDENT}}{requests.total()}: {sent}")
    return EXIT_OK


def _draw(reader: StreamReader, options: argparse.Namespace, zone: tzinfo) -> None:
    """The pictures that are asked for. Raises CommandFailed, CannotExport, TimelapseError."""
    if options.contact_sheet is None and options.plot is None:
        return
    pieces = selected(reader, options, zone)
    sampler = Sampler(reader, pieces)
    title = _title(reader.place, pieces)
    if options.contact_sheet is not None:
        samples = list(sampler.images(PICTURES, WIDTH))
        write_picture(draw_sheet(samples, title, zone), options.contact_sheet, replaces=options.force)
    if options.plot is not None:
        samples = list(sampler.images(BRIGHTNESS_PICTURES, BRIGHTNESS_WIDTH))
        plot = draw_plot(panels(sampler.spans(), samples), title, zone)
        write_picture(plot, options.plot, replaces=options.force)


def _title(place: str, pieces: Sequence[Piece]) -> str:
    reels = [name for name, _ in itertools.groupby(piece.reel.name for piece in pieces)]
    named = reels[0] if len(reels) == 1 else f"{reels[0]} to {reels[-1]}"
    return f"{place}  {named}  {counted(frame_count(pieces), 'frame')}"


def inspect(reader: StateReader, video: Store, place: Location, settings: Mapping[str, Any]) -> Report:
    """The stream in `place`, or else those below it. `settings` are this machine's, by name. Raises CommandFailed if
    there is neither, TimelapseError."""
    zone, kept = settings["TIMEZONE"], settings["KEEP_SEGMENTS"]
    try:
        stream = reader.look(place.prefix)
        return Report([stream], stream.settings.value("timezone", zone), kept, is_overview=False)
    except ObjectNotFound:
        streams = reader.streams(place.prefix)
    if streams:
        return Report(streams, zone, kept, is_overview=True)
    damage, nothing = describe_folder(video, StreamKeys(place.prefix))
    raise CommandFailed(nothing if damage is None else f"{damage.where}: {damage.detail}; `timelapse verify` says more")
