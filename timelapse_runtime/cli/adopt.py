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
from timelapse_runtime.adopt.survey import Survey, survey
from timelapse_runtime.cli import EXIT_OK, CommandFailed
from timelapse_runtime.cli.progress import Progress
from timelapse_runtime.cli.selected import epoch_ms_of
from timelapse_runtime.cli.target import Target, configuration, open_target
from timelapse_runtime.runtime.clock import SystemClock
from timelapse_runtime.timelapse.config import Config, Location, parse_config, parse_location
from timelapse_runtime.timelapse.model.keys import StreamKeys
from timelapse_runtime.timelapse.reel_writer import encoder_settings
from timelapse_runtime.timelapse.storage.contract import Store
from timelapse_runtime.timelapse.storage.s3 import S3Store, make_client
from timelapse_runtime.timelapse.verify_report import counted
from timelapse_runtime.timelapse.video.codec import X264Codec

_RANGE_BYTES = 8 * 1024**2


@dataclass(frozen=True, slots=True)
class Adopted:
    """What was done."""

    reel: str
    frame_count: int
    copied_count: int
    hidden_count: int
    size: tuple[int, int]
    fps: int
    file_rate: Fraction
    times: CaptureTimes
    size_bytes: int
    is_finished: bool


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
    photos = f"s3://{target.frames.bucket}/{target.frames.prefix}"
    adoption = Adoption(
        target.stream,
        target.video_store,
        StreamKeys(target.video.prefix),
        SystemClock(),
        source=photos,
        order=config.order,
    )
    adoption.require_possible(source.facts.name)
    codec, is_quiet = X264Codec(), options.json and not sys.stderr.isatty()
    found = _surveyed(source, config, recode=options.recode)
    frame_count = found.frame_count if found else _count(source)
    times = _times(source, frame_count, config, options)
    with PreparedVideo() as prepared, Progress(frame_count, quiet=is_quiet) as progress:
        if found is not None:
            settings = encoder_settings(config, source.facts.size, low_delay=False)
            work = Copier(source, found, codec, settings, times).into(prepared)
        else:
            work = Recoder(source, codec, config, times).into(prepared)
        for count in work:
            progress.step(count)
        progress.note("storing")
        day = datetime.fromtimestamp(times.began_epoch_ms / 1000, config.timezone).date().isoformat()
        reel = adoption.run(prepared, day)
    return Adopted(
        reel=reel.name,
        frame_count=reel.frame_count,
        copied_count=found.frame_count if found else 0,
        hidden_count=found.hidden_count if found else 0,
        size=(reel.width, reel.height),
        fps=reel.fps,
        file_rate=source.facts.rate,
        times=times,
        size_bytes=reel.media_size_bytes,
        is_finished=adoption.is_finished,
    )


def _surveyed(source: SourceFile, config: Config, *, recode: bool) -> Survey | None:
    """How the file is copied; None if it has to be encoded again, and that is wanted. Raises CannotAdopt,
    CannotCopy."""
    try:
        return survey(source, config.keyframe_interval)
    except CannotCopy as error:
        if not recode:
            raise
        print(f"{source.facts.name}: {error}; it is encoded again", file=sys.stderr)
        return None


def _count(source: SourceFile) -> int:
    """How many frames the file shows: all of it is decoded once for that."""
    return sum(1 for _ in source.pictures())


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
    return {
        "reel": adopted.reel,
        "frame_count": adopted.frame_count,
        "copied_count": adopted.copied_count,
        "encoded_count": adopted.frame_count - adopted.copied_count,
        "hidden_count": adopted.hidden_count,
        "width": adopted.size[0],
        "height": adopted.size[1],
        "frames_per_second": adopted.fps,
        "frames_per_second_of_file": round(float(adopted.file_rate), 3),
        "began": _moment(adopted.times.of(0)),
        "ended": _moment(adopted.times.of(adopted.frame_count - 1)),
        "times_from": adopted.times.why,
        "size_bytes": adopted.size_bytes,
        "is_finished": adopted.is_finished,
    }


def _text(adopted: Adopted, target: Target) -> str:
    how = "copied as they are" if adopted.copied_count else "encoded again"
    size = f"{adopted.size[0]}x{adopted.size[1]}, {adopted.size_bytes / 1e6:,.1f} MB"
    lines = [f"{target.video}: {counted(adopted.frame_count, 'frame')} of {size}, {how}, in reel {adopted.reel}"]
    if adopted.hidden_count:
        lines.append(f"{counted(adopted.hidden_count, 'frame')} that the file's edit list hides left out")
    if adopted.file_rate != adopted.fps:
        rate = f"{float(adopted.file_rate):.3f}".rstrip("0").rstrip(".")
        lines.append(f"each frame is a frame at {adopted.fps} a second (TIMELAPSE_FPS); the file has {rate} on average")
    first, last = _moment(adopted.times.of(0)), _moment(adopted.times.of(adopted.frame_count - 1))
    lines.append(f"taken from {first} to {last}: {adopted.times.why}")
    if not adopted.is_finished:
        lines.append("video.mp4 or a playlist could not be written: the next sweep of the stream does it")
    return "\n".join(lines)


def _moment(epoch_ms: int) -> str:
    return datetime.fromtimestamp(epoch_ms / 1000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
