"""The second reading of a file whose pictures are encoded again, as photos would be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import av
from av.filter import Graph
from av.video.frame import VideoFrame

from timelapse_runtime.adopt.capture_times import CaptureTimes
from timelapse_runtime.adopt.prepared import PreparedVideo
from timelapse_runtime.adopt.source_file import SourceFile
from timelapse_runtime.timelapse.commit_plan import SegmentData
from timelapse_runtime.timelapse.config import Config
from timelapse_runtime.timelapse.model.source_frame import adopted_frame
from timelapse_runtime.timelapse.model.video_size import Size, automatic_size, even_size
from timelapse_runtime.timelapse.reel_writer import ReelWriter, encoder_settings
from timelapse_runtime.timelapse.video.codec import Codec
from timelapse_runtime.timelapse.video.decode import DecodedPhoto
from timelapse_runtime.timelapse.video.fit import Picture

_ORIENTATIONS = {0: 1, 90: 8, 180: 3, 270: 6}
"""EXIF's word for pictures that have to be turned by so many degrees, counter-clockwise, to stand upright."""
_CUT_EVERY = 60


class Recoder:
    """Encodes one file again, in the size that `config` gives to photos like its pictures."""

    def __init__(self, source: SourceFile, codec: Codec, config: Config, times: CaptureTimes) -> None:
        self._source, self._codec, self._config, self._times = source, codec, config, times

    def into(self, prepared: PreparedVideo) -> Iterator[int]:
        """Add all segments; yields the number of frames that were appended since the last time.

        Raises CannotAdopt, EncoderFailed.
        """
        writer: ReelWriter | None = None
        picture: Picture | None = None
        count = 0
        pictures = self._source.pictures()
        if self._source.facts.is_interlaced:
            pictures = _deinterlaced(pictures)
        for count, frame in enumerate(pictures, start=1):
            photo = self._photo(frame)
            if writer is None:
                settings = encoder_settings(self._config, self._size(photo), low_delay=False)
                writer, prepared.settings = ReelWriter(self._codec, settings), settings
                how = self._config.fit, self._config.background
                fitter = self._codec.fitter(settings.width, settings.height, *how)
            picture = fitter.fit(photo)
            number = count - 1
            writer.append(picture, adopted_frame(self._source.facts.name, number, self._times.of(number)))
            if count % _CUT_EVERY == 0:
                writer.cut()
                _take(writer, prepared)
                yield _CUT_EVERY
        if writer is not None and picture is not None:
            writer.cut(drain=True)
            _take(writer, prepared)
            prepared.init_segment = writer.init_segment
            prepared.latest = self._codec.thumbnails().encode(picture)
            yield count % _CUT_EVERY

    def _photo(self, frame: VideoFrame) -> DecodedPhoto:
        """The picture as a photo: with square pixels, and the turn that it needs."""
        turn = _ORIENTATIONS.get(round(frame.rotation) % 360, 1)
        ratio = self._source.facts.pixel_ratio
        if ratio not in (0, 1):
            width, height = even_size(round(frame.width * ratio), frame.height)
            frame = frame.reformat(width=width, height=height)
        return DecodedPhoto(frame, turn)

    def _size(self, photo: DecodedPhoto) -> Size:
        if self._config.size is not None:
            return self._config.size
        return automatic_size((photo.width, photo.height), self._config.size_limits(photo.size_bytes)).size


def _deinterlaced(frames: Iterator[VideoFrame]) -> Iterator[VideoFrame]:
    """Whole frames of two fields each: the lines of the second are made from those around them, and from the frames
    before and after it."""
    graph: Graph | None = None
    for frame in frames:
        if graph is None:
            graph = Graph()
            source = graph.add_buffer(
                width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base
            )
            whole = graph.add("yadif", "mode=send_frame:deint=interlaced")
            source.link_to(whole)
            whole.link_to(graph.add("buffersink"))
            graph.configure()
        graph.push(frame)
        yield from _ready(graph)
    if graph is not None:
        graph.push(None)
        yield from _ready(graph)


def _ready(graph: Graph) -> Iterator[VideoFrame]:
    """The frames that have come out of a graph."""
    while True:
        try:
            frame = graph.pull()
        except (av.BlockingIOError, av.EOFError):
            return
        assert isinstance(frame, VideoFrame)
        yield frame


def _take(writer: ReelWriter, prepared: PreparedVideo) -> None:
    """Move the segments that cannot grow any more from the writer to the disk."""
    closed = writer.uncommitted()
    for data in closed[:-1] if writer.has_open_segment else closed:
        prepared.add(SegmentData(replace(data.segment, last_key=""), data.body))
        writer.committed(data.segment.first + data.segment.count)
    writer.release()
