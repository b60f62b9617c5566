"""Playlists that another player than a browser reads, from the watch page's server."""

from __future__ import annotations

import subprocess

import numpy as np

from tests.photos import read_number
from tests.programs import require_program
from tests.world import SIZE, STREAM, World
from timelapse_runtime.timelapse.model.location import Location
from timelapse_runtime.watch.server import WatchServer
from timelapse_runtime.watch.site import Site
from timelapse_runtime.watch.streams import Streams

_ENOUGH_SECONDS = 120


def test_ffmpeg_does_not_wait_for_ever_where_one_reel_follows_another() -> None:
    """It loses frames there: those of the second reel's first fragment. What comes after them is there."""
    world = World()
    function = world.environment()
    for first in (0, 20, 40):
        world.shoot(function, range(first, first + 20))
        world.sweep(function, close=True)
    site = Site(Streams(world.video, Location(world.video.bucket, "video/"), lambda _bucket: world.frames))
    with WatchServer(site) as server:
        command = [require_program("ffmpeg"), "-nostdin", "-v", "error", "-i", f"{server.url}{STREAM}/week.m3u8"]
        command += ["-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "yuv420p", "pipe:1"]
        done = subprocess.run(command, capture_output=True, timeout=_ENOUGH_SECONDS, check=True)
    width, height = SIZE
    pictures = np.frombuffer(done.stdout, np.uint8).reshape(-1, height * 3 // 2, width)
    numbers = [read_number(picture[:height]) for picture in pictures]
    assert numbers[:20] == [*range(20)]
    assert numbers == sorted(set(numbers))
    assert {19, 39, 59} <= {*numbers}
