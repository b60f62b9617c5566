"""`timelapse`: what a user can ask of a stream in S3, and of a deployment before it is one.

    timelapse verify s3://BUCKET/PREFIX/STREAM            is every photo in the film, once and in order? 0: yes, 1: no
    timelapse verify … --repair                           and let a sweep renew what can be renewed, then look again
    timelapse retry-rejected s3://BUCKET/PREFIX/STREAM    put what can be used now at the film's end
    timelapse deploy-check [--set Parameter=value]        do template, configuration and package fit together?

Credentials, region and endpoint come from the environment, as for every AWS tool. Exit code 2: S3, the template
or the arguments.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

from timelapse_runtime.runtime.function import Environment
from timelapse_runtime.timelapse import Timelapse
from timelapse_runtime.timelapse.config import PREFIX, VARIABLES, Location, parse_location
from timelapse_runtime.timelapse.errors import ConfigError, ObjectNotFound, TimelapseError
from timelapse_runtime.timelapse.model.checkpoint import Checkpoint
from timelapse_runtime.timelapse.model.keys import StreamKeys
from timelapse_runtime.timelapse.storage.contract import Store
from timelapse_runtime.timelapse.storage.s3 import S3Store, make_client
from timelapse_runtime.timelapse.verify import Audit, Report

RIGHT, WRONG, TROUBLE = 0, 1, 2
_SWEEP_SECONDS = 3_600


@dataclass(frozen=True, slots=True)
class Target:
    """A stream: its folder in the video bucket, and where its photos are."""

    video: Location
    frames: Location

    @property
    def stream(self) -> str:
        """The stream's name: the last part of its folder."""
        return self.video.prefix.rstrip("/").rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class _Context:
    """As much of Lambda's context as the function reads."""

    deadline_epoch_ms: int


def main(argv: Sequence[str] | None = None) -> int:
    """Run it; the exit code."""
    options = _parser().parse_args(argv)
    try:
        return int(options.run(options, os.environ))
    except TimelapseError as error:
        print(f"timelapse: {error}", file=sys.stderr)
        return TROUBLE


def _verify(options: argparse.Namespace, variables: Mapping[str, str]) -> int:
    target, stores = _open(options, variables)
    if options.repair:
        _run_function(target, {"sweep": {"stream": target.stream, "all_reels": True}}, variables)
    report = _audit(target, stores)
    missing = [finding.where for finding in report.findings if finding.kind == "missing"]
    if options.repair and missing:  # where as many were deleted as came late, the sweep does not look closer
        _run_function(target, _uploaded(target, missing), variables)
        report = _audit(target, stores)
    print(json.dumps({**asdict(report), "is_right": report.is_right}) if options.json else _text(report))
    return RIGHT if report.is_right else WRONG


def _audit(target: Target, stores: tuple[Store, Store]) -> Report:
    return Audit(stores[0], stores[1], target.video.prefix, target.frames.prefix).run()


def _uploaded(target: Target, keys: list[str]) -> dict[str, Any]:
    """S3's notification of these photos, once more."""
    bucket = {"name": target.frames.bucket}
    records = [{"bucket": bucket, "object": {"key": quote_plus(target.frames.prefix + key)}} for key in keys]
    return {"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": s3} for s3 in records]}


def _retry(options: argparse.Namespace, variables: Mapping[str, str]) -> int:
    target, _ = _open(options, variables)
    what = {"stream": target.stream, **({"reason": options.reason} if options.reason else {})}
    answer = _run_function(target, {"retry_rejected": what}, variables)["streams"][target.stream]
    print(f"{answer.get('appended', 0)} frames appended, {answer['frames_in_video']} in the film")
    return RIGHT


def _deploy_check(options: argparse.Namespace, _variables: Mapping[str, str]) -> int:
    # For a developer's machine, with what the extra `local` brings: nothing of it when a stream is asked.
    from scripts.deploy_check import rules  # noqa: PLC0415
    from scripts.deploy_check.template import Template, TemplateUnreadable  # noqa: PLC0415

    try:
        template = Template(options.template, dict(options.set))
        findings = list(rules.check(template, options.package))
    except TemplateUnreadable as error:
        print(f"timelapse: {error}", file=sys.stderr)
        return TROUBLE
    for finding in findings:
        print(finding)
    error_count = sum(finding.is_error for finding in findings)
    print(f"{options.template}: {f'{error_count} errors' if error_count else 'all is right'}")
    return WRONG if error_count else RIGHT


