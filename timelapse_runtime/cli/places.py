"""The configuration of a function whose places are arguments of a command, and that of one of its streams."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from timelapse_runtime.cli import CommandFailed
from timelapse_runtime.timelapse.config import Config, parse_config
from timelapse_runtime.timelapse.errors import ConfigError
from timelapse_runtime.timelapse.model.location import Location
from timelapse_runtime.timelapse.variables import PREFIX, STREAM_SETTINGS


def in_places(options: argparse.Namespace, variables: Mapping[str, str]) -> dict[str, str]:
    """`variables` with the places that `options` name: `frames`, `video` and, if it is not None, `stream`."""
    places = {f"{PREFIX}FRAMES": str(options.frames), f"{PREFIX}VIDEO": str(options.video)}
    stream = {f"{PREFIX}STREAM": options.stream} if options.stream else {}
    return {**variables, **places, **stream}


def parse_in_places(options: argparse.Namespace, configured: Mapping[str, str]) -> Config:
    """As parse_config. Raises CommandFailed if the places are not apart, and ConfigError."""
    try:
        return parse_config(configured)
    except ConfigError as error:
        if error.variable == f"{PREFIX}VIDEO":
            raise CommandFailed(
                f"the videos would be written to {options.video}, not apart from the photos in "
                f"{options.frames}: name a folder that is not in the other, nor around it, or another bucket"
            ) from error
        raise


def config_at(place: Location, variables: Mapping[str, str]) -> Config:
    """What a function with the variables of this shell has for a stream whose video is in `place`. Raises
    ConfigError."""
    named = {f"{PREFIX}{name.upper()}" for name in STREAM_SETTINGS}
    known = {name: text for name, text in variables.items() if name in named}
    parent = place.prefix.rstrip("/").rpartition("/")[0]
    video = Location(place.bucket, f"{parent}/" if parent else "")
    # Where the photos are does not matter here: a place in which no video can be.
    photos = Location(place.bucket, f"{place.prefix}no photos/")
    return parse_config({**known, f"{PREFIX}FRAMES": str(photos), f"{PREFIX}VIDEO": str(video)})
