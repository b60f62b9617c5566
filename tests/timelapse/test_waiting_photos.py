"""Which photo is next, how long it waits, and when photos seem to be missing before it."""

from __future__ import annotations

import pytest

from timelapse_runtime.runtime.state.contract import ObjectInfo
from timelapse_runtime.timelapse.model.source_frame import SourceFrame
from timelapse_runtime.timelapse.photo_reader import FetchedPhoto
from timelapse_runtime.timelapse.waiting_photos import HOLD_MS, WaitingPhoto, WaitingPhotos

START_MS = 1_790_000_000_000


def photo(number: int, second: float) -> SourceFrame:
    return SourceFrame(f"{number:04d}.jpg", START_MS + round(1000 * second), etag=f"e{number}")


def waiting_at(*seconds: float, window: int = 16) -> WaitingPhotos:
    """Photos with rising names, uploaded then."""
    found = WaitingPhotos(window)
    for number, second in enumerate(seconds):
        found.add(WaitingPhoto(photo(number, second)))
    return found


@pytest.mark.parametrize(
    ("seconds", "is_due"),
    [
        ((0, 1, 2), False),
        ((0, 1, 2, 3), True),  # one more than the window
        ((0, HOLD_MS / 1000 - 0.001), False),
        ((0, HOLD_MS / 1000), True),
    ],
)
def test_a_photo_waits_until_too_many_wait_or_a_much_newer_one_has_come(
    seconds: tuple[float, ...], *, is_due: bool
) -> None:
    assert waiting_at(*seconds, window=3).is_due == is_due


def test_a_slow_cameras_photo_waits_for_nothing() -> None:
    slow, fast = waiting_at(60), waiting_at(60)
    slow.encoded([photo(900, 0)])
    fast.encoded([photo(900, 55)])
    assert (slow.is_due, fast.is_due) == (True, False)


def test_fewer_photos_wait_if_they_are_large() -> None:
    found, large = WaitingPhotos(16), 40 * 1024**2
    for number in range(2):
        assert not (len(found) and found.is_due)
        source = photo(number, number)
        info = ObjectInfo(source.key, source.etag, large, source.uploaded_epoch_ms)
        found.add(WaitingPhoto(source, FetchedPhoto(info, bytes(large))))
    assert found.is_due


def test_the_next_one_is_the_first_by_time_and_name() -> None:
    found = waiting_at(1, 2, 1.5)  # within a second, names decide
    assert found.next().key == "0000.jpg"
    found.discard(found.next().position)
    assert found.next().key == "0001.jpg"


def test_the_order_of_a_listing_counts_until_a_photo_comes_that_it_did_not_know() -> None:
    found = waiting_at(0, 20, 40)
    found.listed([photo(2, 40), photo(0, 0), photo(1, 20)])
    assert found.next().key == "0002.jpg"
    found.discard(found.next().position)
    assert found.next().key == "0000.jpg"
    found.add(WaitingPhoto(photo(3, 60)))
    assert found.next().key == "0000.jpg"
    found.discard(found.next().position)
    assert found.next().key == "0001.jpg"


def test_the_one_after_the_first_is_the_next_when_the_first_is_encoded() -> None:
    found = waiting_at(1, 2, 1.5, 40, 30)
    order = list[str]()
    while len(found):
        first, after = found.next(), found.after(found.next())
        order.append(first.key)
        found.discard(first.position)
        found.encoded([first])
        assert (after.source if after else None) == (found.next() if len(found) else None)
    assert order == ["0000.jpg", "0001.jpg", "0002.jpg", "0004.jpg", "0003.jpg"]


def test_a_gap_of_more_than_two_steps_is_suspected_once() -> None:
    found = waiting_at(20)
    first = found.next()
    assert not found.suspects_gap(first, is_shared=False), "nothing is known of the camera's step"
    found.encoded([photo(900 + number, number) for number in range(4)])
    assert not found.suspects_gap(photo(5, 5.9), is_shared=False)
    assert found.suspects_gap(first, is_shared=False)
    assert not found.suspects_gap(first, is_shared=False)


def test_if_others_are_told_of_photos_a_listing_is_taken_before_one_that_the_last_did_not_show() -> None:
    found = waiting_at(0, 1)
    assert found.suspects_gap(photo(0, 0), is_shared=True)
    assert not found.suspects_gap(photo(0, 0), is_shared=True)
    found.listed([photo(1, 1)])
    assert not found.suspects_gap(photo(1, 1), is_shared=True)


def test_of_a_listing_the_photos_of_the_last_seconds_wait_up_to_the_window() -> None:
    order = [photo(number, number) for number in range(30)]
    assert WaitingPhotos(16).held_count(order) == 10
    assert WaitingPhotos(4).held_count(order) == 4
    assert WaitingPhotos(4).held_count([]) == 0
    slow = [photo(number, 60 * number) for number in range(30)]
    assert WaitingPhotos(16).held_count(slow) == 0
