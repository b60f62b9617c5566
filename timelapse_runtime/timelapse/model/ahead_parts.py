"""Which part of `ahead` a checkpoint holds, and which part other objects hold. Pure.

The checkpoint is written with each commit, and so it must stay small. Usually `ahead` is short: the watermark follows.
While a bulk upload is put in the order in which its photos were taken, it does not, and thousands of photos are covered
beyond it. Then what has become too long for the checkpoint goes to an object of its own, once, which the checkpoint
names from then on. Such an object is written before the commit that names it, never changed, and removed after a commit
that names it no longer.
"""

from __future__ import annotations

from collections.abc import Sequence

from timelapse_runtime.timelapse.model.checkpoint import AheadPart, positions_size_bytes
from timelapse_runtime.timelapse.model.keys import key_order

MAXIMUM_AHEAD_BYTES = 80_000
"""What a checkpoint holds of `ahead` itself. More than the 75 kB that the watermark leaves of a usual stream
(`arrival_tracker.py`): those need no such object. A bulk upload of 10,000 photos has eight of them at most."""


def ahead_parts(
    ahead: Sequence[str], watermark: str, before: Sequence[AheadPart], attempt: str
) -> tuple[AheadPart, ...]:
    """The objects that hold what the checkpoint cannot hold of `ahead`; none if it can hold all.

    `before` are those of the checkpoint before: they stay as long as something in them lies beyond the watermark. The
    last one may be new; its name is `attempt` then.
    """
    if positions_size_bytes(ahead) <= MAXIMUM_AHEAD_BYTES:
        return ()
    claimed, passed = frozenset(ahead), key_order(watermark)
    parts = list[AheadPart]()
    for part in before:
        beyond = [position for position in part.positions if key_order(position) > passed]
        if beyond and claimed.issuperset(beyond):
            parts.append(part)
    held = {position for part in parts for position in part.positions}
    rest = [position for position in ahead if position not in held]
    if positions_size_bytes(rest) > MAXIMUM_AHEAD_BYTES:
        parts.append(AheadPart.of(attempt, rest))
    return tuple(parts)
