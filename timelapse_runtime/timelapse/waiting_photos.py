"""The photos of a stream in arrival order that wait, read but not decoded, until those that arrive with them are known.

Owns these photos, and the last frames, which their order depends on. Says which photo is the next one, how long it
waits, and whether photos seem to be missing before it. Reads and encodes nothing.
"""

from __future__ import annotations

import itertools
import statistics
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from timelapse_runtime.timelapse.model.photo_order import arrange
from timelapse_runtime.timelapse.model.source_frame import SourceFrame
from timelapse_runtime.timelapse.photo_reader import FetchedPhoto

HOLD_MS = 10_000
"""A photo waits no longer for others, by the upload times that were seen."""
_MAXIMUM_HELD_BYTES = 64 * 1024**2
"""Fewer photos wait if they are large."""
_CONTEXT_FRAMES = 32


@dataclass(frozen=True, slots=True)
class WaitingPhoto:
    """A photo that is not encoded yet; `fetched` is None if only a listing has shown it, or a copy that `is_kept`."""

    source: SourceFrame
    fetched: FetchedPhoto | None = None
    is_kept: bool = False

    @property
    def is_unread(self) -> bool:
        """Whether nothing of it is here."""
        return self.fetched is None and not self.is_kept


class WaitingPhotos:
    """At most `window` of them wait, but for those of an invocation. By position."""

    def __init__(self, window: int) -> None:
        self._window = window
        self._photos: dict[str, WaitingPhoto] = {}
        self._encoded: deque[SourceFrame] = deque(maxlen=_CONTEXT_FRAMES)
        self._listed_before = ""
        self._listed_order: list[str] = []

    def __len__(self) -> int:
        return len(self._photos)

    def __contains__(self, position: str) -> bool:
        return position in self._photos

    def __getitem__(self, position: str) -> WaitingPhoto:
        return self._photos[position]

    @property
    def photos(self) -> Mapping[str, WaitingPhoto]:
        """All of them."""
        return self._photos

    @property
    def last_frames(self) -> Sequence[SourceFrame]:
        """The photos of the last frames, in the video's order."""
        return self._encoded

    def add(self, waiting: WaitingPhoto) -> None:
        """It waits from now on; or more is known of it."""
        self._photos[waiting.source.position] = waiting

    def discard(self, position: str) -> None:
        """It waits no longer, if it did."""
        self._photos.pop(position, None)

    def encoded(self, sources: Iterable[SourceFrame]) -> None:
        """These became frames, in this order."""
        self._encoded.extend(sources)

    def listed(self, rest: Iterable[SourceFrame]) -> None:
        """A listing leaves these waiting, in this order: it knew more photos than are here."""
        self._listed_order = [source.position for source in rest]

    # ---- order

    def next(self) -> SourceFrame:
        """The first of them: in the order of the last listing, until others come."""
        return self._first(self._photos, self._encoded)

    def after(self, first: SourceFrame) -> WaitingPhoto | None:
        """The one that comes after `first`, if no others come; None if there is none."""
        others = {position: waiting for position, waiting in self._photos.items() if position != first.position}
        return others[self._first(others, [*self._encoded, first]).position] if others else None

    def _first(self, photos: Mapping[str, WaitingPhoto], frames: Sequence[SourceFrame]) -> SourceFrame:
        if photos.keys() <= set(self._listed_order):
            return next(photos[position].source for position in self._listed_order if position in photos)
        return arrange([waiting.source for waiting in photos.values()], frames)[0]

    @property
    def is_due(self) -> bool:
        """Whether the first photo need not wait for others: too many wait, or the camera is too slow."""
        times = [waiting.source.uploaded_epoch_ms for waiting in self._photos.values()]
        newest_encoded = max((source.uploaded_epoch_ms for source in self._encoded), default=max(times))
        held_bytes = sum(len(waiting.fetched.body) for waiting in self._photos.values() if waiting.fetched)
        return (
            len(times) > self._window
            or held_bytes > _MAXIMUM_HELD_BYTES
            or max(times) - min(times) >= HOLD_MS
            or min(times) - newest_encoded >= HOLD_MS
        )

    def suspects_gap(self, first: SourceFrame, *, is_shared: bool) -> bool:
        """Whether events seem to be missing before this photo, or others are told of some (`is_shared`); asked once for
        each."""
        if is_shared and first.position not in (self._listed_before, *self._listed_order):
            self._listed_before = first.position
            return True
        times = sorted(source.uploaded_epoch_ms for source in self._encoded)
        steps = [after - time for time, after in itertools.pairwise(times)]
        if first.position == self._listed_before or not steps:
            return False
        self._listed_before = first.position
        return first.uploaded_epoch_ms - times[-1] > 2 * statistics.median(steps) + 1_000

    def held_count(self, order: Sequence[SourceFrame]) -> int:
        """How many photos at the end of `order` wait for others."""
        newest = max((source.uploaded_epoch_ms for source in order), default=0)
        recent = itertools.takewhile(lambda one: newest - one.uploaded_epoch_ms < HOLD_MS, reversed(order))
        held = len(list(itertools.islice(recent, self._window)))
        before = order[-held - 1] if held < len(order) else self._encoded[-1] if self._encoded else None
        is_slow = before is not None and held == 1 and newest - before.uploaded_epoch_ms >= HOLD_MS
        return 0 if is_slow else held
