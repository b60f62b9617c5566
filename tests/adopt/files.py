"""Videos as other tools make them, by the system's ffmpeg, and what it decodes of them."""

from __future__ import annotations

import argparse
import subprocess
from pathlib import Path

from tests.cli.streams import VARIABLES, target_of
from tests.programs import require_program
from tests.world import World
from timelapse_runtime.adopt.source_file import SourceFile
from timelapse_runtime.cli.adopt import Adopted, adopt
from timelapse_runtime.cli.target import configuration
from timelapse_runtime.timelapse.config import parse_config

SCENE = ("-f", "lavfi", "-i", "testsrc2=s=192x128:r=30:d=2")
"""60 frames, each of which shows its number."""
X264 = ("-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-g", "25")


def ffmpeg(*arguments: str | Path) -> bytes:
    """Run it, and return what it prints."""
    command = [require_program("ffmpeg"), "-nostdin", "-v", "error", "-y", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, check=True).stdout


def make(path: Path, *options: str, scene: tuple[str, ...] = SCENE) -> Path:
    """A video of the scene."""
    ffmpeg(*scene, *(options or X264), path)
    return path


def decoded(video: Path | str) -> list[str]:
    """A checksum of each frame that ffmpeg shows, in order: equal if every pixel is."""
    lines = ffmpeg("-i", str(video), "-map", "0:V:0", "-fps_mode", "passthrough", "-f", "framemd5", "-").decode()
    return [line.rpartition(",")[2].strip() for line in lines.splitlines() if not line.startswith("#")]


def adopt_into(
    world: World, path: Path, *, recode: bool = False, began: str | None = None, **variables: str
) -> Adopted:
    """`timelapse adopt` of this file into the world's stream."""
    target = target_of(world)
    config = parse_config(configuration(target, {**VARIABLES, "TIMELAPSE_ORDER": "name", **variables}))
    options = argparse.Namespace(recode=recode, began=began, every=None, json=True)
    return adopt(SourceFile(path, path.name, 1_700_000_000_000), target, config, options)


def published(world: World, path: Path, number: int = -1) -> Path:
    """A reel's `video.mp4`, copied to `path`."""
    path.write_bytes(world.video_bytes(world.reels()[number]))
    return path
