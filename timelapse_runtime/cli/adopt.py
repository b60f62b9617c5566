"""`timelapse adopt`: a video that another tool made becomes the beginning of a stream."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

from timelapse_runtime.adopt.adoption import Adoption
from timelapse_runtime.adopt.capture_times import CaptureTimes, capture_times
from timelapse_runtime.adopt.copied import Copier
from timelapse_runtime.adopt.errors import CannotAdopt, CannotCopy
from timelapse_runtime.adopt.prepared import PreparedVideo
from timelapse_runtime.adopt.recoded import Recoder
from timelapse_runtime.adopt.source_file import SourceFile
from timelapse_runtime.adopt.survey import survey
from timelapse_runtime.cli import EXIT_OK, CommandFailed
from timelapse_runtime.cli.progress import Progress
from timelapse_runtime.cli.selected import epoch_ms_of
from timelapse_runtime.cli.target import Target, configuration, open_target
from timelapse_runtime.runtime.clock import SystemClock
from timelapse_runtime.runtime.state.contract import Store
from timelapse_runtime.runtime.state.s3 import S3Store, make_client
from timelapse_runtime.timelapse.config import Config, parse_config
from timelapse_runtime.timelapse.known_settings import stored_settings
from timelapse_runtime.timelapse.model.checkpoint import Reel
from timelapse_runtime.timelapse.model.keys import StreamKeys
from timelapse_runtime.timelapse.model.location import Location, parse_location
from timelapse_runtime.timelapse.model.stream_settings import config_of
from timelapse_runtime.timelapse.reel_writer import encoder_settings
from timelapse_runtime.timelapse.verify_report import counted
from timelapse_runtime.timelapse.video.codec import X264Codec

_RANGE_BYTES = 8 * 1024**2


@dataclass(frozen=True, slots=True)
class Work:
    """How a file is made a reel of `frame_count` frames."""

    source: SourceFile
    maker: Copier | Recoder
    frame_count: int
    hidden_count: int
    times: CaptureTimes


@dataclass(frozen=True, slots=True)
class Adopted:
    """What was done: `reel` is what was stored. `is_finished`: its derived objects are there as well."""

    work: Work
    reel: Reel
    is_finished: bool

    @property
    def copied_count(self) -> int:
        """Frames whose packets were copied: all or none."""
        return self.reel.frame_count if isinstance(self.work.maker, Copier) else 0


def run(options: argparse.Namespace, variables: Mapping[str, str]) -> int:
    """Adopt the file. Prints what was done; the exit code. Raises CommandFailed, TimelapseError."""
    target = open_target(options.stream, options.frames or _photos_of(options.stream, variables), variables)
    config = parse_config(configuration(target, variables))
    try:
        with _source(options.file, variables) as source:
            adopted = adopt(source, target, config, options)
    except CannotAdopt as error:
        raise CommandFailed(str(error)) from error
    except CannotCopy as error:
        raise CommandFailed(f"{options.file}: {error}. With --recode its pictures are encoded again") from error
    print(json.dumps(_value(adopted)) if options.json else _text(adopted, target))
    return EXIT_OK


def adopt(source: SourceFile, target: Target, config: Config, options: argparse.Namespace) -> Adopted:
    """Read the file and store it. Raises CannotAdopt, CannotCopy, TimelapseError."""
    keys = StreamKeys(target.video.prefix)
    stored = stored_settings(target.video_store, keys)
    if stored.problem:
        raise CannotAdopt(f"{keys.settings}: {stored.problem}; `timelapse set` fixes it")
    config = config_of(config, stored.settings.values)
    adoption = Adoption(
        target.stream,
        target.video_store,
        keys,
        SystemClock(),
        source=f"s3://{target.frames.bucket}/{target.frames.prefix}",
        order=config.order,
        settings=config.settings,
    )
    adoption.require_possible(source.facts.name)
    is_quiet = options.json and not sys.stderr.isatty()
    try:
        return _store(_copy(source, config, options), adoption, config, is_quiet=is_quiet)
    except CannotCopy as error:
        if not options.recode:
            raise
        print(f"{source.facts.name}: {error}; it is encoded again", file=sys.stderr)
    return _store(_encode(source, config, options), adoption, config, is_quiet=is_quiet)


def _copy(source: SourceFile, config: Config, options: argparse.Namespace) -> Work:
    """Raises CannotAdopt, CannotCopy."""
    found = survey(source, config.keyframe_interval)
    times = _times(source, found.frame_count, config, options)
    settings = encoder_settings(config, source.facts.size, low_delay=False)
    copier = Copier(source, found, X264Codec(), settings, times)
    return Work(source, copier, found.frame_count, found.hidden_count, times)


def _encode(source: SourceFile, config: Config, options: argparse.Namespace) -> Work:
    """Decodes the whole file to count its frames: their times depend on it. Raises CannotAdopt."""
    frame_count = sum(1 for _ in source.pictures())
    times = _times(source, frame_count, config, options)
    return Work(source, Recoder(source, X264Codec(), config, times), frame_count, 0, times)


def _store(work: Work, adoption: Adoption, config: Config, *, is_quiet: bool) -> Adopted:
    """Make the reel, and store it. Raises CannotAdopt, CannotCopy, TimelapseError."""
    day = datetime.fromtimestamp(work.times.began_epoch_ms / 1000, config.timezone).date().isoformat()
    with PreparedVideo() as prepared, Progress(work.frame_count, quiet=is_quiet) as progress:
        for count in work.maker.into(prepared):
            progress.step(count)
        progress.note("storing them")
        reel = adoption.run(prepared, day)
    return Adopted(work, reel, adoption.is_finished)


def _times(source: SourceFile, frame_count: int, config: Config, options: argparse.Namespace) -> CaptureTimes:
    began = None if options.began is None else epoch_ms_of(options.began, config.timezone)
    every = None if options.every is None else options.every * 1000
    return capture_times(source.facts, frame_count, Fraction(config.fps), began_epoch_ms=began, every_ms=every)


def _photos_of(stream: Location, variables: Mapping[str, str]) -> Location | None:
    """Where this shell's variables say that the stream's photos are."""
    frames = variables.get("TIMELAPSE_FRAMES")
    if not frames:
        return None
    name = stream.prefix.rstrip("/").rpartition("/")[2]
    place = parse_location(frames)
    return place if variables.get("TIMELAPSE_STREAM") else Location(place.bucket, f"{place.prefix}{name}/")


@contextmanager
def _source(place: str, variables: Mapping[str, str]) -> Iterator[SourceFile]:
    """The file, from this machine, or from S3 by a copy on this machine's disk. Raises CannotAdopt, StorageError."""
    if not place.startswith("s3://"):
        path = Path(place)
        try:
            modified_epoch_ms = round(path.stat().st_mtime * 1000)
        except OSError as error:
            raise CannotAdopt(f"{place}: {error.strerror}") from error
        yield SourceFile(path, path.name, modified_epoch_ms)
        return
    bucket, _, key = place.removeprefix("s3://").partition("/")
    store = S3Store(make_client(variables=variables, user_agent="timelapse-adopt"), bucket)
    with tempfile.TemporaryDirectory(prefix="timelapse-adopt-") as folder:
        path = Path(folder, "video")
        modified_epoch_ms = _download(store, key, path)
        yield SourceFile(path, key.rpartition("/")[2], modified_epoch_ms)


