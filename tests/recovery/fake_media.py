"""A codec that costs microseconds: what the enumeration of faults runs on. A `fake_world` uses it, and has a lower
minimum for the parts of an object.

Nothing here is looser than libav: a packet names its frame, its photo, its encoder and its place in that encoder's
decode order, and `decode_segment` refuses a segment in which one of them does not follow from the one before. The
encoder holds four frames back and gives a P-frame before the two B-frames that stand in front of it, so that a flush
meets incomplete runs; what a complete run is, is decided by the product's own `Encoder.cut`.
"""

from __future__ import annotations

import itertools
import json
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import cast

from av.video.frame import VideoFrame
from av.video.plane import VideoPlane

from tests import fragments
from tests.world import PHOTOS, SIZE, World
from timelapse_runtime.timelapse.config import Config
from timelapse_runtime.timelapse.errors import FrameRejected, SegmentCorrupt
from timelapse_runtime.timelapse.filters.contract import FilterState, Moment
from timelapse_runtime.timelapse.model.capture_time import CameraTime
from timelapse_runtime.timelapse.model.skip import Look
from timelapse_runtime.timelapse.model.source_frame import SourceFrame
from timelapse_runtime.timelapse.model.video_size import Size
from timelapse_runtime.timelapse.time_left import TimeLeft
from timelapse_runtime.timelapse.video.boxes import read_sources, walk_boxes
from timelapse_runtime.timelapse.video.codec import Codec
from timelapse_runtime.timelapse.video.day_picture import (
    MAXIMUM_WAITING,
    DayCanvas,
    DayPictureKind,
    Sample,
    UnreadableDayPicture,
)
from timelapse_runtime.timelapse.video.decode import DecodedPhoto, PhotoDecoder
from timelapse_runtime.timelapse.video.encode import EncodedFrame, Encoder, EncoderSettings
from timelapse_runtime.timelapse.video.filtered import PictureFilters
from timelapse_runtime.timelapse.video.fit import Picture, PictureFitter
from timelapse_runtime.timelapse.video.init_segment import with_edit_list
from timelapse_runtime.timelapse.video.looks import PhotoLooks
from timelapse_runtime.timelapse.video.metadata import Colour
from timelapse_runtime.timelapse.video.mux import FragmentMuxer
from timelapse_runtime.timelapse.video.thumbnail import ThumbnailEncoder

DELAY_FRAMES = 4
MINIMUM_PART_BYTES = 350
"""So low that a video of a dozen fake frames is above two of it, and is written by parts."""
_DATA = struct.Struct(">IIBII?")
"""Photo, its mark, the encoder's quality (crf), encoder, place in the encoder's decode order, whether it is a keyframe:
a packet's data."""
_PACKET = struct.Struct(">IIIBII?")
"""The frame's number as muxed, and the packet's data."""
_NUMBER_BY_BODY = {body: number for number, body in enumerate(PHOTOS)}
_encoder_ids = itertools.count(1)


@dataclass
class FakePicture:
    """A picture that knows which photo it shows."""

    photo: int
    width: int = SIZE[0]
    height: int = SIZE[1]
    planes: tuple[VideoPlane, ...] = ()
    mark: int = 0
    """What the filter has made of the reel's photos up to this one."""


def fake_photo(number: int, taken: datetime | None = None) -> bytes:
    """The body of a photo that is not one of the world's, for long runs. It may tell when it was taken."""
    return b"photo %d" % number + (b"" if taken is None else f" {taken:%Y:%m:%d %H:%M:%S}".encode())


class FakePhotoDecoder:
    """Knows the photos of the world and fake ones; everything else is damaged."""

    def __init__(self, *, maximum_pixels: int) -> None:
        del maximum_pixels

    def decode(self, body: bytes) -> DecodedPhoto:
        if body.startswith(b"photo "):
            number, _, taken = body[6:].decode().partition(" ")
            return DecodedPhoto(cast("VideoFrame", FakePicture(int(number))), times=(CameraTime(taken),))
        if body not in _NUMBER_BY_BODY:
            raise FrameRejected("undecodable" if body else "empty", "not one of the world's photos")
        return DecodedPhoto(cast("VideoFrame", FakePicture(_NUMBER_BY_BODY[body])))


