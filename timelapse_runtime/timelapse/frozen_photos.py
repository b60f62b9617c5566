"""Whether a photo shows what the frame before it shows: a camera that hangs sends the same picture again and again.

Owns what was measured of the newest frame's photo. It is not stored: another environment reads that photo again, once,
and finds the same. If it is gone or was written over, or could not be used itself, the frames before it are asked; if
that does not help, the next photo becomes a frame.
"""

from __future__ import annotations

from collections.abc import Sequence

from timelapse_runtime.timelapse.errors import FrameRejected
from timelapse_runtime.timelapse.ingest import Ingest
from timelapse_runtime.timelapse.model.skip import Look, SkipRules
from timelapse_runtime.timelapse.model.source_frame import SourceFrame, photo_of

_READ_AGAIN = 4


class FrozenPhotos:
    """Of one stream in arrival order. It does nothing unless `rules` ask for it."""

    def __init__(self, rules: SkipRules, ingest: Ingest) -> None:
        self._rules, self._ingest = rules, ingest
        self._look: Look | None = None
        self._unread: list[SourceFrame] = []

    @property
    def needs_request(self) -> bool:
        """Whether `check` would have to read a photo."""
        return bool(self._unread)

    def resume(self, sources: Sequence[SourceFrame]) -> None:
        """`sources` are the photos of the last frames, in order."""
        if self._rules.frozen is not None:
            self._look, self._unread = None, list(sources[-_READ_AGAIN:])

    def encoded(self, look: Look | None) -> None:
        """A photo became a frame, or the frame before was repeated for it; None: it could not be measured."""
        if look is not None:
            self._look, self._unread = look, []

    def check(self, look: Look | None) -> FrameRejected | None:
        """Why a photo is to be left out that would follow in the same reel. Raises StorageError."""
        while self._unread:
            self._look = self._look_again(self._unread[-1])
            self._unread = [] if self._look is not None else self._unread[:-1]
        return None if look is None or self._look is None else self._rules.check_frozen(look, self._look)

    def _look_again(self, source: SourceFrame) -> Look | None:
        try:
            found = self._ingest.decode(self._ingest.fetch(source.key), skips=False)
        except FrameRejected:
            return None
        return found.look if photo_of(source.key, found.info).position == source.position else None
