"""What a person does to closed reels: `timelapse render` and `timelapse remove`, as the commands do it."""

from __future__ import annotations

from collections.abc import Callable

from tests.world import STREAM, ImmediateExecutor, World
from timelapse_runtime.timelapse.config import parse_config
from timelapse_runtime.timelapse.remaking import Remaking


def remaking_of(world: World, close_reel: Callable[[], object]) -> Remaking:
    """That of the world's stream, in a process of its own."""
    return Remaking(
        STREAM,
        f"frames/{STREAM}/",
        parse_config(world.variables()),
        world.frames,
        world.video,
        world.clock,
        world.codec,
        ImmediateExecutor(),
        close_reel,
    )
