"""The parser of the `timelapse` command, and its exit codes.

    timelapse replay [FOLDER]                                make a video of a folder of photos, on this machine
    timelapse backfill s3://IN/PREFIX/ s3://OUT/PREFIX/      make videos of photos that are in S3 already
    timelapse run s3://IN/PREFIX/ s3://OUT/PREFIX/           make videos of photos as they come, on this machine
    timelapse verify s3://BUCKET/PREFIX/STREAM [--repair]    is every photo in the video, once and in order?
    timelapse inspect s3://BUCKET/PREFIX/[STREAM]            what is in the video, and how far behind its photos is it?
    timelapse export s3://BUCKET/PREFIX/STREAM --out FILE    frames of a video as one file
    timelapse watch s3://BUCKET/PREFIX/[STREAM]              watch the videos in a browser, while they grow
    timelapse check-store s3://BUCKET/PREFIX/                can this store hold photos and videos?
    timelapse adopt FILE s3://BUCKET/PREFIX/STREAM           make an existing video the beginning of a stream
    timelapse set s3://BUCKET/PREFIX/STREAM NAME=VALUE       configure one stream
    timelapse render s3://BUCKET/PREFIX/STREAM --reel NAME   make closed reels again from their photos
    timelapse remove s3://BUCKET/PREFIX/STREAM KEY...        take photos' frames out of the video, for good
    timelapse retry-rejected s3://BUCKET/PREFIX/STREAM       append the rejected photos that can be used now
    timelapse cost                                           dollars per camera and month, on Lambda and on EC2
    timelapse simulate                                       how a fleet of cameras would fare on Lambda
    timelapse policy ROLE s3://BUCKET/PREFIX/                print the IAM policy of a camera, an operator or a viewer
    timelapse completion SHELL                               print a script that completes commands in a shell

Exit code 0: done; 2: the arguments are wrong, S3 refused, or the function failed. `verify` tells more apart, and says
the first of these that holds: 2, it could not check; 1, photos are missing or something is damaged; 4, there is nothing
to check; 3, some photos are rejected or ignored; 0, each photo is in the video, or waits for the next flush.
"""

from __future__ import annotations

import argparse
import difflib
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from timelapse_runtime import __version__
from timelapse_runtime.cli import EXIT_ERROR, EXIT_INTERRUPTED, EXIT_OK, CommandFailed, fleet_options, replay_plan
from timelapse_runtime.cli.options import (
    add_connection,
    add_json,
    connected,
    describe_config_error,
    endpoint_url,
    kms_key,
    location,
    positive,
    queue_arn,
    stream_folder,
    stream_name,
)
from timelapse_runtime.cli.refusals import describe_storage_error
from timelapse_runtime.cli.selection_options import add_selection, moment, seconds, speed, video_size
from timelapse_runtime.cli.setting_options import add_setting_options, assignment, take_settings
from timelapse_runtime.runtime.errors import ConfigError as ConnectionConfigError
from timelapse_runtime.runtime.state.errors import StateError, StorageError
from timelapse_runtime.timelapse.errors import REJECTION_REASONS, ConfigError, TimelapseError
from timelapse_runtime.timelapse.model.quality import CODEC_NAMES, H264, QUALITIES

_REPLAY_NEEDS = ("numpy", "moto", "flask", "flask_cors")
"""Modules of the extra `local`: the sample scene, and the embedded S3 server with what starts it."""
_COMPLETION_NEEDS = ("shtab",)

_SHELLS = ("bash", "fish", "tcsh", "zsh")

_ROLES = ("camera", "operator", "viewer")
_PARTITIONS = ("aws", "aws-cn", "aws-us-gov")

_CODECS = ("copy", *CODEC_NAMES)
_STILLS = ("keogram", "trails")
_WITHOUT_S3 = frozenset({"replay", "cost", "simulate", "policy", "completion"})

Command = Callable[[argparse.Namespace, Mapping[str, str]], int]
"""What a command's module has as `run`: its options, the variables with those of the connection; the exit code."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code."""
    options = parse(argv)
    return _explained(options.run, options)


