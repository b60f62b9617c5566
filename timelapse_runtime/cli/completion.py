"""`timelapse completion SHELL`: a script by which the shell completes the commands and their options.

shtab makes it of the parser, so it knows what the parser knows; the function's settings are completed as well, although
`--help` leaves them out. The script is static: nothing is started when a key is pressed.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path

import shtab

from timelapse_runtime.cli.settings import reveal_settings


def script(parser: argparse.ArgumentParser, commands: Iterable[argparse.ArgumentParser], shell: str) -> str:
    """The script for one of shtab's shells. Changes the parsers, which parse nothing after this."""
    for command in commands:
        reveal_settings(command)
        for action in command._actions:
            if action.type is Path:
                action.complete = shtab.DIR if action.metavar == "FOLDER" else shtab.FILE  # type: ignore[attr-defined]
    return shtab.complete(parser, shell)
