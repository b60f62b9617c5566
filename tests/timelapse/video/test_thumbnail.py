"""A picture to a small JPEG."""

from __future__ import annotations

import numpy as np

from tests.photos import plane_array
from tests.timelapse.video.images import HEIGHT, WIDTH, encode, ramp
from timelapse_runtime.timelapse.video.decode import PhotoDecoder
from timelapse_runtime.timelapse.video.fit import PictureFitter
from timelapse_runtime.timelapse.video.thumbnail import ThumbnailEncoder


def test_a_thumbnail_is_small_and_shows_the_picture(decoder: PhotoDecoder) -> None:
    picture = PictureFitter(WIDTH, HEIGHT).fit(decoder.decode(encode("png", "rgb24", ramp())))
    thumbnails = ThumbnailEncoder(maximum_width=64)
    first, second = thumbnails.encode(picture), thumbnails.encode(picture)
    assert first == second
    small = decoder.decode(first)
    assert (small.width, small.height) == (64, 32)
    assert np.abs(plane_array(small.frame, 0).astype(float).mean(axis=0) - np.linspace(2, 253, 64)).max() < 10
