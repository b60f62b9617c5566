"""`timelapse retry-rejected`: append the rejected photos that can be used now."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping

from timelapse_runtime.cli import EXIT_OK
from timelapse_runtime.cli.target import Target, open_target, run_function


def run(options: argparse.Namespace, variables: Mapping[str, str]) -> int:
    """Retry the stream's rejected photos, or those of `--reason`. Prints what was appended; the exit code."""
    target = open_target(options.stream, options.frames, variables)
    counts = retry_rejected(target, variables, reason=options.reason)
    if options.json:
        print(json.dumps(counts))
    else:
        print(f"{counts.get('appended', 0)} frames appended, {counts['frames_in_video']} frames in the video")
    return EXIT_OK


def retry_rejected(target: Target, variables: Mapping[str, str], *, reason: str | None = None) -> dict[str, int]:
    """Let the function retry the rejected photos, and return its counts for the stream."""
    request = {"stream": target.stream, **({"reason": reason} if reason else {})}
    counts: dict[str, int] = run_function(target, {"retry_rejected": request}, variables)["streams"][target.stream]
    return counts