def check(argv: Sequence[str]) -> int:
    """See whether the arguments can work, as far as that needs the standard library alone; the exit code."""
    options = parse(argv)
    return _explained(options.check, options)


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The options of a command. Raises SystemExit after help, and for wrong arguments."""
    parser, commands = _parser()
    options, unknown = parser.parse_known_args(argv)
    command = commands[options.command]
    if options.command in ("set", "render"):
        try:
            unknown = take_settings(options, unknown)
        except argparse.ArgumentTypeError as error:
            command.error(str(error))
    if unknown:
        known = [name for action in command._actions for name in action.option_strings]
        near = difflib.get_close_matches(unknown[0].partition("=")[0], known, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        command.error(f"unrecognized arguments: {' '.join(unknown)}{hint}")
    return options


def _explained(command: Command, options: argparse.Namespace) -> int:
    """Run it; an error that it explains becomes a sentence and an exit code."""
    try:
        return int(command(options, connected(options, os.environ)))
    except StorageError as error:
        print(f"timelapse: {describe_storage_error(error)}", file=sys.stderr)
        return EXIT_ERROR
    except (ConfigError, ConnectionConfigError) as error:
        print(f"timelapse: {describe_config_error(error, options)}", file=sys.stderr)
        return EXIT_ERROR
    except (CommandFailed, StateError, TimelapseError) as error:
        print(f"timelapse: {error}", file=sys.stderr)
        return EXIT_ERROR
    except KeyboardInterrupt:
        print("timelapse: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED


def _run_of(module: str) -> Command:
    """`run` of a command's module, which is imported when the command runs: `--help` needs no boto3, and is fast."""

    def run(options: argparse.Namespace, variables: Mapping[str, str]) -> int:
        command: Command = import_module(f"timelapse_runtime.cli.{module}").run
        return command(options, variables)

    return run


def _require_extra(command: str, modules: Sequence[str]) -> None:
    missing = [name for name in modules if find_spec(name) is None]
    if missing:
        raise CommandFailed(
            f"{command} needs the extra 'local' ({', '.join(missing)} not installed): "
            "python -m pip install 'timelapse-runtime[local]'"
        )


def _replay(options: argparse.Namespace, variables: Mapping[str, str]) -> int:
    _require_extra("replay", _REPLAY_NEEDS)
    return _run_of("replay")(options, variables)


def _completion(options: argparse.Namespace, _variables: Mapping[str, str]) -> int:
    _require_extra("completion", _COMPLETION_NEEDS)
    parser, commands = _parser()
    print(import_module("timelapse_runtime.cli.completion").script(parser, commands.values(), options.shell))
    return EXIT_OK


def _check_replay(options: argparse.Namespace, variables: Mapping[str, str]) -> int:
    replay_plan.make_plan(options, variables)
    return EXIT_OK


