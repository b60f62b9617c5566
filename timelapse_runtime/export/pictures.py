"""Decoded frames of a selection, one after the other, all of one size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from av.video.frame import PictureType, VideoFrame

from timelapse_runtime.export.file_times import FileTimes
from timelapse_runtime.export.keyframes import read_keyframe
from timelapse_runtime.export.segment_fetch import fetch_segments
from timelapse_runtime.export.selection import Piece
from timelapse_runtime.export.stream_reader import StreamReader
from timelapse_runtime.timelapse.model.checkpoint import Reel
from timelapse_runtime.timelapse.model.frame_times import TICKS_PER_FRAME
from timelapse_runtime.timelapse.model.video_size import Size
from timelapse_runtime.timelapse.video.decode import DecodedPhoto
from timelapse_runtime.timelapse.video.fit import PictureFitter
from timelapse_runtime.timelapse.video.read import decode_frames


class PictureSource:
    """Decodes frames of stored segments, and brings them to one size: other shapes get bars.

    A frame's picture type is not set: an encoder would take it as its own. Raises SegmentCorrupt, StorageError.
    """

    def __init__(self, reader: StreamReader, size: Size) -> None:
        self._reader, self._size = reader, size
        self._fitter = PictureFitter(*size)

    def all(self, pieces: Sequence[Piece], times: FileTimes) -> Iterator[VideoFrame]:
        """The frames of the pieces; their pts are those of a file, in `times.tick`. If no more than keyframes are
        wanted, only these are read."""
        for piece, picture in self._all(pieces):
            assert picture.pts is not None
            picture.pts, picture.time_base = times.add(piece, picture.pts), times.tick
            yield picture

    def _all(self, pieces: Sequence[Piece]) -> Iterator[tuple[Piece, VideoFrame]]:
        if all(tuple(piece.offsets) == (0,) for piece in pieces):
            for piece in pieces:
                yield piece, self._fitted(read_keyframe(self._reader, piece.reel, piece.position), piece.reel)
            return
        for piece, body in fetch_segments(self._reader, pieces):
            for picture in self.decode(piece, body, piece.offsets):
                yield piece, picture

    def decode(self, piece: Piece, body: bytes, offsets: Sequence[int]) -> Iterator[VideoFrame]:
        """The frames of the segment `body` at these offsets, which ascend; their pts are the ticks at which the reel
        shows them."""
        if not offsets:
            return
        wanted, last, segment = set(offsets), offsets[-1], piece.segment
        frames = decode_frames(
            self._reader.init_segment(piece.reel),
            body,
            first=segment.first,
            count=segment.count,
            reorder_frames=piece.reel.reorder_frames,
        )
        for number, frame in frames:
            offset = number - segment.first
            if offset in wanted:
                yield self._fitted(frame, piece.reel)
            if offset == last:
                return

    def _fitted(self, frame: VideoFrame, reel: Reel) -> VideoFrame:
        assert frame.pts is not None
        shown = frame.pts - reel.reorder_frames * TICKS_PER_FRAME
        if (frame.width, frame.height) != self._size:
            frame = self._fitter.fit(DecodedPhoto(frame))
        frame.pts, frame.pict_type = shown, PictureType.NONE
        return frame
