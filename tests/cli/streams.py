"""A stream in memory, as a command's target."""

from __future__ import annotations

from tests.world import STREAM, World
from timelapse_runtime.cli.target import Target
from timelapse_runtime.timelapse.model.location import Location

VARIABLES = {"TIMELAPSE_REEL": "never", "TIMELAPSE_PRESET": "superfast"}


def target_of(world: World) -> Target:
    """The target for the world's stream, over its stores."""
    frames = Location(world.frames.bucket, f"frames/{STREAM}/")
    return Target(Location(world.video.bucket, world.keys.folder), frames, world.video, world.frames)


def make_stream(world: World, count: int) -> None:
    """Upload and append `count` photos, and close the reel."""
    function = world.environment()
    world.shoot(function, range(count))
    world.sweep(function, close=True)
