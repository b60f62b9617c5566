"""The picture that a segment begins with, from as few of its bytes as that takes."""

from __future__ import annotations

import av
from av.video.frame import VideoFrame

from timelapse_runtime.export.stream_reader import StreamReader
from timelapse_runtime.timelapse.errors import SegmentCorrupt
from timelapse_runtime.timelapse.model.checkpoint import Reel
from timelapse_runtime.timelapse.video.read import open_fragments

_LEAST_BYTES, _SHARE = 256 * 1024, 8
"""How much of a segment is read first: an eighth. In one of 180 frames the keyframe takes a twentieth to a tenth."""


def read_keyframe(reader: StreamReader, reel: Reel, position: int) -> VideoFrame:
    """Decode the first frame of a segment: one GET of its beginning, and another of all of it if that was too little.

    Raises StorageError, SegmentCorrupt.
    """
    init_segment, size_bytes = reader.init_segment(reel), reel.segments[position].size_bytes
    first_bytes = max(_LEAST_BYTES, size_bytes // _SHARE)
    frame = None
    if first_bytes < size_bytes:
        frame = _first_frame(init_segment, reader.segment_start(reel, position, first_bytes))
    if frame is None:
        frame = _first_frame(init_segment, reader.segment(reel, position))
    if frame is None:
        raise SegmentCorrupt(f"segment {position} of reel {reel.name} does not decode; `timelapse verify` says more")
    return frame


def _first_frame(init_segment: bytes, start: bytes) -> VideoFrame | None:
    """None if it is cut off, or damaged."""
    try:
        with open_fragments(init_segment, start) as container:
            stream = container.streams.video[0]
            stream.codec_context.options = {"err_detect": "explode"}
            stream.codec_context.thread_type = "SLICE"
            for packet in container.demux(stream):
                if packet.is_corrupt or not packet.is_keyframe:
                    return None
                frames = [*packet.decode(), *stream.codec_context.decode(None)]
                return frames[0] if frames and not frames[0].is_corrupt else None
    except (av.FFmpegError, ValueError, IndexError):
        return None
    return None