def _parser() -> tuple[argparse.ArgumentParser, Mapping[str, argparse.ArgumentParser]]:
    parser = argparse.ArgumentParser(prog="timelapse", description="Make timelapse videos, and check those in S3.")
    parser.add_argument("--version", action="version", version=f"timelapse-runtime {__version__}")
    parser.set_defaults(check=lambda _options, _variables: EXIT_OK)
    parser.formatter_class = _Dense
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    replay = commands.add_parser("replay", help="make a video of a folder of photos, on this machine")
    replay_plan.add_arguments(replay)
    replay.set_defaults(run=_replay, check=_check_replay)
    _add_backfill(commands.add_parser("backfill", help="make videos of photos that are in S3 already"))
    _add_run(commands.add_parser("run", help="make videos of photos as they come, without Lambda"))
    check = commands.add_parser("verify", help="is each photo in the video, and does it play?")
    check.description = "Is every photo in the video, once and in order, and does the video play? Changes nothing."
    check.epilog = (
        "Exit code, the first that holds: 2 could not check; 1 photos are missing or wait for too long, or something "
        "is damaged; 4 nothing to check; 3 photos are rejected or ignored; 0 each photo is in the video, or waits."
    )
    check.add_argument("--repair", action="store_true", help="first run a sweep, which takes missing photos")
    check.set_defaults(run=_run_of("verify"))
    _add_inspect(commands.add_parser("inspect", help="what is in a video, and how far is it behind its photos?"))
    _add_export(commands.add_parser("export", help="write frames of a video into one file"))
    _add_watch(commands.add_parser("watch", help="watch videos in a browser, while they grow"))
    _add_check_store(commands.add_parser("check-store", help="can a store hold photos and videos?"))
    _add_render(commands.add_parser("render", help="make closed reels again from their photos"))
    _add_remove(commands.add_parser("remove", help="take photos' frames out of a video, for good"))
    _add_adopt(commands.add_parser("adopt", help="make an existing video the beginning of a stream"))
    for name, add_options, text in (
        ("cost", fleet_options.add_cost, "dollars per camera and month, on Lambda and on EC2"),
        ("simulate", fleet_options.add_simulate, "how would a fleet of cameras fare on Lambda?"),
    ):
        command = commands.add_parser(name, help=text)
        add_options(command)
        command.set_defaults(run=_run_of(name))
    again = commands.add_parser("retry-rejected", help="append the rejected photos that can be used now")
    again.add_argument(
        "--reason", choices=REJECTION_REASONS, metavar="WORD", help=f"only those of: {', '.join(REJECTION_REASONS)}"
    )
    again.set_defaults(run=_run_of("retry"))
    own = commands.add_parser("set", help="configure one stream apart from the function")
    add_setting_options(own)
    own.set_defaults(run=_run_of("stream_settings"))
    _add_policy(commands.add_parser("policy", help="print the IAM policy of a camera, an operator or a viewer"))
    completion = commands.add_parser("completion", help="print a script for the completion of a shell")
    completion.description = "Print a script that completes commands and options. In ~/.bashrc or ~/.zshrc: "
    completion.description += 'eval "$(timelapse completion bash)", or zsh.'
    completion.add_argument("shell", choices=_SHELLS, metavar="SHELL", help=", ".join(_SHELLS))
    completion.set_defaults(run=_completion)
    for command in (check, again):
        command.add_argument("stream", type=stream_folder, help="the stream's folder: s3://BUCKET/PREFIX/STREAM")
        command.add_argument("--frames", type=location, help="its photos, if the stream has no checkpoint yet")
    for name, command in commands.choices.items():
        if name not in {"replay", "completion"}:  # `replay` has one of its own
            add_json(command)
        if name not in _WITHOUT_S3:
            add_connection(command)
        command.usage = " ".join(("timelapse", name, *_required(command), "[options]"))
        command.formatter_class = _Dense
    return parser, commands.choices


class _Dense(argparse.HelpFormatter):
    """No empty lines between groups of options, no line for the word COMMAND, and none for a command's long name alone:
    the help of a command fits a terminal of 80 columns and 24 lines."""

    def format_help(self) -> str:
        text = re.sub(r"\n\n(?=\S[^\n]*:\n  )", "\n", super().format_help()).replace("\n  COMMAND\n", "\n")
        return re.sub(r"\n {4}([a-z-]+)\n +", r"\n    \1 ", text)


def _required(parser: argparse.ArgumentParser) -> Iterator[str]:
    """What a usage line names: with every option in it, the help would be longer than a screen."""
    for action in parser._actions:
        name = action.metavar or action.dest.upper()
        if not action.option_strings:
            yield f"[{name}]" if action.nargs == "?" else str(name)
        elif action.required:
            yield f"{action.option_strings[0]} {name}"


def _add_backfill(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Make videos of photos that are in S3 already, by the timelapse function in this process. Ctrl-C commits what "
        "is complete; the same command goes on from there. TIMELAPSE_ variables of this shell configure it as they do "
        "the function; credentials and region are found as by every AWS tool."
    )
    parser.epilog = "Exit code 0: each photo is in the video or rejected; 2: it failed; 130: it was interrupted."
    parser.add_argument("frames", type=location, help="the photos: s3://BUCKET/PREFIX/, a folder for each camera")
    parser.add_argument(
        "video", type=location, help="where the videos go: s3://BUCKET/PREFIX/, a folder for each camera"
    )
    parser.add_argument("--stream", type=stream_name, metavar="NAME", help="take all photos into this one video")
    parser.add_argument(
        "--processes", type=positive, metavar="N", help="that read and encode (default: one per processor, if they fit)"
    )
    parser.set_defaults(run=_run_of("backfill"))


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Append photos to their videos as they come, by the timelapse function in this process, until SIGINT or "
        "SIGTERM ends it. TIMELAPSE_ variables of this shell configure it. --json prints lines of JSON."
    )
    parser.epilog = "Exit code 0: it was ended, or --once is done; 2: it cannot work; 130: --once was interrupted."
    parser.add_argument("frames", type=location, help="the photos: s3://BUCKET/PREFIX/, a folder for each camera")
    parser.add_argument("video", type=location, help="where the videos go, a folder for each camera")
    parser.add_argument("--stream", type=stream_name, metavar="NAME", help="take all photos into this one video")
    parser.add_argument("--interval", type=positive, default=10, metavar="S", help="seconds between polls (10)")
    parser.add_argument("--sweep-every", type=positive, default=60, metavar="S", help="between sweeps (60)")
    parser.add_argument("--queue", type=endpoint_url, metavar="URL", help="read notifications from SQS; do not poll")
    parser.add_argument("--once", action="store_true", help="bring the videos up to date and end")
    parser.set_defaults(run=_run_of("run"))


