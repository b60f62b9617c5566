"""From what the user wants of a selection to the file: which frames, at which rate, by which of the ways to write."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from av.video.frame import VideoFrame

from timelapse_runtime.export.animation import (
    MAXIMUM_RATE,
    USUAL_SECONDS,
    USUAL_WIDTH,
    refuse_too_many,
    write_animation,
)
from timelapse_runtime.export.errors import CannotExport
from timelapse_runtime.export.file_times import FileTimes, no_faster
from timelapse_runtime.export.joined import JoinedVideo, leading_reel
from timelapse_runtime.export.pictures import PictureSource
from timelapse_runtime.export.recoded import USUAL_QUALITY, Encoding, write_recoded
from timelapse_runtime.export.selection import Piece, chapters, frame_count, keyframes, shown_ticks, thinned
from timelapse_runtime.export.stills import STILLS, TRAILS, USUAL_COLUMNS, draw_still
from timelapse_runtime.export.stream_reader import StreamReader
from timelapse_runtime.timelapse.model.frame_times import TICKS_PER_FRAME
from timelapse_runtime.timelapse.model.quality import AV1, H264
from timelapse_runtime.timelapse.model.video_size import Size, even_size

_KINDS = ("mp4", "gif", "webp")
COPY = "copy"
_MAXIMUM_VIDEO_RATE = 60


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the file shall be: `kind` is `mp4`, `gif` or `webp`, or one of STILLS. `codec`: COPY, or one of CODEC_NAMES.
    `size`, `speed`, `quality`, `maximum_kbps`: None if the user does not say."""

    kind: str
    codec: str = COPY
    size: Size | None = None
    speed: Fraction | None = None
    picture_format: str = ""
    """Of one of STILLS, Pillow's name of the file's format."""
    quality: str | None = None
    maximum_kbps: int | None = None

    @property
    def encoding(self) -> Encoding:
        """Of frames that are encoded again, all of them."""
        codec = H264 if self.codec == COPY else self.codec
        return Encoding(codec, self.quality or USUAL_QUALITY, self.maximum_kbps)

    @property
    def is_still(self) -> bool:
        """Whether it is one picture."""
        return self.kind in STILLS

    @property
    def is_animation(self) -> bool:
        """Whether it is a picture that moves."""
        return self.kind in ("gif", "webp")


@dataclass(frozen=True, slots=True)
class Written:
    """What the file has become. `chapters`: the first of the selected frames of each, and its day."""

    frame_count: int
    copied_count: int
    seconds: Fraction
    size: Size
    chapters: Sequence[tuple[int, str]]

    @property
    def rate(self) -> Fraction:
        """Frames per second, the mean if some are held."""
        return self.frame_count / self.seconds


@dataclass(frozen=True, slots=True)
class ExportPlan:
    """The frames of the file, and how it shows them: each for `1 / rate` seconds, or in proportion, as its reel does.
    `least_seconds`: for how long at least; of those that are shown for a shorter time, some are left out. None: all of
    them are as the file has them."""

    pieces: Sequence[Piece]
    rate: Fraction
    size: Size
    is_copied: bool
    least_seconds: Fraction | None = None

    @property
    def is_held(self) -> bool:
        """Whether frames may be shown for longer than others."""
        return any(piece.reel.speed for piece in self.pieces)


def kind_of(path: Path) -> str:
    """What a file of this name is. Raises CannotExport."""
    kind = path.suffix.removeprefix(".").lower()
    if kind not in _KINDS:
        hint = "; --still makes one picture of all frames" if kind in ("png", "jpg", "jpeg") else ""
        raise CannotExport(f"{path.name}: the name must end in .mp4, .gif or .webp, which says what to write{hint}")
    return kind


