"""What a commit may claim of photos in arrival order, and where a cheap listing must look for others.

Positions compare by upload time (`arrival_position`), so the watermark is a time: every photo uploaded before it is
covered. A photo may become visible later than its upload time says, so the watermark stays behind the newest photo, and
the checkpoint names what is covered beyond it, rejected photos as well.

S3 lists by key. `scan_after` is the key after which a listing shows all photos beyond the watermark, as far as they are
known: for names that rise, the listing is short however many photos there are.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import replace

from timelapse_runtime.timelapse.model.frame_tracker import Coverage, FrameTracker
from timelapse_runtime.timelapse.model.keys import key_order
from timelapse_runtime.timelapse.model.source_frame import SourceFrame, photo_at

SLACK_MS = 300_000
"""How long a photo may take to become visible and still be found by the next listing: a slow multipart upload has the
time at which it began."""
_MAXIMUM_NAMED_BYTES = 75_000
"""What the photos that the checkpoint names beyond the watermark take at most, if none of them has to be waited for:
1,000 with names of 20 characters."""


class ArrivalTracker(FrameTracker):
    """The frames of one stream in arrival order."""

    _claims_rejected_ahead = True

    _listed_keys: Sequence[str] = ()

    def listed_keys(self, keys: Sequence[str]) -> None:
        """Photos with these keys were listed and are not tracked yet; an empty sequence when all of them are."""
        self._listed_keys = [min(keys, key=key_order)] if keys else []

    @property
    def scan_after(self) -> str:
        """As the checkpoint says it."""
        return self._scan_after

    def scan_keys(self) -> list[str]:
        """The keys of the photos beyond the watermark, in S3's order: others are to be looked for near them."""
        return sorted((photo_at(position).key for position in self.beyond()), key=key_order)

    def beyond(self, watermark: str | None = None) -> list[str]:
        """The positions of all known photos beyond `watermark` (or the checkpoint's), in no order."""
        start = key_order(self._watermark if watermark is None else watermark)
        positions = {*self._committed_ahead, *(frame.key for frame in self._frames)}
        return [position for position in positions if key_order(position) > start]

    def limits(self, order: Sequence[SourceFrame]) -> list[str]:
        """How far the watermark may go when the first n of `order` are taken, by n: below all others, and not into the
        time from which photos may still become visible."""
        known = sorted([*self.beyond(), *(source.position for source in order)], key=key_order)
        newest = max((photo_at(position).uploaded_epoch_ms for position in known[-1:]), default=0)
        highest = f"{max(0, newest - SLACK_MS):015d}"
        sizes = itertools.accumulate(len(json.dumps(position)) + 1 for position in reversed(known))
        for position, size_bytes in zip(reversed(known), sizes, strict=True):
            if size_bytes > _MAXIMUM_NAMED_BYTES:
                highest = max(highest, position, key=key_order)
                break
        limits = [highest]
        for source in reversed(order):
            limits.append(min(limits[-1], source.position[:-1], key=key_order))  # it sorts right before the position
        return limits[::-1]

    def is_in_checkpoint(self, position: str) -> bool:
        """Whether the checkpoint covers the photo."""
        return key_order(position) <= key_order(self._watermark) or position in self._committed_ahead

    def is_covered(self, position: str) -> bool:
        """Whether the checkpoint covers the photo, or it is tracked."""
        return self.is_in_checkpoint(position) or self._is_tracked(position)

    def coverage(self, frame_count: int) -> Coverage:
        """As FrameTracker says, with `scan_after` just below the lowest key beyond the watermark."""
        coverage = super().coverage(frame_count)
        keys = [photo_at(position).key for position in self.beyond(coverage.watermark)]
        keys += self._listed_keys
        # What is one character shorter than a key sorts right before it, and need not be a key itself.
        scan_after = min(keys, key=key_order)[:-1] if keys else self._scan_after
        return replace(coverage, scan_after=scan_after)

    def is_committed(self, coverage: Coverage) -> bool:
        """Whether the checkpoint covers the same photos. The watermark may be behind: then it names some that lie below
        the new one. A `scan_after` that goes back has to be committed as well."""
        goes_back = key_order(coverage.scan_after) < key_order(self._scan_after)
        ahead = frozenset(coverage.committed_ahead)
        covered = (frame.key for frame in self._frames if key_order(frame.key) <= key_order(coverage.watermark))
        return not goes_back and ahead <= self._committed_ahead and next(covered, None) is None
