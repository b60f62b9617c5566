"""What has become of each frame after the watermark: the bookkeeping behind 'exactly once'.

Entries are in key order. A frame is *held* (decoded, waiting in the reorder window), then *encoded* (it has a
number in the reel, and may or may not be committed), or it is *rejected* (its record is written). Pure: it is
told what happened, and says what a commit may claim.
"""

from __future__ import annotations

import bisect
from dataclasses import dataclass
from enum import Enum

from timelapse_runtime.timelapse.model.checkpoint import key_order


class Fate(Enum):
    """What has become of a frame."""

    HELD = "held"
    ENCODED = "encoded"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Entry:
    """A frame after the watermark; `number` is its place in the reel once it is encoded, else -1. `stands_in`: it was
    rejected, and the frame before it is repeated in its place."""

    key: str
    fate: Fate
    number: int = -1
    stands_in: bool = False


@dataclass(frozen=True, slots=True)
class Coverage:
    """What a commit may claim: the new watermark, what lies beyond it, and how many rejected frames it passes."""

    watermark: str
    ahead: tuple[str, ...]
    rejected_count: int


class Ledger:
    """The frames after `watermark`. `ahead` are those of them that the checkpoint holds as covered already."""

    def __init__(self, watermark: str, ahead: tuple[str, ...] = ()) -> None:
        self.watermark = watermark
        self._ahead = frozenset(ahead)
        self._horizon = watermark
        self._order: list[bytes] = []
        self._entries: list[Entry] = []

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: str) -> bool:
        position = bisect.bisect_left(self._order, key_order(key))
        return key in self._ahead or (position < len(self._order) and self._order[position] == key_order(key))

    @property
    def keys(self) -> list[str]:
        """The frames that no commit covers yet, in order."""
        return [entry.key for entry in self._entries]

    @property
    def committed_key(self) -> str:
        """The highest key that the checkpoint covers: a frame below it cannot be put in order any more."""
        return max([self.watermark, *self._ahead], key=key_order)

    @property
    def last_encoded_key(self) -> str:
        """The highest key that is encoded, committed or not: a frame below it comes out of order."""
        for entry in reversed(self._entries):
            if entry.fate is Fate.ENCODED:
                return max(entry.key, self.committed_key, key=key_order)
        return self.committed_key

    def held(self, key: str) -> None:
        """`key` is decoded and waits to be encoded."""
        self._set(Entry(key, Fate.HELD))

    def encoded(self, key: str, number: int, *, stands_in: bool = False) -> None:
        """`key` is in the encoder as frame `number`."""
        self._set(Entry(key, Fate.ENCODED, number, stands_in))

    def rejected(self, key: str) -> None:
        """`key` has a rejection record."""
        self._set(Entry(key, Fate.REJECTED))

    def listing_begins(self) -> None:
        """A listing starts after the watermark. Until it has come to them, it may show others below frames that an
        earlier one has shown."""
        self._horizon = self.watermark

    def listed_to(self, key: str) -> None:
        """A listing has shown all frames up to `key`, and each of them has an entry."""
        self._horizon = max(self._horizon, key, key=key_order)

    def coverage(self, frame_count: int) -> Coverage:
        """What may be claimed once the reel's frames below `frame_count` are stored.

        Every stored frame is claimed, by the watermark or in `ahead`: one that is not would be appended twice. A
        rejected frame beyond the watermark is left out: it is only rejected again, while a claim would make those below
        it late.
        """
        entries = [*(Entry(key, Fate.ENCODED, -1) for key in self._ahead), *self._entries]
        entries.sort(key=lambda entry: key_order(entry.key))
        watermark, ahead, rejected, unbroken = self.watermark, [], 0, True
        for entry in entries:
            stored = entry.fate is Fate.ENCODED and entry.number < frame_count
            unbroken = unbroken and (stored or entry.fate is Fate.REJECTED)
            if unbroken and key_order(entry.key) <= key_order(self._horizon):
                watermark = entry.key
            elif stored:
                ahead.append(entry.key)
            else:
                continue
            rejected += entry.fate is Fate.REJECTED or entry.stands_in
        return Coverage(watermark, tuple(ahead), rejected)

    def settle(self, coverage: Coverage) -> list[str]:
        """The coverage was committed. The answer is the keys that need no entry any more."""
        claimed = frozenset(coverage.ahead)
        kept: list[Entry] = []
        settled: list[str] = []
        for entry in self._entries:
            is_claimed = key_order(entry.key) <= key_order(coverage.watermark) or entry.key in claimed
            if is_claimed:
                settled.append(entry.key)
            else:
                kept.append(entry)
        self.watermark, self._ahead = coverage.watermark, claimed
        self._horizon = max(self._horizon, coverage.watermark, key=key_order)
        self._entries, self._order = kept, [key_order(entry.key) for entry in kept]
        return settled

    def _set(self, entry: Entry) -> None:
        order = key_order(entry.key)
        position = bisect.bisect_left(self._order, order)
        if position < len(self._order) and self._order[position] == order:
            assert self._entries[position].fate is Fate.HELD, f"{entry.key} is settled"
            self._entries[position] = entry
        else:
            self._order.insert(position, order)
            self._entries.insert(position, entry)
