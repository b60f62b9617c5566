"""The second reading of a file whose packets are copied: from groups of pictures to segments, each decoded as proof."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from timelapse_runtime.adopt.capture_times import CaptureTimes
from timelapse_runtime.adopt.errors import CannotCopy
from timelapse_runtime.adopt.groups import Group, in_segments
from timelapse_runtime.adopt.prepared import PreparedVideo
from timelapse_runtime.adopt.source_file import SourceFile
from timelapse_runtime.adopt.survey import Reading, Survey
from timelapse_runtime.timelapse.commit_plan import SegmentData
from timelapse_runtime.timelapse.errors import EncoderFailed, SegmentCorrupt
from timelapse_runtime.timelapse.model.checkpoint import Segment, checksum, photos_checksum
from timelapse_runtime.timelapse.model.quality import H264
from timelapse_runtime.timelapse.model.source_frame import adopted_frame
from timelapse_runtime.timelapse.reel_writer import InitSegment
from timelapse_runtime.timelapse.video.boxes import pack_provenance
from timelapse_runtime.timelapse.video.codec import Codec
from timelapse_runtime.timelapse.video.encode import EncoderSettings
from timelapse_runtime.timelapse.video.mux import FragmentMuxer


class Copier:
    """Copies one file. `settings` are the reel's: its size and frame rate, and the frames in a usual segment."""

    def __init__(
        self, source: SourceFile, surveyed: Survey, codec: Codec, settings: EncoderSettings, times: CaptureTimes
    ) -> None:
        self._source, self._survey, self._codec = source, surveyed, codec
        self._settings, self._times = settings, times
        self._muxer: FragmentMuxer | None = None

    def into(self, prepared: PreparedVideo) -> Iterator[int]:
        """Add all segments; yields the number of frames of each when it is added. Raises CannotAdopt, CannotCopy."""
        usual, reorder = self._settings.keyframe_interval, self._survey.reorder_frames
        prepared.settings = replace(self._settings, keyframe_interval=max(usual, self._survey.longest_segment))
        thumbnails, picture = self._codec.thumbnails(), None
        for groups in in_segments(Reading(self._source).groups(), usual):
            data = self._segment(groups)
            assert self._muxer is not None
            prepared.init_segment = InitSegment(self._muxer.init_segment, reorder)
            segment = data.segment
            try:
                picture = self._codec.decode_segment(
                    self._muxer.init_segment,
                    data.body,
                    first=segment.first,
                    count=segment.count,
                    reorder_frames=reorder,
                )
            except SegmentCorrupt as error:
                raise CannotCopy(f"from frame {segment.first} on it does not decode by itself: {error}") from error
            prepared.add(data)
            yield segment.count
        if picture is not None:
            prepared.latest = thumbnails.encode(picture)

    def _segment(self, groups: Sequence[Group]) -> SegmentData:
        first, parts = groups[0].first, list[bytes]()
        try:
            muxer = self._muxer = self._muxer or self._codec.muxer(
                self._survey.parameter_sets,
                groups[0].frames[0],
                fps=self._settings.fps,
                reorder_frames=self._survey.reorder_frames,
                codec=H264,
            )
            for group in groups:
                numbers = range(group.first, group.first + len(group.frames))
                name = self._source.facts.name
                sources = [adopted_frame(name, number, self._times.of(number)) for number in numbers]
                parts += [pack_provenance(group.first, sources), muxer.fragment(group.frames, number=group.first)]
        except EncoderFailed as error:
            raise CannotCopy(f"its packets from frame {first} on do not fit into MP4: {error}") from error
        body, count = b"".join(parts), sum(len(group.frames) for group in groups)
        segment = Segment(
            first,
            count,
            "",
            len(body),
            checksum(body),
            last_key="",
            photos=photos_checksum(()),
            captured_epoch_ms=self._times.of(first),
        )
        return SegmentData(segment, body)
