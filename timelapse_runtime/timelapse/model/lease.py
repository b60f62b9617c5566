"""Which environment works on a stream: the owner that the checkpoint names, until its lease ends.

Lambda starts another environment for each photo that comes while one is busy. If all of them encoded, each would do the
work of all. So an environment that finds a live owner leaves its photos to it: they are in S3, and the owner lists them
before it commits. Each commit renews the lease, and a shutdown ends it.

A lease saves work and proves nothing. Compare-and-swap of the checkpoint keeps the video right, whatever the clocks
say. A lease ends by S3's clock: when the checkpoint was stored, plus its duration. An environment whose clock is behind
would believe it for too long, so it also ends when this environment has known the same checkpoint for that long.

A photo is left to the owner only if its name tells that the owner's next listing shows it (`next_listing.py`).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace

from timelapse_runtime.timelapse.model.checkpoint import Checkpoint
from timelapse_runtime.timelapse.model.next_listing import NextListing

_MARGIN_SECONDS = 15
_LONGEST_SECONDS = 120
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

    @functools.cached_property
    def next_listing(self) -> NextListing:
        """That of the owner. A photo is left to it only if this shows it."""
        return NextListing(self.checkpoint)


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
