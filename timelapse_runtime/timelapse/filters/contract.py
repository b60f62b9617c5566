"""What a filter is, and what it is given.

A filter changes the pictures of one reel in place, in the order of their frames. What it knows of earlier pictures is
of two kinds: a small state, which is stored with each commit and continues exactly after a restart, and pictures,
which a restart takes from the video. A reel begins with new filters, so it can be made from its photos alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

    Plane: TypeAlias = NDArray[numpy.uint8]

FilterState: TypeAlias = Any
"""A JSON value, below a kilobyte; None of a filter that has seen no picture, or has nothing to remember."""


@dataclass(frozen=True, slots=True)
class Planes:
    """A picture's samples, to be read and changed in place: `y` of shape (height, width), `u` and `v` of shape
    (height / 2, width / 2), uint8, limited range (luma 16 to 235, chroma 16 to 240), BT.601 matrix."""

    y: Plane
    u: Plane
    v: Plane


@dataclass(frozen=True, slots=True)
class Area:
    """A rectangle of the picture, in luma samples: from (`left`, `top`) up to, not including, (`right`, `bottom`)."""

    left: int
    top: int
    right: int
    bottom: int


@dataclass(frozen=True, slots=True)
class Moment:
    """Of which photo the picture is: its key, and when it was taken, in milliseconds since 1970."""

    key: str
    captured_epoch_ms: int


class PictureFilter(Protocol):
    """One step. It belongs to one reel's writer and is used from one thread."""

    def apply(self, picture: Planes, moment: Moment) -> None:
        """Change the picture in place. It is the frame after the one before, or the first of the reel."""
        ...

    @property
    def state(self) -> FilterState:
        """What to remember after the last picture."""
        ...

    def resume(self, state: FilterState, last: Planes | None, drawn: Sequence[Area]) -> None:
        """Continue after a frame: `state` is what was remembered after it, and `last` is that frame as the video shows
        it, or None if nobody has its pixels, or if `state` is None. In the areas `drawn`, later filters have drawn over
        what this one gave. A state of another version's, or of other settings, must not fail: then the filter begins
        anew.
        """
        ...

    @property
    def drawn(self) -> Sequence[Area]:
        """Where the filter draws something that is not part of the scene, such as a clock."""
        ...


class Stateless:
    """What a PictureFilter needs if it does the same to each picture, whatever came before."""

    @property
    def state(self) -> FilterState:
        """None: nothing is remembered."""
        return None

    def resume(self, state: FilterState, last: Planes | None, drawn: Sequence[Area]) -> None:
        """Nothing to remember."""
