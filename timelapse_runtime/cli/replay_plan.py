"""The arguments of `timelapse replay`, and all that can be wrong with them before anything is started or written.

The standard library only: scripts/replay asks for this before it installs what the replay needs.
"""

from __future__ import annotations

import argparse
import sys
import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from timelapse_runtime.cli import CommandFailed
from timelapse_runtime.cli.options import add_json, bucket_name, endpoint_url, positive, region, stream_name
from timelapse_runtime.cli.output_folder import require_usable
from timelapse_runtime.cli.settings import add_settings, settings_of
from timelapse_runtime.emulator.camera import NoPhotos, Photos, photos_in_folder, sample_scene
from timelapse_runtime.timelapse.config import parse_config
from timelapse_runtime.timelapse.variables import PREFIX

FRAMES_PREFIX, VIDEO_PREFIX = "frames/", "video/"
_SCENE_SIZE = (1280, 720)
_DEFAULTS = {f"{PREFIX}REEL": "never"}
"""A folder becomes one video, also if midnight passes during the replay."""
_CREDENTIALS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
_CONNECTION = (
    *_CREDENTIALS,
    *("AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "HOME"),
    *("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_CA_BUNDLE", "AWS_ENDPOINT_URL_S3"),
)
"""What the runtime's process needs to reach an S3 server that is not the embedded one."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be replayed. `variables` are the function's; `connection` those that reach a server that is not the
    embedded one, else None."""

    photos: Photos
    variables: Mapping[str, str]
    connection: Mapping[str, str] | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments. The help fits a terminal of 80 columns and 24 lines."""
    parser.description = "Make a video of photos. Ctrl-C keeps the video so far; run again to continue."
    parser.epilog = "Exit code: 0 done, 1 verifying found problems, 2 failed, 130 interrupted."
    parser.add_argument(
        "frames", nargs="?", type=Path, metavar="FOLDER", help="photos, also in folders (default: a sample scene)"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("out"), metavar="F", help="where the video goes (default: out)"
    )
    parser.add_argument("--stream", type=stream_name, default="camera", metavar="NAME", help="default: camera")
    parser.add_argument("--scene-frames", type=positive, default=300, metavar="N", help="photos of the sample scene")
    ends = parser.add_mutually_exclusive_group()
    ends.add_argument("--restart-every", type=positive, metavar="K", help="a new environment after every K photos")
    ends.add_argument("--kill-every", type=positive, metavar="K", help="the same by SIGKILL: a host is lost")
    parser.add_argument("--endpoint-url", type=endpoint_url, metavar="URL", help="an S3 server, not the embedded one")
    parser.add_argument("--profile", metavar="NAME", help="for that server: a profile of ~/.aws/config")
    parser.add_argument("--region", type=region, metavar="NAME", help="for that server: its region")
    parser.add_argument(
        "--bucket", type=bucket_name, default="timelapse-replay", metavar="NAME", help="default: timelapse-replay"
    )
    add_json(parser)
    parser.add_argument("--watch", action="store_true", help="show the growing video in the browser")
    parser.add_argument("--verbose", action="store_true", help="show the runtime's log on stderr")
    add_settings(parser)
    parser.set_defaults(setting_defaults=_DEFAULTS)


def make_plan(options: argparse.Namespace, variables: Mapping[str, str]) -> Plan:
    """Check everything and find the photos. Raises CommandFailed and ConfigError."""
    connection = _connection(options, variables)
    configured = _configuration(options, variables)
    config = parse_config(configured if _has_time_zones() else {**configured, f"{PREFIX}TIMEZONE": "UTC"})
    require_usable(options.out, options.frames)
    try:
        if options.frames is None:
            photos = sample_scene(options.scene_frames, config.size or _SCENE_SIZE)
        else:
            by_bytes = config.order == "name"
            photos = photos_in_folder(options.frames, config.include, byte_order=by_bytes, output=options.out)
    except NoPhotos as error:
        raise CommandFailed(str(error)) from error
    return Plan(photos, configured, connection)


def _connection(options: argparse.Namespace, variables: Mapping[str, str]) -> Mapping[str, str] | None:
    if options.endpoint_url is None:
        for name in ("profile", "region"):
            if getattr(options, name) is not None:
                raise CommandFailed(f"--{name} is for another S3 server than the embedded one: give --endpoint-url too")
        return None
    connection = {name: variables[name] for name in _CONNECTION if name in variables}
    if "AWS_PROFILE" not in connection and any(name not in connection for name in _CREDENTIALS):
        raise CommandFailed("--endpoint-url needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or --profile NAME")
    return connection


def _configuration(options: argparse.Namespace, variables: Mapping[str, str]) -> dict[str, str]:
    """The function's variables: TIMELAPSE_ ones of this shell, and over them the options and the replay's own places.

    TIMELAPSE_STREAM is not taken: `--stream` names the folder of the only stream that there is.
    """
    return {
        **_DEFAULTS,
        **{name: value for name, value in variables.items() if name.startswith(PREFIX)},
        **settings_of(options),
        f"{PREFIX}FRAMES": f"s3://{options.bucket}/{FRAMES_PREFIX}",
        f"{PREFIX}VIDEO": f"s3://{options.bucket}/{VIDEO_PREFIX}",
        f"{PREFIX}STREAM": "",
        "AWS_LAMBDA_LOG_FORMAT": "JSON",
        "STATEFUL_RUNTIME_PYTHON": sys.executable,
    }


def _has_time_zones() -> bool:
    """False before the set-up on a system without time zone data: the package tzdata brings it, so any name may be
    right."""
    try:
        zoneinfo.ZoneInfo("Europe/Berlin")
    except zoneinfo.ZoneInfoNotFoundError:
        return False
    return True