def _download(store: Store, key: str, path: Path) -> int:
    """Copy one version of an object, and return when it was stored."""
    info = store.head(key)
    with path.open("wb") as file:
        for start in range(0, info.size_bytes, _RANGE_BYTES):
            file.write(store.get_range(key, start, start + _RANGE_BYTES, etag=info.etag).body)
    return info.last_modified_epoch_ms


def _value(adopted: Adopted) -> dict[str, Any]:
    work, reel = adopted.work, adopted.reel
    return {
        "reel": reel.name,
        "frame_count": reel.frame_count,
        "copied_count": adopted.copied_count,
        "encoded_count": reel.frame_count - adopted.copied_count,
        "hidden_count": work.hidden_count,
        "width": reel.width,
        "height": reel.height,
        "frames_per_second": reel.fps,
        "frames_per_second_of_file": round(float(work.source.facts.rate), 3),
        "began": _moment(work.times.of(0)),
        "ended": _moment(work.times.of(work.frame_count - 1)),
        "times_from": work.times.why,
        "size_bytes": reel.media_size_bytes,
        "is_finished": adopted.is_finished,
    }


def _text(adopted: Adopted, target: Target) -> str:
    work, reel = adopted.work, adopted.reel
    how = "copied as they are" if adopted.copied_count else "encoded again"
    size = f"{reel.width}x{reel.height}, {reel.media_size_bytes / 1e6:,.1f} MB"
    lines = [f"{target.video}: {counted(reel.frame_count, 'frame')} of {size}, {how}, in reel {reel.name}"]
    if work.hidden_count:
        lines.append(f"{counted(work.hidden_count, 'frame')} left out: the file's edit list hides them")
    rate = work.source.facts.rate
    if rate != reel.fps:
        text = f"{float(rate):.3f}".rstrip("0").rstrip(".")
        lines.append(f"each frame is a frame at {reel.fps} a second (TIMELAPSE_FPS); the file has {text} on average")
    first, last = _moment(work.times.of(0)), _moment(work.times.of(work.frame_count - 1))
    hint = "" if work.times.is_step_given else "; --every says the time between two frames"
    lines.append(f"taken from {first} to {last}: {work.times.why}{hint}")
    if not adopted.is_finished:
        lines.append("video.mp4 or a playlist could not be written: the next sweep of the stream does it")
    return "\n".join(lines)


def _moment(epoch_ms: int) -> str:
    return datetime.fromtimestamp(epoch_ms / 1000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
