"""Measures decoded photos, for those that are to be skipped, on a small picture of each."""

from __future__ import annotations

from timelapse_runtime.timelapse.filters.chain import required
from timelapse_runtime.timelapse.model.skip import Look
from timelapse_runtime.timelapse.video.decode import DecodedPhoto
from timelapse_runtime.timelapse.video.fit import PictureFitter
from timelapse_runtime.timelapse.video.planes import planes_of

_WIDTH, _HEIGHT = 640, 360


class PhotoLooks:
    """Keeps its scaler open. Raises FiltersUnavailable if there is no numpy."""

    def __init__(self) -> None:
        with required():
            from timelapse_runtime.timelapse.filters.look import look_at  # noqa: PLC0415  imports numpy

        self._look_at, self._fitter = look_at, PictureFitter(_WIDTH, _HEIGHT, "stretch")

    def look(self, photo: DecodedPhoto) -> Look:
        """Of a photo of any shape. Measures are of its own picture, without the filters."""
        return self._look_at(planes_of(self._fitter.fit(photo)).y)