class FakePictureFitter:
    """Gives the picture the video's size."""

    def __init__(self, width: int, height: int) -> None:
        self._size = width, height

    def fit(self, photo: DecodedPhoto) -> FakePicture:
        frame = cast("FakePicture", photo.frame)
        return FakePicture(frame.photo, *self._size, mark=frame.mark)


class FakePhotoLooks:
    """Photos look different, and the same one looks the same. The first ones are dark."""

    def look(self, photo: DecodedPhoto) -> Look:
        number = cast("FakePicture", photo.frame).photo
        return Look(number, 0, (number, number))


def next_mark(mark: int, photo: int) -> int:
    """The mark of the picture after one with `mark`; 0 is that of a reel's beginning."""
    return zlib.crc32(b"%d" % photo, mark)


class FakeFilters(PictureFilters):
    """Marks each picture with all photos of the reel up to it: a state that is lost, or that is another frame's, is in
    every mark that follows."""

    def __init__(self) -> None:
        self._mark = 0

    @property
    def is_empty(self) -> bool:
        return False

    @property
    def remembers(self) -> bool:
        return True

    def apply(self, picture: Picture, moment: Moment) -> Picture:
        del moment
        fake = cast("FakePicture", picture)
        self._mark = next_mark(self._mark, fake.photo)
        return cast("Picture", replace(fake, mark=self._mark))

    @property
    def state(self) -> FilterState:
        return self._mark or None

    def resume(self, state: FilterState, last: Picture | None) -> None:
        assert None in (last, state) or cast("FakePicture", last).mark == state, "the picture of another frame"
        self._mark = state or 0


class FakeThumbnailEncoder:
    """A few bytes that tell the photo."""

    def encode(self, picture: FakePicture) -> bytes:
        return b"thumbnail of %d" % picture.photo


class FakeDayPictures(DayPictureKind):
    """Pictures that list the photos of their frames."""

    maximum_waiting = MAXIMUM_WAITING

    def __init__(self, size: Size) -> None:
        self._size = size

    def sample(self, picture: Picture, number: int) -> Sample:
        del number
        fake = cast("FakePicture", picture)
        return [[fake.photo, fake.mark]]

    def joined(self, first: Sample, second: Sample) -> Sample:
        return first + second

    def canvas(self, stored: bytes | None = None) -> FakeDayCanvas:
        return FakeDayCanvas([] if stored is None else photos_in_picture(stored))


@dataclass
class FakeDayCanvas(DayCanvas):
    """See FakeDayPictures."""

    shown: list[list[int]]

    def __post_init__(self) -> None:
        self.frame_count = len(self.shown)

    def add(self, sample: Sample, count: int) -> None:
        assert len(sample) == count
        self.shown += sample
        self.frame_count += count

    def to_bytes(self) -> bytes:
        return json.dumps(self.shown).encode()


def photos_in_picture(png: bytes) -> list[list[int]]:
    """The photos of a picture's frames, each with its mark."""
    try:
        shown: list[list[int]] = json.loads(png)
    except ValueError as error:
        raise UnreadableDayPicture(str(error)) from error
    return shown


class FakeEncoder(Encoder):
    """Decode order I P B B P B B …, one packet for each frame that goes in, four frames behind. With low delay I P P …,
    none behind."""

    def __init__(self, settings: EncoderSettings, *, first_number: int) -> None:
        self._settings, self._first_number = settings, first_number
        self._id, self._emitted = next(_encoder_ids), 0
        self._held: list[EncodedFrame] = []
        self._cut_number = self._next_number = first_number
        self._drained = False
        self._pictures: dict[int, FakePicture] = {}
        self._key_numbers: list[int] = []
        self._waiting: list[int] = []
        self._planned: list[int] = []

    @property
    def parameter_sets(self) -> bytes:
        settings = self._settings
        kind = b"low-delay" if settings.low_delay else settings.preset.encode()
        return b"%dx%d %d %s" % (settings.width, settings.height, settings.fps, kind)

    @property
    def reorder_frames(self) -> int:
        return 0 if self._settings.low_delay else 2

    @property
    def holds_frames(self) -> bool:
        return bool(self._waiting or self._planned)

    def append(self, picture: FakePicture, *, is_keyframe: bool = False) -> int:  # type: ignore[override]
        assert not self._drained
        number = self._next_number
        if is_keyframe or not self._key_numbers or number - self._key_numbers[-1] == self._settings.keyframe_interval:
            self._key_numbers.append(number)
        self._next_number += 1
        self._pictures[number] = picture
        self._waiting.append(number)
        if len(self._waiting) + len(self._planned) > (0 if self._settings.low_delay else DELAY_FRAMES):
            self._emit()
        return number

    def drain(self, time_left: TimeLeft | None = None) -> None:
        if not self._drained:
            self._drained = True
            while self._waiting or self._planned:
                self._emit()
                if time_left is not None and not time_left.is_enough:
                    return

    def _is_key(self, number: int) -> bool:
        return number in self._key_numbers

    def _emit(self) -> None:
        if not self._planned:
            first, count = self._waiting[0], 1
            while not self._is_key(first) and count < min(3, len(self._waiting)) and not self._is_key(first + count):
                count += 1
            group, self._waiting = self._waiting[:count], self._waiting[count:]
            self._planned = [group[-1], *group[:-1]]
        number = self._planned.pop(0)
        is_key, picture = self._is_key(number), self._pictures.pop(number)
        data = _DATA.pack(picture.photo, picture.mark, self._settings.crf, self._id, self._emitted, is_key)
        self._emitted += 1
        self._held.append(EncodedFrame(number, is_key, data))


