"""Pictures whose pixels are elsewhere: they were decoded, fitted and encoded by someone else.

The function treats pictures as opaque, so such a one takes the way of any other, from a photo's decoder over the
fitter into the encoder. Only `RangeCodec` looks inside. If the pixels are needed after all, the photo is read again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import cast

from timelapse_runtime.timelapse.filters.contract import Moment
from timelapse_runtime.timelapse.ranges.encoded_range import EncodedRange, Group, Look
from timelapse_runtime.timelapse.video.decode import DecodedPhoto
from timelapse_runtime.timelapse.video.encode import EncoderSettings
from timelapse_runtime.timelapse.video.filtered import PictureFilters
from timelapse_runtime.timelapse.video.fit import Picture, PictureFitter
from timelapse_runtime.timelapse.video.metadata import Colour


@dataclass(frozen=True, slots=True)
class _Plane:
    buffer_size: int


@dataclass(frozen=True, slots=True)
class Drawing:
    """What has been drawn over a picture: what `filters` that remember nothing draw at this `moment`."""

    filters: PictureFilters
    moment: Moment


@dataclass(frozen=True, slots=True, eq=False)
class PictureElsewhere:
    """The photo at `position` of `encoded`; fitted to a video, if it has a `fitter`, and filtered, if it has a
    `drawing`. `read_again` gives the photo with its pixels. Raises EncoderFailed if that is no longer possible."""

    encoded: EncodedRange
    position: int
    width: int
    height: int
    planes: tuple[_Plane, ...]
    read_again: Callable[[], DecodedPhoto]
    fitter: FitterElsewhere | None = None
    drawing: Drawing | None = None

    def load(self) -> Picture:
        """The picture with its pixels, fitted and filtered. Raises as `read_again` does."""
        assert self.fitter is not None
        fitted = self.fitter.here.fit(self.read_again())
        return fitted if self.drawing is None else self.drawing.filters.apply(fitted, self.drawing.moment)

    def look(self, settings: EncoderSettings) -> Look:
        """What a group must have that shows the picture, encoded with `settings`."""
        assert self.fitter is not None
        return Look(settings, *self.fitter.how, self.drawing.filters.drawing if self.drawing else "")

    def is_shown_by(self, group: Group, place: int) -> bool:
        """Whether this frame of the group shows it: this photo and, if something is drawn, at the same time."""
        if group.photos[place] != self.position:
            return False
        return self.drawing is None or group.moments[place] == self.drawing.moment.captured_epoch_ms


def photo_elsewhere(encoded: EncodedRange, position: int, read_again: Callable[[], DecodedPhoto]) -> DecodedPhoto:
    """A usable photo of `encoded` as its decoder would give it, upright, without its pixels."""
    outcome = encoded.photos[position]
    planes = (_Plane(outcome.size_bytes),)
    picture = PictureElsewhere(encoded, position, outcome.width, outcome.height, planes, read_again)
    return DecodedPhoto(cast("Picture", picture), times=outcome.times)


class FitterElsewhere(PictureFitter):
    """Marks pictures that are elsewhere as fitted, and fits the others by `here`."""

    def __init__(self, here: PictureFitter, width: int, height: int, fit: str, background: Colour) -> None:
        self.here, self.width, self.height = here, width, height
        self.how = fit, background

    def fit(self, photo: DecodedPhoto) -> Picture:
        """See PictureFitter. A picture that is fitted already stays as it is."""
        picture = picture_elsewhere(photo.frame)
        if picture is None:
            return self.here.fit(photo)
        if picture.fitter is self:
            return photo.frame
        fitted = replace(picture, width=self.width, height=self.height, fitter=self)
        return cast("Picture", fitted)


def picture_elsewhere(picture: object) -> PictureElsewhere | None:
    """What it is, if its pixels are elsewhere."""
    return picture if isinstance(picture, PictureElsewhere) else None
