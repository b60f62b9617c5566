"""The order of the photos that a listing shows. Of a bulk upload, some are read to find it.

Decides nothing itself: that is up to `model/photo_order.py` and `model/backlog_order.py`.
"""

from __future__ import annotations

from collections.abc import Sequence

from timelapse_runtime.timelapse.errors import FrameRejected
from timelapse_runtime.timelapse.ingest import Ingest
from timelapse_runtime.timelapse.model.backlog_order import (
    backlog_runs,
    by_capture,
    by_told_times,
    is_backlog,
    time_of,
)
from timelapse_runtime.timelapse.model.photo_order import arrange
from timelapse_runtime.timelapse.model.source_frame import SourceFrame


def arranged(photos: Sequence[SourceFrame], before: Sequence[SourceFrame], ingest: Ingest) -> list[SourceFrame]:
    """`photos` in the order of the video, of which `before` are the last frames. Raises StorageError."""
    usual = arrange(photos, before)
    if not is_backlog(photos, before):
        return usual
    if order := by_told_times(usual, [ingest.told_by_key(photo) for photo in usual]):
        return order
    runs = backlog_runs(photos)
    if order := by_capture(runs, [time_of(run, lambda photo: _taken_epoch_ms(photo, ingest)) for run in runs]):
        return order
    return by_told_times(usual, [ingest.told_by_key(photo, takes_days=True) for photo in usual]) or usual


def _taken_epoch_ms(source: SourceFrame, ingest: Ingest) -> int | None:
    """What the photo tells; None if it tells nothing, or cannot be used."""
    try:
        found = ingest.decode(ingest.fetch(source.key), skips=False)
    except FrameRejected:
        return None
    picture = None if isinstance(found.picture, FrameRejected) else found.picture
    return ingest.photo(source, picture).source.taken_epoch_ms
