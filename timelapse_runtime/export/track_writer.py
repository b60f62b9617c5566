"""An MP4 file of one video track, written by libav: faststart, a constant frame rate, a chapter for each day."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from fractions import Fraction
from types import TracebackType
from typing import Self

import av
from av.container import OutputContainer

from timelapse_runtime.timelapse.model.frame_times import TICKS_PER_FRAME
from timelapse_runtime.timelapse.video.codec_name import sample_entry
from timelapse_runtime.timelapse.video.encode import EncodedFrame
from timelapse_runtime.timelapse.video.mux import add_track

Chapters = Sequence[tuple[int, date]]
"""The number of each chapter's first frame, and its day."""


def mp4_options(rate: Fraction) -> dict[str, str]:
    """libav's, for a file whose index comes first: libav writes it last, and moves the data behind it."""
    return {"movflags": "faststart", "video_track_timescale": str(rate.numerator * TICKS_PER_FRAME)}


def describe(
    output: OutputContainer, chapters: Chapters, count: int, rate: Fraction, metadata: Mapping[str, str]
) -> None:
    """Give the file its metadata, and its chapters if there are several. `count` is that of its frames."""
    output.metadata.update(metadata)
    if len(chapters) > 1:
        starts = [start for start, _ in chapters]
        output.set_chapters(
            [
                {
                    "id": number,
                    "start": start,
                    "end": end,
                    "time_base": 1 / rate,
                    "metadata": {"title": day.isoformat()},
                }
                for number, ((start, day), end) in enumerate(zip(chapters, [*starts[1:], count], strict=True))
            ]
        )


class TrackWriter:
    """Writes packets of one kind: runs that begin with a keyframe, one after the other.

    Frame 0 is shown at 0. Decoding begins `reorder_frames` before that, at negative times; libav writes the edit list
    that says so, as it does for every MP4 with B-frames.
    """

    def __init__(
        self,
        path: str,
        init_segment: bytes,
        *,
        rate: Fraction,
        reorder_frames: int,
        count: int,
        chapters: Chapters,
        metadata: Mapping[str, str],
    ) -> None:
        self._source = av.open(io.BytesIO(init_segment), "r", format="mp4")
        self._output = av.open(path, "w", format="mp4", options=mp4_options(rate))
        self._stream = add_track(self._output, self._source.streams.video[0], sample_entry(init_segment)[0])
        self._stream.time_base = self._tick = 1 / rate
        self._reorder_frames, self._written_count = reorder_frames, 0
        describe(self._output, chapters, count, rate, metadata)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        self._source.close()
        self._output.close()

    @property
    def written_count(self) -> int:
        """How many packets were written."""
        return self._written_count

    def write(self, packets: Iterable[EncodedFrame], *, first: int) -> None:
        """Append packets in decode order; their numbers count from the frame `first` of the file. Raises av.FFmpegError
        if the file cannot be written."""
        for frame in packets:
            packet = av.Packet(frame.data)
            packet.stream, packet.time_base = self._stream, self._tick
            packet.pts, packet.dts = first + frame.pts, self._written_count - self._reorder_frames
            packet.duration, packet.is_keyframe = 1, frame.is_keyframe
            self._written_count += 1
            self._output.mux(packet)
