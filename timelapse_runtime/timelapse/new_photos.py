"""Lists the photos of a stream in arrival order that are new, cheaply: near the keys that are known.

What it misses is found by its event, and by the listing of everything that the first sweep of an environment takes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from timelapse_runtime.timelapse.catalog import Catalog
from timelapse_runtime.timelapse.model.arrival_tracker import ArrivalTracker
from timelapse_runtime.timelapse.model.keys import key_order
from timelapse_runtime.timelapse.model.seen_photos import SeenPhotos
from timelapse_runtime.timelapse.model.source_frame import SourceFrame, photo_of

_PAGE_KEYS = 1_000
_SCANS = 4
"""A listing ends after a page in which nothing is new, and begins again near another known key, so many times."""


class NewPhotos:
    """One stream's. It tells `tracker` of photos that need no frame. With `lists_all`, the next listing is whole."""

    def __init__(self, tracker: ArrivalTracker, catalog: Catalog, seen: SeenPhotos) -> None:
        self._tracker, self._catalog, self._seen = tracker, catalog, seen
        self.lists_all = False

    def listed(self, *, without: Collection[str]) -> Iterator[SourceFrame]:
        """The photos that are new and not at the positions `without`, as far as a listing shows them near those that
        are known."""
        known_keys = self._tracker.scan_keys()
        start = min([self._tracker.scan_after, *(key[:-1] for key in known_keys[:1])], key=key_order)
        for _ in range(_SCANS):
            idle, last = 0, None
            for key, info in self._catalog.listed_after(start):
                source = photo_of(key, info)
                is_beyond = key_order(source.position) > key_order(self._tracker.watermark)
                if is_beyond and not (self._tracker.is_covered(source.position) or source.position in without):
                    if not self._seen.is_repeated(source):
                        yield source
                    elif self._tracker.is_in_checkpoint(self._seen.newest_position(source.key)):
                        self._tracker.settled(source.position)  # not before: a crash would leave neither
                idle = 0 if is_beyond or self.lists_all else idle + 1
                if idle == _PAGE_KEYS:
                    last = key
                    break
            following = [key for key in known_keys if last is not None and key_order(key) > key_order(last)]
            if not following:
                break
            start = following[0][:-1]
        self.lists_all = False
