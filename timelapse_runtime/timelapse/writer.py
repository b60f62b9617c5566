"""The film's end in memory: the reel that is written, the day it belongs to, and the pictures to go on from.

A film is a run of reels, and a reel is written by a run of encoders; each picture that is appended finds the encoder
that it needs. Knows nothing of storage or of the order of frames. A crash loses it all, and nothing is lost by that.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime

from timelapse_runtime.timelapse.config import Config
from timelapse_runtime.timelapse.errors import SegmentCorrupt
from timelapse_runtime.timelapse.ingest import Photo
from timelapse_runtime.timelapse.model.checkpoint import MAXIMUM_REEL_FRAMES, Reel, checksum
from timelapse_runtime.timelapse.model.keys import reel_name
from timelapse_runtime.timelapse.reel_writer import ReelWriter
from timelapse_runtime.timelapse.tail import Tail
from timelapse_runtime.timelapse.video.boxes import read_provenance
from timelapse_runtime.timelapse.video.decode import DecodedPhoto, Picture, PictureFitter, ThumbnailEncoder, even_size
from timelapse_runtime.timelapse.video.encode import EncoderSettings
from timelapse_runtime.timelapse.video.read import decode_segment

_log = logging.getLogger(__name__)


class FilmWriter:
    """Appends photos to the film of the stream `name`. `reel` is, throughout, the open reel as it is committed."""

    def __init__(self, name: str, config: Config) -> None:
        self.tail = Tail(config.tail_frames)
        self.reel_writer: ReelWriter | None = None
        """Of the open reel, from its first frame here to its drain or its end."""
        self.newest_epoch_ms = 0
        """When the newest frame was captured."""
        self._name, self._config = name, config
        self._newest: Picture | None = None
        self._fitter: PictureFitter | None = None
        self._day: str | None = None
        self._thumbnail = ThumbnailEncoder()

    @property
    def is_drained(self) -> bool:
        """Whether the encoder has ended, and the next photo begins another one."""
        return self.reel_writer is not None and self.reel_writer.is_drained

    def forget_uncommitted(self, reel: Reel | None) -> None:
        """The film ends with `reel` again. The tail stays: whoever drops frames that are in it clears it."""
        self.reel_writer = self._fitter = None
        self._day = reel.date if reel else None

    def end_reel(self) -> None:
        """The next photo begins a reel."""
        self.reel_writer = self._day = None

    def read_tail(self, reel: Reel, init_segment: bytes, body: bytes) -> Sequence[str]:
        """Decode the last segment of `reel`, and go on from its pictures; the answer is its photos' keys, in order.

        Raises SegmentCorrupt when it is not what was committed, or does not decode to the frames that are claimed.
        """
        last = reel.segments[-1]
        if checksum(body) != last.crc32:
            raise SegmentCorrupt(f"its CRC-32 is {checksum(body)}; the checkpoint claims {last.crc32}")
        sources = [frame for part in read_provenance(body) for frame in part.frames]
        if len(sources) != last.count:
            raise SegmentCorrupt(f"it names {len(sources)} photos; the checkpoint claims {last.count}")
        pictures = decode_segment(
            init_segment,
            body,
            first=last.first,
            count=last.count,
            reorder_frames=reel.reorder_frames,
            keep=max(1, self._config.tail_frames),
        )
        for number, picture in pictures:
            self.tail.append(number, picture)
        self.newest_epoch_ms, self._newest = sources[-1].captured_epoch_ms, pictures[-1][1]
        return [source.key for source in sources]

    def stand_in(self, reel: Reel | None) -> DecodedPhoto | None:
        """The newest picture, to be repeated; None where a reel would begin with it."""
        begins_reel = self.reel_writer is None and reel is None
        return None if self._newest is None or begins_reel else DecodedPhoto(self._newest)

    def thumbnail(self) -> bytes | None:
        """The newest picture as a small JPEG."""
        return self._thumbnail.encode(self._newest) if self._newest is not None else None

    def needs_new_reel(self, photo: Photo, reel: Reel | None) -> bool:
        """Whether the open reel has to end before `photo`: its day is over, it is full, or it has other settings."""
        if self._day is None:
            return False  # none is open
        config = self._config
        number = self.reel_writer.next_number if self.reel_writer else reel.frame_count if reel else 0
        if number >= MAXIMUM_REEL_FRAMES or (config.reel == "day" and self._day_of(photo) > self._day):
            return True
        if reel is None or self.reel_writer is not None:
            return False
        configured = (*(config.size or (reel.width, reel.height)), config.fps, config.keyframe_interval)
        return configured != (reel.width, reel.height, reel.fps, reel.keyframe_interval)

    def append(self, photo: Photo, reel: Reel | None) -> int:
        """Encode one photo; the answer is its number in the reel. Raises EncoderFailed."""
        assert photo.picture is not None
        if self.reel_writer is None:
            self._begin_reel_writer(photo, reel)
        assert self.reel_writer is not None
        assert self._fitter is not None
        picture = self._fitter.fit(photo.picture)
        number = self.reel_writer.append(picture, photo.source)
        self.tail.append(number, picture)
        self.newest_epoch_ms, self._newest = photo.source.captured_epoch_ms, picture
        return number

    def new_reel(self, last: Reel | None) -> Reel:
        """The reel that is written and not committed yet, without segments, as it follows `last`."""
        writer = self.reel_writer
        assert writer is not None
        assert writer.init_segment is not None
        assert writer.init_sha256 is not None
        assert self._day is not None
        number, settings = last.number + 1 if last else 1, writer.settings
        return Reel(
            number=number,
            name=reel_name(number, self._day),
            width=settings.width,
            height=settings.height,
            fps=settings.fps,
            keyframe_interval=settings.keyframe_interval,
            reorder_frames=writer.reorder_frames,
            init_size_bytes=len(writer.init_segment),
            init_sha256=writer.init_sha256,
            first_sequence=last.first_sequence + len(last.segments) if last else 0,
            previous=last.name if last else None,
        )

    def segment_body(self, first: int, count: int) -> bytes | None:
        """A segment's bytes if they are still in memory."""
        return self.reel_writer.segment_body(first, count) if self.reel_writer else None

    def _begin_reel_writer(self, photo: Photo, reel: Reel | None) -> None:
        config = self._config
        if reel is not None:
            width, height = reel.width, reel.height
        else:
            assert photo.picture is not None
            width, height = config.size or even_size(photo.picture.width, photo.picture.height)
            self._day = self._day_of(photo)
        settings = EncoderSettings(
            width, height, config.fps, config.keyframe_interval, config.crf, config.preset, config.threads
        )
        before = [segment.last_key for segment in reel.segments[-1:]] if reel else []
        first_number = reel.frame_count if reel else 0
        self.reel_writer = ReelWriter(settings, first_number=first_number, last_key="".join(before))
        self._fitter = PictureFitter(width, height)
        needed_mb = config.memory_needed_mb(width, height)
        if config.memory_mb is not None and needed_mb > config.memory_mb:
            help_text = "give the function more memory, or set TIMELAPSE_SIZE, or a faster TIMELAPSE_PRESET"
            what = {"stream": self._name, "needed_mb": needed_mb, "memory_mb": config.memory_mb, "help": help_text}
            _log.warning("memory may not do for %dx%d", width, height, extra=what)

    def _day_of(self, photo: Photo) -> str:
        moment = datetime.fromtimestamp(photo.source.captured_epoch_ms / 1000, self._config.timezone)
        return moment.date().isoformat()
