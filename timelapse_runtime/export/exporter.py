"""From what the user wants of a selection to the file: which frames, at which rate, by which of the ways to write."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from av.video.frame import VideoFrame

from timelapse_runtime.export.animation import MAXIMUM_RATE, USUAL_SECONDS, USUAL_WIDTH, write_animation
from timelapse_runtime.export.errors import CannotExport
from timelapse_runtime.export.joined import JoinedVideo, leading_reel
from timelapse_runtime.export.pictures import PictureSource
from timelapse_runtime.export.recoded import USUAL_QUALITY, Encoding, write_recoded
from timelapse_runtime.export.selection import Piece, chapters, frame_count, thinned
from timelapse_runtime.export.stills import STILLS, TRAILS, USUAL_COLUMNS, draw_still
from timelapse_runtime.export.stream_reader import StreamReader
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
    """What the file has become."""

    frame_count: int
    copied_count: int
    rate: Fraction
    size: Size
    chapters: Sequence[tuple[int, str]]


@dataclass(frozen=True, slots=True)
class ExportPlan:
    """The frames of the file, evenly taken from those selected, and how it shows them."""

    pieces: Sequence[Piece]
    rate: Fraction
    size: Size
    is_copied: bool


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
        speed = max(speed, Fraction(frame_count(pieces), lead.fps * USUAL_SECONDS))
    rate = lead.fps * speed
    every = math.ceil(rate / (MAXIMUM_RATE if wanted.is_animation else _MAXIMUM_VIDEO_RATE))
    width = min(lead.width, USUAL_WIDTH) if wanted.is_animation else lead.width
    size = wanted.size or even_size(width, max(2, round(lead.height * width / lead.width)))
    is_copied = not wanted.is_animation and wanted.codec == COPY and wanted.size in (None, (lead.width, lead.height))
    return ExportPlan(thinned(pieces, every), rate / every, size, is_copied and every == 1)


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
    days, copied_count = list(chapters(plan.pieces)), 0
    if plan.is_copied:
        video = JoinedVideo(reader, plan.pieces, threads=threads, rate=plan.rate)
        video.write(str(path), chapters=days, metadata=metadata, on_frames=on_frames)
        copied_count = video.counts.copied
    elif wanted.is_still:
        lead = leading_reel(plan.pieces)
        frames = _told(PictureSource(reader, (lead.width, lead.height)).all(plan.pieces), on_frames)
        draw_still(wanted.kind, frames, plan.size).save(path, wanted.picture_format, quality=90)
    elif wanted.is_animation:
        write_animation(
            reader, plan.pieces, str(path), kind=wanted.kind, size=plan.size, rate=plan.rate, on_frames=on_frames
        )
    else:
        write_recoded(
            reader,
            plan.pieces,
            str(path),
            encoding=wanted.encoding,
            size=plan.size,
            rate=plan.rate,
            threads=threads,
            chapters=days,
            metadata=metadata,
            on_frames=on_frames,
        )
    shown = [(first, day.isoformat()) for first, day in days]
    return Written(frame_count(plan.pieces), copied_count, plan.rate, plan.size, shown)
