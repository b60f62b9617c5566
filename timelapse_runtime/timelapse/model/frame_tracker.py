"""Everything that is known of a stream's frames that no commit covers yet, and of the last ones that one does.

This is the bookkeeping behind "exactly once". It owns the watermark as it is committed, the frames after it, the late
frames, and the recent keys. It is pure: it is told what happened, and says where a photo belongs and what a commit may
claim. It knows nothing of storage, pictures or time.

A frame after the watermark is *pending* (decoded, and waiting in the reorder window), then *encoded* (it has a number
in the reel, and may or may not be committed), or it is *rejected* (its record is written). A *late* photo comes after
a commit that covers a higher key: it cannot be put in order any more.

Invariants: the watermark never goes back; it never passes a frame that no listing has shown, nor one that is pending;
each encoded frame that a commit stores is claimed by it, either by the watermark or in `committed_ahead`.
"""

from __future__ import annotations

import bisect
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from timelapse_runtime.timelapse.model.keys import key_order

_RECENT_KEYS = 1_000
"""Number of committed frames that are remembered, to recognise a repeated event without asking S3."""


class FrameState(Enum):
    """How far a frame has come."""

    PENDING = "pending"
    ENCODED = "encoded"
    REJECTED = "rejected"
    SETTLED = "settled"
    """It needs no frame: the same content again, or overwritten before it could be read."""


class Place(Enum):
    """Where a photo belongs that an event or a listing shows."""

    TRACKED = "tracked"
    """It is pending, encoded or rejected already, or committed ahead of the watermark."""
    LATE = "late"
    """A commit covers its key or a higher one."""
    OVERTAKEN = "overtaken"
    """An uncommitted frame with a higher key is encoded: to put this one in order, discard the uncommitted frames."""
    NEXT = "next"
    """It lies above all encoded frames."""


@dataclass(frozen=True, slots=True)
class TrackedFrame:
    """A frame after the watermark. `number` is its place in the reel once it is encoded, else -1. `is_repeated`: its
    photo was rejected, and the frame before it is shown in its place."""

    key: str
    state: FrameState
    number: int = -1
    is_repeated: bool = False


@dataclass(frozen=True, slots=True)
class Coverage:
    """What a commit may claim: the new watermark, the stored frames beyond it, and how many rejected frames it covers.

    It holds for a commit that stores the frames below `frame_count` of the reel that is being written.
    """

    watermark: str
    committed_ahead: tuple[str, ...]
    rejected_count: int
    frame_count: int
    scan_after: str = ""
    """Of a stream in arrival order: see ArrivalTracker."""


