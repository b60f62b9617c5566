"""`timelapse retry-rejected`: append the rejected photos that can be used now."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from timelapse_runtime.cli import EXIT_OK
from timelapse_runtime.cli.target import open_target, run_function


def run(options: argparse.Namespace, variables: Mapping[str, str]) -> int:
    """Retry the stream's rejected photos, or those of `--reason`. Prints what was appended; the exit code."""
    target = open_target(options.stream, options.frames, variables)
    request = {"stream": target.stream, **({"reason": options.reason} if options.reason else {})}
    counts = run_function(target, {"retry_rejected": request}, variables)["streams"][target.stream]
    print(f"{counts.get('appended', 0)} frames appended, {counts['frames_in_video']} frames in the video")
    return EXIT_OK
