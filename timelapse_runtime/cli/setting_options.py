"""The options of `timelapse set`, and the types of its arguments. The standard library only."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from timelapse_runtime.cli.options import stream_folder
from timelapse_runtime.timelapse.errors import SettingsInvalid
from timelapse_runtime.timelapse.model.stream_settings import setting_named
from timelapse_runtime.timelapse.variables import STREAM_SETTINGS


def add_setting_options(parser: argparse.ArgumentParser) -> None:
    """What to set, and what to show."""
    parser.description = (
        "Configure one stream: what is set here comes before the variables of the function, for this stream alone. "
        "Names are those of TIMELAPSE_ variables, such as fps or crf (docs/configuration.md lists them)."
    )
    parser.epilog = "Exit code 0: done; 2: a name or a value is wrong, and nothing was written, or S3 refused."
    parser.add_argument("stream", type=stream_folder, help="the stream's folder: s3://BUCKET/PREFIX/STREAM")
    parser.add_argument(
        "settings", type=assignment, nargs="*", metavar="NAME=VALUE", help="what to set, such as fps=25"
    )
    parser.add_argument(
        "--unset", type=unset_name, action="append", default=[], metavar="NAME", help="as the function has it again"
    )
    parser.add_argument("--reset", action="store_true", help="first forget all that is set, also what is damaged")
    parser.add_argument("--show", action="store_true", help="print what is set, and change nothing else")


def take_settings(options: argparse.Namespace, words: Sequence[str]) -> list[str]:
    """Take the settings among the words that the parser did not know what to do with, and return the others: it takes
    them where they stand before all options alone. Raises ArgumentTypeError."""
    options.settings += [assignment(word) for word in words if not word.startswith("-")]
    return [word for word in words if word.startswith("-")]


def assignment(text: str) -> tuple[str, str]:
    """Type of an argument: `NAME=VALUE`, of which the value is one that the setting takes."""
    name, sign, value = text.partition("=")
    try:
        if not sign:
            raise SettingsInvalid(f"{text!r}; allowed: NAME=VALUE, such as fps=25")
        setting = setting_named(name)
    except SettingsInvalid as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    try:
        STREAM_SETTINGS[setting].parse(value.strip())
    except ValueError as error:
        allowed = STREAM_SETTINGS[setting].allowed
        raise argparse.ArgumentTypeError(f"{setting} is {value!r}; allowed: {allowed}") from error
    return setting, value.strip()


def unset_name(text: str) -> str:
    """Type of an argument: the name of a setting, also of one that this version does not know."""
    try:
        return setting_named(text)
    except SettingsInvalid:
        return text.strip().lower()
