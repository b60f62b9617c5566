"""Stored segments back to pictures: the proof that what is stored decodes to what the checkpoint claims."""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import av
from av.container import InputContainer
from av.video.frame import VideoFrame

from timelapse_runtime.timelapse.errors import SegmentCorrupt
from timelapse_runtime.timelapse.model.frame_times import TICKS_PER_FRAME, FrameTime
from timelapse_runtime.timelapse.video.boxes import read_provenance


def open_fragments(init_segment: bytes, fragments: bytes) -> InputContainer:
    """Open them in the track's own time, in which frame 0 is shown at tick `reorder_frames * TICKS_PER_FRAME`, whether
    the init segment has an edit list or not. The caller closes it. Raises av.FFmpegError, ValueError."""
    return av.open(io.BytesIO(init_segment + fragments), "r", format="mp4", options={"ignore_editlist": "1"})


def decode_segment(
    init_segment: bytes, segment: bytes, *, first: int, count: int, reorder_frames: int, keep: int
) -> list[tuple[int, VideoFrame]]:
    """Decode a whole segment, and give its last `keep` frames with their numbers. Raises SegmentCorrupt as
    `decode_frames` does."""
    frames = decode_frames(init_segment, segment, first=first, count=count, reorder_frames=reorder_frames)
    return list(deque(frames, maxlen=keep))


def decode_frames(
    init_segment: bytes, segment: bytes, *, first: int, count: int, reorder_frames: int
) -> Iterator[tuple[int, VideoFrame]]:
    """Decode a whole segment, and give each frame with its number; a few of them are in memory at a time.

    Raises SegmentCorrupt unless it decodes, without any damage, to exactly the frames `first` to
    `first + count - 1`, each of them at its time.
    """
    expected, last_pts = first, -1
    last_shown = _last_shown(segment, reorder_frames)
    try:
        with open_fragments(init_segment, segment) as container:
            stream = container.streams.video[0]
            if getattr(stream, "codec_context", None) is None:  # PyAV's types do not say that it may be
                raise SegmentCorrupt("the init segment names no codec that can be decoded")
            stream.codec_context.options = {"err_detect": "explode"}
            stream.codec_context.thread_type = "SLICE"  # frame threads would cost a picture of memory each
            for frame in container.decode(stream):
                pts = -1 if frame.pts is None else frame.pts
                number = pts // TICKS_PER_FRAME - reorder_frames
                is_next = number == expected if last_shown is None else pts > last_pts
                if not is_next or frame.is_corrupt:
                    damage = "damaged" if frame.is_corrupt else "out of place"
                    raise SegmentCorrupt(f"frame {expected} was to come; one at tick {frame.pts} came, {damage}")
                yield expected, frame
                expected, last_pts = expected + 1, pts
    except (av.FFmpegError, ValueError, IndexError) as error:
        raise SegmentCorrupt(f"frames {first} to {first + count - 1} do not decode: {error}") from error
    if expected != first + count:
        raise SegmentCorrupt(f"it claims {count} frames and decodes to {expected - first}")
    if last_shown is not None and last_pts != last_shown:
        raise SegmentCorrupt(f"its last frame is shown at tick {last_pts}; it claims {last_shown}")


def _last_shown(segment: bytes, reorder_frames: int) -> int | None:
    """The tick of the last frame in the track's own time, if frames are shown as their photos were taken; else None.
    Raises SegmentCorrupt."""
    parts = read_provenance(segment)
    clock = parts[-1].clock if parts else None
    return None if clock is None else FrameTime.from_value(clock[-1]).shown + reorder_frames * TICKS_PER_FRAME


def count_frames(video: Path) -> int:
    """How many frames a finished video file has, counted as packets; nothing is decoded. Raises av.FFmpegError."""
    with av.open(str(video), "r") as container:
        return sum(1 for packet in container.demux(video=0) if packet.size)
