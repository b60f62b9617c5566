"""From what the user wants of a selection to the file: which frames, at which rate, by which of the ways to write."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from timelapse_runtime.export.animation import MAXIMUM_RATE, USUAL_SECONDS, USUAL_WIDTH, write_animation
from timelapse_runtime.export.errors import CannotExport
from timelapse_runtime.export.joined import JoinedVideo, leading_reel
from timelapse_runtime.export.recoded import CODECS, write_recoded
from timelapse_runtime.export.selection import Piece, chapters, frame_count, thinned
from timelapse_runtime.export.stream_reader import StreamReader
from timelapse_runtime.timelapse.model.video_size import Size, even_size

KINDS = ("mp4", "gif", "webp")
COPY = "copy"
_MAXIMUM_VIDEO_RATE = 60


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the file shall be. `codec`: COPY, or one of CODECS. `size`, `speed`: None if the user does not say."""

    kind: str
    codec: str = COPY
    size: Size | None = None
    speed: Fraction | None = None

    @property
    def is_animation(self) -> bool:
        """Whether it is a picture and not a video."""
        return self.kind != "mp4"


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
    if kind not in KINDS:
        raise CannotExport(f"{path.name}: the name must end in .mp4, .gif or .webp, which says what to write")
    return kind


def plan_export(pieces: Sequence[Piece], wanted: Wanted) -> ExportPlan:
    """Decide. A speed is a higher frame rate as far as players show it; beyond that, frames are left out."""
    lead = leading_reel(pieces)
    speed = wanted.speed or Fraction(1)
    if wanted.is_animation and wanted.speed is None:
        speed = max(speed, Fraction(frame_count(pieces), lead.fps * USUAL_SECONDS))
    rate = lead.fps * speed
    every = math.ceil(rate / (MAXIMUM_RATE if wanted.is_animation else _MAXIMUM_VIDEO_RATE))
    width = min(lead.width, USUAL_WIDTH) if wanted.is_animation else lead.width
    size = wanted.size or even_size(width, max(2, round(lead.height * width / lead.width)))
    is_copied = not wanted.is_animation and wanted.codec == COPY and wanted.size in (None, (lead.width, lead.height))
    return ExportPlan(thinned(pieces, every), rate / every, size, is_copied and every == 1)


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
    elif wanted.is_animation:
        write_animation(
            reader, plan.pieces, str(path), kind=wanted.kind, size=plan.size, rate=plan.rate, on_frames=on_frames
        )
    else:
        write_recoded(
            reader,
            plan.pieces,
            str(path),
            codec=CODECS["h264" if wanted.codec == COPY else wanted.codec],
            size=plan.size,
            rate=plan.rate,
            threads=threads,
            chapters=days,
            metadata=metadata,
            on_frames=on_frames,
        )
    shown = [(first, day.isoformat()) for first, day in days]
    return Written(frame_count(plan.pieces), copied_count, plan.rate, plan.size, shown)
