"""The one way to everything that touches pixels: what the function needs of a codec, and the codec that it has.

The function gets a Codec by constructor. It treats a `Picture` as opaque: it passes it from one part of the codec to
another and never looks inside.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

from timelapse_runtime.timelapse.config import Config
from timelapse_runtime.timelapse.filters.chain import drawing, required, steps_for
from timelapse_runtime.timelapse.model.keys import DIGEST, KEOGRAM, LIGHTEN
from timelapse_runtime.timelapse.model.video_size import Size
from timelapse_runtime.timelapse.video.day_picture import DayPictureKind
from timelapse_runtime.timelapse.video.decode import DecodedPhoto, PhotoDecoder
from timelapse_runtime.timelapse.video.encode import EncodedFrame, Encoder, EncoderSettings
from timelapse_runtime.timelapse.video.filtered import PictureFilters
from timelapse_runtime.timelapse.video.fit import Picture, PictureFitter
from timelapse_runtime.timelapse.video.looks import PhotoLooks
from timelapse_runtime.timelapse.video.metadata import Colour
from timelapse_runtime.timelapse.video.mux import FragmentMuxer
from timelapse_runtime.timelapse.video.read import decode_frames, decode_segment
from timelapse_runtime.timelapse.video.thumbnail import ThumbnailEncoder


class Codec(Protocol):
    """Makes the parts; each of them belongs to its caller and is used from one thread at a time."""

    def photo_decoder(self, *, maximum_pixels: int, background: Colour) -> PhotoDecoder:
        """Decodes the camera's photos; refuses those of more pixels. `background` is below transparent areas."""
        ...

    def photo_looks(self) -> PhotoLooks:
        """Measures decoded photos. Raises FiltersUnavailable."""
        ...

    def fitter(self, width: int, height: int, fit: str, background: Colour) -> PictureFitter:
        """Turns decoded photos into pictures of a video of this size; `fit` as in `place`.
        `background` is the bars' colour."""
        ...

    def filters(self, config: Config, size: Size) -> PictureFilters:
        """The filters that `config` turns on, for one reel of pictures of this size."""
        ...

    def encoder(self, settings: EncoderSettings, *, first_number: int) -> Encoder:
        """An open encoder whose first frame has this number. Raises EncoderFailed."""
        ...

    def muxer(
        self, parameter_sets: bytes, first: EncodedFrame, *, fps: int, reorder_frames: int, codec: str
    ) -> FragmentMuxer:
        """Makes the fragments of one encoder, whose first packet is `first`. Raises EncoderFailed."""
        ...

    def decode_segment(
        self, init_segment: bytes, segment: bytes, *, first: int, count: int, reorder_frames: int
    ) -> Picture:
        """Decode a whole segment, and return its last picture.

        Raises SegmentCorrupt unless it decodes, without damage, to exactly the frames `first` to `first + count - 1`.
        """
        ...

    def decode_frames(
        self, init_segment: bytes, segment: bytes, *, first: int, count: int, reorder_frames: int
    ) -> Iterator[tuple[int, Picture]]:
        """Decode a whole segment, and give each picture with its number. Raises SegmentCorrupt, as decode_segment does,
        with or after the pictures before the damage."""
        ...

    def day_pictures(self, names: Sequence[str], size: Size) -> Mapping[str, DayPictureKind]:
        """These kinds of pictures of the day, by name, for a reel of this size. Raises FiltersUnavailable."""
        ...

    def thumbnails(self) -> ThumbnailEncoder:
        """Makes small JPEGs of the video's pictures."""
        ...


class X264Codec:
    """H.264 by x264, in fragmented MP4."""

    def photo_decoder(self, *, maximum_pixels: int, background: Colour) -> PhotoDecoder:
        """See Codec."""
        return PhotoDecoder(maximum_pixels=maximum_pixels, background=background)

    def photo_looks(self) -> PhotoLooks:
        """See Codec."""
        return PhotoLooks()

    def fitter(self, width: int, height: int, fit: str, background: Colour) -> PictureFitter:
        """See Codec."""
        return PictureFitter(width, height, fit, background)

    def filters(self, config: Config, size: Size) -> PictureFilters:
        """See Codec."""
        return PictureFilters(steps_for(config, size), drawing(config))

    def encoder(self, settings: EncoderSettings, *, first_number: int) -> Encoder:
        """See Codec."""
        return Encoder(settings, first_number=first_number)

    def muxer(
        self, parameter_sets: bytes, first: EncodedFrame, *, fps: int, reorder_frames: int, codec: str
    ) -> FragmentMuxer:
        """See Codec."""
        return FragmentMuxer(parameter_sets, first, fps=fps, reorder_frames=reorder_frames, codec=codec)

    def decode_segment(
        self, init_segment: bytes, segment: bytes, *, first: int, count: int, reorder_frames: int
    ) -> Picture:
        """See Codec."""
        kept = decode_segment(init_segment, segment, first=first, count=count, reorder_frames=reorder_frames, keep=1)
        return kept[-1][1]

    def decode_frames(
        self, init_segment: bytes, segment: bytes, *, first: int, count: int, reorder_frames: int
    ) -> Iterator[tuple[int, Picture]]:
        """See Codec."""
        frames = decode_frames(init_segment, segment, first=first, count=count, reorder_frames=reorder_frames)
        for number, picture in frames:
            yield number, _as_encoded(picture)

    def day_pictures(self, names: Sequence[str], size: Size) -> Mapping[str, DayPictureKind]:
        """See Codec."""
        return {name: _day_picture(name, size) for name in names}

    def thumbnails(self) -> ThumbnailEncoder:
        """See Codec."""
        return ThumbnailEncoder()


def _as_encoded(picture: Picture) -> Picture:
    """A decoded picture as this codec's own are: an adopted video may have the full range."""
    if picture.format.name == "yuv420p":
        return picture
    return PictureFitter(picture.width, picture.height).fit(DecodedPhoto(picture))


def _day_picture(name: str, size: Size) -> DayPictureKind:
    with required():  # they import numpy: a start without them does not pay for it
        from timelapse_runtime.timelapse.video.digest import Digest  # noqa: PLC0415
        from timelapse_runtime.timelapse.video.keogram import Keogram  # noqa: PLC0415
        from timelapse_runtime.timelapse.video.lighten import Lighten  # noqa: PLC0415

        kinds: dict[str, Callable[[Size], DayPictureKind]] = {KEOGRAM: Keogram, LIGHTEN: Lighten, DIGEST: Digest}
        return kinds[name](size)