class FakeMuxer:
    """An init segment that holds the parameter sets, and fragments that hold the packets."""

    def __init__(self, parameter_sets: bytes, first: EncodedFrame, *, fps: int, reorder_frames: int) -> None:
        assert first.is_keyframe
        self._reorder_frames = reorder_frames
        plain = fragments.init_segment(b"%s %d %d" % (parameter_sets, fps, reorder_frames))
        self.init_segment = with_edit_list(plain, reorder_frames * fragments.TICKS)

    def fragment(self, frames: Sequence[EncodedFrame], *, number: int, ticks: Sequence[int] | None = None) -> bytes:
        named = [replace(frame, data=struct.pack(">I", frame.pts) + frame.data) for frame in frames]
        delay = 2 if ticks is None else self._reorder_frames
        return fragments.fragment(named, number=number, reorder_frames=delay, ticks=ticks)


def decode_segment(
    init_segment: bytes, segment: bytes, *, first: int, count: int, reorder_frames: int
) -> list[FakePicture]:
    """All pictures of exactly the frames `first` to `first + count - 1`, or SegmentCorrupt."""
    decoded = _Decoded(first)
    if [box.type for box in walk_boxes(init_segment)] != ["ftyp", "moov"]:
        raise SegmentCorrupt("the init segment is damaged")
    if not init_segment.endswith(b" %d" % reorder_frames):
        raise SegmentCorrupt("the init segment belongs to another reel")
    for box in walk_boxes(segment):
        if box.type == "moof":
            number, times = fragments.number_and_times(segment[box.payload : box.end])
            decoded.begin(number, len(times))
        elif box.type == "mdat":
            decoded.packets(segment[box.payload : box.end])
        elif box.type != "uuid":
            raise SegmentCorrupt(f"box {box.type}")
    if len(decoded.pictures) != count:
        raise SegmentCorrupt(f"it claims {count} frames and decodes to {len(decoded.pictures)}")
    return decoded.pictures


@dataclass
class _Decoded:
    first: int
    pictures: list[FakePicture] = field(default_factory=list)
    due: int | None = None
    previous: tuple[int, int] | None = None

    def begin(self, number: int, count: int) -> None:
        if self.due is not None or number != self.first + len(self.pictures):
            raise SegmentCorrupt(f"a fragment of frame {number}; {self.first + len(self.pictures)} was to come")
        self.due = count

    def packets(self, data: bytes) -> None:
        found: dict[int, FakePicture] = {}
        for number, photo, mark, _, encoder, place, is_key in _PACKET.iter_unpack(data):
            if self.previous is None and not is_key:
                raise SegmentCorrupt(f"frame {number} begins the segment and is no keyframe")
            if self.previous is not None and self.previous != (encoder, place - 1):
                raise SegmentCorrupt(f"frame {number} refers to frames that are not there")
            self.previous = encoder, place
            found[number] = FakePicture(photo, mark=mark)
        start = self.first + len(self.pictures)
        if sorted(found) != list(range(start, start + (self.due or 0))):
            raise SegmentCorrupt(f"frames {sorted(found)} came; {start} was to come")
        self.pictures += [found[number] for number in sorted(found)]
        self.due = None


