"""`timelapse verify`: is every photo in the video, once and in order, and does the video play?"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping

from timelapse_runtime.cli import EXIT_FINDINGS, EXIT_LEFT_OUT, EXIT_NOTHING_THERE, EXIT_OK
from timelapse_runtime.cli.target import NoCheckpoint, Target, configuration, open_target, run_function
from timelapse_runtime.emulator.s3_event import object_created_event
from timelapse_runtime.runtime.clock import Clock, SystemClock
from timelapse_runtime.timelapse.config import parse_config
from timelapse_runtime.timelapse.errors import CheckpointCorrupt
from timelapse_runtime.timelapse.known_settings import KnownSettings
from timelapse_runtime.timelapse.model.checkpoint import NAME_ORDER
from timelapse_runtime.timelapse.model.keys import StreamKeys
from timelapse_runtime.timelapse.verify import Verifier, describe_folder
from timelapse_runtime.timelapse.verify_photos import FlushRule
from timelapse_runtime.timelapse.verify_report import Outcome, VerifyReport, counted, duration

EXIT_CODES = {
    Outcome.ALL_IN_VIDEO: EXIT_OK,
    Outcome.DAMAGED: EXIT_FINDINGS,
    Outcome.LEFT_OUT: EXIT_LEFT_OUT,
    Outcome.NOTHING_THERE: EXIT_NOTHING_THERE,
}


def run(options: argparse.Namespace, variables: Mapping[str, str]) -> int:
    """Verify the stream, after a repair if `--repair` asks for one. Prints the report; the exit code."""
    try:
        target = open_target(options.stream, options.frames, variables)
    except NoCheckpoint as error:
        report = report_without_photos(error)
    except CheckpointCorrupt as error:
        report = VerifyReport()
        report.add("checkpoint-corrupt", StreamKeys(options.stream.prefix).checkpoint, str(error))
    else:
        report = repair(target, variables) if options.repair else verify(target, variables)
    print(json.dumps(report.to_value()) if options.json else format_report(report))
    return EXIT_CODES[report.outcome]


def verify(target: Target, variables: Mapping[str, str], clock: Clock | None = None) -> VerifyReport:
    """Compare the stream with its photos. Changes nothing. Raises ConfigError if a TIMELAPSE_ variable is wrong."""
    clock = clock or SystemClock()
    config = KnownSettings(parse_config(configuration(target, variables)), target.video_store, clock).read(
        target.stream
    )
    rule = FlushRule(config.flush_every, config.flush_after_seconds)
    places = target.video.prefix, target.frames.prefix
    stores = target.frames_store, target.video_store
    return Verifier(*stores, *places, include=config.include, rule=rule, clock=clock).run()


def report_without_photos(error: NoCheckpoint) -> VerifyReport:
    """Of a folder that has no checkpoint, if nobody says where the photos are: there is nothing to compare it with."""
    report = VerifyReport()
    damage, nothing = describe_folder(error.store, StreamKeys(error.video.prefix))
    hint = "--frames s3://BUCKET/PREFIX/ says where the photos are"
    if damage is not None:
        report.add(damage.kind, damage.where, f"{damage.detail}; {hint}")
    else:
        report.nothing = f"{nothing}; {hint}, if the stream has no video yet"
    return report


def repair(target: Target, variables: Mapping[str, str]) -> VerifyReport:
    """Run a sweep over all reels, name to the function the photos that are still missing, and verify."""
    run_function(target, {"sweep": {"stream": target.stream, "all_reels": True}}, variables)
    report = verify(target, variables)
    missing = [target.frames.prefix + finding.where for finding in report.findings if finding.kind == "missing"]
    if not missing:
        return report
    # Of segments without a checksum of their photos (format 1), the sweep compares counts alone.
    run_function(target, object_created_event(target.frames.bucket, *missing), variables)
    return verify(target, variables)


def format_report(report: VerifyReport) -> str:
    """The report as text: the problems, what is left out or worth knowing, then a line of counts."""
    lines = [f"{finding.kind:<20} {finding.where}\n{'':<20} {finding.detail}" for finding in report.findings]
    lines += [f"{subject:<20} {text}" for subject, text in _details(report)]
    if report.nothing:
        subject = "nothing to check" if report.outcome is Outcome.NOTHING_THERE else "nothing to compare"
        lines.append(f"{subject:<20} {report.nothing}")
    counts = f"{counted(report.frame_count, 'frame')} in the video, {report.rejected_count} rejected, "
    counts += f"{len(report.pending)} waiting for the next flush"
    lines.append(f"{counted(report.uploaded_count, 'photo')}: {counts}; {_result(report)}")
    return "\n".join(lines)


def _details(report: VerifyReport) -> Iterator[tuple[str, str]]:
    if report.source_in_checkpoint not in ("", report.source) and not report.nothing:
        yield "other photos", f"compared with {report.source}; the checkpoint says {report.source_in_checkpoint}"
    if report.rejected:
        yield "rejected", ", ".join(f"{reason}: {count}" for reason, count in report.rejected.items())
    for one in report.in_the_way:
        yield "in the way", f"{one.key} sorts above {counted(one.late_count, 'late photo')} uploaded after it"
    if report.in_the_way and report.order == NAME_ORDER:
        yield (
            "",
            "Removing it does not help: the video has gone past the names below it. Set TIMELAPSE_ORDER=arrival; "
            "then `timelapse retry-rejected --reason late` appends the late photos",
        )
    elif report.in_the_way:
        yield "", "`timelapse retry-rejected --reason late` appends the late photos"
    for reason, ignored in report.ignored.items():
        more = ", …" if ignored.count > len(ignored.examples) else ""
        examples = ", ".join(example or "the folder itself" for example in ignored.examples)
        yield "ignored", f"{reason}: {ignored.count} ({examples}{more})"
    if report.pending:
        yield (
            "waiting",
            f"{counted(len(report.pending), 'photo')}, the oldest for {duration(report.oldest_pending_seconds)}",
        )
    if report.kept_count:
        yield "copies", f"{report.kept_count} in kept/: of photos whose key is written again and again"
    if report.adopted_count:
        yield "adopted", f"{counted(report.adopted_count, 'frame')} from an earlier video, without a photo behind them"
    if report.gone_count and report.uploaded_count:
        yield "gone", f"{counted(report.gone_count, 'frame')} whose photo is not in S3 any more: deleted or overwritten"
    if report.out_of_place_count:
        yield (
            "out of place",
            f"{counted(report.out_of_place_count, 'frame')} whose photo was uploaded more than a minute before the "
            "photo of the frame before",
        )
    yield from _pictures(report)


def _pictures(report: VerifyReport) -> Iterator[tuple[str, str]]:
    """What is to be said of pictures of the day that are not damaged."""
    if report.pictures_behind_count:
        number = counted(report.pictures_behind_count, "picture")
        yield "pictures", f"{number} of the day with fewer frames than the reel: a flush or sweep adds them"
    if report.unchecked_pictures_count:
        number = counted(report.unchecked_pictures_count, "picture")
        yield "not checked", f"{number} of the day: install numpy and Pillow"


def _result(report: VerifyReport) -> str:
    match report.outcome:
        case Outcome.DAMAGED:
            return f"problems found: {len(report.findings)}"
        case Outcome.NOTHING_THERE:
            return "nothing there to check"
        case Outcome.LEFT_OUT:
            left_out = report.rejected_count + report.ignored_count
            return f"nothing is missing or damaged; rejected or ignored: {left_out}"
        case Outcome.ALL_IN_VIDEO:
            return "no problems found"