def _add_inspect(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Reels, frames, watermark, lag behind the newest photo, and which photos wait or are rejected or ignored. "
        "Reads only what it needs, and changes nothing; of a folder of streams, a line for each."
    )
    parser.add_argument("stream", type=location, help="s3://BUCKET/PREFIX/STREAM, or the folder of all streams")
    parser.add_argument("--contact-sheet", type=Path, metavar="FILE", help="write small pictures of it (.png, .jpg)")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw frames a minute, bytes a frame and brightness")
    parser.add_argument("--force", action="store_true", help="replace these files if they are there")
    add_selection(parser, "what is drawn (default: the newest reel)", all_help="all reels; and count all photos")
    parser.set_defaults(run=_run_of("inspect"))


def _add_export(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("stream", type=stream_folder, help="the stream's folder: s3://BUCKET/PREFIX/STREAM")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help=".mp4, .gif, .webp: its frames as one file"
    )
    parser.add_argument("--force", action="store_true", help="replace the file if it is there")
    add_selection(parser, "which frames (default: the newest reel), times in TIMELAPSE_TIMEZONE")
    parser.add_argument("--still", choices=_STILLS, metavar="KIND", help="one picture of all: keogram or trails")
    parser.add_argument("--size", type=video_size, metavar="WxH", help="another size, such as 1280x720")
    parser.add_argument("--speed", type=speed, metavar="X", help="so many times as fast, such as 4 or 0.5")
    codecs = ", ".join(_CODECS)
    parser.add_argument("--codec", choices=_CODECS, default="copy", metavar="NAME", help=f"{codecs} (default: copy)")
    parser.add_argument("--quality", choices=QUALITIES, metavar="WORD", help=f"of a codec: {', '.join(QUALITIES)}")
    parser.add_argument("--maximum-kbps", type=_kbps, metavar="N", help="ceiling of a codec's bit rate")
    parser.set_defaults(run=_run_of("export"))


def _add_watch(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Serve a page on this machine on which the videos are watched while they grow; or write that page beside them, "
        "for whoever may read the bucket (the stack's Watch=cloudfront)."
    )
    parser.add_argument("video", type=location, help="the folder of all streams, s3://BUCKET/PREFIX/, or one stream's")
    parser.add_argument("--port", type=_port, default=8765, metavar="N", help="default: 8765; 0 takes a free one")
    parser.add_argument("--open", action="store_true", help="open the page in the browser")
    parser.add_argument("--publish", action="store_true", help="write the page into the bucket, and do not serve")
    parser.set_defaults(run=_run_of("watch"))


def _add_check_store(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Try on a store what is needed of it, such as conditional writes, in a folder of its own that is removed again "
        "(some 1,200 small objects and 50 MB), and say what does not hold and what that means."
    )
    parser.epilog = "Exit code 0: it can hold photos and videos; 1: not all that is needed holds; 2: it cannot be used."
    parser.add_argument("place", type=location, help="where to try it: s3://BUCKET/PREFIX/")
    parser.set_defaults(run=_run_of("check_store"))


