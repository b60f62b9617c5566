"""Decoded frames of a selection, one after the other, all of one size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from av.video.frame import VideoFrame

from timelapse_runtime.export.selection import Piece
from timelapse_runtime.export.stream_reader import StreamReader
from timelapse_runtime.timelapse.model.video_size import Size
from timelapse_runtime.timelapse.video.decode import DecodedPhoto
from timelapse_runtime.timelapse.video.fit import PictureFitter
from timelapse_runtime.timelapse.video.read import decode_frames


class PictureSource:
    """Decodes frames of stored segments, and brings them to one size: other shapes get bars."""

    def __init__(self, reader: StreamReader, size: Size) -> None:
        self._reader, self._size = reader, size
        self._fitter = PictureFitter(*size)

    def decode(self, piece: Piece, body: bytes, offsets: Sequence[int]) -> Iterator[VideoFrame]:
        """The frames of the segment `body` at these offsets, which ascend. Raises SegmentCorrupt, StorageError."""
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
                yield self._fitted(frame)
            if offset == last:
                return

    def _fitted(self, frame: VideoFrame) -> VideoFrame:
        if (frame.width, frame.height) == self._size:
            return frame
        return self._fitter.fit(DecodedPhoto(frame))