def moofs_in(segment: bytes) -> list[bytes]:
    """The payloads of the headers of a segment's fragments."""
    return [segment[box.payload : box.end] for box in walk_boxes(segment) if box.type == "moof"]


def photos_in(segment: bytes) -> list[int]:
    """The photos that a segment's pictures show, in video order."""
    return [photo for photo, _ in photos_and_marks_in(segment)]


@lru_cache(maxsize=4096)
def photos_and_marks_in(segment: bytes) -> Sequence[tuple[int, int]]:
    """The photos that a segment's pictures show, with the pictures' marks, in video order."""
    found: dict[int, tuple[int, int]] = {}
    for box in walk_boxes(segment):
        if box.type == "mdat":
            for number, photo, mark, *_ in _PACKET.iter_unpack(segment[box.payload : box.end]):
                found[number] = photo, mark
    return tuple(found[number] for number in sorted(found))


@lru_cache(maxsize=4096)
def qualities_in(segment: bytes) -> frozenset[int]:
    """The values of crf that a segment's pictures were encoded with."""
    mdats = [segment[box.payload : box.end] for box in walk_boxes(segment) if box.type == "mdat"]
    return frozenset(quality for mdat in mdats for _, _, _, quality, *_ in _PACKET.iter_unpack(mdat))


@lru_cache(maxsize=4096)
def sources_in(segment: bytes) -> Sequence[SourceFrame]:
    """The photos behind a segment's frames. Runs of one scenario make mostly the same segments: each is read once."""
    return tuple(read_sources(segment))


@dataclass(kw_only=True, eq=False)
class FakeCodec(Codec):
    """Makes the parts above; with `has_filters`, a filter is on."""

    has_filters: bool = False

    def photo_decoder(self, *, maximum_pixels: int, background: tuple[int, int, int]) -> PhotoDecoder:
        del background
        return cast("PhotoDecoder", FakePhotoDecoder(maximum_pixels=maximum_pixels))

    def fitter(self, width: int, height: int, fit: str, background: Colour) -> PictureFitter:
        del fit, background
        return cast("PictureFitter", FakePictureFitter(width, height))

    def photo_looks(self) -> PhotoLooks:
        return cast("PhotoLooks", FakePhotoLooks())

    def filters(self, config: Config, size: Size) -> PictureFilters:
        del config, size
        return FakeFilters() if self.has_filters else PictureFilters({})

    def encoder(self, settings: EncoderSettings, *, first_number: int) -> Encoder:
        return FakeEncoder(settings, first_number=first_number)

    def muxer(
        self, parameter_sets: bytes, first: EncodedFrame, *, fps: int, reorder_frames: int, codec: str
    ) -> FragmentMuxer:
        del codec
        return cast("FragmentMuxer", FakeMuxer(parameter_sets, first, fps=fps, reorder_frames=reorder_frames))

    def decode_segment(
        self, init_segment: bytes, segment: bytes, *, first: int, count: int, reorder_frames: int
    ) -> Picture:
        pictures = decode_segment(init_segment, segment, first=first, count=count, reorder_frames=reorder_frames)
        return cast("Picture", pictures[-1])

    def decode_frames(
        self, init_segment: bytes, segment: bytes, *, first: int, count: int, reorder_frames: int
    ) -> Iterator[tuple[int, Picture]]:
        pictures = decode_segment(init_segment, segment, first=first, count=count, reorder_frames=reorder_frames)
        return enumerate(cast("list[Picture]", pictures), start=first)

    def day_pictures(self, names: Sequence[str], size: Size) -> Mapping[str, DayPictureKind]:
        return {name: FakeDayPictures(size) for name in names}

    def thumbnails(self) -> ThumbnailEncoder:
        return cast("ThumbnailEncoder", FakeThumbnailEncoder())


def fake_world(
    settings: Mapping[str, str] | None = None, outbox: Path | None = None, *, has_filters: bool = True
) -> World:
    """A world with the codec above, in which a filter is on, and a dozen frames are enough for a multipart upload."""
    codec = FakeCodec(has_filters=has_filters)
    return World(dict(settings or {}), outbox, codec=codec, minimum_part_bytes=MINIMUM_PART_BYTES)
