"""Pictures through the filters that are on, and what the filters remember."""

from __future__ import annotations

from collections.abc import Mapping

from timelapse_runtime.timelapse.filters.chain import FilterChain
from timelapse_runtime.timelapse.filters.contract import FilterState, Moment, PictureFilter
from timelapse_runtime.timelapse.video.fit import Picture
from timelapse_runtime.timelapse.video.planes import planes_of


class PictureFilters:
    """The filters of one reel, for pictures of its size. Without `steps` it does nothing.

    `drawing` tells what those do that remember nothing: they make the same of the same picture and moment wherever it
    is equal. It is empty if there are no steps.
    """

    def __init__(self, steps: Mapping[str, PictureFilter], drawing: str = "") -> None:
        self._chain = FilterChain(steps) if steps else None
        self._drawing = drawing if steps else ""

    def apply(self, picture: Picture, moment: Moment) -> Picture:
        """The picture that follows the one before in the video. `picture` is changed, and must have no other user."""
        if self._chain is not None:
            self._chain.apply(planes_of(picture), moment)
        return picture

    @property
    def is_empty(self) -> bool:
        """Whether no filter is on."""
        return self._chain is None

    @property
    def remembers(self) -> bool:
        """Whether what a picture becomes depends on those before it."""
        return self._chain is not None and self._chain.remembers

    @property
    def drawing(self) -> str:
        """See above."""
        return self._drawing

    @property
    def state(self) -> FilterState:
        """What the filters remember after the last picture: a JSON value, or None."""
        return self._chain.state if self._chain is not None else None

    def resume(self, state: FilterState, last: Picture | None) -> None:
        """Continue after a frame: `state` is what the filters remembered after it, `last` is its picture as decoded
        from the video, or None if nobody has it. A state of other filters is no error: those begin anew."""
        if self._chain is not None:
            self._chain.resume(state, None if last is None else planes_of(last))
