"""The order of photos that were uploaded together, long after they were taken: where upload times say nothing. Pure.

If their keys tell when they were taken, that is their order. Otherwise names tell the order within a run of names
(`photo_order.name_runs`), and the runs, which come in the order in which some program sent its folders, are put in the
order in which their photos were taken. The times of each run's first and last photo are enough for that: two photos a
run have to be read for it, however many there are. If they tell nothing, the days in the keys are left.

A few photos without a time, such as a picture of another origin whose name makes a run of its own, come last.

That is done only if the times agree with the names and with each other. Where photos were uploaded about as fast as
they were taken, upload times are the better witness: they do not depend on the camera's clock. A clock that jumps in a
live stream must not look like a long time of taking photos. So pauses do not count, unless all photos were uploaded
days after they were taken. An interrupted backlog must look like one to the end, whatever is left of it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from timelapse_runtime.timelapse.model.photo_order import MINIMUM_JITTER_MS, name_runs
from timelapse_runtime.timelapse.model.source_frame import SourceFrame

SMALLEST_BACKLOG, LARGEST_BACKLOG = 32, 20_000
"""Photos. Fewer are what a live stream has to catch up with, unless they are the rest of a backlog. Of more the
checkpoint would get too large: it names the photos that are taken before others that were uploaded earlier (75 bytes
each)."""
_SAMPLES, _SAMPLED_SHARE = 16, 50
"""Photos that may be read for their times: so many, or this share of the backlog if it is more."""
_TRIED = 3
"""Photos at each end of a run that are read until one tells its time."""
_UNTOLD_SHARE = 10
"""The share of photos that tell no time must not be larger."""
_LONG_AGO_MS = 48 * 3_600_000
_PAUSES = 2
_MUCH_FASTER = 4
"""How many times faster than it was taken a backlog has to be uploaded."""


@dataclass(frozen=True, slots=True)
class RunTimes:
    """When a run's first and last photo were taken, in milliseconds since 1970."""

    first_ms: int
    last_ms: int


def is_backlog(photos: Sequence[SourceFrame], before: Iterable[SourceFrame]) -> bool:
    """Whether so many photos wait that they may be a bulk upload, or the rest of one: then `before`, the last frames of
    the video, were uploaded later, or long after they were taken."""
    oldest_ms = min((photo.uploaded_epoch_ms for photo in photos), default=0)
    is_rest = any(
        frame.uploaded_epoch_ms > oldest_ms + MINIMUM_JITTER_MS
        or frame.uploaded_epoch_ms > frame.captured_epoch_ms + _LONG_AGO_MS
        for frame in before
    )
    return (1 if is_rest else SMALLEST_BACKLOG) <= len(photos) <= LARGEST_BACKLOG


def by_told_times(photos: Sequence[SourceFrame], times: Sequence[int | None]) -> list[SourceFrame] | None:
    """The photos in the order of `times`, which their keys tell; None if too few do, or upload times are better. Photos
    of one time stay in the order given."""
    entries = list(zip(times, photos, strict=True))
    told = sorted([(ms, photo) for ms, photo in entries if ms is not None], key=lambda entry: entry[0])
    untold = [photo for ms, photo in entries if ms is None]
    taking, uploading = [ms for ms, _ in told], sorted(photo.uploaded_epoch_ms for _, photo in told)
    if _UNTOLD_SHARE * len(untold) > len(photos):
        return None
    if all(photo.uploaded_epoch_ms - ms > _LONG_AGO_MS for ms, photo in told):
        is_bulk = taking[-1] - taking[0] > _MUCH_FASTER * (uploading[-1] - uploading[0])
    else:
        is_bulk = _without_pauses(taking) > _MUCH_FASTER * _without_pauses(uploading)
    return [photo for _, photo in told] + untold if is_bulk else None


def _without_pauses(times: Sequence[int]) -> int:
    """How long these times lie apart, the longest steps between them left out."""
    return sum(sorted(after - before for before, after in itertools.pairwise(times))[:-_PAUSES])


def backlog_runs(photos: Sequence[SourceFrame]) -> list[list[SourceFrame]]:
    """The runs whose order is in question; none if there is nothing to decide, or it would cost too much."""
    runs = name_runs(photos)
    is_cheap = 2 * len(runs) <= max(_SAMPLES, len(photos) // _SAMPLED_SHARE)
    return runs if len(runs) > 1 and is_cheap else []


def time_of(run: Sequence[SourceFrame], taken_epoch_ms: Callable[[SourceFrame], int | None]) -> RunTimes | None:
    """The run's times; None if the photos at its ends tell none. `taken_epoch_ms` reads a photo."""
    ends = run[:_TRIED], run[: -_TRIED - 1 : -1]
    first, last = (next((ms for ms in map(taken_epoch_ms, end) if ms is not None), None) for end in ends)
    return None if first is None or last is None else RunTimes(first, last)


def by_capture(runs: Sequence[Sequence[SourceFrame]], times: Sequence[RunTimes | None]) -> list[SourceFrame] | None:
    """All photos in the order in which they were taken; None if `times`, those of the runs, do not tell it."""
    told = [(one, run) for one, run in zip(times, runs, strict=True) if one is not None]
    untold = [run for one, run in zip(times, runs, strict=True) if one is None]
    order = sorted(told, key=lambda entry: (entry[0].first_ms, entry[0].last_ms))
    is_told = _UNTOLD_SHARE * sum(map(len, untold)) <= sum(map(len, runs))
    rises_within = all(one.first_ms <= one.last_ms for one, _ in told)
    rises_between = all(before.last_ms <= after.first_ms for (before, _), (after, _) in itertools.pairwise(order))
    if all(run[-1].uploaded_epoch_ms - one.last_ms > _LONG_AGO_MS for one, run in told):
        uploads = [photo.uploaded_epoch_ms for _, run in told for photo in run]
        taking_ms = order[-1][0].last_ms - order[0][0].first_ms if order else 0
        uploading_ms = max(uploads, default=0) - min(uploads, default=0)
    else:
        taking_ms = sum(one.last_ms - one.first_ms for one, _ in told)
        uploading_ms = sum(max(0, run[-1].uploaded_epoch_ms - run[0].uploaded_epoch_ms) for _, run in told)
    if not (is_told and rises_within and rises_between and taking_ms > _MUCH_FASTER * uploading_ms):
        return None
    last = sorted(untold, key=lambda run: run[0].uploaded_epoch_ms)
    return [photo for run in (*(run for _, run in order), *last) for photo in run]
