"""A selection as one MP4 whose frames are all encoded again: at another size or speed, or by another codec."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import av
from av.video.stream import VideoStream

from timelapse_runtime.export.pictures import PictureSource
from timelapse_runtime.export.selection import Piece, frame_count
from timelapse_runtime.export.stream_reader import StreamReader
from timelapse_runtime.export.track_writer import Chapters, describe, mp4_options
from timelapse_runtime.timelapse.model.quality import H264, H265, QUALITIES
from timelapse_runtime.timelapse.model.video_size import Size
from timelapse_runtime.timelapse.video.video_codecs import VIDEO_CODECS, opening, rate_control, set_picture

USUAL_QUALITY = "balanced"


@dataclass(frozen=True, slots=True)
class Encoding:
    """In which of CODEC_NAMES the frames are encoded, and how well."""

    codec: str = H264
    quality: str = USUAL_QUALITY
    maximum_kbps: int | None = None

    @property
    def options(self) -> dict[str, str]:
        """Those of libav's encoder."""
        preset, crf = QUALITIES[self.quality][self.codec]
        options = rate_control(self.codec, preset, crf, self.maximum_kbps)
        return {**options, "x265-params": "log-level=error"} if self.codec == H265 else options


def write_recoded(
    reader: StreamReader,
    pieces: Sequence[Piece],
    path: str,
    *,
    encoding: Encoding,
    size: Size,
    rate: Fraction,
    threads: int,
    chapters: Chapters,
    metadata: Mapping[str, str],
    on_frames: Callable[[int], None],
) -> None:
    """Write the file; `on_frames` is told of frames that are done. Raises StorageError, MediaError, FFmpegError."""
    with av.open(path, "w", format="mp4", options=mp4_options(rate)) as output:
        codec = VIDEO_CODECS[encoding.codec]
        stream = output.add_stream(codec.encoder, rate=rate, options=encoding.options)
        assert isinstance(stream, VideoStream)
        context = stream.codec_context
        set_picture(context, size, rate)
        context.thread_count, context.codec_tag = threads, codec.tag
        describe(output, chapters, frame_count(pieces), rate, metadata)
        with opening(encoding.codec):
            output.start_encoding()
        for number, picture in enumerate(PictureSource(reader, size).all(pieces)):
            picture.pts, picture.time_base = number, 1 / rate
            output.mux(stream.encode(picture))
            on_frames(1)
        output.mux(stream.encode(None))
