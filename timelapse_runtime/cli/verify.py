"""`timelapse verify`: is every photo in the video, once and in order, and does the video play?"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import asdict

from timelapse_runtime.cli import EXIT_FINDINGS, EXIT_OK
from timelapse_runtime.cli.target import Target, open_target, run_function
from timelapse_runtime.emulator.s3_event import object_created_event
from timelapse_runtime.timelapse.verify import Audit, Report


def run(options: argparse.Namespace, variables: Mapping[str, str]) -> int:
    """Verify the stream, after a repair if `--repair` asks for one. Prints the report; the exit code."""
    target = open_target(options.stream, options.frames, variables)
    if options.repair:
        run_function(target, {"sweep": {"stream": target.stream, "all_reels": True}}, variables)
    report = _verify(target)
    missing = [finding.where for finding in report.findings if finding.kind == "missing"]
    if options.repair and missing:
        # The sweep compares counts. If as many photos were deleted as came late, it finds nothing: name them to it.
        keys = [target.frames.prefix + key for key in missing]
        run_function(target, object_created_event(target.frames.bucket, *keys), variables)
        report = _verify(target)
    print(json.dumps({**asdict(report), "is_right": report.is_right}) if options.json else _text(report))
    return EXIT_OK if report.is_right else EXIT_FINDINGS


def _verify(target: Target) -> Report:
    return Audit(target.frames_store, target.video_store, target.video.prefix, target.frames.prefix).run()


def _text(report: Report) -> str:
    lines = [f"{finding.kind:<20} {finding.where}\n{'':<20} {finding.detail}" for finding in report.findings]
    result = "no problems found" if report.is_right else f"{len(report.findings)} problems found"
    lines.append(
        f"{report.uploaded_count} photos: {report.frame_count} frames in the video, {report.rejected_count} rejected, "
        f"{len(report.pending)} waiting for the next flush; {result}"
    )
    return "\n".join(lines)
