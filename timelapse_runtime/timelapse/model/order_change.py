"""What a checkpoint covers once `TIMELAPSE_ORDER` was changed. Pure.

Positions of the two orders do not compare, so the photos themselves are asked: all that are listed, and which of them
the checkpoint covers. The caller ends the reel: each reel has one order.
"""

from __future__ import annotations

from collections.abc import Iterable

from timelapse_runtime.timelapse.model.checkpoint import ARRIVAL_ORDER, Checkpoint
from timelapse_runtime.timelapse.model.frame_tracker import Coverage
from timelapse_runtime.timelapse.model.keys import key_order
from timelapse_runtime.timelapse.model.source_frame import SourceFrame


def in_other_order(checkpoint: Checkpoint, written_epoch_ms: int, listed: Iterable[SourceFrame]) -> Coverage:
    """The coverage of `checkpoint`, stored at `written_epoch_ms`, in the order that it is not in.

    `listed` are all photos, with their ETags. A photo uploaded after the checkpoint is not covered, whatever its name.
    In name order, a photo that lies below a covered one and is not covered itself is late.
    """
    if checkpoint.order == ARRIVAL_ORDER:
        keys = (photo.key for photo in listed if checkpoint.covers(photo.position))
        return Coverage(max(keys, key=key_order, default=""), (), 0, 0)
    covered, others = list[str](), list[str]()
    for photo in listed:
        is_covered = checkpoint.covers(photo.key) and photo.uploaded_epoch_ms <= written_epoch_ms
        (covered if is_covered else others).append(photo.position)
    lowest = min(others, key=key_order, default=None)
    watermark = f"{written_epoch_ms + 1:015d}"
    if lowest is not None and key_order(lowest) <= key_order(watermark):
        watermark = lowest[:-1]  # it sorts right before the position
    ahead = tuple(position for position in covered if key_order(position) > key_order(watermark))
    return Coverage(watermark, ahead, 0, 0)
