"""`timelapse export`: frames of a stream as one file: the packets as they are, or at another size, speed or codec."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from timelapse_runtime.cli import EXIT_OK, CommandFailed
from timelapse_runtime.cli.progress import Progress
from timelapse_runtime.cli.selected import selected, zone_of
from timelapse_runtime.export.errors import CannotExport
from timelapse_runtime.export.exporter import Wanted, Written, kind_of, plan_export, write_file
from timelapse_runtime.export.output_file import picture_format, refuse, written_beside
from timelapse_runtime.export.selection import Piece, frame_count
from timelapse_runtime.export.stream_reader import StreamReader
from timelapse_runtime.runtime.state.s3 import S3Store, make_client
from timelapse_runtime.timelapse.verify_report import counted

_MAXIMUM_THREADS = 16


def run(options: argparse.Namespace, variables: Mapping[str, str]) -> int:
    """Write the file. Prints what was done; the exit code. Raises CommandFailed, TimelapseError."""
    store = S3Store(make_client(variables=variables, user_agent="timelapse-export"), options.stream.bucket)
    reader = StreamReader(store, options.stream.prefix)
    os.environ.setdefault("SVT_LOG", "1")  # errors alone: SVT-AV1 prints its settings on stderr
    try:
        rate_control = {"quality": options.quality, "maximum_kbps": options.maximum_kbps}
        kind = options.still or kind_of(options.out)
        wanted = Wanted(kind, options.codec, options.size, options.speed, **rate_control)
        if wanted.is_still:
            wanted = replace(wanted, picture_format=picture_format(options.out))
        refuse(options.out, replaces=options.force)
        written = export(reader, options, wanted, variables)
    except CannotExport as error:
        raise CommandFailed(str(error)) from error
    report = _value(options, written) | {"s3_requests": dict(sorted(Counter(store.request_counts).items()))}
    print(json.dumps(report) if options.json else _text(report))
    return EXIT_OK


def export(reader: StreamReader, options: argparse.Namespace, wanted: Wanted, variables: Mapping[str, str]) -> Written:
    """Write the file. Raises CommandFailed, CannotExport, TimelapseError."""
    pieces = selected(reader, options, zone_of(variables, reader))
    plan = plan_export(pieces, wanted)
    is_quiet = options.json and not sys.stderr.isatty()
    with (
        Progress(frame_count(plan.pieces), quiet=is_quiet) as progress,
        written_beside(options.out, replaces=options.force) as path,
    ):

        def done(count: int) -> None:
            for _ in range(count):
                progress.step()

        threads = min(_MAXIMUM_THREADS, os.cpu_count() or 1)
        return write_file(
            reader, plan, wanted, path, threads=threads, metadata=_metadata(reader, pieces), on_frames=done
        )


def _metadata(reader: StreamReader, pieces: list[Piece]) -> dict[str, str]:
    """The stream's name, and when the first photo was taken, to the segment."""
    found = {"title": reader.place.rstrip("/").rpartition("/")[2]}
    began = pieces[0].segment.captured_epoch_ms
    if began:
        found["creation_time"] = datetime.fromtimestamp(began / 1000, UTC).isoformat()
    return found


def _value(options: argparse.Namespace, written: Written) -> dict[str, Any]:
    return {
        "file": str(options.out),
        "still": options.still,
        "frame_count": written.frame_count,
        "copied_count": written.copied_count,
        "encoded_count": written.frame_count - written.copied_count,
        "seconds": float(written.seconds),
        "frames_per_second": float(written.rate),
        "width": written.size[0],
        "height": written.size[1],
        "size_bytes": options.out.stat().st_size,
        "chapters": [{"first_frame": first, "day": day} for first, day in written.chapters],
    }


def _text(report: Mapping[str, Any]) -> str:
    seconds, size_bytes = report["seconds"], report["size_bytes"]
    if report["still"]:
        of = f"{report['still']} of {counted(report['frame_count'], 'frame')}"
        return f"{report['file']}: {of}, {report['width']}x{report['height']}, {size_bytes / 1e6:,.1f} MB"
    frames = f"{counted(report['frame_count'], 'frame')} of {report['width']}x{report['height']}"
    frames += f", {seconds:,.1f} s, {size_bytes / 1e6:,.1f} MB"
    work = f"{report['copied_count']:,} copied as they are, {report['encoded_count']:,} encoded"
    days = f"; {len(report['chapters'])} days, a chapter for each" if len(report["chapters"]) > 1 else ""
    return f"{report['file']}: {frames}; {work}{days}"
