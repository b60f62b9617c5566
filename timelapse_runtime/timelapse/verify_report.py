"""What a verification found, as values: the findings, the counts, and the one outcome that they amount to."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from timelapse_runtime.timelapse.model.photo_filter import FOLDER

_EXAMPLES = 3


class Outcome(StrEnum):
    """What a report amounts to. If several hold, the first of these counts: damage hides behind nothing, and a place
    without photos is named as such whatever else lies there."""

    DAMAGED = "missing-or-damaged"
    NOTHING_THERE = "nothing-to-check"
    LEFT_OUT = "rejected-or-ignored"
    ALL_IN_VIDEO = "all-in-video"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong: a stable word, where, and a sentence."""

    kind: str
    where: str
    detail: str


@dataclass(slots=True)
class Ignored:
    """Objects that are not photos, for one reason: how many, and a few of their keys."""

    count: int = 0
    examples: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class InTheWay:
    """The photo `key` sorts above `late_count` photos that were uploaded after it, and were rejected as late."""

    key: str
    late_count: int


@dataclass(slots=True)
class VerifyReport:
    """What was found. All keys of photos are relative to the stream's prefix."""

    frame_count: int = 0
    adopted_count: int = 0
    """Those of them that are from a video that was adopted: there is no photo behind them."""
    removed_count: int = 0
    """Frames that were taken out of closed reels."""
    uploaded_count: int = 0
    """Photos in S3: objects that the function takes for photos."""
    rejected: dict[str, int] = field(default_factory=dict)
    """How many rejection records there are, by reason."""
    ignored: dict[str, Ignored] = field(default_factory=dict)
    """The objects that are not photos, by the photo filter's reason."""
    pending: list[str] = field(default_factory=list)
    """Photos that are not covered yet; a finding says so if they wait for too long."""
    oldest_pending_seconds: int = 0
    kept_count: int = 0
    """Copies of photos that wait, in the stream's folder `kept/`."""
    gone_count: int = 0
    """Frames whose photo is not in S3 any more: deleted, or overwritten. The video does not need it."""
    out_of_place_count: int = 0
    """In arrival order, frames whose photo was uploaded more than a minute before that of the frame before them."""
    pictures_behind_count: int = 0
    """Pictures of the day that show fewer frames than their reel has: a later flush adds them."""
    unchecked_pictures_count: int = 0
    """Those that were not looked into, because a library for it is not installed."""
    in_the_way: list[InTheWay] = field(default_factory=list)
    """What made photos late, worst first."""
    order: str = ""
    """The stream's order, as its checkpoint says it."""
    source: str = ""
    """Where the photos are that the video was compared with, as a URL."""
    source_in_checkpoint: str = ""
    """Where the checkpoint says that they are; empty without a checkpoint."""
    nothing: str = ""
    """Why there is nothing to check, in a sentence; empty if there is something."""
    findings: list[Finding] = field(default_factory=list)

    @property
    def rejected_count(self) -> int:
        """How many rejection records there are."""
        return sum(self.rejected.values())

    @property
    def ignored_count(self) -> int:
        """How many objects are not photos. Folder markers do not count: they have no content that could be missing."""
        return sum(ignored.count for reason, ignored in self.ignored.items() if reason != FOLDER)

    @property
    def is_right(self) -> bool:
        """Whether nothing is missing or damaged."""
        return not self.findings

    @property
    def outcome(self) -> Outcome:
        """What it amounts to."""
        if self.findings:
            return Outcome.DAMAGED
        if self.nothing:
            return Outcome.NOTHING_THERE
        return Outcome.LEFT_OUT if self.rejected_count or self.ignored_count else Outcome.ALL_IN_VIDEO

    def add(self, kind: str, where: str, detail: str) -> None:
        """One more finding."""
        self.findings.append(Finding(kind, where, detail))

    def has(self, kind: str) -> bool:
        """Whether there is a finding of this kind."""
        return any(finding.kind == kind for finding in self.findings)

    def ignore(self, key: str, reason: str) -> None:
        """One more object that is not a photo."""
        ignored = self.ignored.setdefault(reason, Ignored())
        ignored.count += 1
        if len(ignored.examples) < _EXAMPLES:
            ignored.examples.append(key)

    def to_value(self) -> dict[str, Any]:
        """All of it, for JSON."""
        counts = {"rejected_count": self.rejected_count, "ignored_count": self.ignored_count}
        return {"outcome": self.outcome, "is_right": self.is_right, **counts, **asdict(self)}


def duration(seconds: int) -> str:
    """A time for people: `40 s`, `12 min`, `3 h 5 min`, `2 d 4 h`."""
    minutes, hours, days = seconds // 60, seconds // 3_600, seconds // 86_400
    if days:
        return f"{days} d {hours % 24} h"
    if hours:
        return f"{hours} h {minutes % 60} min"
    return f"{minutes} min" if minutes else f"{seconds} s"


def counted(number: int, noun: str) -> str:
    """A number of things for people: `1 photo`, `2 photos`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
