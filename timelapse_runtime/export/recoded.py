"""A selection as one MP4 whose frames are all encoded again: at another size or speed, or by another codec."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.video.stream import VideoStream

from timelapse_runtime.export.pictures import PictureSource
from timelapse_runtime.export.selection import Piece, frame_count
from timelapse_runtime.export.stream_reader import StreamReader
from timelapse_runtime.export.track_writer import Chapters, describe, mp4_options
from timelapse_runtime.timelapse.model.video_size import Size


@dataclass(frozen=True, slots=True)
class VideoCodec:
    """An encoder of libav: its name, its options, and the name of the sample entry, if not libav's own choice."""

    encoder: str
    options: Mapping[str, str]
    tag: str = ""


CODECS = {
    "h264": VideoCodec("libx264", {"preset": "veryfast", "crf": "21"}),
    # Apple's players take H.265 as `hvc1` alone; libav writes `hev1`.
    "h265": VideoCodec("libx265", {"preset": "fast", "crf": "26", "x265-params": "log-level=error"}, tag="hvc1"),
    "av1": VideoCodec("libsvtav1", {"preset": "8", "crf": "35"}),
}
_RANGE_LIMITED, _MATRIX_BT601, _PRIMARIES_BT709, _TRANSFER_SRGB = 1, 6, 1, 13
"""As the stored video has them (`video/encode.py`)."""


@contextmanager
def same_scheduling() -> Iterator[None]:
    """Give all threads of this process the scheduling policy that the caller has now.

    SVT-AV1 (4.1, tried in November 2026) makes its threads, and the one that opens it, real-time threads of the highest
    priority where the process may do that, as root: then nothing else on the machine gets its turn, and children
    inherit it.
    """
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        for task in Path("/proc/self/task").iterdir():
            with suppress(ProcessLookupError):
                os.sched_setscheduler(int(task.name), policy, parameters)


def write_recoded(
    reader: StreamReader,
    pieces: Sequence[Piece],
    path: str,
    *,
    codec: VideoCodec,
    size: Size,
    rate: Fraction,
    threads: int,
    chapters: Chapters,
    metadata: Mapping[str, str],
    on_frames: Callable[[int], None],
) -> None:
    """Write the file; `on_frames` is told of frames that are done. Raises StorageError, MediaError, FFmpegError."""
    with av.open(path, "w", format="mp4", options=mp4_options(rate)) as output:
        stream = output.add_stream(codec.encoder, rate=rate, options=dict(codec.options))
        assert isinstance(stream, VideoStream)
        context = stream.codec_context
        context.width, context.height, context.pix_fmt = *size, "yuv420p"
        context.time_base, context.thread_count = 1 / rate, threads
        context.color_range, context.colorspace = _RANGE_LIMITED, _MATRIX_BT601
        context.color_primaries, context.color_trc = _PRIMARIES_BT709, _TRANSFER_SRGB
        if codec.tag:
            context.codec_tag = codec.tag
        describe(output, chapters, frame_count(pieces), rate, metadata)
        with same_scheduling():
            output.start_encoding()
        for number, picture in enumerate(PictureSource(reader, size).all(pieces)):
            picture.pts, picture.time_base = number, 1 / rate
            output.mux(stream.encode(picture))
            on_frames(1)
        output.mux(stream.encode(None))
