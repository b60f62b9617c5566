"""Pictures taken evenly from a selection, and how fast and how large its frames came: what an overview is drawn from.

A selection of many segments is not read: keyframes, from the beginnings of segments, stand for the pictures, and the
checkpoint has each segment's time and size. One of few segments is read whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from av.video.frame import VideoFrame
from PIL import Image

from timelapse_runtime.export.keyframes import read_keyframe
from timelapse_runtime.export.pictures import PictureSource
from timelapse_runtime.export.segment_fetch import fetch_segments
from timelapse_runtime.export.selection import Piece, frame_count
from timelapse_runtime.export.stream_reader import StreamReader
from timelapse_runtime.timelapse.model.video_size import even_size
from timelapse_runtime.timelapse.video.boxes import PROVENANCE_UUID, read_provenance, read_sources, walk_boxes

FEW_SEGMENTS = 24
"""So many are read whole: 72 minutes at a photo a second, about 80 MB of 1080p."""
_THREADS = 4


@dataclass(frozen=True, slots=True)
class Sample:
    """A small picture. `captured_epoch_ms` is 0 if it is not known; `number` is the frame's, in its reel."""

    reel_name: str
    number: int
    captured_epoch_ms: int
    image: Image.Image


@dataclass(frozen=True, slots=True)
class Span:
    """Frames that were taken from `start_epoch_ms` on. `end_epoch_ms` is when the frame after them was taken, None if
    that is not known."""

    start_epoch_ms: int
    end_epoch_ms: int | None
    frame_count: int
    size_bytes: int

    @property
    def frames_per_minute(self) -> float | None:
        """None if it is not known."""
        if self.end_epoch_ms is None or self.end_epoch_ms <= self.start_epoch_ms:
            return None
        return self.frame_count * 60_000 / (self.end_epoch_ms - self.start_epoch_ms)


class Sampler:
    """Takes samples of the selection `pieces`. Raises StorageError, SegmentCorrupt."""

    def __init__(self, reader: StreamReader, pieces: Sequence[Piece]) -> None:
        self._reader, self._pieces = reader, pieces

    def images(self, count: int, width: int) -> Iterator[Sample]:
        """At most `count` pictures of at most this width, in the video's order: of each a share of the frames'
        middle."""
        total = frame_count(self._pieces)
        wanted = sorted({(2 * number + 1) * total // (2 * count) for number in range(count)})
        pieces = list(self._containing(wanted))
        if len(self._pieces) <= FEW_SEGMENTS:
            yield from self._exact_images(pieces, width)
            return
        with ThreadPoolExecutor(_THREADS) as pool:
            yield from pool.map(lambda piece: self._keyframe(piece, width), pieces)

    def spans(self) -> list[Span]:
        """All of the selection's frames: by segment, or by the part that one flush wrote, if there are few segments."""
        if len(self._pieces) <= FEW_SEGMENTS:
            parts = [span for piece, body in fetch_segments(self._reader, self._pieces) for span in _parts(body)]
            return _joined(parts)
        spans = [
            (piece.segment.captured_epoch_ms, piece.segment.count, piece.segment.size_bytes) for piece in self._pieces
        ]
        return _joined(spans)

    def _containing(self, wanted: Sequence[int]) -> Iterator[Piece]:
        """The pieces with the frames of these numbers in the selection, each with no others."""
        number, left = 0, list(wanted)
        for piece in self._pieces:
            inside = [one - number for one in left if one < number + len(piece.offsets)]
            number, left = number + len(piece.offsets), left[len(inside) :]
            if inside:
                offsets = [piece.offsets[index] for index in inside]
                yield Piece(piece.reel, piece.position, offsets, piece.days[:1])

    def _keyframe(self, piece: Piece, width: int) -> Sample:
        frame = read_keyframe(self._reader, piece.reel, piece.position)
        segment = piece.segment
        return Sample(piece.reel.name, segment.first, segment.captured_epoch_ms, _small(frame, width))

    def _exact_images(self, pieces: Sequence[Piece], width: int) -> Iterator[Sample]:
        for piece, body in fetch_segments(self._reader, pieces):
            times = [frame.captured_epoch_ms for frame in read_sources(body)]
            source = PictureSource(self._reader, (piece.reel.width, piece.reel.height))
            pictures = source.decode(piece, body, piece.offsets)
            for offset, picture in zip(piece.offsets, pictures, strict=True):
                number = piece.segment.first + offset
                yield Sample(piece.reel.name, number, times[offset], _small(picture, width))


def _small(frame: VideoFrame, width: int) -> Image.Image:
    width = min(width, frame.width)
    size = even_size(width, max(2, round(frame.height * width / frame.width)))
    image: Image.Image = frame.to_image(width=size[0], height=size[1])  # type: ignore[no-untyped-call]
    return image


def _parts(segment: bytes) -> Iterator[tuple[int, int, int]]:
    """For each provenance box: the time of its first frame, the number of its frames, and the size up to the next."""
    boxes = list(walk_boxes(segment))
    is_start = [
        box.type == "uuid" and segment[box.payload : box.payload + 16] == PROVENANCE_UUID.bytes for box in boxes
    ]
    starts = [box.start for box, starts_here in zip(boxes, is_start, strict=True) if starts_here]
    for part, start, end in zip(read_provenance(segment), starts, [*starts[1:], len(segment)], strict=True):
        if part.frames:
            yield part.frames[0].captured_epoch_ms, len(part.frames), end - start


def _joined(parts: Sequence[tuple[int, int, int]]) -> list[Span]:
    """Spans from their beginnings; those whose time is not known are left out."""
    known = [part for part in parts if part[0]]
    ends = [*(start for start, _, _ in known[1:]), None]
    return [Span(start, end, count, size) for (start, count, size), end in zip(known, ends, strict=False)]
