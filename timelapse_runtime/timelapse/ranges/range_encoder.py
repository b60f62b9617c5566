"""Reads, decodes and encodes a range of photos, without a part in the stream.

It guesses what the owner of the stream will decide: each reel that begins within the range, by the days of the photos;
the size of a reel, by its first photo; the kind of encoder, by the pace of the uploads. A guess that is wrong costs the
owner the time to encode the group again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from itertools import islice

from timelapse_runtime.runtime.state.errors import StorageError
from timelapse_runtime.timelapse.config import Config
from timelapse_runtime.timelapse.errors import FrameRejected
from timelapse_runtime.timelapse.filters.contract import Moment
from timelapse_runtime.timelapse.model.capture_time import taken_epoch_ms
from timelapse_runtime.timelapse.model.pace import pace_of
from timelapse_runtime.timelapse.model.reel_day import ReelDay
from timelapse_runtime.timelapse.model.source_frame import SourceFrame
from timelapse_runtime.timelapse.model.video_size import automatic_size
from timelapse_runtime.timelapse.photo_reader import PhotoReader
from timelapse_runtime.timelapse.ranges.encoded_range import (
    EncodedRange,
    Group,
    Look,
    PhotoOutcome,
    groups_of,
    numbered,
)
from timelapse_runtime.timelapse.reel_writer import encoder_settings
from timelapse_runtime.timelapse.video.codec import Codec
from timelapse_runtime.timelapse.video.decode import DecodedPhoto
from timelapse_runtime.timelapse.video.encode import EncoderSettings
from timelapse_runtime.timelapse.video.filtered import PictureFilters
from timelapse_runtime.timelapse.video.fit import Picture

_log = logging.getLogger(__name__)

_PACE_PHOTOS = 9
"""So many tell the pace, as for the owner."""


class RangeEncoder:
    """For the photos of one stream, which `reader` reads. `may_stop` is asked before each photo. If it `looks_ahead`,
    its encoders do whatever the pace of the photos."""

    def __init__(
        self,
        config: Config,
        reader: PhotoReader,
        codec: Codec,
        *,
        may_stop: Callable[[], bool] = lambda: False,
        looks_ahead: bool = False,
    ) -> None:
        self._config, self._reader, self._codec, self._may_stop = config, reader, codec, may_stop
        self._looks_ahead = looks_ahead

    def encode(self, photos: Sequence[SourceFrame]) -> EncodedRange:
        """Encode `photos`, in this order. One that S3 does not give is left out: the owner meets the error. If filters
        are on that remember pictures, or frozen photos are skipped, the range is empty: these look at the frames
        before, so the owner encodes all.

        Raises EncoderFailed.
        """
        if self._config.skip.frozen is not None:
            return EncodedRange()
        times = islice((photo.uploaded_epoch_ms for photo in photos), _PACE_PHOTOS)
        low_delay = not self._looks_ahead and pace_of(times, slow_ms=self._config.slow_pace_ms).is_slow
        outcomes: list[PhotoOutcome] = []
        groups: list[Group] = []
        day, run = ReelDay(self._config.timezone), None
        for photo in photos:
            if self._may_stop():
                break
            try:
                found = self._reader.read(photo.key)
            except StorageError as error:
                _log.info("left to the stream's owner", extra={"frame": photo.key}, exc_info=error)
                continue
            position, info = len(outcomes), found.info
            if isinstance(found.picture, FrameRejected):
                outcomes.append(PhotoOutcome(photo.key, info, (found.picture.reason, found.picture.detail)))
                if self._config.rejected == "repeat" and run is not None:
                    run.repeat()
                continue
            picture = found.picture
            size = picture.width, picture.height, picture.size_bytes
            outcomes.append(PhotoOutcome(photo.key, info, None, *size, picture.times))
            source = self._dated(photo.key, info.last_modified_epoch_ms, picture)
            if run is None or (self._config.reel == "day" and day.ends_before(source)):
                settings = self._settings(picture, low_delay=low_delay)
                filters = self._codec.filters(self._config, (settings.width, settings.height))
                if filters.remembers or self._config.pacing is not None:
                    return EncodedRange()
                groups += run.end() if run is not None else ()
                look = Look(settings, self._config.fit, self._config.background, filters.drawing)
                run = _Run(self._codec, look, filters)
                day.begin(day.of(source))
            day.add(source)
            run.append(position, picture, source)
        groups += run.end() if run is not None else ()
        return EncodedRange(tuple(outcomes), tuple(groups), rules=self._reader.rules)

    def _dated(self, key: str, uploaded_epoch_ms: int, picture: DecodedPhoto) -> SourceFrame:
        taken = taken_epoch_ms(picture.times, key, uploaded_epoch_ms, self._config.timezone)
        return SourceFrame(key, uploaded_epoch_ms, taken_epoch_ms=taken)

    def _settings(self, first: DecodedPhoto, *, low_delay: bool) -> EncoderSettings:
        config = self._config
        automatic = automatic_size((first.width, first.height), config.size_limits(first.size_bytes)).size
        return encoder_settings(config, config.size or automatic, low_delay=low_delay)


class _Run:
    """One encoder, and the photos that it was given, as positions in the range."""

    def __init__(self, codec: Codec, look: Look, filters: PictureFilters) -> None:
        settings = look.settings
        self._look, self._filters = look, filters
        self._encoder = codec.encoder(settings, first_number=0)
        self._fitter = codec.fitter(settings.width, settings.height, look.fit, look.background)
        self._thumbnails = codec.thumbnails()
        self._photos: list[int] = []
        self._moments: list[int] = []
        self._ends: dict[int, bytes] = {}
        self._newest: Picture | None = None

    def append(self, position: int, photo: DecodedPhoto, source: SourceFrame) -> None:
        moment = Moment(source.key, source.captured_epoch_ms)
        self._add(position, self._filters.apply(self._fitter.fit(photo), moment), moment.captured_epoch_ms)

    def _add(self, position: int, picture: Picture, captured_epoch_ms: int) -> None:
        self._newest = picture
        self._photos.append(position)
        self._moments.append(captured_epoch_ms)
        if len(self._photos) % self._look.settings.keyframe_interval == 0:
            self._note_end(picture)
        self._encoder.append(picture)

    def repeat(self) -> None:
        """Once more the newest picture, in place of a photo that was rejected."""
        if self._newest is not None:
            self._add(self._photos[-1], self._newest, self._moments[-1])

    def end(self) -> list[Group]:
        """All groups. Nothing can be appended afterwards."""
        if self._newest is not None:
            self._note_end(self._newest)
        self._encoder.drain()
        groups: list[Group] = []
        for frames in groups_of(self._encoder.cut()):
            first, count = min(frame.pts for frame in frames), len(frames)
            groups.append(
                Group(
                    self._look,
                    self._encoder.parameter_sets,
                    self._encoder.reorder_frames,
                    tuple(self._photos[first : first + count]),
                    tuple(self._moments[first : first + count]),
                    tuple(numbered(frames, 0)),
                    self._ends[first + count],
                )
            )
        return groups

    def _note_end(self, picture: Picture) -> None:
        self._ends[len(self._photos)] = self._thumbnails.encode(picture)
