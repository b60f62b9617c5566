"""The function's settings as options of a command: `--keyframe-interval 90` is TIMELAPSE_KEYFRAME_INTERVAL=90.

They come from config's table, so a new variable is an option at once. `--help` would be longer than a screen with
them: `--help-settings` prints them. The standard library only.
"""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from timelapse_runtime.timelapse.variables import PREFIX, VARIABLES, Variable

_PLACES = frozenset({"FRAMES", "VIDEO", "STREAM"})
SETTINGS = tuple(variable for variable in VARIABLES if variable.name not in _PLACES)
"""The variables that do not say where photos and videos are."""

_WIDTH = 79


def add_settings(parser: argparse.ArgumentParser) -> None:
    """An option for each setting, and `--help-settings`."""
    parser.add_argument("--help-settings", action=_HelpSettings, nargs=0, help="list the settings, such as --fps 12")
    for variable in SETTINGS:
        parser.add_argument(option_of(variable), dest=_dest(variable), type=_value_of(variable), help=argparse.SUPPRESS)


def reveal_settings(parser: argparse.ArgumentParser) -> None:
    """Give the options that `add_settings` hid from the help what they mean: for the completion of a shell."""
    meanings = {_dest(variable): variable.meaning for variable in SETTINGS}
    for action in parser._actions:
        action.help = meanings.get(action.dest, action.help)


def settings_of(options: argparse.Namespace) -> dict[str, str]:
    """The settings among the options, as variables."""
    values = {PREFIX + variable.name: getattr(options, _dest(variable)) for variable in SETTINGS}
    return {name: value for name, value in values.items() if value is not None}


def option_of(variable: Variable) -> str:
    """The option's name."""
    return f"--{variable.name.lower().replace('_', '-')}"


def _dest(variable: Variable) -> str:
    return f"setting_{variable.name.lower()}"


def _value_of(variable: Variable) -> Callable[[str], str]:
    def value(text: str) -> str:
        try:
            variable.parse(text.strip())
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r}; allowed: {variable.allowed}") from None
        return text

    return value


def describe_settings(defaults: Mapping[str, str]) -> Iterator[str]:
    """Lines: option, default, what is allowed, what it means. `defaults` are those of the command."""
    yield "Settings of the function. Each is also a variable: --fps 12 is TIMELAPSE_FPS=12,"
    yield "and an option comes before the variable."
    for variable in SETTINGS:
        default = defaults.get(PREFIX + variable.name, variable.default)
        yield ""
        yield f"{option_of(variable)}  (default: {default})"
        yield from _indented(f"allowed: {variable.allowed}")
        yield from _indented(variable.meaning)


def _indented(text: str) -> Sequence[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent="    ", subsequent_indent="    ")


class _HelpSettings(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        print("\n".join(describe_settings(parser.get_default("setting_defaults") or {})))
        parser.exit()
