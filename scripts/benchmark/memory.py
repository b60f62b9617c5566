"""Peak memory with large photos and small functions, against the memory that the function was given.

Lambda kills a function that takes more. `timelapse/model/memory_budget.py` has the figures that keep it from that.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.benchmark.photo_set import photo_set
from scripts.benchmark.stage import Stage

_DRAWN = 1200, 800
_FRAMES = 70
"""More than the 60 that x264 looks ahead at most, and a flush."""


@dataclass(frozen=True, slots=True)
class Case:
    """A function and the photos that it gets."""

    memory_size_mb: int
    preset: str
    photo: tuple[int, int]

    def __str__(self) -> str:
        return f"{self.memory_size_mb} MB, {self.preset}, photos {self.photo[0]}x{self.photo[1]}"


CASES = (
    Case(256, "veryfast", (1280, 720)),
    Case(512, "veryfast", (1920, 1080)),
    Case(512, "veryfast", (6000, 4000)),
    Case(1024, "veryfast", (3840, 2160)),
    Case(1769, "veryfast", (4000, 3000)),
    Case(1769, "veryfast", (6000, 4000)),
    Case(1769, "medium", (6000, 4000)),
    Case(1769, "veryslow", (6000, 4000)),
    Case(3538, "slow", (6000, 4000)),
)


def measure(folder: Path | None, work: Path, *, frames: int = _FRAMES) -> dict[str, Any]:
    """One run of `frames` photos a case. `share_percent` is the peak's of the memory; the extension is not in it."""
    drawn = photo_set(folder, work, _DRAWN, count=4).paths[0].parent
    return {str(case): _run(case, drawn, work, frames) for case in CASES}


def _run(case: Case, drawn: Path, work: Path, frames: int) -> dict[str, Any]:
    place = work / f"{case.memory_size_mb}-{case.preset}"
    place.mkdir(exist_ok=True)
    photos = photo_set(drawn, place, case.photo, count=4)
    variables = {"TIMELAPSE_PRESET": case.preset, "TIMELAPSE_SIZE": "auto"}
    with Stage(variables, memory_size_mb=case.memory_size_mb, freeze=False) as stage:
        for _, body in zip(range(frames), photos.bodies(), strict=False):
            stage.feed(body)
        scaled = [str(record["message"]) for record in stage.log if "scaled down" in str(record.get("message"))]
        rejected = sum("rejected" in str(record.get("message")) for record in stage.log)
        peak = stage.environment.usage.peak_rss_bytes
    return {
        "video": scaled[0].rpartition(" ")[2] if scaled else "the photos' size",
        "rejected": rejected,
        "peak_mib": round(peak / 1024**2),
        "share_percent": round(100 * peak / 1024**2 / case.memory_size_mb),
    }
