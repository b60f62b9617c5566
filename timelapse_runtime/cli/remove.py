"""`timelapse remove`: take photos' frames out of a video, for good."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from timelapse_runtime.cli import EXIT_OK, CommandFailed
from timelapse_runtime.cli.refusals import describe_storage_error
from timelapse_runtime.cli.target import Target, configuration, open_target, run_function
from timelapse_runtime.runtime.clock import SystemClock
from timelapse_runtime.runtime.state.errors import AccessDenied, StorageError
from timelapse_runtime.timelapse.config import parse_config
from timelapse_runtime.timelapse.errors import MissingPhotos
from timelapse_runtime.timelapse.known_settings import KnownSettings
from timelapse_runtime.timelapse.model.keys import StreamKeys
from timelapse_runtime.timelapse.model.location import Location
from timelapse_runtime.timelapse.remaking import ReelChange, Remaking
from timelapse_runtime.timelapse.stored_checkpoint import read_checkpoint
from timelapse_runtime.timelapse.variables import PREFIX
from timelapse_runtime.timelapse.verify_report import counted
from timelapse_runtime.timelapse.video.codec import Codec, X264Codec

_MAXIMUM_THREADS = 16


def run(options: argparse.Namespace, variables: Mapping[str, str]) -> int:
    """Remove the frames of the photos `options.keys`. Prints what was removed; the exit code."""
    target = open_target(options.stream, None, variables)
    keys = [relative_key(key, target.frames) for key in options.keys]
    with (
        ThreadPoolExecutor(1) as executor,
        explained(target, "the frames may still be in the video or in its old objects"),
    ):
        try:
            changes = remaking(target, variables, executor).remove(keys, skip_missing=options.skip_missing)
        except MissingPhotos as error:
            raise CommandFailed(f"nothing was changed. {error}; --skip-missing leaves their frames out, too") from error
    if not changes:
        raise CommandFailed(f"no frame of {', '.join(keys)} in {target.video}")
    if options.json:
        reels = [{"reel": one.name, "frames_removed": one.frames_before - one.frames_after} for one in changes]
        removed = [key for change in changes for key in change.removed]
        print(json.dumps({"reels": reels, "objects_removed": removed}))
    else:
        print("\n".join(described(changes, target)))
    return EXIT_OK


def remaking(
    target: Target, variables: Mapping[str, str], executor: ThreadPoolExecutor, codec: Codec | None = None
) -> Remaking:
    """What makes the target's reels again, with all processors unless TIMELAPSE_THREADS says otherwise."""
    os.environ.setdefault("SVT_LOG", "1")  # errors alone: SVT-AV1 prints its settings on stderr
    threads = {f"{PREFIX}THREADS": str(min(os.cpu_count() or 1, _MAXIMUM_THREADS))}
    config = parse_config({**threads, **configuration(target, variables)})
    checkpoint = read_checkpoint(target.video_store, StreamKeys(target.video.prefix)).checkpoint
    config = KnownSettings(config, target.video_store, SystemClock()).read(target.stream, checkpoint)
    close = {"sweep": {"stream": target.stream, "close": True}}
    return Remaking(
        target.stream,
        target.frames.prefix,
        config,
        target.frames_store,
        target.video_store,
        SystemClock(),
        codec or X264Codec(),
        executor,
        lambda: run_function(target, close, variables),
    )


@contextmanager
def explained(target: Target, state: str) -> Iterator[None]:
    """An error of S3 within this becomes CommandFailed, which says what it leaves (`state`), and what to do."""
    try:
        yield
    except StorageError as error:
        text = f"{describe_storage_error(error)}. This is not done: {state}. The same command, run again, does the rest"
        if isinstance(error, AccessDenied):
            text += f"; `timelapse policy operator {target.frames} {target.video}` prints all permissions that it needs"
        raise CommandFailed(text) from error


def relative_key(key: str, frames: Location) -> str:
    """A photo's key below the stream's prefix; it may be given whole, or as a URL."""
    return key.removeprefix(f"s3://{frames.bucket}/").removeprefix(frames.prefix)


def described(changes: Sequence[ReelChange], target: Target) -> list[str]:
    """What a person is to know."""
    lines = []
    for change in changes:
        frames = counted(change.frames_before - change.frames_after, "frame")
        lines.append(f"{change.name}: {frames} removed, {change.frames_after} left")
    objects = counted(sum(len(change.removed) for change in changes), "object")
    lines.append(f"{objects} removed from s3://{target.video.bucket}/. Not removed, and yours to remove if need be:")
    lines.append(f"  the photos themselves, at {target.frames}")
    lines.append("  earlier versions of these objects, if the bucket keeps versions: --json names the objects")
    lines += [f"  copies in a CDN: invalidate {target.video.prefix}reels/{change.name}/*" for change in changes]
    return [*lines, f"next: timelapse verify {target.video}"]
