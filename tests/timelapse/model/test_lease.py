from __future__ import annotations

from dataclasses import replace

from timelapse_runtime.timelapse.model.checkpoint import ARRIVAL_ORDER, NAME_ORDER, Checkpoint
from timelapse_runtime.timelapse.model.lease import KnownLeases, lease_duration_ms, lease_of_other

NOW = 1_790_000_000_000


def checkpoint(*ahead: str, owner: str = "theirs", lease_ms: int = 75_000, commit: str = "c1") -> Checkpoint:
    return Checkpoint(
        "s3://frames/camera/", 1, commit, "", ahead, 0, 0, None, ARRIVAL_ORDER, owner=owner, lease_ms=lease_ms
    )


def test_a_lease_lasts_longer_than_a_frame_waits_and_two_minutes_at_most() -> None:
    assert [lease_duration_ms(seconds) for seconds in (1, 60, 86_400)] == [16_000, 75_000, 120_000]


def test_a_lease_ends_by_the_time_at_which_s3_stored_the_checkpoint() -> None:
    lease = lease_of_other(checkpoint(), "mine", stored_epoch_ms=NOW, now_epoch_ms=NOW + 74_999)
    assert lease is not None
    assert (lease.owner, lease.ends_epoch_ms) == ("theirs", NOW + 75_000)
    assert lease_of_other(checkpoint(), "mine", stored_epoch_ms=NOW, now_epoch_ms=NOW + 75_000) is None


def test_nobody_holds_a_stream_that_is_own_or_given_up_or_from_before_there_were_leases() -> None:
    for one in (checkpoint(owner="mine"), checkpoint(lease_ms=0), checkpoint(owner="", lease_ms=0)):
        assert lease_of_other(one, "mine", stored_epoch_ms=NOW, now_epoch_ms=NOW) is None


def test_a_clock_that_is_behind_believes_a_lease_no_longer_than_it_lasts() -> None:
    known, now_epoch_ms = KnownLeases(), NOW - 600_000
    first = lease_of_other(checkpoint(), "mine", stored_epoch_ms=NOW, now_epoch_ms=now_epoch_ms)
    assert first is not None
    assert known.add("camera", first, now_epoch_ms).ends_epoch_ms == now_epoch_ms + 75_000
    later = now_epoch_ms + 75_000
    assert known.live("camera", later) is None
    again = lease_of_other(checkpoint(), "mine", stored_epoch_ms=NOW, now_epoch_ms=later)
    assert again is not None
    assert known.add("camera", again, later).ends_epoch_ms == later, "the same checkpoint has ended"


def test_a_commit_renews_a_lease_that_is_known() -> None:
    known = KnownLeases()
    for commit, now_epoch_ms in (("c1", NOW), ("c2", NOW + 60_000)):
        found = lease_of_other(
            checkpoint(commit=commit), "mine", stored_epoch_ms=now_epoch_ms, now_epoch_ms=now_epoch_ms
        )
        assert found is not None
        known.add("camera", found, now_epoch_ms)
    live = known.live("camera", NOW + 134_999)
    assert live is not None
    assert live.commit == "c2"


def test_leases_that_have_ended_are_forgotten_when_others_come() -> None:
    known = KnownLeases()
    for number in range(100):
        now_epoch_ms = NOW + number * 1_000_000
        found = lease_of_other(
            checkpoint(commit=f"c{number}"), "mine", stored_epoch_ms=now_epoch_ms, now_epoch_ms=now_epoch_ms
        )
        assert found is not None
        known.add(f"camera{number}", found, now_epoch_ms)
    assert len(known) == 1


def shown(state: Checkpoint, *photos: tuple[str, str | None]) -> list[bool]:
    lease = lease_of_other(state, "mine", stored_epoch_ms=NOW, now_epoch_ms=NOW)
    assert lease is not None
    return [lease.next_listing.shows(key, etag) for key, etag in photos]


def rising(count: int) -> tuple[str, ...]:
    return tuple(f"{1_790_000_000_000 + number:015d} e{number} {number:04d}.jpg" for number in range(count))


def test_a_photo_that_was_written_over_another_one_is_known_by_its_content() -> None:
    ahead = ("001790000000000 aaa a.jpg", "001790000001000 bbb a.jpg", "001790000002000 ccc b.jpg")
    again = [("a.jpg", '"aaa"'), ("a.jpg", '"bbb"'), ("a.jpg", '"new"'), ("a.jpg", None), ("c.jpg", '"new"')]
    assert shown(checkpoint(*ahead), *again) == [True, True, False, False, True]


def test_a_listing_of_a_long_stream_shows_what_rises_above_names_that_rise() -> None:
    long = replace(checkpoint(*rising(8)), frame_count=100_000, scan_after="0000.jp")
    assert shown(long, ("0008.jpg", None), ("0003x.jpg", None), ("9999.jpg", None)) == [True, False, True]
    assert shown(long, ("-1.jpg", None)) == [False], "a counter that wrapped"
    assert shown(replace(long, ahead=rising(5)), ("0008.jpg", None)) == [False], "too few names to tell"
    names = ("c7", "1f", "88", "03", "e2", "5b", "d4")
    drawn = tuple(f"{1_790_000_000_000 + at:015d} e {name}.jpg" for at, name in enumerate(names))
    assert shown(replace(long, ahead=drawn), ("ff.jpg", None)) == [False], "names that do not rise"


def test_a_listing_of_a_short_stream_shows_what_lies_after_its_beginning() -> None:
    short = replace(checkpoint(*rising(3)), frame_count=499, scan_after="0002.jp")
    assert shown(short, ("0001.jpg", None), ("0002a.jpg", None), ("9.jpg", None)) == [False, True, True]


def test_in_the_order_of_names_a_listing_shows_what_lies_above_all_that_is_covered() -> None:
    state = replace(checkpoint(), order=NAME_ORDER, watermark="0004.jpg", ahead=("0007.jpg",))
    assert shown(state, ("0003.jpg", None), ("0005.jpg", None), ("0008.jpg", None)) == [False, False, True]
