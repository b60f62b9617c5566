"""What a checkpoint covers once `TIMELAPSE_ORDER` was changed. Pure.

Positions of the two orders do not compare, so the photos themselves are asked: all that are listed, and which of them
the checkpoint covers. The caller ends the reel: each reel has one order.
"""

from __future__ import annotations

from collections.abc import Iterable

from timelapse_runtime.timelapse.model.checkpoint import ARRIVAL_ORDER, Checkpoint
from timelapse_runtime.timelapse.model.frame_tracker import Coverage
from timelapse_runtime.timelapse.model.keys import key_order
from timelapse_runtime.timelapse.model.source_frame import arrival_position


def in_other_order(checkpoint: Checkpoint, written_epoch_ms: int, listed: Iterable[tuple[str, str, int]]) -> Coverage:
    """The coverage of `checkpoint`, stored at `written_epoch_ms`, in the order that it is not in.

    `listed` are all photos: key, ETag, upload time. A photo uploaded after the checkpoint is not covered, whatever its
    name. In name order, a photo that lies below a covered one and is not covered itself is late.
    """
    if checkpoint.order == ARRIVAL_ORDER:
        return _in_name_order(checkpoint, listed)
    covered, others = list[str](), list[str]()
    for key, etag, time in listed:
        is_covered = key_order(key) <= key_order(checkpoint.watermark) or key in checkpoint.ahead
        position = arrival_position(key, etag, time)
        (covered if is_covered and time <= written_epoch_ms else others).append(position)
    lowest = min(others, key=key_order, default=None)
    watermark = f"{written_epoch_ms + 1:015d}"
    if lowest is not None and key_order(lowest) <= key_order(watermark):
        watermark = lowest[:-1]  # it sorts right before the position
    ahead = tuple(position for position in covered if key_order(position) > key_order(watermark))
    return Coverage(watermark, ahead, 0, 0)


def _in_name_order(checkpoint: Checkpoint, listed: Iterable[tuple[str, str, int]]) -> Coverage:
    positions = ((key, arrival_position(key, etag, time)) for key, etag, time in listed)
    covered = [
        key
        for key, position in positions
        if key_order(position) <= key_order(checkpoint.watermark) or position in checkpoint.ahead
    ]
    return Coverage(max(covered, key=key_order, default=""), (), 0, 0)
