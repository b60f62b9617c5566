"""The open reel in memory: the encoder, the bytes of the open segment, and what is not committed yet.

Knows nothing of storage. A crash loses it all, and nothing is lost by that: the photos after the checkpoint's
last frame are in S3, and another writer that starts at that frame makes the same film.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

from timelapse_runtime.timelapse.commit_plan import DraftSegment
from timelapse_runtime.timelapse.video.boxes import Role, SourceFrame, pack_provenance
from timelapse_runtime.timelapse.video.decode import Picture
from timelapse_runtime.timelapse.video.encode import EncodedFrame, Encoder, EncoderSettings
from timelapse_runtime.timelapse.video.mux import FragmentMuxer


@dataclass(slots=True)
class _Segment:
    first: int
    count: int = 0
    body: bytearray = field(default_factory=bytearray)
    last_key: str = ""
    out_of_order: list[str] = field(default_factory=list)
    committed_count: int = 0


class ReelWriter:
    """Appends pictures to a reel from frame `first_number` on. Its first segment begins there.

    `last_key` is the key of the reel's last frame that is in key order, or empty.
    """

    def __init__(self, settings: EncoderSettings, *, first_number: int, last_key: str) -> None:
        self.settings = settings
        self._last_key = last_key
        self._encoder = Encoder(settings, first_number=first_number)
        self._muxer: FragmentMuxer | None = None
        self._sources: dict[int, SourceFrame] = {}
        self._segments: list[_Segment] = []
        self.cut_number = first_number
        """The frames below this one are in segments (committed or not)."""

    @property
    def init_segment(self) -> bytes | None:
        """ftyp + moov, once a frame has come out of the encoder."""
        return self._muxer.init_segment if self._muxer else None

    @property
    def init_sha256(self) -> str | None:
        """What tells one init segment from another."""
        return hashlib.sha256(self._muxer.init_segment).hexdigest() if self._muxer else None

    @property
    def reorder_frames(self) -> int:
        """How far presentation lies behind decoding, in frames."""
        return self._encoder.reorder_frames

    @property
    def next_number(self) -> int:
        """The number that the next appended picture gets."""
        return self._encoder.next_number

    @property
    def is_drained(self) -> bool:
        """Whether the encoder has ended; the next picture needs a new writer."""
        return self._encoder.is_drained

    @property
    def has_open_segment(self) -> bool:
        """Whether the next frame may go into the last segment."""
        return bool(self._segments) and not self.is_drained

    def append(self, picture: Picture, source: SourceFrame) -> int:
        """Encode one picture; the answer is its number in the reel. Raises EncoderFailed."""
        number = self._encoder.append(picture)
        self._sources[number] = source
        return number

    def cut(self, *, drain: bool = False, go_on: Callable[[], bool] = lambda: True) -> None:
        """Move what is complete from the encoder into segments; with `drain`, first take out what `go_on` allows.

        After a drain nothing more can be appended, and the last segment is closed.
        """
        if drain:
            self._encoder.drain(go_on)
        run = self._encoder.cut()
        start = 0
        for position in range(1, len(run) + 1):
            if position == len(run) or run[position].is_keyframe:
                self._add_fragment(run[start:position])
                start = position

    def drafts(self) -> list[DraftSegment]:
        """The segments with frames that are not committed yet, in order."""
        return [
            DraftSegment(
                segment.first, segment.count, bytes(segment.body), segment.last_key, tuple(segment.out_of_order)
            )
            for segment in self._segments
            if segment.count > segment.committed_count
        ]

    def segment_body(self, first: int, count: int) -> bytes | None:
        """A segment's bytes if they are still in memory."""
        for segment in self._segments:
            if (segment.first, segment.count) == (first, count):
                return bytes(segment.body)
        return None

    def committed(self) -> None:
        """All drafts were committed."""
        for segment in self._segments:
            segment.committed_count = segment.count

    def forget_closed(self) -> None:
        """Free the committed segments that cannot grow any more."""
        keep_from = len(self._segments) if self.is_drained else len(self._segments) - 1
        self._segments = [
            segment
            for position, segment in enumerate(self._segments)
            if position >= keep_from or segment.count > segment.committed_count
        ]

    def _add_fragment(self, frames: list[EncodedFrame]) -> None:
        if self._muxer is None:
            self._muxer = FragmentMuxer(
                self._encoder.parameter_sets,
                frames[0],
                fps=self.settings.fps,
                reorder_frames=self._encoder.reorder_frames,
            )
        if frames[0].is_keyframe:
            self._segments.append(_Segment(first=self.cut_number, last_key=self._last_key))
        segment, count = self._segments[-1], len(frames)
        sources = [self._sources.pop(self.cut_number + offset) for offset in range(count)]
        segment.body += pack_provenance(self.cut_number, sources)
        segment.body += self._muxer.fragment(frames, number=self.cut_number)
        segment.count += count
        for source in sources:
            if source.role is Role.OUT_OF_ORDER:
                segment.out_of_order.append(source.key)
            else:
                segment.last_key = self._last_key = source.key
        self.cut_number += count
