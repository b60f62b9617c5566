"""A selection as one MP4 whose frames are all encoded again: at another size or speed, or by another codec."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

import av
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from timelapse_runtime.export.file_times import FileTimes
from timelapse_runtime.export.track_writer import Chapters, mp4_options, set_chapters
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
    pictures: Iterable[VideoFrame],
    times: FileTimes,
    path: str,
    *,
    time_base: Fraction,
    encoding: Encoding,
    size: Size,
    threads: int,
    chapters: Chapters,
    metadata: Mapping[str, str],
) -> int:
    """Write a file of `pictures`, of this size; how many they are. The encoder's `time_base` is one frame's time if all
    are shown for that, else `times.tick`. Raises what `pictures` raises, MediaError, FFmpegError."""
    with av.open(path, "w", format="mp4", options=mp4_options(times.rate)) as output:
        codec = VIDEO_CODECS[encoding.codec]
        stream = output.add_stream(codec.encoder, rate=times.rate, options=encoding.options)
        assert isinstance(stream, VideoStream)
        context = stream.codec_context
        set_picture(context, size, times.rate)
        context.time_base = time_base
        context.thread_count, context.codec_tag = threads, codec.tag
        output.metadata.update(metadata)
        with opening(encoding.codec):
            output.start_encoding()
        count = 0
        for picture in itertools.chain(pictures, (None,)):
            count += picture is not None
            for packet in stream.encode(picture):
                packet.duration = round(1 / (times.rate * time_base))  # the last one's: libav computes the others
                output.mux(packet)
        set_chapters(output, chapters, times)
    return count
