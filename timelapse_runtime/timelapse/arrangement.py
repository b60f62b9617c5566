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
    order = None
    if is_backlog(photos, before):
        order = by_told_times(photos, [ingest.told_by_key(photo) for photo in photos])
        runs = [] if order else backlog_runs(photos)
        order = order or by_capture(runs, [time_of(run, lambda photo: _taken_epoch_ms(photo, ingest)) for run in runs])
    return order or arrange(photos, before)


def _taken_epoch_ms(source: SourceFrame, ingest: Ingest) -> int | None:
    """What the photo tells; None if it tells nothing, or cannot be used."""
    try:
        found = ingest.decode(ingest.fetch(source.key))
    except FrameRejected:
        return None
    picture = None if isinstance(found.picture, FrameRejected) else found.picture
    return ingest.photo(source, picture).source.taken_epoch_ms
