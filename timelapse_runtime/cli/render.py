"""`timelapse render`: make closed reels again from their photos, with other settings."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from timelapse_runtime.cli import EXIT_OK, CommandFailed
from timelapse_runtime.cli.backfill import with_threads
from timelapse_runtime.cli.backfill_workers import Workers
from timelapse_runtime.cli.remove import explained, remaking
from timelapse_runtime.cli.target import Target, configuration, open_target
from timelapse_runtime.timelapse.config import Config, laid_over
from timelapse_runtime.timelapse.errors import MissingPhotos
from timelapse_runtime.timelapse.logo_file import LogoFiles
from timelapse_runtime.timelapse.model.checkpoint import Reel
from timelapse_runtime.timelapse.model.quality import H264
from timelapse_runtime.timelapse.model.stream_settings import config_of
from timelapse_runtime.timelapse.ranges.range_codec import RangeCodec
from timelapse_runtime.timelapse.ranges.range_reader import EncodedElsewhere
from timelapse_runtime.timelapse.video.codec import X264Codec


def run(options: argparse.Namespace, variables: Mapping[str, str]) -> int:
    """Render the reels that the options name, one after another. Prints a line for each; the exit code."""
    if not (options.reel or options.start or options.end):
        raise CommandFailed("say which reels: --reel NAME, or --from DAY and --to DAY")
    target = open_target(options.stream, None, variables)
    done: list[dict[str, Any]] = []
    with (
        explained(target, "players show the reels that no line has named as they were, or as they will be"),
        ThreadPoolExecutor(1) as executor,
        encoding_apart(target, variables, options.processes) as elsewhere,
    ):
        work = remaking(target, variables, executor, RangeCodec(X264Codec()) if elsewhere else None)
        config = with_settings(work.config, dict(options.settings), options.codec)
        config = LogoFiles(target.video_store).with_logo(config, target.stream)
        names = [reel.name for reel in work.editions.reels() if is_chosen(reel, options)]
        if not names:
            raise CommandFailed(f"no closed reel of {target.video} is named by --reel, or begins within these days")
        try:
            for change, replaced in work.render(names, config, skip_missing=options.skip_missing, elsewhere=elsewhere):
                counts = {"frames_before": change.frames_before, "frames_after": change.frames_after}
                done.append({"reel": change.name, **counts, "objects_replaced": len(replaced)})
                if not options.json:
                    print(f"{change.name}: {change.frames_after} of {change.frames_before} frames", flush=True)
        except MissingPhotos as error:
            raise CommandFailed(f"{error}; --skip-missing leaves their frames out") from error
    if options.json:
        print(json.dumps({"reels": done}))
    else:
        print(
            "The objects of before stay for players that show them; a sweep of all reels removes them after 75 minutes:"
        )
        print(f"  timelapse verify {target.video} --repair")
    return EXIT_OK


@contextmanager
def encoding_apart(
    target: Target, variables: Mapping[str, str], processes: int
) -> Iterator[Callable[[Config], EncodedElsewhere] | None]:
    """Processes that encode ranges of a reel's photos, which this one joins; None if there is to be one alone."""
    if processes == 1:
        yield None
        return
    workers = Workers(with_threads(configuration(target, variables), processes), processes)

    def elsewhere(config: Config) -> EncodedElsewhere:
        apart = replace(config, reel="never")  # all photos are of one reel, whatever days they tell
        encode = workers.encode(target.stream, apart, looks_ahead=True)
        return EncodedElsewhere(apart, encode, processes + 2, lambda: False, lambda _key: None, lambda _counts: None)

    try:
        yield elsewhere
    finally:
        workers.close()


def with_settings(config: Config, given: Mapping[str, str], codec: str = H264) -> Config:
    """A stream's configuration with the settings `given` before its own, for reels in this codec. Raises
    SettingsInvalid."""
    return config_of(config, laid_over(config.settings, given)).for_codec(codec, given)


def is_chosen(reel: Reel, options: argparse.Namespace) -> bool:
    """Whether the options name the reel."""
    if not reel.is_closed or (options.reel and reel.name not in options.reel):
        return False
    return (options.start or "") <= reel.date <= (options.end or "9999")
