"""Which environment works on a stream: the owner that the checkpoint names, until its lease ends.

Lambda starts another environment for each photo that comes while one is busy. If all of them encoded, each would do the
work of all. So an environment that finds a live owner leaves its photos to it: they are in S3, and the owner lists them
before it commits. Each commit renews the lease, and a shutdown ends it.

A lease saves work and proves nothing. Compare-and-swap of the checkpoint keeps the video right, whatever the clocks
say. A lease ends by S3's clock: when the checkpoint was stored, plus its duration. An environment whose clock is behind
would believe it for too long, so it also ends when this environment has known the same checkpoint for that long.

A photo is left to the owner only if its name tells that the owner's next listing shows it (`Lease.shows`).
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace

from timelapse_runtime.timelapse.model.checkpoint import ARRIVAL_ORDER, Checkpoint
from timelapse_runtime.timelapse.model.keys import key_order
from timelapse_runtime.timelapse.model.source_frame import photo_at, photo_identity

_MARGIN_SECONDS = 15
_LONGEST_SECONDS = 120
_SHORT_STREAM = 500
"""Fewer photos than a listing goes through without finding a new one."""
_RISING_KEYS = 6
"""Names of so many photos in a row that rise do so by chance once in 720 times."""
_REMEMBERED_MS = 900_000
"""How long an ended lease is known: S3 refuses the requests of a clock that differs by more than 15 minutes."""


def lease_duration_ms(flush_after_seconds: int) -> int:
    """Somewhat more than the time between two commits of an owner whose photos keep coming. It is two minutes at most:
    so long the photos of an owner that was killed may wait."""
    return 1_000 * min(flush_after_seconds + _MARGIN_SECONDS, _LONGEST_SECONDS)


@dataclass(frozen=True)
class Lease:
    """That of another environment, as `checkpoint` grants it, which is kept without its reels: they are long."""

    owner: str
    ends_epoch_ms: int
    checkpoint: Checkpoint

    @property
    def commit(self) -> str:
        """The id of the commit that granted it."""
        return self.checkpoint.commit

    def shows(self, key: str, etag: str | None) -> bool:
        """Whether the owner's next listing shows this photo for sure. Otherwise its event is all that tells of it.

        A listing begins near the photos that are known, and need not reach a name that does not rise
        (`new_photos.py`). And a photo that was written over another one may be overwritten itself before a listing.
        """
        checkpoint, order = self.checkpoint, key_order(key)
        if checkpoint.order != ARRIVAL_ORDER:
            return all(order > key_order(known) for known in (checkpoint.watermark, *checkpoint.ahead))
        if key in self._newest:
            return etag is not None and photo_identity(key, etag) in self._newest[key]
        if checkpoint.frame_count + checkpoint.rejected_count < _SHORT_STREAM:
            return order > key_order(checkpoint.scan_after)
        return self._highest_rising is not None and order > self._highest_rising

    @functools.cached_property
    def _newest(self) -> Mapping[str, frozenset[str]]:
        """The photos that a checkpoint in arrival order names, by key: their identities."""
        newest: dict[str, frozenset[str]] = {}
        for photo in map(photo_at, sorted(self.checkpoint.ahead, key=key_order)):
            newest[photo.key] = newest.get(photo.key, frozenset()) | {photo.identity}
        return newest

    @functools.cached_property
    def _highest_rising(self) -> bytes | None:
        """The last of their keys as S3 orders them, if there are some and each is above the one before; else None."""
        keys = list(map(key_order, self._newest))
        rises = len(keys) == len(self.checkpoint.ahead) >= _RISING_KEYS
        return keys[-1] if rises and all(before < after for before, after in itertools.pairwise(keys)) else None


def lease_of_other(checkpoint: Checkpoint, own: str, *, stored_epoch_ms: int, now_epoch_ms: int) -> Lease | None:
    """The live lease in a checkpoint that S3 stored at `stored_epoch_ms`; None if the stream is `own` or nobody's."""
    ends_epoch_ms = min(stored_epoch_ms, now_epoch_ms) + checkpoint.lease_ms
    if checkpoint.owner in ("", own) or ends_epoch_ms <= now_epoch_ms:
        return None
    return Lease(checkpoint.owner, ends_epoch_ms, replace(checkpoint, reel=None, tail=()))


class KnownLeases:
    """What one environment knows of the streams that others own, from the checkpoints that it has read."""

    def __init__(self) -> None:
        self._leases: dict[str, Lease] = {}

    def __len__(self) -> int:
        return len(self._leases)

    def live(self, stream: str, now_epoch_ms: int) -> Lease | None:
        """The lease that no request need be spent on now."""
        lease = self._leases.get(stream)
        return lease if lease is not None and now_epoch_ms < lease.ends_epoch_ms else None

    def add(self, stream: str, lease: Lease, now_epoch_ms: int) -> Lease:
        """A lease as it was read, and as it is to be believed: if its checkpoint was known before, until it ended by
        the first reading."""
        known = self._leases.get(stream)
        if known is not None and known.commit == lease.commit:
            lease = replace(lease, ends_epoch_ms=min(known.ends_epoch_ms, lease.ends_epoch_ms))
        self._leases = {
            name: one for name, one in self._leases.items() if now_epoch_ms < one.ends_epoch_ms + _REMEMBERED_MS
        }
        self._leases[stream] = lease
        return lease