def _open(options: argparse.Namespace, variables: Mapping[str, str]) -> tuple[Target, tuple[Store, Store]]:
    """The stream and its stores (photos', film's)."""
    video: Location = options.stream
    client = make_client(variables=variables)
    store = S3Store(client, video.bucket)
    frames = options.frames
    if frames is None:
        try:
            source = Checkpoint.from_json(store.get(StreamKeys(video.prefix).checkpoint).body).source
        except ObjectNotFound as error:
            hint = "not a stream's folder, or nothing was committed yet; --frames s3://… says where its photos are"
            raise ConfigError("STREAM", str(video), hint) from error
        frames = parse_location(source)
    return Target(video, frames), (S3Store(client, frames.bucket), store)


def _run_function(target: Target, event: dict[str, Any], variables: Mapping[str, str]) -> dict[str, Any]:
    """Run the timelapse function here, on this one stream. A running Lambda environment is fenced and reloads."""
    function = Timelapse()
    parent = target.video.prefix.rstrip("/").rpartition("/")[0]
    ours = {PREFIX + variable.name for variable in VARIABLES}  # on this machine others may begin like that
    configured = {
        **{name: value for name, value in variables.items() if name in ours or not name.startswith(PREFIX)},
        f"{PREFIX}FRAMES": str(target.frames),
        f"{PREFIX}VIDEO": f"s3://{target.video.bucket}/{parent}",
        f"{PREFIX}STREAM": target.stream,
    }
    function.open(Environment(configured, None, uuid.uuid4().hex))
    context: Any = _Context(int((time.time() + _SWEEP_SECONDS) * 1000))
    return function.invoke(event, context)


def _text(report: Report) -> str:
    lines = [f"{finding.kind:<20} {finding.where}\n{'':<20} {finding.detail}" for finding in report.findings]
    state = "all is right" if report.is_right else f"{len(report.findings)} findings"
    lines.append(
        f"{report.uploaded_count} photos: {report.frame_count} frames in the film, {report.rejected_count} rejected, "
        f"{len(report.pending)} waiting for the next flush; {state}"
    )
    return "\n".join(lines)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="timelapse", description="Ask of a stream in S3.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    verify = commands.add_parser("verify", help="is every photo in the film, once and in order, and does it play?")
    verify.add_argument(
        "--repair",
        action="store_true",
        help="sweep first: renews what is derived, removes leftovers, and takes what is missing",
    )
    verify.add_argument("--json", action="store_true", help="print one JSON object")
    verify.set_defaults(run=_verify)
    retry = commands.add_parser("retry-rejected", help="try the rejected photos again")
    retry.add_argument("--reason", help="only those of this reason, such as late or undecodable")
    retry.set_defaults(run=_retry)
    deploy = commands.add_parser("deploy-check", help="do template, configuration and package fit together? offline")
    deploy.add_argument("--template", type=Path, default=Path("infra/template.yaml"), help="default: %(default)s")
    deploy.add_argument("--package", type=Path, help="the function's zip; default: what the template names")
    deploy.add_argument("--set", type=_setting, action="append", default=[], metavar="Parameter=value")
    deploy.set_defaults(run=_deploy_check)
    for command in (verify, retry):
        command.add_argument("stream", type=_location, help="the stream's folder: s3://BUCKET/PREFIX/STREAM")
        command.add_argument("--frames", type=_location, help="its photos, where the checkpoint cannot say")
    return parser


def _setting(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError(f"{text!r}; allowed: Parameter=value")
    return name, value


def _location(text: str) -> Location:
    try:
        return parse_location(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}; allowed: s3://BUCKET/PREFIX/") from None


if __name__ == "__main__":
    sys.exit(main())
