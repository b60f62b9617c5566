"""The codec of a stream's owner if others encode for it: takes their packets where they fit, and encodes the rest.

Packets of a group are taken if the owner appends exactly the pictures of that group, one after another, to an encoder
with the group's settings and parameter sets. Otherwise those photos are read again and encoded here. Which of the two
it was cannot be seen in anything but the time that it took: frames, their numbers and their order are the owner's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import cast

from timelapse_runtime.timelapse.config import Config
from timelapse_runtime.timelapse.errors import EncoderFailed
from timelapse_runtime.timelapse.filters.contract import FilterState, Moment
from timelapse_runtime.timelapse.model.video_size import Size
from timelapse_runtime.timelapse.ranges.encoded_range import EncodedRange, Group, numbered
from timelapse_runtime.timelapse.ranges.pictures import Drawing, FitterElsewhere, PictureElsewhere, picture_elsewhere
from timelapse_runtime.timelapse.time_left import TimeLeft
from timelapse_runtime.timelapse.video.codec import Codec
from timelapse_runtime.timelapse.video.day_picture import DayCanvas, DayPictureKind, Sample
from timelapse_runtime.timelapse.video.decode import PhotoDecoder
from timelapse_runtime.timelapse.video.encode import EncodedFrame, Encoder, EncoderSettings
from timelapse_runtime.timelapse.video.filtered import PictureFilters
from timelapse_runtime.timelapse.video.fit import Picture, PictureFitter
from timelapse_runtime.timelapse.video.looks import PhotoLooks
from timelapse_runtime.timelapse.video.metadata import Colour
from timelapse_runtime.timelapse.video.mux import FragmentMuxer
from timelapse_runtime.timelapse.video.thumbnail import ThumbnailEncoder


class RangeCodec(Codec):
    """`here` makes the parts that have pixels."""

    def __init__(self, here: Codec) -> None:
        self._here = here

    def photo_decoder(self, *, maximum_pixels: int, background: Colour) -> PhotoDecoder:
        """See Codec."""
        return self._here.photo_decoder(maximum_pixels=maximum_pixels, background=background)

    def fitter(self, width: int, height: int, fit: str, background: Colour) -> PictureFitter:
        """See Codec."""
        here = self._here.fitter(width, height, fit, background)
        return FitterElsewhere(here, width, height, fit, background)

    def photo_looks(self) -> PhotoLooks:
        """See Codec."""
        return self._here.photo_looks()

    def filters(self, config: Config, size: Size) -> PictureFilters:
        """See Codec."""
        here = self._here.filters(config, size)
        return here if here.is_empty else _FiltersHere(here)

    def encoder(self, settings: EncoderSettings, *, first_number: int) -> Encoder:
        """See Codec."""
        return JoiningEncoder(self._here, settings, first_number=first_number)

    def muxer(
        self, parameter_sets: bytes, first: EncodedFrame, *, fps: int, reorder_frames: int, codec: str
    ) -> FragmentMuxer:
        """See Codec."""
        return self._here.muxer(parameter_sets, first, fps=fps, reorder_frames=reorder_frames, codec=codec)

    def decode_segment(
        self, init_segment: bytes, segment: bytes, *, first: int, count: int, reorder_frames: int
    ) -> Picture:
        """See Codec."""
        return self._here.decode_segment(init_segment, segment, first=first, count=count, reorder_frames=reorder_frames)

    def decode_frames(
        self, init_segment: bytes, segment: bytes, *, first: int, count: int, reorder_frames: int
    ) -> Iterator[tuple[int, Picture]]:
        """See Codec."""
        return self._here.decode_frames(init_segment, segment, first=first, count=count, reorder_frames=reorder_frames)

    def day_pictures(self, names: Sequence[str], size: Size) -> Mapping[str, DayPictureKind]:
        """See Codec. A frame whose pixels are elsewhere is decoded from the video later."""
        return {name: _DayPictureHere(kind) for name, kind in self._here.day_pictures(names, size).items()}

    def thumbnails(self) -> ThumbnailEncoder:
        """See Codec."""
        return _Thumbnails(self._here.thumbnails())


class JoiningEncoder(Encoder):
    """Packets from elsewhere, and between them encoders of its own (`here`) for the pictures that have none.

    At most one of the two is under way: a group of which some pictures were appended, or an encoder. Frames of a group
    come out when it is complete. A drain that has a time limit leaves an incomplete group inside: its photos would have
    to be read.
    """

    def __init__(self, here: Codec, settings: EncoderSettings, *, first_number: int) -> None:
        self._codec, self._settings = here, settings
        self._held: list[EncodedFrame] = []
        self._cut_number = self._next_number = first_number
        self._drained = False
        self._here: Encoder | None = None
        self._group: Group | None = None
        self._pictures: list[PictureElsewhere] = []
        self._last: tuple[EncodedRange, Group] | None = None
        self._parameters: tuple[bytes, int] | None = None

    @property
    def parameter_sets(self) -> bytes:
        """See Encoder. Known once a frame has come out."""
        assert self._parameters is not None
        return self._parameters[0]

    @property
    def reorder_frames(self) -> int:
        """See Encoder. Known once a frame has come out."""
        assert self._parameters is not None
        return self._parameters[1]

    @property
    def holds_frames(self) -> bool:
        """See Encoder."""
        return bool(self._pictures) or (self._here is not None and self._here.holds_frames)

    def append(self, picture: Picture, *, is_keyframe: bool = False) -> int:
        """See Encoder. Raises EncoderFailed, also if a photo that was read elsewhere must be read again and cannot."""
        number = self._next_number
        elsewhere = picture_elsewhere(picture)
        if is_keyframe:  # elsewhere nobody knew of it
            picture, elsewhere = picture if elsewhere is None else elsewhere.load(), None
        if self._pictures and (elsewhere is None or not self._continues(elsewhere)):
            self._encode_pictures_here()
        if elsewhere is not None and not self._pictures:
            self._group = self._group_from(elsewhere)
        self._next_number += 1
        if elsewhere is None:
            self._append_here(picture, number, is_keyframe=is_keyframe)
        elif self._group is None:
            self._append_here(elsewhere.load(), number)
        else:
            self._take(elsewhere, self._group)
        return number

    def drain(self, time_left: TimeLeft | None = None) -> None:
        """See Encoder."""
        if self._drained:
            return
        if time_left is None:
            self._encode_pictures_here()
        self._drained = True
        self._pictures = []
        self._end_here(time_left)

    # ---- packets from elsewhere

    def _continues(self, picture: PictureElsewhere) -> bool:
        """Whether the picture is the next one of the group that is under way."""
        assert self._group is not None
        is_same_range = picture.encoded is self._pictures[0].encoded
        is_same_look = self._group.look.identity == picture.look(self._settings).identity
        return is_same_range and is_same_look and picture.is_shown_by(self._group, len(self._pictures))

    def _group_from(self, picture: PictureElsewhere) -> Group | None:
        """A group that begins with the picture and fits here. One that stands in for another may begin with the same
        photo as the group before."""
        groups = picture.encoded.groups
        if self._last is not None and self._last[0] is picture.encoded:
            groups = groups[groups.index(self._last[1]) + 1 :]
        look = picture.look(self._settings)
        for group in groups:
            fits = self._parameters in (None, (group.parameter_sets, group.reorder_frames))
            if group.look.identity == look.identity and picture.is_shown_by(group, 0) and fits:
                return group
        return None

    def _take(self, picture: PictureElsewhere, group: Group) -> None:
        if not self._pictures:
            self._end_here()
        self._pictures.append(picture)
        if len(self._pictures) == len(group.photos):
            self._parameters = group.parameter_sets, group.reorder_frames
            self._held += numbered(group.frames, self._next_number - len(self._pictures))
            self._last, self._pictures = (picture.encoded, group), []

    # ---- encoders of its own

    def _encode_pictures_here(self) -> None:
        """The group that is under way is not going to be complete."""
        pictures, self._pictures = self._pictures, []
        for number, picture in enumerate(pictures, start=self._next_number - len(pictures)):
            self._append_here(picture.load(), number)

    def _append_here(self, picture: Picture, number: int, *, is_keyframe: bool = False) -> None:
        if self._here is None:
            self._here = self._codec.encoder(self._settings, first_number=number)
            parameters = self._here.parameter_sets, self._here.reorder_frames
            if self._parameters not in (None, parameters):
                raise EncoderFailed("the encoder here has other parameter sets than those elsewhere")
            self._parameters = parameters
        self._here.append(picture, is_keyframe=is_keyframe)
        self._held += self._here.cut()

    def _end_here(self, time_left: TimeLeft | None = None) -> None:
        if self._here is not None:
            self._here.drain(time_left)
            self._held += self._here.cut()
            self._here = None


class _FiltersHere(PictureFilters):
    """Filters that remember pictures look at pixels: those that are elsewhere are loaded. What others draw was drawn
    elsewhere, if it is the same."""

    def __init__(self, here: PictureFilters) -> None:
        self._here = here

    def apply(self, picture: Picture, moment: Moment) -> Picture:
        """See PictureFilters."""
        elsewhere = picture_elsewhere(picture)
        if elsewhere is not None and not self._here.remembers:
            return cast("Picture", replace(elsewhere, drawing=Drawing(self._here, moment)))
        return self._here.apply(picture if elsewhere is None else elsewhere.load(), moment)

    @property
    def is_empty(self) -> bool:
        """See PictureFilters."""
        return self._here.is_empty

    @property
    def remembers(self) -> bool:
        """See PictureFilters."""
        return self._here.remembers

    @property
    def drawing(self) -> str:
        """See PictureFilters."""
        return self._here.drawing

    @property
    def state(self) -> FilterState:
        """See PictureFilters."""
        return self._here.state

    def resume(self, state: FilterState, last: Picture | None) -> None:
        """See PictureFilters."""
        is_here = last is not None and picture_elsewhere(last) is None
        self._here.resume(state, last if is_here else None)


class _DayPictureHere(DayPictureKind):
    """Has samples of the pictures that are here."""

    def __init__(self, here: DayPictureKind) -> None:
        self._here, self.maximum_waiting = here, here.maximum_waiting

    def sample(self, picture: Picture, number: int) -> Sample | None:
        """See DayPictureKind."""
        return self._here.sample(picture, number) if picture_elsewhere(picture) is None else None

    def joined(self, first: Sample, second: Sample) -> Sample:
        """See DayPictureKind."""
        return self._here.joined(first, second)

    def canvas(self, stored: bytes | None = None) -> DayCanvas:
        """See DayPictureKind."""
        return self._here.canvas(stored)


class _Thumbnails(ThumbnailEncoder):
    """Of a picture that is elsewhere, that of its group if it is the last one there, else the one before; empty if
    there is none."""

    def __init__(self, here: ThumbnailEncoder) -> None:
        self._here, self._newest = here, b""

    def encode(self, picture: Picture) -> bytes:
        """See ThumbnailEncoder."""
        elsewhere = picture_elsewhere(picture)
        if elsewhere is None:
            self._newest = self._here.encode(picture)
            return self._newest
        for group in elsewhere.encoded.groups:
            if group.photos[-1] == elsewhere.position:
                self._newest = group.thumbnail
        return self._newest
