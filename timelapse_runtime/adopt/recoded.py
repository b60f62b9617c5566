"""The second reading of a file whose pictures are encoded again, as photos would be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

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
        self._deinterlacer: Graph | None = None

    def into(self, prepared: PreparedVideo) -> Iterator[int]:
        """Add all segments; yields the number of frames that were appended since the last time.

        Raises CannotAdopt, EncoderFailed.
        """
        writer: ReelWriter | None = None
        picture: Picture | None = None
        count = 0
        for count, frame in enumerate(self._source.pictures(), start=1):
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
        """The picture as a photo: of whole frames and square pixels, with the turn that it needs."""
        turn = _ORIENTATIONS.get(round(frame.rotation) % 360, 1)
        if frame.interlaced_frame:
            frame = self._deinterlaced(frame)
        ratio = self._source.facts.pixel_ratio
        if ratio not in (0, 1):
            width, height = even_size(round(frame.width * ratio), frame.height)
            frame = frame.reformat(width=width, height=height)
        return DecodedPhoto(frame, turn)

    def _deinterlaced(self, frame: VideoFrame) -> VideoFrame:
        """One whole frame of two fields: the lines of the second are made from those around them (estdif)."""
        if self._deinterlacer is None:
            graph = self._deinterlacer = Graph()
            source = graph.add_buffer(
                width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1, 30)
            )
            field = graph.add("estdif", "mode=frame")
            source.link_to(field)
            field.link_to(graph.add("buffersink"))
            graph.configure()
        self._deinterlacer.push(frame)
        whole = self._deinterlacer.pull()
        assert isinstance(whole, VideoFrame)
        return whole

    def _size(self, photo: DecodedPhoto) -> Size:
        if self._config.size is not None:
            return self._config.size
        return automatic_size((photo.width, photo.height), self._config.size_limits(photo.size_bytes)).size


def _take(writer: ReelWriter, prepared: PreparedVideo) -> None:
    """Move the segments that cannot grow any more from the writer to the disk."""
    closed = writer.uncommitted()
    for data in closed[:-1] if writer.has_open_segment else closed:
        prepared.add(SegmentData(replace(data.segment, last_key=""), data.body))
        writer.committed(data.segment.first + data.segment.count)
    writer.release()
