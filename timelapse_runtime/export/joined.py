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

from av.video.frame import VideoFrame

from timelapse_runtime.export.file_times import FileTimes
from timelapse_runtime.export.packets import (
    PRESETS,
    EncodedRun,
    SegmentPackets,
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
from timelapse_runtime.timelapse.video.encode import EncoderSettings


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
    """Writes one selection. `times` are to be the file's. `presets` are those of x264 that are tried."""

    def __init__(
        self,
        reader: StreamReader,
        pieces: Sequence[Piece],
        times: FileTimes,
        *,
        threads: int,
        presets: Sequence[str] = PRESETS,
    ) -> None:
        self._reader, self._pieces, self._times = reader, pieces, times
        lead = leading_reel(pieces)
        self.counts = Counts()
        self._source = PictureSource(reader, (lead.width, lead.height))
        self._copied_sha256: str | None = lead.init_sha256
        # A low-delay encoder's packets are in the order of their frames. A reel whose frames are held runs a frame late
        # all the same; without that each sample's duration is that of its frame, which is what browsers seek by.
        self._init_segment = reader.init_segment(lead)
        self._reorder_frames = 0 if lead.low_delay else lead.reorder_frames
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
            path, self._init_segment, self._times, reorder_frames=self._reorder_frames, metadata=metadata
        ) as track:
            ends = _EncodedEnds(track, self._settings)
            for piece, body in fetch_segments(self._reader, self._pieces):
                copied = self._packets_to_copy(piece, body)
                if copied.packets:
                    ends.finish()
                    for shown in copied.shown:
                        self._times.add(piece, shown)
                    track.write(copied.packets, first=track.written_count)
                    self.counts.copied += len(copied.packets)
                    on_frames(len(copied.packets))
                for picture in self._source.decode(piece, body, piece.offsets[len(copied.packets) :]):
                    assert picture.pts is not None
                    self._times.add(piece, picture.pts)
                    ends.append(picture)
                    self.counts.encoded += 1
                    on_frames(1)
            ends.finish()
            track.add_chapters(chapters)

    def _packets_to_copy(self, piece: Piece, body: bytes) -> SegmentPackets:
        """The packets of the first of the piece's frames, as many as can be copied."""
        if piece.reel.init_sha256 != self._copied_sha256 or piece.offsets[0] != 0:
            return SegmentPackets((), ())
        found = read_segment_packets(self._init_segment, piece, body)
        leading = sum(1 for index, offset in enumerate(piece.offsets) if index == offset)
        count = closed_prefix(found.packets, leading)
        return SegmentPackets(found.packets[:count], found.shown[:count])


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
