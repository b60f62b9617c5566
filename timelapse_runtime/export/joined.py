"""A selection as one MP4, its packets copied as they are.

Packets are copied where they are of the kind that most of the selection has (`packets.py`). All other frames are
encoded again, to that kind: those between the beginning of a range and the next keyframe, the last few of a range that
ends between two frames that refer to each other, and reels of another size, frame rate or encoder. So the file has one
sample entry, and needs nothing of a player that an ordinary file does not.

If no settings of this x264 give that kind, all frames are encoded, should any need it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from av.video.frame import VideoFrame

from timelapse_runtime.export.packets import (
    PRESETS,
    EncodedRun,
    closed_prefix,
    encoder_kind,
    encoder_settings,
    matching_kind,
    read_segment_packets,
)
from timelapse_runtime.export.pictures import PictureSource
from timelapse_runtime.export.segment_fetch import fetch_segments
from timelapse_runtime.export.selection import Piece
from timelapse_runtime.export.stream_reader import StreamReader
from timelapse_runtime.export.track_writer import Chapters, TrackWriter
from timelapse_runtime.timelapse.model.checkpoint import Reel
from timelapse_runtime.timelapse.video.encode import EncodedFrame, EncoderSettings


@dataclass(slots=True)
class Counts:
    """What was done with the frames of a file."""

    copied: int = 0
    encoded: int = 0


def leading_reel(pieces: Sequence[Piece]) -> Reel:
    """The newest reel of the kind that most frames have."""
    frames = Counter[str]()
    for piece in pieces:
        frames[piece.reel.init_sha256] += len(piece.offsets)
    ((kind, _),) = frames.most_common(1)
    return next(piece.reel for piece in reversed(pieces) if piece.reel.init_sha256 == kind)


class JoinedVideo:
    """Writes one selection. `rate` is the file's frame rate; None: that of most of its frames. `presets` are those of
    x264 that are tried."""

    def __init__(
        self,
        reader: StreamReader,
        pieces: Sequence[Piece],
        *,
        threads: int,
        rate: Fraction | None,
        presets: Sequence[str] = PRESETS,
    ) -> None:
        self._reader, self._pieces = reader, pieces
        lead = leading_reel(pieces)
        self.rate = rate or Fraction(lead.fps)
        self.counts = Counts()
        self._source = PictureSource(reader, (lead.width, lead.height))
        self._copied_sha256: str | None = lead.init_sha256
        self._init_segment, self._reorder_frames = reader.init_segment(lead), lead.reorder_frames
        self._settings = encoder_settings(lead, threads=threads)
        if any(piece.reel.init_sha256 != lead.init_sha256 or not piece.is_whole for piece in pieces):
            kind = matching_kind(lead, threads=threads, presets=presets)
            if kind is None:
                kind, self._copied_sha256 = encoder_kind(self._settings), None
            self._settings = kind.settings
            self._init_segment, self._reorder_frames = kind.init_segment, kind.reorder_frames

    def write(
        self, path: str, *, chapters: Chapters, metadata: Mapping[str, str], on_frames: Callable[[int], None]
    ) -> None:
        """Write the file; `on_frames` is told of frames that are done. Raises StorageError, MediaError, FFmpegError."""
        with TrackWriter(
            path,
            self._init_segment,
            rate=self.rate,
            reorder_frames=self._reorder_frames,
            count=sum(len(piece.offsets) for piece in self._pieces),
            chapters=chapters,
            metadata=metadata,
        ) as track:
            ends = _EncodedEnds(track, self._settings)
            for piece, body in fetch_segments(self._reader, self._pieces):
                packets = self._packets_to_copy(piece, body)
                if packets:
                    ends.finish()
                    track.write(packets, first=track.written_count)
                    self.counts.copied += len(packets)
                    on_frames(len(packets))
                for picture in self._source.decode(piece, body, piece.offsets[len(packets) :]):
                    ends.append(picture)
                    self.counts.encoded += 1
                    on_frames(1)
            ends.finish()

    def _packets_to_copy(self, piece: Piece, body: bytes) -> Sequence[EncodedFrame]:
        """The packets of the first of the piece's frames, as many as can be copied."""
        if piece.reel.init_sha256 != self._copied_sha256 or piece.offsets[0] != 0:
            return ()
        packets = read_segment_packets(self._init_segment, piece, body)
        leading = sum(1 for index, offset in enumerate(piece.offsets) if index == offset)
        return packets[: closed_prefix(packets, leading)]


class _EncodedEnds:
    """Encodes what cannot be copied, in runs between copied packets, into `track`."""

    def __init__(self, track: TrackWriter, settings: EncoderSettings) -> None:
        self._track, self._settings = track, settings
        self._run: EncodedRun | None = None
        self._first = 0

    def append(self, picture: VideoFrame) -> None:
        if self._run is None:
            self._run, self._first = EncodedRun(self._settings), self._track.written_count
        self._track.write(self._run.append(picture), first=self._first)

    def finish(self) -> None:
        if self._run is not None:
            self._track.write(self._run.drain(), first=self._first)
            self._run = None
