"""What flushing costs in size: the same photos, flushed every 10 and every 180 frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scripts.benchmark.stage import Stage

OFTEN, SELDOM = 10, 180


def measure(photos: Sequence[bytes]) -> dict[str, Any]:
    """Bytes per frame of the finished film, and their ratio."""
    per_frame: dict[int, float] = {}
    for every in (OFTEN, SELDOM):
        with Stage({"TIMELAPSE_FLUSH_EVERY": str(every)}, freeze=False) as stage:
            for body in photos:
                stage.feed(body)
            per_frame[every] = stage.close_film() / len(photos)
    return {
        "frames": len(photos),
        "bytes_per_frame": {every: round(value, 1) for every, value in per_frame.items()},
        "ratio": round(per_frame[OFTEN] / per_frame[SELDOM], 4),
    }
