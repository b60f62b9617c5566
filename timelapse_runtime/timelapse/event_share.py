"""Whether other environments are told of a stream's photos too, and which photos therefore wait unread.

Where others are told of many photos, Lambda has scaled out, and another environment may be asked for the stream next:
what the owner has read and not committed is then done again. So the owner reads photos when a flush needs them, not
when they are announced, and commits right after it. Until then they are in S3, as those are that others left to it.

Owns what was announced and listed since the last listing, and the photos that wait unread. Knows nothing of S3.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from timelapse_runtime.timelapse.intake import PhotoHint
from timelapse_runtime.timelapse.model.keys import key_order
from timelapse_runtime.timelapse.model.source_frame import SourceFrame, photo_at, photo_identity

_FOURTH, _EIGHTH = 4, 8
"""Events are shared if a fourth of what is announced here was not announced here. Photos go on waiting unread as long
as it is an eighth: reading and encoding a flush's photos at once may itself bring others some events."""
_CROWD = 4
"""So many photos that were not announced here, and came within `hold_ms`, are not just a few late events."""


class EventShare:
    """One stream's. A listing is due after `window` unread photos, or `hold_ms` after the first; a flush is due
    `longest_ms` after the first. Times are this environment's, in milliseconds."""

    def __init__(self, *, window: int, hold_ms: int, longest_ms: int) -> None:
        self._window, self._hold_ms, self._longest_ms = window, hold_ms, longest_ms
        self.is_shared = True
        """Whether another environment may be told of photos that this one is not told of."""
        self.reads_late = False
        """Whether photos wait unread."""
        self._announced: list[str] = []
        self._put_off: dict[str, PhotoHint] = {}
        self._left: dict[str, PhotoHint] = {}
        self._carried: frozenset[str] = frozenset()
        self._is_first = True
        self._since_listing: list[int] = []
        self._first_unread_ms: int | None = None

    def announced(self, position: str) -> None:
        """An event announced a photo, and it was read."""
        self._announced.append(position)

    def put_off(self, hint: PhotoHint, now_ms: int) -> bool:
        """An event announced a photo, which waits unread. `hint` has its ETag. False if it was announced before."""
        identity = _identity(hint)
        if identity in self._put_off:
            return False
        self._left.pop(identity, None)
        self._put_off[identity] = hint
        self._since_listing.append(now_ms)
        self._first_unread_ms = now_ms if self._first_unread_ms is None else self._first_unread_ms
        return True

    def leave(self, photos: Iterable[SourceFrame], now_ms: int, *, starts_anew: bool) -> None:
        """A listing showed these photos, and they wait unread. `starts_anew`: all others were taken."""
        for photo in photos:
            if photo.identity not in self._put_off:
                self._left[photo.identity] = PhotoHint(photo.key, photo.etag)
        if starts_anew:
            self._carried = frozenset(self._left)
            self._first_unread_ms = now_ms if self.unread else None
        elif self._first_unread_ms is None:
            self._first_unread_ms = now_ms

    def read(self, identity: str) -> None:
        """The photo waits unread no longer."""
        self._put_off.pop(identity, None)
        self._left.pop(identity, None)

    @property
    def unread(self) -> list[PhotoHint]:
        """The photos that wait unread, in no order."""
        return [*self._put_off.values(), *self._left.values()]

    def has_key(self, key: str) -> bool:
        """Whether a photo under this key waits unread."""
        return any(hint.key == key for hint in self.unread)

    def unshown(self, photos: Collection[SourceFrame]) -> list[PhotoHint]:
        """What waits unread, and is not among these photos of a listing."""
        shown = {photo.identity for photo in photos}
        return [hint for hint in self.unread if _identity(hint) not in shown]

    def is_listing_due(self, now_ms: int) -> bool:
        """Whether to look how many photos there are by now."""
        if not self._since_listing:
            return False
        waited_ms = now_ms - self._since_listing[0]
        return len(self._since_listing) >= self._window or waited_ms >= self._hold_ms or self._is_overdue(now_ms)

    def listed(self, photos: Sequence[SourceFrame], hints: Iterable[PhotoHint]) -> None:
        """A listing has shown these photos, which are not read yet. `hints` are those of the event at hand."""
        told = {*self._put_off, *map(_identity, hints)}
        announced = [*self._announced, *(photo.position for photo in photos if photo.identity in told)]
        is_first, self._is_first, self._announced, self._since_listing = self._is_first, False, [], []
        if not announced:
            return
        # Events of photos above the newest announced one may still come. Before any has come, they are no help.
        newest = max(map(key_order, announced))
        known = told | self._carried
        missed = [one for one in photos if one.identity not in known and (is_first or key_order(one.position) < newest)]
        if not is_first:
            self.is_shared = (_EIGHTH if self.reads_late else _FOURTH) * len(missed) > len(announced)
        newest_ms = max(photo.uploaded_epoch_ms for photo in (*missed, *map(photo_at, announced)))
        recent_count = sum(newest_ms - photo.uploaded_epoch_ms < self._hold_ms for photo in missed)
        self.reads_late = self.is_shared and (self.reads_late or recent_count >= _CROWD)

    def may_wait(self, photos: Sequence[SourceFrame], now_ms: int, *, room: int) -> bool:
        """Whether all `photos`, which a listing shows, may wait unread: they are fewer than a flush of `room` frames
        has, and not old."""
        times = [photo.uploaded_epoch_ms for photo in photos]
        is_old = self._is_overdue(now_ms) or (bool(times) and max(times) - min(times) >= self._longest_ms)
        return self.reads_late and len(photos) - self._window < room and not is_old

    def _is_overdue(self, now_ms: int) -> bool:
        return self._first_unread_ms is not None and now_ms - self._first_unread_ms >= self._longest_ms


def _identity(hint: PhotoHint) -> str:
    return photo_identity(hint.key, hint.etag or "")
