"""The options of `cost` and `simulate`: what the cameras send, and how the function is deployed."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from timelapse_runtime.cli import CommandFailed
from timelapse_runtime.cli.options import positive
from timelapse_runtime.cli.settings import add_settings, settings_of
from timelapse_runtime.fleet.camera import DIRECT, FIFO, Camera
from timelapse_runtime.timelapse.config import Config, parse_config

_PLACES = {"TIMELAPSE_FRAMES": "s3://frames/frames/", "TIMELAPSE_VIDEO": "s3://video/video/"}
"""Nothing is read or written."""
_MEMORY = "AWS_LAMBDA_FUNCTION_MEMORY_SIZE"
_USUAL_SIZE = "1920x1080"
_DEFAULT_MEMORY_MB = 1769
_ROUTINGS = (DIRECT, FIFO)


def add_cost(parser: argparse.ArgumentParser) -> None:
    """The options of `cost`."""
    parser.description = (
        "Dollars per camera and month on Lambda (x86-64 and arm64) and on EC2, the number of cameras from which EC2 is "
        "cheaper, and the growth of storage, by list prices and measured figures. docs/scale.md says what is assumed."
    )
    _add_shared(parser)
    parser.add_argument(
        "--cameras", type=_fleet_size, nargs="+", default=[1, 8, 100, 1000], metavar="N", help="(default: 1 8 100 1000)"
    )
    parser.add_argument(
        "--memory",
        type=_memory_mb,
        default=_DEFAULT_MEMORY_MB,
        metavar="MB",
        help="Lambda's memory size (default: 1769)",
    )
    parser.add_argument(
        "--keep-days", type=positive, default=30, metavar="N", help="days after which photos are deleted (default: 30)"
    )


def add_simulate(parser: argparse.ArgumentParser) -> None:
    """The options of `simulate`."""
    parser.description = (
        "Simulate cameras, queues and Lambda environments with cold starts, and say how often a photo meets its open "
        "stream, how long photos wait, what is requested, and what it costs. docs/scale.md says what is assumed."
    )
    _add_shared(parser)
    parser.add_argument(
        "--cameras", type=_fleet_size, nargs="+", default=[1, 10, 100], metavar="N", help="(default: 1 10 100)"
    )
    parser.add_argument(
        "--memory", type=_memory_mb, nargs="+", default=[_DEFAULT_MEMORY_MB], metavar="MB", help="(default: 1769)"
    )
    parser.add_argument(
        "--routing",
        nargs="+",
        choices=_ROUTINGS,
        default=list(_ROUTINGS),
        help="of infra/: template.yaml, cameras.yaml",
    )
    parser.add_argument("--seconds", type=positive, default=3600, metavar="N", help="simulated time (default: 3600)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the random numbers (default: 1)")


def _add_shared(parser: argparse.ArgumentParser) -> None:
    """The function's settings are options as well: `--flush-every 120`, `--size 1280x720`."""
    parser.add_argument(
        "--interval", type=_seconds, default=1.0, metavar="SECONDS", help="time from photo to photo (default: 1)"
    )
    parser.add_argument("--hours", type=_hours, default=24.0, metavar="N", help="hours a day with photos (default: 24)")
    add_settings(parser)


def camera_of(options: argparse.Namespace, config: Config) -> Camera:
    """The camera that they describe."""
    assert config.size is not None
    return Camera(options.interval, options.hours, config.size)


def config_of(options: argparse.Namespace, variables: Mapping[str, str], memory_mb: int) -> Config:
    """The function's configuration: the settings among the options, the shell's TIMELAPSE_ variables, the defaults.

    A video's size is needed here: without one it is 1920x1080. Raises ConfigError, CommandFailed.
    """
    said = {name: value for name, value in variables.items() if name.startswith("TIMELAPSE_")}
    said |= settings_of(options) | _PLACES | {_MEMORY: str(memory_mb)}
    if said.get("TIMELAPSE_SIZE", "auto") == "auto":
        said["TIMELAPSE_SIZE"] = _USUAL_SIZE
    config = parse_config(said)
    if config.preset != "veryfast":
        raise CommandFailed("the figures are measured with TIMELAPSE_PRESET=veryfast: they say nothing of another")
    return config


def _memory_mb(text: str) -> int:
    """Type of an argument: Lambda's memory size."""
    value = int(text) if text.isascii() and text.isdigit() else 0
    if not 128 <= value <= 10_240:
        raise argparse.ArgumentTypeError(f"{text!r}; allowed: 128 to 10240")
    return value


def _fleet_size(text: str) -> int:
    """Type of an argument: a number of cameras."""
    value = int(text) if text.isascii() and text.isdigit() else 0
    if not 1 <= value <= 100_000:
        raise argparse.ArgumentTypeError(f"{text!r}; allowed: 1 to 100000")
    return value


def _seconds(text: str) -> float:
    return _number(text, 0.05, 86_400, "0.05 to 86400 (a day)")


def _hours(text: str) -> float:
    return _number(text, 0.1, 24, "0.1 to 24")


def _number(text: str, low: float, high: float, allowed: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not low <= value <= high:
        raise argparse.ArgumentTypeError(f"{text!r}; allowed: {allowed}")
    return value
