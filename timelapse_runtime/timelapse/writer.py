"""The end of the video in memory: from photos to the segments that a commit stores.

Owns the reel that is being written, its day, its filters, and the newest picture. A video is a run of reels, and
a reel is written by a run of encoders; each photo that is appended finds the encoder that it needs. Knows nothing of
storage or of the order of photos. A crash loses it all, and nothing is lost by that.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from timelapse_runtime.timelapse.commit_plan import SegmentData
from timelapse_runtime.timelapse.config import Config
from timelapse_runtime.timelapse.day_pictures import DayPictures
from timelapse_runtime.timelapse.errors import SegmentCorrupt
from timelapse_runtime.timelapse.filters.contract import FilterState, Moment
from timelapse_runtime.timelapse.model.checkpoint import ARRIVAL_ORDER, MAXIMUM_REEL_FRAMES, Reel, checksum
from timelapse_runtime.timelapse.model.frame_times import MAXIMUM_REEL_TICKS
from timelapse_runtime.timelapse.model.keys import key_order, reel_name
from timelapse_runtime.timelapse.model.pace import Pace
from timelapse_runtime.timelapse.model.reel_clock import ClockState
from timelapse_runtime.timelapse.model.reel_day import ReelDay
from timelapse_runtime.timelapse.model.source_frame import Role, SourceFrame
from timelapse_runtime.timelapse.model.video_size import Size, SizeChanges, automatic_size
from timelapse_runtime.timelapse.reel_writer import InitSegment, ReelWriter, encoder_settings
from timelapse_runtime.timelapse.stream_log import StreamLog
from timelapse_runtime.timelapse.time_left import TimeLeft
from timelapse_runtime.timelapse.video.boxes import read_provenance
from timelapse_runtime.timelapse.video.codec import Codec
from timelapse_runtime.timelapse.video.codec_name import codec_name
from timelapse_runtime.timelapse.video.decode import DecodedPhoto
from timelapse_runtime.timelapse.video.encode import EncoderSettings
from timelapse_runtime.timelapse.video.filtered import PictureFilters
from timelapse_runtime.timelapse.video.fit import Picture, PictureFitter

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ReelStart:
    """What the frames that are being written need of a reel: its day, its settings and its init segment."""

    date: str
    settings: EncoderSettings
    init_segment: InitSegment
    order: str
    after: str
    speed: int = 0

    def reel_after(self, last: Reel | None) -> Reel:
        """The reel that follows `last`, without segments."""
        number = last.number + 1 if last else 1
        return Reel(
            number=number,
            name=reel_name(number, self.date),
            width=self.settings.width,
            height=self.settings.height,
            fps=self.settings.fps,
            keyframe_interval=self.settings.keyframe_interval,
            reorder_frames=self.init_segment.reorder_frames,
            init_size_bytes=len(self.init_segment.body),
            init_sha256=self.init_segment.sha256,
            first_sequence=last.first_sequence + len(last.segments) if last else 0,
            previous=last.name if last else None,
            order=self.order,
            after=self.after,
            discontinuity=last.discontinuity + bool(last.segments) if last else 0,
            codecs=codec_name(self.init_segment.body),
            low_delay=self.settings.low_delay,
            speed=self.speed,
        )


@dataclass(frozen=True, slots=True)
class Cut:
    """What has come out of the encoder.

    `segments` are those with frames that are not committed yet, each whole. The frames whose number (as `append` gave
    it) is below `frame_count` are in segments. `start` is there once a frame has come out.
    """

    segments: tuple[SegmentData, ...] = ()
    frame_count: int = 0
    has_open_segment: bool = False
    start: ReelStart | None = None

    def fits(self, reel: Reel | None) -> bool:
        """Whether the frames can continue `reel`, or begin one if it is None."""
        return reel is None or self.start is None or self.start.init_segment.sha256 == reel.init_sha256


class VideoWriter:
    """Appends photos to the video of the stream `name`. `reel` is, throughout, the open reel as it is committed.

    With `low_delay`, a reel that begins here begins with it; after that it follows the camera's pace. `pictures` gets
    each frame as it is encoded.
    """

    def __init__(
        self,
        name: str,
        config: Config,
        codec: Codec,
        *,
        low_delay: bool = False,
        pictures: DayPictures | None = None,
    ) -> None:
        self._pictures = pictures
        self._config, self._codec = config, codec
        self._pace = Pace(config.slow_pace_ms)
        self._low_delay = self._is_low_delay_wanted = low_delay
        self._reel_writer: ReelWriter | None = None
        self._fitter: PictureFitter | None = None
        self._filters: PictureFilters | None = None
        self._filter_state: FilterState = None  # after the last committed frame of the open reel
        self._clock_state: ClockState = None  # the same
        self._reel_day = ReelDay(config.timezone)
        self._size_changes = SizeChanges(config.new_size_after)
        self._highest = ""
        self._newest: tuple[SourceFrame, Picture] | None = None
        self._newest_is_committed = False
        self._lacks_newest = False
        self._thumbnails = codec.thumbnails()
        self._log = StreamLog(_log, name)

    @property
    def newest_uploaded_epoch_ms(self) -> int:
        """When the photo of the newest frame was uploaded; 0 if there is none."""
        return self._newest[0].uploaded_epoch_ms if self._newest else 0

    @property
    def step_ms(self) -> int:
        """The usual time from one photo to the next, lately; 0 if it is not known."""
        return self._pace.step_ms

    @property
    def holds_frames(self) -> bool:
        """Whether frames are inside the encoder that only a drain, or more frames, take out."""
        return self._reel_writer is not None and self._reel_writer.holds_frames

    @property
    def looks_ahead(self) -> bool:
        """Whether there is an encoder that holds frames back."""
        return self._reel_writer is not None and not self._low_delay

    @property
    def is_too_slow(self) -> bool:
        """Whether the encoder looks ahead, and the camera is too slow for that, by its first photos."""
        return self.looks_ahead and self._pace.is_slow

    @property
    def lacks_newest(self) -> bool:
        """Whether the newest frame was discarded, and the last committed one's picture may be needed: `resume` before
        the next frame."""
        return self._lacks_newest

    @property
    def is_writing(self) -> bool:
        """Whether frames were appended to the open reel here."""
        return self._reel_writer is not None

    @property
    def frame_count(self) -> int | None:
        """The frames of the reel that is being written here, those inside the encoder included; None if none is."""
        return self._reel_writer.frame_count if self._reel_writer else None

    @property
    def video_size(self) -> Size | None:
        """That of the reel that is being written here."""
        return (self._reel_writer.settings.width, self._reel_writer.settings.height) if self._reel_writer else None

    @property
    def is_drained(self) -> bool:
        """Whether the encoder has ended: commit what it gave, before the next photo begins another one."""
        return self._reel_writer is not None and self._reel_writer.is_drained

    def resume(self, reel: Reel, init_segment: bytes, body: bytes) -> Sequence[SourceFrame]:
        """Continue after the last segment of `reel`, and return the photos in it, in order.

        The segment is decoded. Raises SegmentCorrupt if it is not what was committed, or does not decode to the frames
        that the checkpoint claims.
        """
        last = reel.segments[-1]
        if checksum(body) != last.crc32:
            raise SegmentCorrupt(f"its CRC-32 is {checksum(body)}; the checkpoint claims {last.crc32}")
        parts = read_provenance(body)
        sources = [frame for part in parts for frame in part.frames]
        if len(sources) != last.count:
            raise SegmentCorrupt(f"it names {len(sources)} photos; the checkpoint claims {last.count}")
        picture = self._codec.decode_segment(
            init_segment, body, first=last.first, count=last.count, reorder_frames=reel.reorder_frames
        )
        self._newest = sources[-1], picture
        self._filter_state, self._clock_state = parts[-1].filters, parts[-1].clock
        self._newest_is_committed, self._lacks_newest = True, False
        self._reel_day.begin(reel.date, sources)
        for source in sources:
            self._note_pace(source)
        self._size_changes.run = parts[-1].size_run
        return sources

    def discard_uncommitted(self, last: Reel | None, highest: str = "") -> None:
        """The video ends with the reel `last` again, and with the position `highest`. No picture that was discarded is
        repeated, and no filter continues from it (`lacks_newest`)."""
        is_used = self._config.rejected == "repeat" or (self._filters is not None and self._filters.remembers)
        self._reel_writer, self._filters, self._highest = None, None, highest
        self._size_changes.restart()
        is_open = last is not None and not last.is_closed
        if self._newest and not self._newest_is_committed and is_used and last and last.segments and is_open:
            self._newest, self._lacks_newest = None, True
        self._low_delay = (last is not None and last.low_delay) or (self._is_low_delay_wanted and not is_open)
        self._reel_day.begin(last.date if last and is_open else None, [self._newest[0]] if self._newest else [])

    def repeated_picture(self, reel: Reel | None) -> DecodedPhoto | None:
        """The newest picture, to be repeated; None if a reel would begin with it."""
        begins_reel = self._reel_writer is None and reel is None
        assert not self._lacks_newest, "resume first"
        return None if self._newest is None or begins_reel else DecodedPhoto(self._newest[1])

    def thumbnail(self) -> bytes | None:
        """The newest picture as a small JPEG; None if there is none, or nobody has its pixels."""
        return self._thumbnails.encode(self._newest[1]) or None if self._newest else None

    def needs_new_reel(self, source: SourceFrame, reel: Reel | None) -> bool:
        """Whether the open reel must end before this photo: its day is over, it is full, or settings or the photos'
        size changed."""
        if self._reel_day.day is None:
            return False  # none is open
        config = self._config
        frame_count = self._reel_writer.frame_count if self._reel_writer else reel.frame_count if reel else 0
        is_full = frame_count >= MAXIMUM_REEL_FRAMES
        is_full |= reel is not None and reel.speed > 0 and reel.ticks >= MAXIMUM_REEL_TICKS
        if is_full or (config.reel == "day" and self._reel_day.ends_before(source)):
            return True
        if self._size_changes.due is not None and config.size is None:
            return True
        if self._pace.needs_low_delay(has_low_delay=self._low_delay) != self._low_delay:
            return True
        if reel is None or self._reel_writer is not None:
            return False
        size = reel.width, reel.height
        limits = config.size_limits(size[0] * size[1] * 3 // 2)  # photos in 4:2:0
        is_allowed = limits.allow(size) if config.size is None else size == config.size
        configured = config.fps, config.keyframe_interval, config.speed
        return not is_allowed or configured != (reel.fps, reel.keyframe_interval, reel.speed)

    def append(self, source: SourceFrame, picture: DecodedPhoto, reel: Reel | None) -> int:
        """Encode one photo, and return its number, which rises by one from photo to photo of an encoder.

        Raises EncoderFailed.
        """
        if self._reel_writer is None or self._reel_writer.is_drained:
            settings = self._settings(picture, reel)
            self._begin_filters(settings, reel)
            self._reel_writer = None  # its encoder's memory is needed
            self._reel_writer = self._begin(settings, reel)
            how = self._config.fit, self._config.background
            self._fitter = self._codec.fitter(settings.width, settings.height, *how)
            if reel is None or self._reel_day.day is None:
                self._reel_day.begin(reel.date if reel else self._reel_day.of(source))
        writer = self._reel_writer
        assert self._fitter is not None
        assert self._filters is not None
        fitted = self._fitter.fit(picture)
        if source.role is not Role.STAND_IN:  # that shows a frame again, as it is
            fitted = self._filters.apply(fitted, Moment(source.key, source.captured_epoch_ms))
        if self._config.size is None and source.role is not Role.STAND_IN:
            limits = self._config.size_limits(picture.size_bytes)
            wanted = automatic_size((picture.width, picture.height), limits).size
            self._size_changes.add(wanted, (writer.settings.width, writer.settings.height))
        number = writer.append(fitted, source, self._size_changes.run, self._filters.state)
        if self._pictures is not None:
            self._pictures.add(number, fitted)
        self._note_pace(source)
        self._newest, self._newest_is_committed, self._lacks_newest = (source, fitted), False, False
        self._add_to_day(source)
        if source.role is not Role.OUT_OF_ORDER:
            self._highest = max(self._highest, source.position, key=key_order)
        return number

    def cut(self, *, drain: bool = False, time_left: TimeLeft | None = None) -> Cut:
        """Take what is complete out of the encoder; with `drain`, all of it that there is time for.

        Raises EncoderFailed.
        """
        writer = self._reel_writer
        if writer is None:
            return Cut()
        writer.cut(drain=drain, time_left=time_left)
        start = None
        if writer.init_segment is not None and (day := self._reel_day.day) is not None:
            if writer.begins_other_reel and writer.first_source is not None:
                self._reel_day.day = day = self._reel_day.of(writer.first_source)
            speed = writer.pacing.speed if writer.pacing else 0
            start = ReelStart(day, writer.settings, writer.init_segment, self._config.order, writer.after, speed)
        return Cut(writer.uncommitted(), writer.cut_number, writer.has_open_segment, start)

    def committed(self, frame_count: int) -> None:
        """The frames whose number is below `frame_count` were committed."""
        if self._reel_writer is not None:
            self._is_low_delay_wanted = False
            self._reel_writer.committed(frame_count)
            self._filter_state = self._reel_writer.committed_filter_state
            self._clock_state = self._reel_writer.committed_clock_state

    def end_reel(self) -> None:
        """The next photo begins a reel. All frames must have been committed, or are discarded."""
        self._reel_writer = self._filters = self._filter_state = self._clock_state = None
        self._lacks_newest = False
        self._reel_day.begin(None)

    def release_segments(self) -> Mapping[tuple[int, int], bytes]:
        """The bytes of the open reel's segments that are in memory, by first frame and frame count.

        The writer forgets those that are committed and cannot grow any more.
        """
        return self._reel_writer.release() if self._reel_writer else {}

    def _add_to_day(self, source: SourceFrame) -> None:
        earlier_count = self._reel_day.earlier_count
        self._reel_day.add(source)
        is_first_earlier = earlier_count < self._reel_day.earlier_count == 1
        if is_first_earlier and self._config.reel == "day":
            fields = {"frame": source.key, "day": self._reel_day.of(source), "reel_day": self._reel_day.day}
            self._log.info("a photo tells an earlier day than the open reel's: it stays in this reel", extra=fields)

    def _settings(self, picture: DecodedPhoto, reel: Reel | None) -> EncoderSettings:
        if reel is None:
            size = self._size_of_new_reel(picture)
            self._begin_low_delay()
        else:
            size = reel.width, reel.height
        return encoder_settings(self._config, size, low_delay=self._low_delay)

    def _begin_filters(self, settings: EncoderSettings, reel: Reel | None) -> None:
        """Have filters for the next encoder's pictures: new ones for a new reel, else such that continue it."""
        frames_seen = self._reel_writer.frame_count if self._reel_writer else None
        if self._filters is not None and reel is not None and frames_seen == reel.frame_count:
            return  # they have seen all of it, and nothing else
        self._filters = self._codec.filters(self._config, (settings.width, settings.height))
        if reel is not None:
            newest = self._newest[1] if self._newest and self._newest_is_committed else None
            self._filters.resume(self._filter_state, newest)

    def _begin_low_delay(self) -> None:
        """Decide what the encoder of a new reel is."""
        before, self._low_delay = self._low_delay, self._pace.needs_low_delay(has_low_delay=self._low_delay)
        if self._low_delay != before:
            what = "gives each frame at once" if self._low_delay else "looks ahead"
            self._log.info("the camera's pace changed: the encoder %s", what, extra={"step_ms": self.step_ms})

    def _note_pace(self, source: SourceFrame) -> None:
        if source.role is Role.IN_ORDER:
            self._pace.add(source.uploaded_epoch_ms)

    def _size_of_new_reel(self, picture: DecodedPhoto) -> Size:
        if self._config.size is not None:
            return self._config.size
        changed = self._size_changes.due
        self._size_changes.begin_reel()
        photo = picture.width, picture.height
        automatic = automatic_size(changed or photo, self._config.size_limits(picture.size_bytes))
        if changed is not None:
            help_text = "set TIMELAPSE_SIZE to keep one size, or TIMELAPSE_NEW_SIZE_AFTER"
            self._log.info(
                "the photos' size changed: a reel of %dx%d begins", *automatic.size, extra={"help": help_text}
            )
        elif automatic.limit:
            help_text = "set TIMELAPSE_SIZE to choose a size"
            fields = {"photo": f"{photo[0]}x{photo[1]}", "limit": automatic.limit, "help": help_text}
            self._log.info("video scaled down to %dx%d", *automatic.size, extra=fields)
        return automatic.size

    def _begin(self, settings: EncoderSettings, reel: Reel | None) -> ReelWriter:
        # In name order all keys of a reel lie above those of the reels before it.
        highest = self._highest if self._config.order == ARRIVAL_ORDER else ""
        if reel is None:
            return ReelWriter(self._codec, settings, last_key=highest, after=highest, pacing=self._config.pacing)
        return ReelWriter(
            self._codec,
            settings,
            first_number=reel.frame_count,
            last_key=reel.highest_key,
            after=highest,
            init_sha256=reel.init_sha256,
            filter_state=self._filter_state,
            pacing=self._config.pacing,
            clock_state=self._clock_state,
        )
