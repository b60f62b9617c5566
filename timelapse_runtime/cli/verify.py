"""`timelapse verify`: is every photo in the video, once and in order, and does the video play?"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import asdict

from timelapse_runtime.cli import EXIT_FINDINGS, EXIT_OK
from timelapse_runtime.cli.target import Target, configuration, open_target, run_function
from timelapse_runtime.emulator.s3_event import object_created_event
from timelapse_runtime.timelapse.config import parse_config
from timelapse_runtime.timelapse.verify import Verifier, VerifyReport


def run(options: argparse.Namespace, variables: Mapping[str, str]) -> int:
    """Verify the stream, after a repair if `--repair` asks for one. Prints the report; the exit code."""
    target = open_target(options.stream, options.frames, variables)
    report = repair(target, variables) if options.repair else verify(target, variables)
    print(json.dumps({**asdict(report), "is_right": report.is_right}) if options.json else format_report(report))
    return EXIT_OK if report.is_right else EXIT_FINDINGS


def verify(target: Target, variables: Mapping[str, str]) -> VerifyReport:
    """Compare the stream with its photos. Changes nothing. Raises ConfigError if TIMELAPSE_INCLUDE is wrong."""
    include = parse_config(configuration(target, variables)).include
    places = target.video.prefix, target.frames.prefix
    return Verifier(target.frames_store, target.video_store, *places, include=include).run()


def repair(target: Target, variables: Mapping[str, str]) -> VerifyReport:
    """Run a sweep over all reels, name to the function the photos that are still missing, and verify."""
    run_function(target, {"sweep": {"stream": target.stream, "all_reels": True}}, variables)
    report = verify(target, variables)
    missing = [target.frames.prefix + finding.where for finding in report.findings if finding.kind == "missing"]
    if not missing:
        return report
    # The sweep compares counts: it misses a photo that came late if another one was deleted.
    run_function(target, object_created_event(target.frames.bucket, *missing), variables)
    return verify(target, variables)


def format_report(report: VerifyReport) -> str:
    """The report as text: the problems, then a line of counts."""
    lines = [f"{finding.kind:<20} {finding.where}\n{'':<20} {finding.detail}" for finding in report.findings]
    result = "no problems found" if report.is_right else f"problems found: {len(report.findings)}"
    lines.append(
        f"{report.uploaded_count} photos: {report.frame_count} frames in the video, {report.rejected_count} rejected, "
        f"{len(report.pending)} waiting for the next flush; {result}"
    )
    return "\n".join(lines)
