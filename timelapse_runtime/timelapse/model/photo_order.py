"""The order of a batch of photos in the video: upload time, corrected by names. Pure.

Upload times alone are not enough: a tool that copies a folder sends ten files at once, and S3 gives whole seconds.
Names alone are not enough either: counters wrap, clocks are set back, one stray file sorts after all others. So: in
natural order of the names (digits compare as numbers), the upload times of one run of a camera never fall by more than
the jitter of the batch. A greater fall begins another run. Runs are merged by time. If times fall that far again and
again, the names say nothing, and the time alone decides.
"""

from __future__ import annotations

import functools
import heapq
import itertools
import re
import statistics
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from timelapse_runtime.timelapse.model.source_frame import SourceFrame

MINIMUM_JITTER_MS, MAXIMUM_JITTER_MS = 1_000, 60_000
"""S3's Last-Modified has whole seconds; a minute is what an upload may take longer than its neighbours."""
_PAUSE_STEPS = 5
"""A step between two photos that is so many times the usual one is a pause."""
_FALLS_ALLOWED = 2
_FALLS_ALLOWED_SHARE = 10

NaturalOrder: TypeAlias = tuple[tuple[int, int, str], ...]


@functools.lru_cache(maxsize=1_024)  # each photo is put in order some twenty times while it waits
def natural_order(name: str) -> NaturalOrder:
    """A sort key under which digits compare as numbers (of any length), the rest as text, and numbers come first."""
    return tuple(_natural_part(part) for part in re.split(r"([0-9]+)", name) if part)


def _natural_part(part: str) -> tuple[int, int, str]:
    if not (part.isascii() and part.isdigit()):
        return 1, 0, part
    digits = part.lstrip("0")
    return 0, len(digits), digits


def arrange(photos: Iterable[SourceFrame], before: Sequence[SourceFrame] = ()) -> list[SourceFrame]:
    """`photos` in the order in which they belong in the video.

    `before` are the last frames that are in the video already: they help to tell a run of names from a stray one, and
    are not in the answer. Photos that neither time nor name tells apart stay in the order given.
    """
    batch = list(photos)
    if len(batch) < 2:
        return batch
    jitter_ms = _jitter_ms(batch)
    by_name = _by_name(batch, before)
    if not _names_tell(by_name, jitter_ms):
        return sorted(batch, key=lambda photo: (photo.uploaded_epoch_ms, natural_order(photo.key)))
    return [photo for _, photo, is_new in heapq.merge(*_runs(by_name, jitter_ms), key=lambda entry: entry[0]) if is_new]


def name_runs(photos: Sequence[SourceFrame]) -> list[list[SourceFrame]]:
    """The runs of names whose upload times do not fall, in the order of names; none if the names say nothing."""
    by_name = _by_name(photos)
    jitter_ms = _jitter_ms(photos)
    if not _names_tell(by_name, jitter_ms):
        return []
    return [[photo for _, photo, _ in run] for run in _runs(by_name, jitter_ms)]


def _by_name(batch: Iterable[SourceFrame], before: Iterable[SourceFrame] = ()) -> list[tuple[SourceFrame, bool]]:
    """In natural order of the names, each with whether it is of the batch."""
    entries = [(photo, False) for photo in before] + [(photo, True) for photo in batch]
    return sorted(entries, key=lambda entry: (natural_order(entry[0].key), entry[0].uploaded_epoch_ms))


def _names_tell(by_name: Sequence[tuple[SourceFrame, bool]], jitter_ms: int) -> bool:
    """Whether names say something of the order: upload times seldom fall along them."""
    times = [photo.uploaded_epoch_ms for photo, _ in by_name]
    falls = sum(after < time - jitter_ms for time, after in itertools.pairwise(times))
    return falls <= max(_FALLS_ALLOWED, len(times) / _FALLS_ALLOWED_SHARE)


def _jitter_ms(batch: Sequence[SourceFrame]) -> int:
    """How far upload times may fall within a run: a tenth of the time that the batch spans, within limits. Pauses of
    the camera do not count."""
    times = sorted(photo.uploaded_epoch_ms for photo in batch)
    steps = [after - time for time, after in itertools.pairwise(times) if after > time]
    if not steps:
        return MINIMUM_JITTER_MS
    longest = _PAUSE_STEPS * statistics.median(steps)
    return min(MAXIMUM_JITTER_MS, max(MINIMUM_JITTER_MS, round(sum(min(step, longest) for step in steps) / 10)))


def _runs(by_name: Sequence[tuple[SourceFrame, bool]], jitter_ms: int) -> list[list[tuple[int, SourceFrame, bool]]]:
    """The runs of a camera, each entry with the latest upload time of its run so far."""
    runs: list[list[tuple[int, SourceFrame, bool]]] = []
    latest = 0
    for photo, is_new in by_name:
        if not runs or photo.uploaded_epoch_ms < latest - jitter_ms:
            runs.append([])
            latest = photo.uploaded_epoch_ms
        latest = max(latest, photo.uploaded_epoch_ms)
        runs[-1].append((latest, photo, is_new))
    return runs
