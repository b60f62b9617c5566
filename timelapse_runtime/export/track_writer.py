"""An MP4 file of one video track, written by libav: faststart, a chapter for each day."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from fractions import Fraction
from types import TracebackType
from typing import Self

import av
from av.container import OutputContainer

from timelapse_runtime.export.file_times import FileTimes
from timelapse_runtime.timelapse.model.frame_times import TICKS_PER_FRAME
from timelapse_runtime.timelapse.video.codec_name import sample_entry
from timelapse_runtime.timelapse.video.encode import EncodedFrame
from timelapse_runtime.timelapse.video.mux import add_track

Chapters = Sequence[tuple[int, date]]
"""The number of each chapter's first frame, and its day."""


def mp4_options(rate: Fraction) -> dict[str, str]:
    """libav's, for a file whose index comes first: libav writes it last, and moves the data behind it."""
    return {"movflags": "faststart", "video_track_timescale": str(rate.numerator * TICKS_PER_FRAME)}


def set_chapters(output: OutputContainer, chapters: Chapters, times: FileTimes) -> None:
    """Give the file its chapters if there are several. libav writes them at the end of the file, so that all frames'
    times may be known by then."""
    if len(chapters) > 1:
        starts = [times.ticks[first] for first, _ in chapters]
        output.set_chapters(
            [
                {
                    "id": number,
                    "start": start,
                    "end": end,
                    "time_base": times.tick,
                    "metadata": {"title": day.isoformat()},
                }
                for number, ((_, day), start, end) in enumerate(
                    zip(chapters, starts, [*starts[1:], times.end], strict=True)
                )
            ]
        )


class TrackWriter:
    """Writes packets of one kind: runs that begin with a keyframe, one after the other.

    Frame 0 is shown at 0. Decoding begins `reorder_frames` before that, at negative times; libav writes the edit list
    that says so, as it does for every MP4 with B-frames.
    """

    def __init__(
        self, path: str, init_segment: bytes, times: FileTimes, *, reorder_frames: int, metadata: Mapping[str, str]
    ) -> None:
        """A frame's time must be known before its packet is written."""
        self._source = av.open(io.BytesIO(init_segment), "r", format="mp4")
        self._output = av.open(path, "w", format="mp4", options=mp4_options(times.rate))
        self._stream = add_track(self._output, self._source.streams.video[0], sample_entry(init_segment)[0])
        self._stream.time_base = times.tick
        self._times, self._reorder_frames, self._written_count = times, reorder_frames, 0
        self._output.metadata.update(metadata)

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
            packet.stream, packet.time_base = self._stream, self._times.tick
            packet.pts, packet.dts = self._times.ticks[first + frame.pts], self._decoded()
            # libav takes the others from the times of decoding: this is how long the last frame is shown.
            packet.duration, packet.is_keyframe = TICKS_PER_FRAME, frame.is_keyframe
            self._written_count += 1
            self._output.mux(packet)

    def add_chapters(self, chapters: Chapters) -> None:
        """Once, after the last packet."""
        set_chapters(self._output, chapters, self._times)

    def _decoded(self) -> int:
        """When the next packet is decoded: when the frame `reorder_frames` before it is shown. Frames before the first
        one count as if they had been shown, a frame's time each."""
        number = self._written_count - self._reorder_frames
        return number * TICKS_PER_FRAME if number < 0 else self._times.ticks[number]
