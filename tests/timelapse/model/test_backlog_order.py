"""The order of a bulk upload: runs of names in the order in which their photos were taken, or left alone."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import chain

import pytest

from timelapse_runtime.timelapse.model.backlog_order import (
    LARGEST_BACKLOG,
    RunTimes,
    backlog_runs,
    by_capture,
    by_told_times,
    is_backlog,
    time_of,
)
from timelapse_runtime.timelapse.model.photo_order import arrange
from timelapse_runtime.timelapse.model.source_frame import SourceFrame

MINUTE, DAY = 60_000, 86_400_000
PER_DAY = 60


def bulk(day_order: list[int], *, step_ms: int = 100, parallel: int = 10) -> list[SourceFrame]:
    """A photo a minute for an hour of each day, uploaded day by day in this order, ten at a time, and told by S3 in
    whole seconds. In the order in which they were taken."""
    draw, photos = random.Random(1), list[SourceFrame]()
    for day in range(len(day_order)):
        for minute in range(PER_DAY):
            place = day_order.index(day) * PER_DAY + minute + draw.uniform(0, parallel)
            uploaded = 50 * DAY + int(place * step_ms) // 1000 * 1000
            number = day * PER_DAY + minute
            taken = day * DAY + minute * MINUTE
            photos.append(SourceFrame(f"IMG_{number}.JPG", uploaded, etag=f"{number:x}", taken_epoch_ms=taken))
    return photos


def times_of(runs: list[list[SourceFrame]]) -> list[RunTimes | None]:
    return [time_of(run, lambda photo: photo.taken_epoch_ms) for run in runs]


def shuffled(photos: list[SourceFrame]) -> list[SourceFrame]:
    return random.Random(2).sample(photos, len(photos))


@pytest.mark.parametrize("day_order", [[2, 0, 1, 4, 3], [4, 3, 2, 1, 0], [1, 0]])
def test_days_that_were_uploaded_in_any_order_are_in_that_of_their_photos(day_order: list[int]) -> None:
    photos = bulk(day_order)
    runs = backlog_runs(shuffled(photos))
    assert len(runs) > 1
    assert arrange(shuffled(photos)) != photos
    assert by_capture(runs, times_of(runs)) == photos


def test_a_counter_that_wraps_is_no_obstacle() -> None:
    photos = bulk([0, 1])
    photos = [
        SourceFrame(
            f"IMG_{(9_950 + n) % 10_000:04d}.JPG",
            one.uploaded_epoch_ms,
            etag=one.etag,
            taken_epoch_ms=one.taken_epoch_ms,
        )
        for n, one in enumerate(photos)
    ]
    runs = backlog_runs(shuffled(photos))
    assert len(runs) == 2
    assert by_capture(runs, times_of(runs)) == photos


def test_one_run_needs_no_decision() -> None:
    assert backlog_runs(shuffled(bulk([0, 1, 2]))) == []


def test_random_names_have_no_runs() -> None:
    draw = random.Random(3)
    photos = [SourceFrame(f"{draw.getrandbits(64):016x}", 1_000 * n, etag="e") for n in range(500)]
    assert backlog_runs(photos) == []


def test_what_would_cost_too_much_is_left_alone() -> None:
    assert not is_backlog(bulk([1, 0])[: PER_DAY // 2], ())
    assert is_backlog(bulk([1, 0]), ())
    assert not is_backlog([SourceFrame(f"{n:06d}", 0, etag="e") for n in range(LARGEST_BACKLOG + 1)], ())
    many = list(
        chain.from_iterable(
            [SourceFrame(f"{n:03d}-{i:02d}", (100 - n) * 10**6, etag="e") for i in range(15)] for n in range(10)
        )
    )
    assert backlog_runs(many) == []


@pytest.mark.parametrize(
    "times",
    [
        pytest.param([RunTimes(0, DAY), RunTimes(DAY // 2, 2 * DAY)], id="runs that overlap: two cameras"),
        pytest.param([RunTimes(DAY, 0), RunTimes(2 * DAY, 3 * DAY)], id="times that fall where the names rise"),
        pytest.param([RunTimes(5, 5), RunTimes(9, 9)], id="times that do not differ"),
    ],
)
def test_times_that_contradict_the_names_or_each_other_tell_nothing(times: list[RunTimes]) -> None:
    runs = backlog_runs(bulk([1, 0]))
    assert by_capture(runs, times) is None


def test_a_few_photos_without_a_time_come_last() -> None:
    photos = bulk([2, 0, 1])
    stray = SourceFrame("cover.png", photos[70].uploaded_epoch_ms, etag="c")
    runs = backlog_runs(shuffled([stray, *photos]))
    times = [time_of(run, lambda photo: photo.taken_epoch_ms) for run in runs]
    assert by_capture(runs, times) == [*photos, stray]
    assert by_capture(runs, [None, *times[1:]]) is None, "they are too many"


def test_a_photo_without_a_time_at_the_end_of_a_run_is_passed_over() -> None:
    run = [replace(one, taken_epoch_ms=one.taken_epoch_ms if 2 <= n < 58 else None) for n, one in enumerate(bulk([0]))]
    assert time_of(run, lambda photo: photo.taken_epoch_ms) == RunTimes(2 * MINUTE, 57 * MINUTE)
    assert time_of(run[:2], lambda photo: photo.taken_epoch_ms) is None
    assert time_of(run[2:3], lambda photo: photo.taken_epoch_ms) == RunTimes(2 * MINUTE, 2 * MINUTE)


def test_the_rest_of_a_backlog_is_still_one() -> None:
    photos = bulk([2, 1, 0])
    encoded, rest = photos[78:110], photos[110:135]
    assert not is_backlog(rest, ())
    assert is_backlog(rest, encoded)
    runs = backlog_runs(rest)
    assert len(runs) == 2
    assert by_capture(runs, times_of(runs)) == rest


def test_random_names_that_tell_a_time_are_in_its_order() -> None:
    photos = bulk([2, 0, 1])
    times = {one.key: one.captured_epoch_ms for one in photos}
    mixed = shuffled([SourceFrame("cover.png", photos[70].uploaded_epoch_ms, etag="c"), *photos])
    found = by_told_times(mixed, [times.get(one.key) for one in mixed])
    assert found is not None
    assert (found[:-1], found[-1].key) == (photos, "cover.png")
    assert by_told_times(mixed, [times.get(one.key) if n % 3 else None for n, one in enumerate(mixed)]) is None
    assert by_told_times(mixed, [None] * len(mixed)) is None


def test_a_day_is_enough_if_there_are_some() -> None:
    for order in ([4, 2, 0, 3, 1], [1, 0]):
        photos = bulk(order)
        usual = arrange(photos)
        assert by_told_times(usual, [one.captured_epoch_ms // DAY * DAY for one in usual]) == photos


def test_photos_of_yesterday_are_a_bulk_upload_too() -> None:
    photos = [replace(one, uploaded_epoch_ms=one.uploaded_epoch_ms - 48 * DAY) for one in bulk([1, 0])]
    mixed = shuffled(photos)
    assert by_told_times(mixed, [one.taken_epoch_ms for one in mixed]) == photos


def test_a_clock_that_jumped_in_a_live_stream_does_not_decide() -> None:
    live = [SourceFrame(f"{n}.jpg", 5_000 * DAY + n * MINUTE, etag="e") for n in range(200)]
    for back_ms in (0, DAY, 4_000 * DAY):
        told = [one.uploaded_epoch_ms - (back_ms if 50 <= n < 150 else 0) for n, one in enumerate(live)]
        assert by_told_times(live, told) is None
        days = [ms // DAY * DAY for ms in told]
        assert by_told_times(live, days) is None


def test_photos_that_were_uploaded_as_they_were_taken_keep_their_order() -> None:
    """A stream that was not looked at for two hours, and whose clock fell back in between."""
    live = bulk([1, 0], step_ms=MINUTE, parallel=0)
    live = [replace(one, taken_epoch_ms=one.uploaded_epoch_ms) if n >= PER_DAY else one for n, one in enumerate(live)]
    runs = backlog_runs(live)
    assert len(runs) == 2
    assert by_capture(runs, times_of(runs)) is None
