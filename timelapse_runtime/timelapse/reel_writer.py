"""A reel that is being written by one encoder: the encoder, and the segments that are in memory.

Owns both, and the names of the photos inside the encoder. Knows nothing of storage. A crash loses it all, and nothing
is lost by that: the photos after the checkpoint's last frame are in S3, and another writer that starts at that frame
makes the same video.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from timelapse_runtime.timelapse.commit_plan import SegmentData
from timelapse_runtime.timelapse.config import Config
from timelapse_runtime.timelapse.filters.contract import FilterState
from timelapse_runtime.timelapse.model.checkpoint import Segment, checksum, photos_checksum
from timelapse_runtime.timelapse.model.frame_times import Pacing
from timelapse_runtime.timelapse.model.reel_clock import ClockState, ReelClock
from timelapse_runtime.timelapse.model.source_frame import SourceFrame, highest_in_order, out_of_order
from timelapse_runtime.timelapse.model.video_size import NO_RUN, Size, SizeRun
from timelapse_runtime.timelapse.time_left import TimeLeft
from timelapse_runtime.timelapse.video.boxes import pack_provenance
from timelapse_runtime.timelapse.video.codec import Codec
from timelapse_runtime.timelapse.video.encode import EncodedFrame, EncoderSettings
from timelapse_runtime.timelapse.video.fit import Picture
from timelapse_runtime.timelapse.video.init_segment import init_sha256
from timelapse_runtime.timelapse.video.mux import FragmentMuxer


@dataclass(frozen=True, slots=True)
class InitSegment:
    """ftyp + moov, and what tells one from another."""

    body: bytes
    reorder_frames: int

    @property
    def sha256(self) -> str:
        """As `Reel.init_sha256`."""
        return init_sha256(self.body)


def encoder_settings(config: Config, size: Size, *, low_delay: bool) -> EncoderSettings:
    """Those of a reel's encoders."""
    return EncoderSettings(
        *size,
        config.fps,
        config.keyframe_interval,
        config.crf,
        config.preset,
        config.threads,
        low_delay=low_delay,
        maximum_kbps=config.maximum_kbps,
        codec=config.codec,
    )