class FrameTracker:
    """The frames of one stream. `watermark` and `committed_ahead` are what its checkpoint says.

    A key here is the photo's position in its stream's order: in the order of names, its key.
    """

    _claims_rejected_ahead = False
    """In the order of names, a claim beyond the watermark would make the photos below it late."""

    def __init__(self, watermark: str = "", committed_ahead: tuple[str, ...] = ()) -> None:
        self._recent: OrderedDict[str, None] = OrderedDict()
        self.resume(watermark, committed_ahead)

    def resume(self, watermark: str, committed_ahead: tuple[str, ...], scan_after: str = "") -> None:
        """Continue after this checkpoint, as a new tracker would. The recent keys stay."""
        self._watermark, self._committed_ahead = watermark, frozenset(committed_ahead)
        self._scan_after = scan_after
        self._committed_late: list[str] = []
        self.discard_uncommitted()

    def discard_uncommitted(self) -> None:
        """Forget the frames after the checkpoint: they are to be read and encoded again."""
        self._horizon = self._watermark
        self._order: list[bytes] = []
        self._frames: list[TrackedFrame] = []
        self._late: list[str] = []
        self._late_numbers: dict[str, int] = {}
        self._since_flush = 0

    # ---- questions

    def __len__(self) -> int:
        return len(self._frames)

    @property
    def watermark(self) -> str:
        """All photos up to this key are settled by the checkpoint."""
        return self._watermark

    @property
    def committed_ahead(self) -> frozenset[str]:
        """What the checkpoint covers beyond the watermark."""
        return self._committed_ahead

    @property
    def committed_key(self) -> str:
        """The highest key that the checkpoint covers: a photo below it is late."""
        return max([self._watermark, *self._committed_ahead], key=key_order)

    @property
    def last_encoded_key(self) -> str:
        """The highest key that is encoded, committed or not."""
        for frame in reversed(self._frames):
            if frame.state is FrameState.ENCODED:
                return max(frame.key, self.committed_key, key=key_order)
        return self.committed_key

    @property
    def since_flush(self) -> int:
        """Number of frames that were encoded or rejected since the last flush."""
        return self._since_flush

    def is_known(self, key: str) -> bool:
        """Whether the photo needs no further look: it is tracked, or it was settled lately."""
        return key in self._recent or self._is_tracked(key)

    def place(self, key: str) -> Place:
        """Where the photo belongs now."""
        if self._is_tracked(key):
            return Place.TRACKED
        if key_order(key) <= key_order(self.committed_key):
            return Place.LATE
        if key_order(key) < key_order(self.last_encoded_key):
            return Place.OVERTAKEN
        return Place.NEXT

    def _is_tracked(self, key: str) -> bool:
        position = bisect.bisect_left(self._order, key_order(key))
        is_entry = position < len(self._order) and self._order[position] == key_order(key)
        return is_entry or key in self._committed_ahead

    # ---- what happened to a frame

    def pending(self, key: str) -> None:
        """The photo is decoded and waits to be encoded."""
        self._set(TrackedFrame(key, FrameState.PENDING))

    def encoded(self, key: str, number: int, *, is_repeated: bool = False) -> None:
        """The photo is in the encoder as frame `number`."""
        self._set(TrackedFrame(key, FrameState.ENCODED, number, is_repeated))
        self._since_flush += 1

    def rejected(self, key: str) -> None:
        """The photo has a rejection record."""
        self._set(TrackedFrame(key, FrameState.REJECTED))
        self._since_flush += 1

    def settled(self, key: str) -> None:
        """The photo needs no frame and no record."""
        self._set(TrackedFrame(key, FrameState.SETTLED))

    def remember(self, keys: Iterable[str]) -> None:
        """These photos are settled: a repeated event for one of them needs no further look."""
        for key in keys:
            self._recent[key] = None
        while len(self._recent) > _RECENT_KEYS:
            self._recent.popitem(last=False)

    # ---- late photos

    def late(self, key: str) -> None:
        """The photo is late and has a record that says so."""
        self._late.append(key)

    def take_late(self) -> list[str]:
        """The late photos since the last call, in the order in which they were found."""
        late, self._late = self._late, []
        return late

    def late_encoded(self, key: str, number: int) -> None:
        """The late photo is in the encoder after all, out of order, as frame `number`."""
        self._late_numbers[key] = number
        self._since_flush += 1

    @property
    def late_in_encoder(self) -> frozenset[str]:
        """The late photos that are encoded and not committed."""
        return frozenset(self._late_numbers)

    def take_committed_late(self) -> list[str]:
        """The late photos that were committed since the last call: their records are obsolete."""
        committed, self._committed_late = self._committed_late, []
        return committed

    # ---- listings and commits

    def listing_begins(self) -> None:
        """A listing starts after the watermark. It may show frames below those that an earlier one has shown."""
        self._horizon = self._watermark

    def listed_to(self, key: str) -> None:
        """The listing has shown all photos up to `key`, and each of them is tracked."""
        self._horizon = max(self._horizon, key, key=key_order)

    def coverage(self, frame_count: int) -> Coverage:
        """What may be claimed once the reel's frames below `frame_count` are stored.

        Every stored frame is claimed, by the watermark or in `committed_ahead`: one that is not would be appended
        twice. A rejected frame beyond the watermark is left out: it is only rejected again, while a claim would make
        those below it late.
        """
        ahead_before = (TrackedFrame(key, FrameState.ENCODED) for key in self._committed_ahead)
        frames = sorted([*ahead_before, *self._frames], key=lambda frame: key_order(frame.key))
        watermark, ahead, rejected_count, is_unbroken = self._watermark, list[str](), 0, True
        for frame in frames:
            is_stored = frame.state is FrameState.ENCODED and frame.number < frame_count
            needs_no_frame = frame.state in (FrameState.REJECTED, FrameState.SETTLED)
            is_unbroken = is_unbroken and (is_stored or needs_no_frame)
            if is_unbroken and key_order(frame.key) <= key_order(self._horizon):
                watermark = frame.key
            elif is_stored or (self._claims_rejected_ahead and needs_no_frame):
                ahead.append(frame.key)
            else:
                continue
            rejected_count += frame.state is FrameState.REJECTED or frame.is_repeated
        return Coverage(watermark, tuple(ahead), rejected_count, frame_count)

    def is_committed(self, coverage: Coverage) -> bool:
        """Whether the checkpoint claims just that already."""
        return (coverage.watermark, frozenset(coverage.committed_ahead)) == (self._watermark, self._committed_ahead)

    def committed(self, coverage: Coverage) -> None:
        """The checkpoint claims this now. The frames that it covers are tracked no longer, but remembered."""
        claimed = frozenset(coverage.committed_ahead)
        is_covered = [
            key_order(frame.key) <= key_order(coverage.watermark) or frame.key in claimed for frame in self._frames
        ]
        self.remember(frame.key for frame, covered in zip(self._frames, is_covered, strict=True) if covered)
        self._frames = [frame for frame, covered in zip(self._frames, is_covered, strict=True) if not covered]
        self._order = [key_order(frame.key) for frame in self._frames]
        self._watermark, self._committed_ahead = coverage.watermark, claimed
        self._scan_after = coverage.scan_after
        self._horizon = max(self._horizon, coverage.watermark, key=key_order)
        stored = [key for key, number in self._late_numbers.items() if number < coverage.frame_count]
        self.remember(stored)
        self._committed_late += stored
        self._late_numbers = {key: number for key, number in self._late_numbers.items() if key not in stored}
        self._late = [key for key in self._late if key not in stored]

    def flushed(self) -> None:
        """A flush was made, whether or not there was anything to commit."""
        self._since_flush = 0

    def _set(self, frame: TrackedFrame) -> None:
        order = key_order(frame.key)
        position = bisect.bisect_left(self._order, order)
        if position < len(self._order) and self._order[position] == order:
            assert self._frames[position].state is FrameState.PENDING, f"{frame.key} is settled"
            self._frames[position] = frame
        else:
            self._order.insert(position, order)
            self._frames.insert(position, frame)
