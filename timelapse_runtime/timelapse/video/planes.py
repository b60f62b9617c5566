"""A picture's samples as numpy arrays, without a copy. numpy is imported only where a filter is on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from av.video.frame import VideoFrame

from timelapse_runtime.timelapse.filters.contract import Planes

if TYPE_CHECKING:
    from av.video.plane import VideoPlane

    from timelapse_runtime.timelapse.filters.contract import Plane


def planes_of(picture: VideoFrame) -> Planes:
    """The samples of a `yuv420p` picture: changes are made in the picture, which must have no other user."""
    return Planes(*(_samples(plane) for plane in picture.planes))


def _samples(plane: VideoPlane) -> Plane:
    import numpy  # noqa: PLC0415  a start without filters does not pay for it

    rows = numpy.frombuffer(memoryview(plane), numpy.uint8)
    return rows[: plane.line_size * plane.height].reshape(plane.height, plane.line_size)[:, : plane.width]