def _add_render(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Make closed reels again from their photos, and take each into the place of the old one by one write. Settings "
        "are the stream's own, the TIMELAPSE_ variables of this shell, and before all those given here."
    )
    parser.add_argument("stream", type=stream_folder, help="the stream's folder: s3://BUCKET/PREFIX/STREAM")
    parser.add_argument("settings", type=assignment, nargs="*", metavar="NAME=VALUE", help="such as crf=20 fps=25")
    parser.add_argument(
        "--codec",
        choices=CODEC_NAMES,
        default=H264,
        metavar="WORD",
        help=f"{', '.join(CODEC_NAMES)} (default: h264, which plays everywhere); crf and preset of another are those "
        "given here, else what the quality says",
    )
    parser.add_argument("--reel", action="append", default=[], metavar="NAME", help="this reel (may be repeated)")
    parser.add_argument("--from", dest="start", type=_day, metavar="DAY", help="reels that begin on this day or later")
    parser.add_argument("--to", dest="end", type=_day, metavar="DAY", help="reels that begin on this day or earlier")
    parser.add_argument(
        "--processes", type=positive, default=1, metavar="N", help="encode ranges of a reel in N processes (default: 1)"
    )
    parser.add_argument("--skip-missing", action="store_true", help="leave out frames whose photos are gone")
    parser.set_defaults(run=_run_of("render"))


def _day(text: str) -> str:
    """Type of an argument: a day, such as 2026-11-20."""
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r}; allowed: a day such as 2026-11-20") from error


def _add_remove(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Take photos' frames out of a video, for good: their reels are made again from the other photos, and the old "
        "objects are removed. TIMELAPSE_ variables of this shell configure it: set those that the deployment has."
    )
    parser.add_argument("stream", type=stream_folder, help="the stream's folder: s3://BUCKET/PREFIX/STREAM")
    parser.add_argument("keys", nargs="+", metavar="KEY", help="of a photo, whole or below the stream's prefix")
    parser.add_argument("--skip-missing", action="store_true", help="leave out frames whose photos are gone, too")
    parser.set_defaults(run=_run_of("remove"))


def _add_adopt(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Make a video of any tool the beginning of a stream that has no frame yet: H.264 is copied as it is. "
        "TIMELAPSE_ variables of this shell say what a new reel is like."
    )
    parser.add_argument("file", metavar="FILE", help="the video: a file, or s3://BUCKET/KEY")
    parser.add_argument("stream", type=stream_folder, help="the stream's folder: s3://BUCKET/PREFIX/STREAM")
    parser.add_argument("--frames", type=location, help="its photos will be here (or TIMELAPSE_FRAMES says where)")
    parser.add_argument("--recode", action="store_true", help="encode again what cannot be copied")
    parser.add_argument("--began", type=moment, metavar="TIME", help="when its first frame was taken")
    parser.add_argument("--every", type=seconds, metavar="S", help="seconds from one frame to the next, such as 60")
    parser.set_defaults(run=_run_of("adopt"))


def _add_policy(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Print an IAM policy with what a role needs and no more, as JSON. camera: put photos into its own folder; "
        "operator: all commands on a stream, backfill and run; viewer: read and list videos. Asks AWS nothing."
    )
    parser.add_argument("role", choices=_ROLES, metavar="ROLE", help=", ".join(_ROLES))
    parser.add_argument("place", type=location, help="s3://BUCKET/PREFIX/: the photos; of a viewer, the videos")
    parser.add_argument("video", type=location, nargs="?", help="of an operator: where the videos are")
    parser.add_argument(
        "--stream", type=stream_name, metavar="NAME", help="of a camera (required) or a viewer: its folder"
    )
    parser.add_argument("--kms-key", type=kms_key, metavar="ARN", help="the key that encrypts the buckets")
    parser.add_argument("--queue", type=queue_arn, metavar="ARN", help="of an operator: the queue of run --queue")
    parser.add_argument(
        "--partition",
        choices=_PARTITIONS,
        default="aws",
        metavar="NAME",
        help=f"{', '.join(_PARTITIONS)} (default: aws)",
    )
    parser.set_defaults(run=_run_of("policy"))


def _kbps(text: str) -> int:
    """Type of an argument: a bit rate."""
    value = int(text) if text.isascii() and text.isdigit() else 0
    if not 100 <= value <= 100_000:
        raise argparse.ArgumentTypeError(f"{text!r}; allowed: 100 to 100000")
    return value


def _port(text: str) -> int:
    """Type of an argument: a port to listen on."""
    value = int(text) if text.isascii() and text.isdigit() else -1
    if not 0 <= value <= 65_535:
        raise argparse.ArgumentTypeError(f"{text!r}; allowed: 0 to 65535")
    return value


if __name__ == "__main__":
    sys.exit(main())
