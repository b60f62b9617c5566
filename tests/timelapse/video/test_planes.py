"""A picture's samples are read and changed in place."""

from __future__ import annotations

import pytest
from av.video.frame import VideoFrame

from timelapse_runtime.timelapse.video.planes import planes_of


@pytest.mark.parametrize(("width", "height"), [(16, 16), (50, 38), (1918, 1080)])
def test_what_is_written_into_the_planes_is_in_the_picture(width: int, height: int) -> None:
    picture = VideoFrame(width, height, "yuv420p")
    planes = planes_of(picture)
    planes.y[:], planes.u[:], planes.v[:] = 77, 128, 130
    planes.y[height - 1, width - 1] = 200
    samples = picture.to_ndarray()
    luma = samples[:height]
    assert luma[height - 1, width - 1] == 200
    assert (luma == 77).sum() == width * height - 1
    assert set(samples[height:].ravel().tolist()) == {128, 130}