def plan_export(pieces: Sequence[Piece], wanted: Wanted) -> ExportPlan:
    """Decide. A speed is a higher frame rate as far as players show it; beyond that, frames are left out."""
    lead = leading_reel(pieces)
    if (wanted.quality, wanted.maximum_kbps) != (None, None) and (wanted.codec == COPY or wanted.kind != "mp4"):
        raise CannotExport("--quality and --maximum-kbps are of an .mp4 that is encoded again: add --codec")
    if wanted.codec == AV1 and wanted.maximum_kbps is not None:
        raise CannotExport("--maximum-kbps is for h264 and h265: AV1's encoder may not end with it")
    if wanted.is_still:
        return _plan_still(pieces, wanted, (lead.width, lead.height))
    speed = wanted.speed or Fraction(1)
    if wanted.is_animation and wanted.speed is None:
        speed = max(speed, Fraction(shown_ticks(pieces), TICKS_PER_FRAME * lead.fps * USUAL_SECONDS))
    rate = lead.fps * speed
    most = MAXIMUM_RATE if wanted.is_animation else _MAXIMUM_VIDEO_RATE
    width = min(lead.width, USUAL_WIDTH) if wanted.is_animation else lead.width
    size = wanted.size or even_size(width, max(2, round(lead.height * width / lead.width)))
    is_copied = not wanted.is_animation and wanted.codec == COPY and wanted.size in (None, (lead.width, lead.height))
    plan = _thinned_plan(ExportPlan(pieces, rate, size, is_copied), math.ceil(rate / most), Fraction(1, most))
    if wanted.is_animation and not plan.is_held:
        refuse_too_many(frame_count(plan.pieces), size)
    return plan


def _thinned_plan(plan: ExportPlan, every: int, least_seconds: Fraction) -> ExportPlan:
    """Every so-manieth frame. If frames are held, which ones are left out is decided when their times are known, and if
    a whole segment is shown for no longer than a frame may be, its first frame stands for it."""
    if every == 1:
        return plan
    if not plan.is_held:
        return replace(plan, pieces=thinned(plan.pieces, every), rate=plan.rate / every, is_copied=False)
    is_sparse = every >= max(piece.reel.keyframe_interval for piece in plan.pieces)
    pieces = keyframes(plan.pieces) if is_sparse else plan.pieces
    return replace(plan, pieces=pieces, is_copied=False, least_seconds=least_seconds)


def _told(frames: Iterable[VideoFrame], on_frames: Callable[[int], None]) -> Iterator[VideoFrame]:
    for frame in frames:
        yield frame
        on_frames(1)


def _plan_still(pieces: Sequence[Piece], wanted: Wanted, frame_size: Size) -> ExportPlan:
    """A keogram has no more columns than its size says; trails are made of all frames."""
    if wanted.speed is not None or wanted.codec != COPY:
        raise CannotExport(f"--speed and --codec are of videos: a picture with --still {wanted.kind} has neither")
    if wanted.kind == TRAILS:
        return ExportPlan(pieces, Fraction(leading_reel(pieces).fps), wanted.size or frame_size, is_copied=False)
    columns, height = wanted.size or (USUAL_COLUMNS, frame_size[1])
    shown = thinned(pieces, math.ceil(frame_count(pieces) / columns))
    return ExportPlan(shown, Fraction(leading_reel(pieces).fps), (frame_count(shown), height), is_copied=False)


def write_file(
    reader: StreamReader,
    plan: ExportPlan,
    wanted: Wanted,
    path: Path,
    *,
    threads: int,
    metadata: Mapping[str, str],
    on_frames: Callable[[int], None],
) -> Written:
    """Write what is planned. Raises CannotExport, StorageError, MediaError, FFmpegError."""
    days, lead, copied_count = list(chapters(plan.pieces)), leading_reel(plan.pieces), 0
    times = FileTimes(plan.rate, lead.fps)
    if plan.is_copied:
        video = JoinedVideo(reader, plan.pieces, times, threads=threads)
        video.write(str(path), chapters=days, metadata=metadata, on_frames=on_frames)
        count, copied_count = frame_count(plan.pieces), video.counts.copied
    elif wanted.is_still:
        source = PictureSource(reader, (lead.width, lead.height))
        frames = _told(source.all(plan.pieces, times), on_frames)
        draw_still(wanted.kind, frames, plan.size).save(path, wanted.picture_format, quality=90)
        count = frame_count(plan.pieces)
    else:
        pictures = _told(PictureSource(reader, plan.size).all(plan.pieces, times), on_frames)
        if plan.least_seconds is not None:
            pictures = no_faster(pictures, plan.least_seconds)
        time_base = times.tick if plan.is_held else 1 / plan.rate
        if wanted.is_animation:
            count = write_animation(pictures, times, str(path), kind=wanted.kind, size=plan.size, time_base=time_base)
        else:
            count = write_recoded(
                pictures,
                times,
                str(path),
                time_base=time_base,
                encoding=wanted.encoding,
                size=plan.size,
                threads=threads,
                chapters=days,
                metadata=metadata,
            )
    shown = [(first, day.isoformat()) for first, day in days]
    return Written(count, copied_count, times.end * times.tick, plan.size, shown)
