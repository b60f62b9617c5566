"""Which stored segments of a reel nothing names, and which of them may be removed.

Each flush writes the open segment again, longer and under a new name. The shorter one, which the checkpoint named
before, is *replaced*. A player that loaded `video.m3u8` before the flush still asks for it, when it has played all
that comes before: so it stays for a while, and a sweep removes many with one request.

A replaced segment needs no commit before its removal, unlike an object that an attempt left which may still commit.
Whoever writes a segment's version appends to the version that its checkpoint names. If the checkpoint now names one
that is as long, or longer, that writer's checkpoint is no longer the stored one, and its commit cannot succeed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from timelapse_runtime.runtime.state.contract import ObjectInfo
from timelapse_runtime.timelapse.model.checkpoint import Reel
from timelapse_runtime.timelapse.model.keys import segment_span

VIEWED_SECONDS = 3600
"""As long as the longest reel (MAXIMUM_REEL_FRAMES) plays at 30 frames per second, and four minutes more."""
LONGEST_COMMIT_SECONDS = 900
"""Between storing the longer version and the commit, after which no playlist names the shorter one, lies at most an
invocation (Lambda quotas, read November 2026)."""
REPLACED_KEPT_SECONDS = VIEWED_SECONDS + LONGEST_COMMIT_SECONDS


class SegmentVersions:
    """The objects `stored` in the folder of `reel`'s segments."""

    def __init__(self, reel: Reel, stored: Iterable[ObjectInfo]) -> None:
        self._counts = {segment.first: segment.count for segment in reel.segments}
        self._stored = [(info, _span(info.key)) for info in stored]

    def strays(self, named: Collection[str]) -> list[str]:
        """The keys, not in `named`, of objects that no version of a named segment has replaced."""
        return [info.key for info, span in self._stored if info.key not in named and not self._is_replaced(span)]

    def replaced(self, named: Collection[str], now_epoch_ms: int) -> list[str]:
        """The keys, not in `named`, of segments that were replaced more than REPLACED_KEPT_SECONDS ago."""
        limit_epoch_ms = now_epoch_ms - REPLACED_KEPT_SECONDS * 1000
        replaced = [one for one in self._stored if one[0].key not in named and self._is_replaced(one[1])]
        return [info.key for info, span in replaced if self._replaced_epoch_ms(info, span) <= limit_epoch_ms]

    def _is_replaced(self, span: tuple[int, int]) -> bool:
        first, count = span
        return count <= self._counts.get(first, -1)

    def _replaced_epoch_ms(self, replaced: ObjectInfo, span: tuple[int, int]) -> int:
        """When it was replaced, at the latest: when the last longer version was stored. The first longer one may be one
        that was never committed."""
        return max(self._longer(span), default=replaced.last_modified_epoch_ms)

    def _longer(self, span: tuple[int, int]) -> Iterator[int]:
        for info, (first, count) in self._stored:
            if first == span[0] and count > span[1]:
                yield info.last_modified_epoch_ms


def _span(key: str) -> tuple[int, int]:
    """Of an object that is not a segment, one that replaces nothing."""
    try:
        return segment_span(key.rpartition("/")[2])
    except ValueError:
        return -1, 0
