"""What the tests of the video modules share."""

from __future__ import annotations

import pytest

from tests.photos import make_photos
from tests.timelapse.video.segments import COUNT, SIZE
from timelapse_runtime.timelapse.video.decode import PhotoDecoder
from timelapse_runtime.timelapse.video.fit import Picture, PictureFitter


@pytest.fixture
def decoder() -> PhotoDecoder:
    return PhotoDecoder(maximum_pixels=10**7)


@pytest.fixture(scope="module")
def pictures() -> list[Picture]:
    decoder, fitter = PhotoDecoder(maximum_pixels=10**8), PictureFitter(*SIZE)
    return [fitter.fit(decoder.decode(body)) for body in make_photos(COUNT, SIZE)]