class ReelWriter:
    """Appends pictures to a reel from frame `first_number` on. Its first segment begins there.

    `last_key` is the highest position in the reel so far, or empty; `after` is that before a reel that begins here.
    `filter_state` is what the filters remember before the first frame. With `pacing`, frames are shown as that rule
    says; `clock_state` is its state before the first frame, None if a reel begins.
    `init_sha256` is that of the reel's init segment. If this encoder's turns out to be another one (x264 was updated,
    or its preset was changed), its frames cannot continue the reel: then they begin another one, from frame 0 on, and
    `begins_other_reel` says so.

    `append` and `cut_number` count on from `first_number` in either case.
    """

    def __init__(
        self,
        codec: Codec,
        settings: EncoderSettings,
        *,
        first_number: int = 0,
        last_key: str = "",
        after: str = "",
        init_sha256: str | None = None,
        filter_state: FilterState = None,
        pacing: Pacing | None = None,
        clock_state: ClockState = None,
    ) -> None:
        self.settings, self.after, self.pacing = settings, after, pacing
        self._codec, self._encoder = codec, codec.encoder(settings, first_number=first_number)
        self._muxer: FragmentMuxer | None = None
        self._init_segment: InitSegment | None = None
        self._expected_sha256 = init_sha256
        self._last_key = self._last_key_before = last_key
        self._sources: dict[int, SourceFrame] = {}
        self._size_runs: dict[int, SizeRun] = {}
        self._filter_states = {first_number - 1: filter_state}
        self._clock: ReelClock | None = None
        if pacing is not None:
            interval = settings.keyframe_interval
            self._clock = ReelClock(pacing, first_number=first_number, state=clock_state, keyframe_interval=interval)
        self._clock_states = {first_number: clock_state}  # before the frame of this number, where fragments begin
        self._first_source: SourceFrame | None = None
        self._segments: list[SegmentData] = []
        self._first_number = self._cut_number = self._committed_number = first_number
        self._number_offset = 0

    @property
    def init_segment(self) -> InitSegment | None:
        """The encoder's, once a frame has come out of it."""
        return self._init_segment

    @property
    def first_source(self) -> SourceFrame | None:
        """The photo behind the first frame here."""
        return self._first_source

    @property
    def begins_other_reel(self) -> bool:
        """Whether the frames cannot continue the reel. Known once a frame has come out of the encoder."""
        return self._init_segment is not None and self._expected_sha256 not in (None, self._init_segment.sha256)

    @property
    def cut_number(self) -> int:
        """The frames below this number are in segments, committed or not."""
        return self._cut_number

    @property
    def frame_count(self) -> int:
        """The reel's frames so far, those inside the encoder included."""
        return self._encoder.next_number - self._number_offset

    @property
    def is_drained(self) -> bool:
        """Whether the encoder has ended; the next picture needs a new writer."""
        return self._encoder.is_drained

    @property
    def holds_frames(self) -> bool:
        """Whether frames are inside the encoder that only a drain, or more frames, take out."""
        return self._encoder.holds_frames

    @property
    def has_open_segment(self) -> bool:
        """Whether the next frame may go into the last segment."""
        return bool(self._segments) and not self.is_drained

    @property
    def committed_filter_state(self) -> FilterState:
        """What the filters remembered after the last committed frame."""
        return self._filter_states[self._committed_number - 1]

    @property
    def committed_clock_state(self) -> ClockState:
        """What must be known of the times of frames after the last committed one."""
        return self._clock_states[self._committed_number]

    @property
    def _delay(self) -> int:
        """How far decoding runs ahead, in frames. How long a frame is shown is known when the next one is appended: so
        at least one frame, where that differs."""
        return max(self._encoder.reorder_frames, 1 if self.pacing is not None else 0)

    def append(
        self, picture: Picture, source: SourceFrame, size_run: SizeRun = NO_RUN, filter_state: FilterState = None
    ) -> int:
        """Encode one picture, and return its number. `size_run` is the run of sizes after it, `filter_state` what the
        filters remember after it. Raises EncoderFailed."""
        is_keyframe = self._clock is not None and self._clock.needs_keyframe(source)
        number = self._encoder.append(picture, is_keyframe=is_keyframe)
        if self._clock is not None:
            self._clock.add(source, is_keyframe=is_keyframe, delay=self._delay)
        self._sources[number] = source
        if size_run.size is not None:
            self._size_runs[number] = size_run
        self._filter_states[number] = filter_state
        self._first_source = self._first_source or source
        return number

    def cut(self, *, drain: bool = False, time_left: TimeLeft | None = None) -> None:
        """Move what is complete from the encoder into segments.

        With `drain`, first take out what there is time for (all, without `time_left`). After that nothing more can be
        appended, and the last segment is closed. Raises EncoderFailed.
        """
        if drain:
            self._encoder.drain(time_left)
        run = self._encoder.cut()
        start = 0
        for position in range(1, len(run) + 1):
            if position == len(run) or run[position].is_keyframe:
                self._add_fragment(run[start:position])
                start = position

    def uncommitted(self) -> tuple[SegmentData, ...]:
        """The segments with frames that are not committed yet, in order, each whole."""
        return tuple(data for data in self._segments if self._is_uncommitted(data))

    def committed(self, number: int) -> None:
        """The frames below `number` were committed."""
        self._committed_number = max(self._committed_number, number)
        for settled in [one for one in self._filter_states if one < self._committed_number - 1]:
            del self._filter_states[settled]
        for settled in [one for one in self._clock_states if one < self._committed_number]:
            del self._clock_states[settled]
        if self._clock is not None:
            self._clock.settle(self._committed_number)

    def release(self) -> dict[tuple[int, int], bytes]:
        """The bytes of all segments in memory, by first frame and frame count.

        Committed segments that cannot grow any more are the caller's alone afterwards.
        """
        cached = {(data.segment.first, data.segment.count): data.body for data in self._segments}
        growing = self._segments[-1] if self.has_open_segment else None
        self._segments = [data for data in self._segments if data is growing or self._is_uncommitted(data)]
        return cached

    def _is_uncommitted(self, data: SegmentData) -> bool:
        return data.segment.first + data.segment.count > self._committed_number - self._number_offset

    def _add_fragment(self, frames: Sequence[EncodedFrame]) -> None:
        muxer = self._muxer or self._begin(frames[0])
        first = self._cut_number - self._number_offset
        numbers = range(self._cut_number, self._cut_number + len(frames))
        sources = [self._sources.pop(number) for number in numbers]
        if frames[0].is_keyframe:
            self._last_key_before = self._last_key
            begun = Segment(first, 0, "", 0, "", self._last_key, captured_epoch_ms=sources[0].captured_epoch_ms)
            self._segments.append(SegmentData(begun, b""))
        size_runs = [self._size_runs.pop(number, NO_RUN) for number in numbers]
        late = out_of_order(sources, self._last_key_before)
        self._last_key = highest_in_order(sources, self._last_key)
        numbered = [replace(frame, pts=frame.pts - self._number_offset) for frame in frames]
        segment, body = self._segments[-1].segment, self._segments[-1].body
        ticks, clock_state = None, None
        if self._clock is not None:
            ticks = self._clock.ticks(numbers, delay=self._delay)
            clock_state = self._clock.state(numbers[-1], delay=self._delay)
        self._clock_states[numbers.stop] = clock_state
        body += pack_provenance(first, sources, size_runs[-1], self._filter_states[numbers[-1]], clock_state)
        body += muxer.fragment(numbered, number=first, ticks=ticks)
        segment = replace(
            segment,
            count=segment.count + len(frames),
            duration_ticks=segment.duration_ticks + (ticks[len(frames)] - ticks[0] if ticks else 0),
            size_bytes=len(body),
            crc32=checksum(body),
            last_key=self._last_key,
            out_of_order=segment.out_of_order + late,
            photos=photos_checksum(_positions(sources).difference(late), segment.photos),
        )
        self._segments[-1] = SegmentData(segment, body)
        self._cut_number += len(frames)

    def _begin(self, first: EncodedFrame) -> FragmentMuxer:
        """The first packet is there: now the init segment is known."""
        self._muxer = self._codec.muxer(
            self._encoder.parameter_sets,
            first,
            fps=self.settings.fps,
            reorder_frames=self._delay,
            codec=self.settings.codec,
        )
        self._init_segment = InitSegment(self._muxer.init_segment, self._delay)
        if self.begins_other_reel:
            self._number_offset, self._last_key = self._first_number, self.after
            if self._clock is not None:
                self._clock.begin_reel(self._first_number)
        return self._muxer


def _positions(sources: Sequence[SourceFrame]) -> set[str]:
    return {source.position for source in sources if source.is_photo}
